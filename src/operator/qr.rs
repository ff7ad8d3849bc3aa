//! A QR code as a picture, of what a kiosk needs to be set up.

use std::path::Path;

use anyhow::{Context, Result};
use qrcode::{Color, EcLevel, QrCode};

/// Pixels of one module, and modules of the white edge (four, by the standard).
const SCALE: usize = 6;
const EDGE: usize = 4;

/// Writes `text` as a QR code in PNG.
pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L)
        .context("this is too much for a QR code")?;
    let modules = code.width();
    let colours = code.to_colors();
    let side = (modules + 2 * EDGE) * SCALE;
    let dark = |x: usize, y: usize| {
        let [x, y] = [x, y].map(|n| (n / SCALE).checked_sub(EDGE).filter(|n| *n < modules));
        let at = x.zip(y).map(|(x, y)| y * modules + x);
        at.and_then(|at| colours.get(at)) == Some(&Color::Dark)
    };
    let pixels = (0..side * side).map(|n| if dark(n % side, n / side) { 0 } else { 255 });
    let pixels: Vec<u8> = pixels.collect();
    let mut png = Vec::new();
    let size = u32::try_from(side)?;
    let mut encoder = png::Encoder::new(&mut png, size, size);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header()?.write_image_data(&pixels)?;
    crate::process::private_file::write_bytes(path, &png)
        .with_context(|| format!("cannot write {}", path.display()))
}
