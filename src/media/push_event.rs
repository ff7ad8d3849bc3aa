//! Events of capture and uplink, by Tencent's numbers.

use tokio::sync::mpsc;

use crate::protocol::events::PushCode;

/// Something that happened on the way from the camera to the relay.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PushEvent {
    pub code: PushCode,
    /// Text for the technician; never carries a secret.
    pub message: String,
    /// `EVT_PARAM1` and `EVT_PARAM2`; for events of a loss the cause and the number of tries,
    /// for the figures of 200001 kbit/s and frames per second.
    pub params: [Option<i64>; 2],
}

/// The way out for events. Never waits: a reader that is late must not hold up media.
#[derive(Debug, Clone)]
pub(super) struct Events(pub(super) mpsc::Sender<PushEvent>);

impl Events {
    /// Reports an event with its parameters.
    pub(super) fn report_with(&self, code: PushCode, params: [Option<i64>; 2], message: String) {
        log::debug!(code = code.code(), name = code.name(); "{message}");
        match self.0.try_send(PushEvent {
            code,
            message,
            params,
        }) {
            Err(mpsc::error::TrySendError::Full(event)) => {
                log::warn!(code = event.code.code(); "push event dropped: its reader is behind");
            }
            // Nobody listens any more: the call is over.
            Err(mpsc::error::TrySendError::Closed(_)) | Ok(()) => {}
        }
    }

    /// Reports an event without parameters.
    pub(super) fn report(&self, code: PushCode, message: impl Into<String>) {
        self.report_with(code, [None, None], message.into());
    }
}
