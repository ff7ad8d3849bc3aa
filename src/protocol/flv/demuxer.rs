//! The demuxer: messages of a stream in, packets of its tracks out. A track may begin, end, and change
//! its codec, header and clock at any time, and neither its faults nor script data touch the other.

use bytes::Bytes;

use super::aac::AacConfig;
use super::aggregate::Aggregate;
use super::codec::Codec;
use super::h264::{Flaw, H264Config};
use super::tag::{self, Body, Tag};
use super::timeline::Timeline;
use crate::protocol::rtmp::kind;

/// Composition times in ms that are believed: more than any encoder holds back.
const COMPOSITION: i64 = 5_000;
/// Packets without a header after which its lack is named: some come before it to whoever joins.
const WITHOUT_HEADER: u32 = 50;

/// The two that a stream may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Track {
    Picture,
    Sound,
}

/// A packet for a decoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    pub track: Track,
    /// The decoder's configuration: AVCDecoderConfigurationRecord or AudioSpecificConfig.
    pub config: Bytes,
    /// Media times in µs, on one line for both tracks.
    pub decode: i64,
    pub show: i64,
    /// Whether it can be decoded alone.
    pub key: bool,
    /// Whether packets before it are missing.
    pub gap: bool,
    pub data: Bytes,
}

/// News of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlvEvent {
    Packet(Packet),
    /// The packet was one that is not played, for the reason that follows if it is new.
    Passed(Track, Option<String>),
}

/// A track as it was last.
#[derive(Debug)]
struct State<C> {
    /// As it came, and as it was understood.
    config: Option<(Bytes, C)>,
    /// The reason for which the track is not played now.
    flaw: Option<String>,
    /// It is in a codec that is not played.
    foreign: bool,
    headless: u32,
    gap: bool,
}

impl<C> Default for State<C> {
    fn default() -> Self {
        Self {
            config: None,
            flaw: None,
            foreign: false,
            headless: 0,
            gap: false,
        }
    }
}

/// The demuxer of one connection.
#[derive(Debug)]
pub struct Demuxer {
    /// The most macroblocks of a picture.
    largest: u64,
    line: Timeline,
    picture: State<H264Config>,
    sound: State<AacConfig>,
}

impl Demuxer {
    /// Begins a stream, of which pictures with more pixels than `largest` (width, height) are passed.
    #[must_use]
    pub fn new(largest: (u32, u32)) -> Self {
        let blocks = |pixels: u32| u64::from(pixels.div_ceil(16));
        Self {
            largest: blocks(largest.0) * blocks(largest.1),
            line: Timeline::default(),
            picture: State::default(),
            sound: State::default(),
        }
    }

    /// Takes a message of RTMP or a tag of FLV, which came at `now` (µs); what it means goes to `out`.
    pub fn take(
        &mut self,
        message_kind: u8,
        stamp: u32,
        payload: Bytes,
        now: i64,
        out: &mut Vec<FlvEvent>,
    ) {
        if message_kind == kind::AGGREGATE {
            for inner in Aggregate::new(payload, stamp) {
                self.single(inner.kind, inner.stamp, inner.payload, now, out);
            }
        } else {
            self.single(message_kind, stamp, payload, now, out);
        }
    }

    fn single(
        &mut self,
        message_kind: u8,
        stamp: u32,
        payload: Bytes,
        now: i64,
        out: &mut Vec<FlvEvent>,
    ) {
        // Script data is nobody's business here: everything in it is in the tracks too.
        out.extend(match message_kind {
            kind::VIDEO => tag::video(payload).and_then(|tag| self.picture(tag, stamp, now)),
            kind::AUDIO => tag::audio(payload).and_then(|tag| self.sound(tag, stamp, now)),
            _ => None,
        });
    }

