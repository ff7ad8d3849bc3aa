//! Draws curves of delay over time into a PNG file.

use std::convert::Infallible;
use std::fs::File;
use std::io::BufWriter;
use std::ops::Range;
use std::path::Path;

use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::{FONT_9X15, FONT_9X18_BOLD};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{Line, PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};

const SIZE: Size = Size::new(1200, 620);
/// The edges of the curves, in pixels.
const LEFT: i32 = 90;
const RIGHT: i32 = 1170;
const TOP: i32 = 60;
const BOTTOM: i32 = 550;
/// The axis of delay is logarithmic, from here to there in ms.
const DELAY: Range<f64> = 10.0..20_000.0;

const INK: Rgb888 = Rgb888::new(40, 40, 40);
const GRID: Rgb888 = Rgb888::new(222, 222, 222);
const BAND: Rgb888 = Rgb888::new(253, 240, 224);

/// A line of the plot: moments in seconds, and delays in ms.
pub(crate) struct Curve {
    pub(crate) name: &'static str,
    pub(crate) color: (u8, u8, u8),
    pub(crate) points: Vec<(f64, f64)>,
}

struct Image(Vec<u8>);

impl OriginDimensions for Image {
    fn size(&self) -> Size {
        SIZE
    }
}

impl DrawTarget for Image {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(
        &mut self,
        pixels: I,
    ) -> Result<(), Infallible> {
        for Pixel(Point { x, y }, color) in pixels {
            if (0..SIZE.width as i32).contains(&x) && (0..SIZE.height as i32).contains(&y) {
                let at = (y as usize * SIZE.width as usize + x as usize) * 3;
                self.0[at..at + 3].copy_from_slice(&[color.r(), color.g(), color.b()]);
            }
        }
        Ok(())
    }
}

/// Draws the curves of `seconds`, with the time of the narrow link marked.
pub(crate) fn draw(file: &Path, title: &str, seconds: f64, narrow: &Range<f64>, curves: &[Curve]) {
    let mut image = Image(vec![255; (SIZE.width * SIZE.height * 3) as usize]);
    let x = |second: f64| LEFT + (f64::from(RIGHT - LEFT) * second / seconds) as i32;
    band(&mut image, x(narrow.start)..x(narrow.end));
    grid(&mut image, x, seconds);
    let middle = Point::new((LEFT + RIGHT) / 2, TOP / 2);
    write(&mut image, title, middle, Alignment::Center, true);
    for (index, curve) in curves.iter().enumerate() {
        let color = Rgb888::new(curve.color.0, curve.color.1, curve.color.2);
        let points = curve
            .points
            .iter()
            .map(|&(at, ms)| Point::new(x(at), y(ms)));
        let points: Vec<Point> = points.collect();
        for pair in points.windows(2) {
            line(&mut image, pair[0], pair[1], color, 3);
        }
        let at = Point::new(RIGHT - 350, TOP + 25 + 24 * index as i32);
        line(&mut image, at, at + Point::new(40, 0), color, 5);
        write(
            &mut image,
            curve.name,
            at + Point::new(50, 0),
            Alignment::Left,
            false,
        );
    }
    save(file, &image);
}

fn y(ms: f64) -> i32 {
    let part =
        (ms.clamp(DELAY.start, DELAY.end) / DELAY.start).ln() / (DELAY.end / DELAY.start).ln();
    BOTTOM - (f64::from(BOTTOM - TOP) * part) as i32
}

fn band(image: &mut Image, span: Range<i32>) {
    let corners = (Point::new(span.start, TOP), Point::new(span.end, BOTTOM));
    let area = Rectangle::with_corners(corners.0, corners.1);
    let Ok(()) = area
        .into_styled(PrimitiveStyle::with_fill(BAND))
        .draw(image);
    let at = Point::new(i32::midpoint(span.start, span.end), BOTTOM - 14);
    write(
        image,
        "the link takes 400 kbit/s",
        at,
        Alignment::Center,
        false,
    );
}

fn grid(image: &mut Image, x: impl Fn(f64) -> i32, seconds: f64) {
    for decade in [10.0, 100.0, 1000.0, 10_000.0] {
        for step in 1..10 {
            let ms = decade * f64::from(step);
            if ms <= DELAY.end {
                line(
                    image,
                    Point::new(LEFT, y(ms)),
                    Point::new(RIGHT, y(ms)),
                    GRID,
                    1,
                );
            }
            if matches!(step, 1 | 2 | 5) && ms <= DELAY.end {
                let text = if ms < 1000.0 {
                    format!("{ms} ms")
                } else {
                    format!("{} s", ms / 1000.0)
                };
                write(
                    image,
                    &text,
                    Point::new(LEFT - 10, y(ms)),
                    Alignment::Right,
                    false,
                );
            }
        }
    }
    for second in (0..=seconds as u32).step_by(5) {
        let at = x(f64::from(second));
        line(image, Point::new(at, TOP), Point::new(at, BOTTOM), GRID, 1);
        write(
            image,
            &second.to_string(),
            Point::new(at, BOTTOM + 18),
            Alignment::Center,
            false,
        );
    }
    let corner = Point::new(LEFT, BOTTOM);
    line(image, corner, Point::new(RIGHT, BOTTOM), INK, 2);
    line(image, corner, Point::new(LEFT, TOP), INK, 2);
    let below = Point::new((LEFT + RIGHT) / 2, BOTTOM + 46);
    write(
        image,
        "seconds of the call",
        below,
        Alignment::Center,
        false,
    );
    let above = Point::new(12, TOP - 22);
    write(
        image,
        "age of the shown picture",
        above,
        Alignment::Left,
        false,
    );
}

fn line(image: &mut Image, from: Point, to: Point, color: Rgb888, width: u32) {
    let style = PrimitiveStyle::with_stroke(color, width);
    let Ok(()) = Line::new(from, to).into_styled(style).draw(image);
}

fn write(image: &mut Image, text: &str, at: Point, alignment: Alignment, bold: bool) {
    let font = if bold { &FONT_9X18_BOLD } else { &FONT_9X15 };
    let place = TextStyleBuilder::new()
        .alignment(alignment)
        .baseline(Baseline::Middle)
        .build();
    let style = MonoTextStyle::new(font, INK);
    let Ok(_) = Text::with_text_style(text, at, style, place).draw(image);
}

fn save(file: &Path, image: &Image) {
    let file = BufWriter::new(File::create(file).expect("a file for the plot"));
    let mut encoder = png::Encoder::new(file, SIZE.width, SIZE.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header().expect("a PNG file");
    writer.write_image_data(&image.0).expect("a PNG file");
}
