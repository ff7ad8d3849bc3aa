//! A BGRx plane to draw on with embedded-graphics, and text in whole multiples of one size.

use std::convert::Infallible;

use embedded_graphics::Drawable;
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::iso_8859_1::FONT_10X20;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::{DrawTarget, OriginDimensions, Pixel, Point, RgbColor, Size};
use embedded_graphics::primitives::{Circle, PrimitiveStyle, Rectangle, StyledDrawable};
use embedded_graphics::text::{Baseline, Text};
use gstreamer as gst;
use gstreamer_video as gst_video;

use gst_video::prelude::*;

use super::error::DisplayError;
use super::layout::Rect;

/// Bytes of a BGRx pixel.
pub(super) const PIXEL: usize = 4;
/// Width and height of a character in pixels at scale 1, from the font's name.
const CHARACTER: (u32, u32) = (10, 20);

/// A BGRx plane that is being drawn on.
pub(super) struct Canvas<'a> {
    data: &'a mut [u8],
    stride: usize,
    width: u32,
    height: u32,
}

impl<'a> Canvas<'a> {
    /// `stride` is the bytes from one line to the next.
    pub(super) fn new(data: &'a mut [u8], stride: usize, width: u32, height: u32) -> Self {
        Self {
            data,
            stride,
            width,
            height,
        }
    }

    /// The bytes of one line inside `rect`.
    fn line(&mut self, rect: Rect, line: u32) -> &mut [u8] {
        let start = (rect.y + line) as usize * self.stride + rect.x as usize * PIXEL;
        let end = start + rect.width as usize * PIXEL;
        self.data.get_mut(start..end).unwrap_or_default()
    }

    pub(super) fn fill(&mut self, rect: Rect, color: Rgb888) {
        for line in 0..rect.height {
            for pixel in self.line(rect, line).chunks_exact_mut(PIXEL) {
                pixel.copy_from_slice(&[color.b(), color.g(), color.r(), u8::MAX]);
            }
        }
    }

    /// Darkens to `keep` of 256 parts of the brightness.
    pub(super) fn darken(&mut self, rect: Rect, keep: u16) {
        for line in 0..rect.height {
            for byte in self.line(rect, line) {
                *byte = u8::try_from(u16::from(*byte) * keep / 256).unwrap_or(u8::MAX);
            }
        }
    }

    /// Swaps left and right.
    pub(super) fn mirror(&mut self, rect: Rect) {
        for line in 0..rect.height {
            let (pixels, _) = self.line(rect, line).as_chunks_mut::<PIXEL>();
            pixels.reverse();
        }
    }

    /// A frame of `thickness` pixels just outside `rect`, as far as the canvas goes.
    pub(super) fn frame(&mut self, rect: Rect, thickness: u32, color: Rgb888) {
        let (left, top) = (
            rect.x.saturating_sub(thickness),
            rect.y.saturating_sub(thickness),
        );
        let right = (rect.x + rect.width + thickness).min(self.width);
        let bottom = (rect.y + rect.height + thickness).min(self.height);
        let (inner_right, inner_bottom) = (rect.x + rect.width, rect.y + rect.height);
        for side in [
            Rect::new(left, top, right - left, rect.y - top),
            Rect::new(left, inner_bottom, right - left, bottom - inner_bottom),
            Rect::new(left, rect.y, rect.x - left, rect.height),
            Rect::new(inner_right, rect.y, right - inner_right, rect.height),
        ] {
            self.fill(side, color);
        }
    }

    /// Writes a line of text whose top left corner is (`x`, `y`).
    pub(super) fn text(&mut self, text: &str, x: u32, y: u32, scale: u32, color: Rgb888) {
        let mut scaled = Scaled {
            canvas: self,
            x,
            y,
            scale,
        };
        let style = MonoTextStyle::new(&FONT_10X20, color);
        let Ok(_) =
            Text::with_baseline(text, Point::zero(), style, Baseline::Top).draw(&mut scaled);
    }

    /// Writes a line of text into the middle of `rect`, shortened to its width.
    pub(super) fn text_in_the_middle(&mut self, text: &str, rect: Rect, scale: u32, color: Rgb888) {
        let text = shorten(text, rect.width / (CHARACTER.0 * scale));
        let (width, height) = (text_width(&text, scale), CHARACTER.1 * scale);
        let x = rect.x + rect.width.saturating_sub(width) / 2;
        let y = rect.y + rect.height.saturating_sub(height) / 2;
        self.text(&text, x, y, scale, color);
    }

    /// A disc around a point.
    pub(super) fn disc(&mut self, x: u32, y: u32, diameter: u32, color: Rgb888) {
        let middle = Point::new(saturating(x), saturating(y));
        let disc = Circle::with_center(middle, diameter);
        let Ok(()) = disc.draw_styled(&PrimitiveStyle::with_fill(color), self);
    }
}

/// Draws on a buffer of the canvas's shape.
pub(super) fn draw_on(
    buffer: &mut gst::BufferRef,
    info: &gst_video::VideoInfo,
    draw: impl FnOnce(&mut Canvas<'_>),
) -> Result<(), DisplayError> {
    let mut frame = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, info)
        .map_err(|_| DisplayError::Map)?;
    let stride = usize::try_from(frame.plane_stride()[0]).map_err(|_| DisplayError::Map)?;
    let data = frame.plane_data_mut(0).map_err(|_| DisplayError::Map)?;
    draw(&mut Canvas::new(data, stride, info.width(), info.height()));
    Ok(())
}

