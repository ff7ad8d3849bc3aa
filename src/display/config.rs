//! Settings of the display.

use crate::config::kiosk::{Language, Screen};

/// The screen to open.
#[derive(Debug, Clone)]
pub struct DisplayConfig {
    pub screen: Screen,
    /// Of every text on the screen.
    pub language: Language,
    /// Shown while there is no member, and as the window's title.
    pub title: String,
}
