//! A time code in the picture: proof of when a frame left its source, readable where the far
//! side would show it. The demo and the latency tests measure the whole path with it.
//!
//! The upper left corner carries two rows of 40 cells, dark or bright: 48 bits of microseconds
//! and their CRC-32. Cells are a fortieth of the width, so that video encoders keep them at the
//! rates of a call, and the reader needs no more than the picture's size to find them.

use gstreamer as gst;

/// Cells in one row.
const COLUMNS: usize = 40;
/// Rows of cells.
const ROWS: usize = 2;
/// Bits of microseconds: nearly nine years.
const TIME_BITS: usize = 48;
/// Bits of the whole code, one a cell.
const BITS: usize = COLUMNS * ROWS;
/// Minimum of a cell's pixels: a smaller one is lost in a lossy encoder.
const MIN_CELL: usize = 4;
/// Minimum of a row's pixels: one transform block of H.264's high profile.
const MIN_ROW: usize = 8;
/// Luma of a 0.
const DARK: u8 = 40;
/// Luma of a 1.
const BRIGHT: u8 = 215;
/// Luma between the two.
const MIDDLE: u32 = 128;
/// A cell's mean must be this far from the middle, or the picture carries no code.
const MARGIN: u32 = 20;

/// Places of the cells in a picture, in pixels.
#[derive(Clone, Copy)]
struct Grid {
    cell: usize,
    row: usize,
    stride: usize,
}

impl Grid {
    /// `None` when the picture is too small, or `len` bytes do not hold it.
    fn new(len: usize, stride: usize, width: usize, height: usize) -> Option<Self> {
        let cell = width / COLUMNS;
        let row = cell.max(MIN_ROW);
        let fits = cell >= MIN_CELL
            && row * ROWS <= height
            && stride >= width
            && len >= stride * (row * ROWS - 1) + width;
        fits.then_some(Self { cell, row, stride })
    }

    /// Offset of the upper left pixel of bit `bit`.
    fn origin(self, bit: usize) -> usize {
        (bit / COLUMNS) * self.row * self.stride + (bit % COLUMNS) * self.cell
    }
}

fn checksum(micros: u64) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(&micros.to_be_bytes()[2..]);
    crc.sum()
}

/// Writes `micros` (its lower 48 bits, nearly nine years) into the 8-bit luma plane of a picture.
///
/// `stride` is the bytes from one line to the next. A picture under 160x16 pixels is left alone.
pub fn stamp(luma: &mut [u8], stride: usize, width: usize, height: usize, micros: u64) {
    let Some(grid) = Grid::new(luma.len(), stride, width, height) else {
        return;
    };
    let micros = micros & ((1 << TIME_BITS) - 1);
    let code = (u128::from(micros) << (BITS - TIME_BITS)) | u128::from(checksum(micros));
    for bit in 0..BITS {
        let bright = (code >> (BITS - 1 - bit)) & 1 == 1;
        let value = if bright { BRIGHT } else { DARK };
        for line in 0..grid.row {
            let start = grid.origin(bit) + line * stride;
            luma[start..start + grid.cell].fill(value);
        }
    }
}

/// The microseconds that [`stamp`] wrote, or `None` when the picture carries no intact code.
///
/// A picture without a code passes by chance once in 2^32 at most.
#[must_use]
pub fn read(luma: &[u8], stride: usize, width: usize, height: usize) -> Option<u64> {
    let grid = Grid::new(luma.len(), stride, width, height)?;
    let mut code = 0u128;
    for bit in 0..BITS {
        let mean = inner_mean(luma, grid, bit);
        if mean.abs_diff(MIDDLE) < MARGIN {
            return None;
        }
        code = (code << 1) | u128::from(mean > MIDDLE);
    }
    let micros = u64::try_from(code >> (BITS - TIME_BITS)).ok()?;
    let sum = u32::try_from(code & u128::from(u32::MAX)).ok()?;
    (checksum(micros) == sum).then_some(micros)
}

/// Mean luma of the inner half of a cell: its border takes the encoder's ringing.
fn inner_mean(luma: &[u8], grid: Grid, bit: usize) -> u32 {
    let (dx, dy) = (grid.cell / 4, grid.row / 4);
    let (columns, lines) = (grid.cell - 2 * dx, grid.row - 2 * dy);
    let mut sum = 0u32;
    for line in dy..dy + lines {
        let start = grid.origin(bit) + line * grid.stride + dx;
        sum += luma[start..start + columns]
            .iter()
            .map(|&y| u32::from(y))
            .sum::<u32>();
    }
    let pixels = u32::try_from(columns * lines).unwrap_or(u32::MAX);
    sum / pixels.max(1)
}

