//! The colours of the screen.

use embedded_graphics::pixelcolor::Rgb888;

/// Beside and between pictures.
pub(super) const BACKGROUND: Rgb888 = Rgb888::new(0x0e, 0x13, 0x19);
/// In place of a picture.
pub(super) const PANEL: Rgb888 = Rgb888::new(0x1a, 0x24, 0x2f);
/// Behind the initial of a member's name.
pub(super) const DISC: Rgb888 = Rgb888::new(0x35, 0x50, 0x68);
/// Text, and the frame of the self-view.
pub(super) const TEXT: Rgb888 = Rgb888::new(0xf2, 0xf4, 0xf6);
/// Text of less weight.
pub(super) const FAINT: Rgb888 = Rgb888::new(0xa9, 0xb5, 0xc1);
/// Part of 256 of the picture's brightness that is left behind text.
pub(super) const BEHIND_TEXT: u16 = 90;
