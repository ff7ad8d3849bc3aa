//! The encoders of a connection: the best that are known to work.

use crate::config::kiosk::EncoderChoice;
use crate::media::codecs::{self, CodecReport, H264, Kind, Shape};
use crate::media::loss::{Loss, LossCause};
use crate::media::pipeline::STATE_DEADLINE;

/// The encoders of one connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encoders {
    pub(super) h264: &'static H264,
    pub(super) aac: &'static str,
}

impl Encoders {
    /// The best that are known to work, without the hardware that has `failed`. The trials are
    /// over long before a call, or find the first of these in some ten milliseconds.
    pub(super) async fn choose(
        choice: &EncoderChoice,
        failed: &[&str],
        shape: Shape,
    ) -> Result<Self, Loss> {
        let decide = |report: &CodecReport| {
            let h264 = H264::choose(choice, failed, report)?;
            let aac = report.choose(Kind::AacEncoder, |_| true)?;
            Some(h264.and_then(|h264| Ok(Self { h264, aac: aac? })))
        };
        match tokio::time::timeout(STATE_DEADLINE, codecs::settle(shape, decide)).await {
            Ok(Some(found)) => found.map_err(|error| encoder_loss(error.to_string())),
            Ok(None) | Err(_) => Err(encoder_loss("no encoder answers".to_owned())),
        }
    }
}

/// A loss for which an encoder is to blame.
pub(super) fn encoder_loss(message: String) -> Loss {
    Loss {
        cause: LossCause::Encoder,
        message,
    }
}