/// Width of a text in pixels.
pub(super) fn text_width(text: &str, scale: u32) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX / 64) * CHARACTER.0 * scale
}

/// Text cut to a number of characters, with dots in place of what is missing.
pub(super) fn shorten(text: &str, maximum: u32) -> String {
    let maximum = maximum as usize;
    if text.chars().count() <= maximum {
        return text.to_owned();
    }
    let kept: String = text.chars().take(maximum.saturating_sub(3)).collect();
    let dots = maximum.min(3);
    format!("{kept}{:.<dots$}", "")
}

fn saturating(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

impl OriginDimensions for Canvas<'_> {
    fn size(&self) -> Size {
        Size::new(self.width, self.height)
    }
}

impl DrawTarget for Canvas<'_> {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(
        &mut self,
        pixels: I,
    ) -> Result<(), Infallible> {
        for Pixel(point, color) in pixels {
            if let (Ok(x), Ok(y)) = (u32::try_from(point.x), u32::try_from(point.y))
                && x < self.width
                && y < self.height
            {
                self.fill(Rect::new(x, y, 1, 1), color);
            }
        }
        Ok(())
    }

    fn fill_solid(&mut self, area: &Rectangle, color: Rgb888) -> Result<(), Infallible> {
        let area = area.intersection(&Rectangle::new(Point::zero(), self.size()));
        if let (Ok(x), Ok(y)) = (
            u32::try_from(area.top_left.x),
            u32::try_from(area.top_left.y),
        ) {
            self.fill(Rect::new(x, y, area.size.width, area.size.height), color);
        }
        Ok(())
    }
}

/// Draws each pixel as a square of `scale` pixels, from (`x`, `y`) on.
struct Scaled<'a, 'b> {
    canvas: &'a mut Canvas<'b>,
    x: u32,
    y: u32,
    scale: u32,
}

impl OriginDimensions for Scaled<'_, '_> {
    fn size(&self) -> Size {
        self.canvas.size() / self.scale.max(1)
    }
}

impl DrawTarget for Scaled<'_, '_> {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(
        &mut self,
        pixels: I,
    ) -> Result<(), Infallible> {
        let (scale, x, y) = (
            saturating(self.scale),
            saturating(self.x),
            saturating(self.y),
        );
        for Pixel(point, color) in pixels {
            let corner = Point::new(x + point.x * scale, y + point.y * scale);
            let square = Rectangle::new(corner, Size::new_equal(self.scale));
            self.canvas.fill_solid(&square, color)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHITE: Rgb888 = Rgb888::WHITE;

    fn pixel(data: &[u8], width: usize, x: usize, y: usize) -> [u8; 3] {
        let at = (y * width + x) * PIXEL;
        [data[at + 2], data[at + 1], data[at]]
    }

    #[test]
    fn text_is_drawn_and_cut_at_the_edge() {
        let mut data = vec![0; 40 * 30 * PIXEL];
        let mut canvas = Canvas::new(&mut data, 40 * PIXEL, 40, 30);
        canvas.text("HHHHHHHH", 5, 2, 1, WHITE);
        canvas.text("H", 35, 25, 2, WHITE);
        let lit = |from: usize, to: usize| {
            (from..to)
                .flat_map(|x| (0..30).map(move |y| (x, y)))
                .filter(|&(x, y)| pixel(&data, 40, x, y) == [255; 3])
                .count()
        };
        assert_eq!(lit(0, 5), 0);
        assert!(lit(5, 15) > 20 && lit(30, 40) > 5);
    }

    #[test]
    fn frames_and_mirrors_stay_in_place() {
        let mut data = vec![0; 20 * 10 * PIXEL];
        let mut canvas = Canvas::new(&mut data, 20 * PIXEL, 20, 10);
        canvas.fill(Rect::new(4, 2, 3, 3), Rgb888::RED);
        canvas.mirror(Rect::new(4, 2, 6, 3));
        canvas.frame(Rect::new(0, 0, 20, 9), 2, WHITE);
        canvas.darken(Rect::new(0, 9, 10, 1), 128);
        assert_eq!(pixel(&data, 20, 4, 2), [0; 3]);
        assert_eq!(pixel(&data, 20, 9, 2), [255, 0, 0]);
        assert_eq!(pixel(&data, 20, 0, 9), [127; 3]);
        assert_eq!(pixel(&data, 20, 19, 9), [255; 3]);
        assert_eq!(pixel(&data, 20, 0, 0), [0; 3]);
    }

    #[test]
    fn long_text_is_shortened() {
        let cases = [
            ("counter", 7, "counter"),
            ("counter", 6, "cou..."),
            ("Zürich", 5, "Zü..."),
            ("counter", 2, ".."),
            ("counter", 0, ""),
        ];
        for (text, maximum, expected) in cases {
            assert_eq!(shorten(text, maximum), expected);
        }
    }
}
