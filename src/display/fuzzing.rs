//! A way into the drawing of text, for fuzz targets and property tests. No part of the product.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::RgbColor;

use super::canvas::{Canvas, PIXEL, shorten, text_width};
use super::layout::Rect;

/// Bytes around the canvas that nobody may write.
const GUARD: usize = 64;

/// Draws a text on a canvas whose size and place the first bytes give: nothing outside of the canvas
/// is written, and a text that is shortened fits.
pub fn text(input: &[u8]) {
    let Some((&[width, height, x, y, scale], text)) = input.split_first_chunk() else {
        return;
    };
    let (width, height) = (u32::from(width).max(1), u32::from(height).max(1));
    let scale = u32::from(scale % 4) + 1;
    let text = String::from_utf8_lossy(text);
    let stride = width as usize * PIXEL + GUARD;
    let mut plane = vec![7; stride * height as usize + GUARD];
    let mut canvas = Canvas::new(&mut plane, stride, width, height);
    canvas.text(&text, u32::from(x), u32::from(y), scale, Rgb888::RED);
    canvas.text_in_the_middle(&text, Rect::new(0, 0, width, height), scale, Rgb888::RED);
    for line in plane.chunks(stride) {
        let outside = line.get(width as usize * PIXEL..).unwrap_or(line);
        assert!(
            outside.iter().all(|byte| *byte == 7),
            "written beside the canvas"
        );
    }
    let most = width / 10;
    assert!(text_width(&shorten(&text, most), 1) <= most * 10);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_text_does_harm(place in any::<[u8; 5]>(), text in ".{0,80}") {
            super::text(&[&place[..], text.as_bytes()].concat());
        }
    }
}
