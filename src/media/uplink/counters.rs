//! Counts what a connection does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gstreamer as gst;
use gstreamer::prelude::*;

/// Counters of a leg; they only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counters {
    /// Bytes to the relay, with the handshake; zero until the relay has accepted the stream.
    pub(super) bytes: u64,
    /// Encoded frames, by our encoder or the camera's.
    pub(super) frames: u64,
    /// Key frames among those.
    pub(super) keys: u64,
    /// Encoded bytes of picture and of sound.
    pub(super) picture_bytes: u64,
    pub(super) sound_bytes: u64,
    /// Pictures given to our encoder, those that wait for it, and those that it encoded.
    pub(super) given: u64,
    pub(super) encoder_queue: u64,
    pub(super) encoded: u64,
}

/// Counts packets.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) packets: AtomicU64,
    pub(super) keys: AtomicU64,
    pub(super) bytes: AtomicU64,
}

impl Meter {
    pub(super) fn note(&self, key: bool, bytes: usize) {
        self.packets.fetch_add(1, Ordering::Relaxed);
        self.keys.fetch_add(u64::from(key), Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Counts what leaves an encoder.
pub(super) fn meter(encoder: &gst::Element) -> Arc<Meter> {
    let meter = Arc::new(Meter::default());
    let counts = Arc::clone(&meter);
    if let Some(pad) = encoder.static_pad("src") {
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            if let Some(buffer) = info.buffer() {
                let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
                counts.note(key, buffer.size());
            }
            gst::PadProbeReturn::Ok
        });
    }
    meter
}
