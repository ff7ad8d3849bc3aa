//! Sound for the encoder by whole frames of AAC: of less it makes nothing, and every piece that
//! it is handed wakes its thread.

use gstreamer as gst;

/// Samples of an AAC-LC frame.
const FRAME: usize = 1024;
/// Bytes of a sample: mono, 16 bit.
const SAMPLE_BYTES: usize = 2;

/// Sound that waits for the rest of a frame: less than one.
#[derive(Debug, Default)]
pub(super) struct Batch {
    waiting: Option<gst::Buffer>,
    samples: usize,
}

impl Batch {
    /// Takes the next block; returns all that wait, at the time of the first, once the encoder can
    /// make a frame of them and of what it has left from before.
    ///
    /// Not as a list of buffers: `appsrc` of GStreamer 1.22 loses one that it refuses, and
    /// complains.
    pub(super) fn put(&mut self, block: gst::Buffer) -> Option<gst::Buffer> {
        self.samples += block.size() / SAMPLE_BYTES;
        match &mut self.waiting {
            Some(waiting) => waiting.append(block),
            none => *none = Some(block),
        }
        if self.samples < FRAME {
            return None;
        }
        self.samples %= FRAME;
        let mut whole = self.waiting.take()?;
        // That of its first block.
        whole.make_mut().set_duration(gst::ClockTime::NONE);
        Some(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoder_gets_its_sound_no_later_than_it_can_use_it() {
        gst::init().expect("GStreamer starts");
        let (mut batch, mut had, mut handed) = (Batch::default(), 0, 0);
        let block = |number: usize| {
            let mut block = gst::Buffer::from_mut_slice(vec![number as u8; 960]);
            let time = gst::ClockTime::from_mseconds(10 * number as u64);
            block.get_mut().expect("only one").set_pts(time);
            block
        };
        for number in 0..1000 {
            if let Some(whole) = batch.put(block(number)) {
                assert_eq!(whole.pts(), block(had / 480).pts(), "of its first block");
                let bytes = whole.map_readable().expect("readable");
                let blocks = had / 480..=number;
                assert!(
                    bytes
                        .chunks(960)
                        .zip(blocks)
                        .all(|(b, n)| b == [n as u8; 960])
                );
                had += bytes.len() / 2;
                handed += 1;
            }
            assert_eq!(had / FRAME, (number + 1) * 480 / FRAME, "after {number}");
        }
        // Once for each frame of 21.3 ms.
        assert_eq!(handed, 1000 * 480 / FRAME);
        let long = gst::Buffer::with_size(10_000).expect("memory");
        assert!(batch.put(long).is_some(), "longer than a frame");
    }
}