/// Microseconds of the monotonic clock, which all processes on one machine share.
#[must_use]
pub fn now_micros() -> u64 {
    gst::get_timestamp().useconds()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gst::prelude::*;
    use gstreamer_app::{AppSink, AppSrc};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reads_what_was_stamped(micros in 0u64..1 << TIME_BITS, width in 160usize..1300, pad in 0usize..40) {
            let stride = width + pad;
            let mut luma = vec![128; stride * 96];
            stamp(&mut luma, stride, width, 96, micros);
            prop_assert_eq!(read(&luma, stride, width, 96), Some(micros));
        }

        #[test]
        fn noise_is_no_code(luma in proptest::collection::vec(any::<u8>(), 160 * 16)) {
            prop_assert_eq!(read(&luma, 160, 160, 16), None);
        }

        #[test]
        fn no_size_panics(len in 0usize..5000, stride in 0usize..400, width in 0usize..400, height in 0usize..40) {
            let mut luma = vec![7; len];
            stamp(&mut luma, stride, width, height, 1);
            let _ = read(&luma, stride, width, height);
        }
    }

    #[test]
    fn plain_pictures_carry_no_code() {
        for value in [0u8, 16, 128, 235, 255] {
            assert_eq!(read(&vec![value; 320 * 240], 320, 320, 240), None);
        }
        // Hard-edged cells whose checksum does not fit: one bit flipped.
        let mut luma = vec![128; 320 * 240];
        stamp(&mut luma, 320, 320, 240, 0x1234_5678_9abc);
        for line in 0..8 {
            for pixel in &mut luma[line * 320 + 24..line * 320 + 32] {
                *pixel = 255 - *pixel;
            }
        }
        assert_eq!(read(&luma, 320, 320, 240), None);
    }

    #[test]
    fn too_small_a_picture_is_left_alone() {
        let mut luma = vec![9; 156 * 120];
        stamp(&mut luma, 156, 156, 120, 5);
        assert!(luma.iter().all(|&y| y == 9));
    }

    #[test]
    fn the_clock_runs() {
        let first = now_micros();
        assert!(first > 0 && now_micros() >= first);
    }

    /// A moving picture with noise in it, as a camera gives: the encoder has more to do than code.
    fn camera_like(frame: usize, width: usize, height: usize) -> Vec<u8> {
        let mut picture = vec![128; width * height * 3 / 2];
        let mut noise = 0x2545_f491_u32.wrapping_add(u32::try_from(frame).unwrap());
        for y in 0..height {
            for x in 0..width {
                noise ^= noise << 13;
                noise ^= noise >> 17;
                noise ^= noise << 5;
                let wave = (x + 2 * frame) % 64 + (y + frame) % 48;
                picture[y * width + x] = u8::try_from(60 + wave + (noise % 7) as usize).unwrap();
            }
        }
        picture
    }

    /// Sends stamped frames through x264enc and avdec_h264; gives what was read from each.
    fn round_trip(width: usize, height: usize, kbps: u32, frames: usize) -> Vec<Option<u64>> {
        gst::init().unwrap();
        let caps = gst::Caps::builder("video/x-raw")
            .field("format", "I420")
            .field("width", i32::try_from(width).unwrap())
            .field("height", i32::try_from(height).unwrap())
            .field("framerate", gst::Fraction::new(30, 1))
            .build();
        let source = AppSrc::builder()
            .caps(&caps)
            .format(gst::Format::Time)
            .build();
        let encoder = gst::ElementFactory::make("x264enc")
            .property_from_str("tune", "zerolatency")
            .property_from_str("speed-preset", "ultrafast")
            .property("bitrate", kbps)
            .property("key-int-max", 30u32)
            .build()
            .unwrap();
        let decoder = gst::ElementFactory::make("avdec_h264").build().unwrap();
        let sink = AppSink::builder().sync(false).build();
        let pipeline = gst::Pipeline::new();
        pipeline
            .add_many([source.upcast_ref(), &encoder, &decoder, sink.upcast_ref()])
            .unwrap();
        gst::Element::link_many([source.upcast_ref(), &encoder, &decoder, sink.upcast_ref()])
            .unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        for frame in 0..frames {
            let mut picture = camera_like(frame, width, height);
            stamp(&mut picture, width, width, height, micros_of(frame));
            let mut buffer = gst::Buffer::from_mut_slice(picture);
            let pts = gst::ClockTime::from_mseconds(frame as u64 * 1000 / 30);
            buffer.get_mut().unwrap().set_pts(pts);
            source.push_buffer(buffer).unwrap();
        }
        source.end_of_stream().unwrap();
        let mut read_back = Vec::new();
        while let Ok(sample) = sink.pull_sample() {
            let map = sample.buffer().unwrap().map_readable().unwrap();
            read_back.push(read(&map, width, width, height));
        }
        pipeline.set_state(gst::State::Null).unwrap();
        read_back
    }

    fn micros_of(frame: usize) -> u64 {
        7_123_456_789 + frame as u64 * 33_337
    }

    #[test]
    fn survives_video_encoding() {
        for (width, height, kbps) in [
            (320, 240, 200),
            (160, 120, 100),
            (640, 360, 400),
            (1280, 720, 1200),
        ] {
            let codes = round_trip(width, height, kbps, 60);
            assert_eq!(codes.len(), 60, "{width}x{height}");
            let good = codes.iter().enumerate();
            let good = good.filter(|(frame, code)| **code == Some(micros_of(*frame)));
            let good = good.count();
            assert!(
                good >= 57,
                "{width}x{height} at {kbps} kbit/s: {good} of 60"
            );
            let wrong = codes.iter().enumerate();
            let wrong = wrong.filter(|(frame, code)| code.is_some_and(|c| c != micros_of(*frame)));
            assert_eq!(wrong.count(), 0, "a wrong time passed for a right one");
        }
    }
}