    fn picture(&mut self, tag: Tag, stamp: u32, now: i64) -> Option<FlvEvent> {
        let (state, largest) = (&mut self.picture, self.largest);
        let Codec::H264 = tag.codec else {
            return state.foreign(Track::Picture, &tag, "H.264");
        };
        match tag.body {
            Body::Config(data) => {
                let read = H264Config::read(&data, largest).map_err(|flaw| flaw.to_string());
                state.configure(Track::Picture, data, read)
            }
            Body::Frame {
                key,
                composition,
                data,
            } => {
                let (config, read) = match state.ready(Track::Picture, "H.264") {
                    Ok(ready) => ready,
                    Err(passed) => return Some(passed),
                };
                if let Err(flaw) = read.check(&data, largest) {
                    return Some(state.spoilt(flaw));
                }
                let line = self.line.place(0, stamp, now / 1000);
                let composition = i64::from(composition).clamp(-COMPOSITION, COMPOSITION);
                Some(FlvEvent::Packet(Packet {
                    track: Track::Picture,
                    config,
                    decode: line * 1000,
                    show: (line + composition).max(0) * 1000,
                    key,
                    gap: std::mem::take(&mut state.gap),
                    data,
                }))
            }
            Body::Nothing => None,
        }
    }

    fn sound(&mut self, tag: Tag, stamp: u32, now: i64) -> Option<FlvEvent> {
        let state = &mut self.sound;
        let Codec::Aac = tag.codec else {
            return state.foreign(Track::Sound, &tag, "AAC");
        };
        match tag.body {
            Body::Config(data) => {
                let read = AacConfig::read(&data);
                let read = read.ok_or_else(|| "AAC whose header cannot be read".to_owned());
                state.configure(Track::Sound, data, read)
            }
            // Some encoders send nothing where there is silence.
            Body::Frame { data, .. } if data.is_empty() => {
                Some(FlvEvent::Passed(Track::Sound, None))
            }
            Body::Frame { data, .. } => {
                let config = match state.ready(Track::Sound, "AAC") {
                    Ok((config, _)) => config,
                    Err(passed) => return Some(passed),
                };
                let line = self.line.place(1, stamp, now / 1000) * 1000;
                Some(FlvEvent::Packet(Packet {
                    track: Track::Sound,
                    config,
                    decode: line,
                    show: line,
                    key: true,
                    gap: std::mem::take(&mut state.gap),
                    data,
                }))
            }
            Body::Nothing => None,
        }
    }
}

impl<C: Copy> State<C> {
    /// A packet in a codec that is not played.
    fn foreign(&mut self, track: Track, tag: &Tag, known: &str) -> Option<FlvEvent> {
        let Codec::Other(name) = &tag.codec else {
            return None;
        };
        // What a stream says of itself is not in its codec until it sends something in it.
        if tag.body == Body::Nothing {
            return None;
        }
        (self.foreign, self.gap) = (true, true);
        Some(self.pass(track, format!("{name} instead of {known}")))
    }

    fn configure(
        &mut self,
        track: Track,
        data: Bytes,
        read: Result<C, String>,
    ) -> Option<FlvEvent> {
        match read {
            Ok(read) => {
                let changed = self.config.as_ref().is_none_or(|(known, _)| *known != data);
                if changed {
                    // What follows builds on none of what was before.
                    self.gap = true;
                    self.config = Some((data, read));
                }
                if changed || self.foreign {
                    self.flaw = None;
                }
                (self.foreign, self.headless) = (false, 0);
                None
            }
            Err(reason) => {
                self.config = None;
                Some(self.pass(track, reason))
            }
        }
    }

    /// The header for a packet, or the reason for which it is passed.
    fn ready(&mut self, track: Track, codec: &str) -> Result<(Bytes, C), FlvEvent> {
        if let Some((config, read)) = &self.config {
            return Ok((config.clone(), *read));
        }
        self.headless = self.headless.saturating_add(1);
        if self.flaw.is_none() && self.headless >= WITHOUT_HEADER {
            return Err(self.pass(track, format!("{codec} without its header")));
        }
        Err(FlvEvent::Passed(track, None))
    }

    /// A picture that is not shown; those that build on it are not either.
    fn spoilt(&mut self, flaw: Flaw) -> FlvEvent {
        self.gap = true;
        self.pass(Track::Picture, flaw.to_string())
    }

    fn pass(&mut self, track: Track, reason: String) -> FlvEvent {
        let new = self.flaw.as_ref() != Some(&reason);
        let told = new.then(|| reason.clone());
        self.flaw = Some(reason);
        FlvEvent::Passed(track, told)
    }
}
