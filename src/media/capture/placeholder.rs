//! The picture that is sent while no camera delivers: it says so, instead of being just dark.

use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::FONT_10X20;
use embedded_graphics::pixelcolor::Gray8;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{Circle, Line, PrimitiveStyle, Rectangle, RoundedRectangle};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};

/// Luma of the ground: dark grey of video range.
const DARK: u8 = 40;
/// Luma of outline and text.
const LIGHT: Gray8 = Gray8::new(190);
/// Luma of the bar across the camera.
const STROKE: Gray8 = Gray8::new(220);
/// Width in dots that everything is drawn for; larger pictures are drawn with larger dots.
const WIDTH: u32 = 320;
/// Height in dots that everything is drawn for.
const HEIGHT: u32 = 180;

/// Luma of a picture of this size, without padding: a crossed-out camera and `lines` of text.
pub(super) fn luma(width: u32, height: u32, lines: &[&str]) -> Vec<u8> {
    let mut canvas = Canvas {
        luma: vec![DARK; width as usize * height as usize],
        size: (width, height),
        dot: (width / WIDTH).min(height / HEIGHT).max(1),
    };
    let middle = canvas.bounding_box().center();
    // Nothing here can fail: the canvas takes every dot.
    let Ok(()) = icon(&mut canvas, middle - Point::new(0, 45));
    let centred = TextStyleBuilder::new()
        .alignment(Alignment::Center)
        .baseline(Baseline::Top)
        .build();
    for (row, line) in (0..).zip(lines) {
        let style = MonoTextStyle::new(&FONT_10X20, LIGHT);
        let at = middle + Point::new(0, 5 + 24 * row);
        let text = Text::with_text_style(line, at, style, centred);
        let Ok(_) = text.draw(&mut canvas);
    }
    canvas.luma
}

/// A camera with a bar across it, 80 by 60 dots around `middle`.
fn icon(canvas: &mut Canvas, middle: Point) -> Result<(), std::convert::Infallible> {
    let outline = PrimitiveStyle::with_stroke(LIGHT, 3);
    let body = Rectangle::with_center(middle, Size::new(72, 44));
    RoundedRectangle::with_equal_corners(body, Size::new(6, 6))
        .into_styled(outline)
        .draw(canvas)?;
    Circle::with_center(middle, 26)
        .into_styled(outline)
        .draw(canvas)?;
    let corner = Point::new(44, 30);
    Line::new(middle - corner, middle + corner)
        .into_styled(PrimitiveStyle::with_stroke(STROKE, 5))
        .draw(canvas)
}

/// A grey picture of dots of `dot` by `dot` pixels.
struct Canvas {
    luma: Vec<u8>,
    size: (u32, u32),
    dot: u32,
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.size.0 / self.dot, self.size.1 / self.dot)
    }
}

impl DrawTarget for Canvas {
    type Color = Gray8;
    type Error = std::convert::Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Self::Error>
    where
        I: IntoIterator<Item = Pixel<Gray8>>,
    {
        let whole = self.bounding_box();
        let (stride, dot) = (self.size.0 as usize, self.dot as usize);
        for Pixel(at, color) in pixels
            .into_iter()
            .filter(|Pixel(at, _)| whole.contains(*at))
        {
            let (x, y) = (
                at.x.unsigned_abs() as usize * dot,
                at.y.unsigned_abs() as usize * dot,
            );
            for row in y..y + dot {
                self.luma[row * stride + x..][..dot].fill(color.luma());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_shows_something_and_keeps_its_shape() {
        for (width, height) in [(160, 120), (320, 240), (480, 640), (640, 480), (1920, 1080)] {
            let picture = luma(width, height, &["No picture", "camera front is away"]);
            assert_eq!(picture.len(), (width * height) as usize);
            let light = picture.iter().filter(|&&luma| luma > DARK).count();
            let part = light as f64 / picture.len() as f64;
            assert!((0.005..0.3).contains(&part), "{width}x{height}: {part}");
            // Its edges are plain, but for pictures too small for the text.
            let edge = &picture[..width as usize];
            assert!(width < WIDTH || edge.iter().all(|&luma| luma == DARK));
        }
    }

    #[test]
    fn what_it_says_is_seen() {
        let other = luma(640, 480, &["No picture", "camera desk is away"]);
        assert_ne!(
            luma(640, 480, &["No picture", "camera front is away"]),
            other
        );
    }
}
