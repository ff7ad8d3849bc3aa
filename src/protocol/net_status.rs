//! The figures that pushers (200001) and players (200002) report every two seconds, under the
//! names of Tencent's SDKs. There all values are strings, and so they are here.

use std::fmt;
use std::net::IpAddr;

use serde::ser::{Serialize, SerializeMap, Serializer};

/// One record of figures. Those that are not known are left out.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct NetStatus {
    /// Load by this process and by all, in percent of the whole machine.
    pub cpu: Option<(f64, f64)>,
    /// Out of the encoder, or received, kbit/s.
    pub video_kbps: f64,
    pub audio_kbps: f64,
    pub fps: f64,
    /// Seconds between key frames.
    pub gop: Option<f64>,
    /// Sent or received, kbit/s.
    pub net_kbps: f64,
    /// Unevenness of the path's delay, in ms; Tencent's documents name no unit.
    pub jitter_ms: Option<f64>,
    /// Packets that wait to be sent (over ten: the link is too slow), or ms of media that wait
    /// to be played.
    pub cache: u64,
    /// Packets given up because they were too old.
    pub dropped: u64,
    /// Pixels.
    pub width: u32,
    pub height: u32,
    pub server: Option<IpAddr>,
    /// Pictures that wait for the codec.
    pub codec_cache: u64,
    /// Pictures that never reached the codec.
    pub codec_dropped: u64,
    /// Target of rate control, kbit/s; for pushers.
    pub wanted_kbps: Option<u32>,
}

impl NetStatus {
    /// Lists names and values in the order of the SDK's tables.
    #[must_use]
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let whole = |value: f64| Some(format!("{value:.0}"));
        let tenths = |value: f64| format!("{value:.1}");
        let fields = [
            ("CPU_USAGE", self.cpu.map(|(own, _)| tenths(own))),
            ("CPU_USAGE_DEVICE", self.cpu.map(|(_, all)| tenths(all))),
            ("VIDEO_BITRATE", whole(self.video_kbps)),
            ("AUDIO_BITRATE", whole(self.audio_kbps)),
            ("VIDEO_FPS", Some(tenths(self.fps))),
            ("VIDEO_GOP", self.gop.map(tenths)),
            ("NET_SPEED", whole(self.net_kbps)),
            ("NET_JITTER", self.jitter_ms.and_then(whole)),
            ("CACHE_SIZE", Some(self.cache.to_string())),
            ("DROP_SIZE", Some(self.dropped.to_string())),
            ("VIDEO_WIDTH", Some(self.width.to_string())),
            ("VIDEO_HEIGHT", Some(self.height.to_string())),
            ("SERVER_IP", self.server.map(|ip| ip.to_string())),
            ("CODEC_CACHE", Some(self.codec_cache.to_string())),
            ("CODEC_DROP_CNT", Some(self.codec_dropped.to_string())),
            (
                "SET_VIDEO_BITRATE",
                self.wanted_kbps.map(|kbps| kbps.to_string()),
            ),
        ];
        let known = fields.into_iter();
        known
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}

/// Writes `VIDEO_BITRATE 780 AUDIO_BITRATE 48 ...`
impl fmt::Display for NetStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.fields().iter().enumerate() {
            let space = if index > 0 { " " } else { "" };
            write!(f, "{space}{name} {value}")?;
        }
        Ok(())
    }
}

impl Serialize for NetStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.fields();
        let mut map = serializer.serialize_map(Some(fields.len()))?;
        for (name, value) in fields {
            map.serialize_entry(name, &value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_known_by_tencents_names() {
        let status = NetStatus {
            cpu: Some((12.34, 50.0)),
            video_kbps: 780.4,
            fps: 29.97,
            jitter_ms: Some(3.6),
            server: Some([10, 0, 0, 1].into()),
            ..NetStatus::default()
        };
        let text = status.to_string();
        assert!(text.starts_with("CPU_USAGE 12.3 CPU_USAGE_DEVICE 50.0 VIDEO_BITRATE 780 "));
        assert!(text.contains(" VIDEO_FPS 30.0 NET_SPEED 0 NET_JITTER 4 CACHE_SIZE 0 "));
        assert!(!text.contains("VIDEO_GOP") && !text.contains("SET_VIDEO_BITRATE"));
        let json = serde_json::to_value(status).expect("JSON");
        assert_eq!(json["SERVER_IP"], "10.0.0.1");
        assert_eq!(json["CODEC_DROP_CNT"], "0");
        assert_eq!(json.get("VIDEO_GOP"), None);
    }
}
