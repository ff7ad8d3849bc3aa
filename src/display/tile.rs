//! One rectangle of the screen: a member's picture, or a panel with the name in its place.

use gstreamer as gst;
use gstreamer_video as gst_video;

use super::canvas::{Canvas, draw_on, shorten, text_width};
use super::error::DisplayError;
use super::layout::{self, Rect};
use super::scaler::Scaler;
use super::theme;

/// A rectangle that shows one stream.
pub(super) struct Tile {
    pub name: String,
    pub area: Rect,
    drawn: Drawn,
    scaler: Option<Scaler>,
    /// Caps that could not be shown, so that it is logged once.
    refused: Option<gst::Caps>,
}

/// Content of a tile now.
enum Drawn {
    Nothing,
    Panel,
    Picture(gst::Sample),
}

impl Tile {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            area: Rect::new(0, 0, 0, 0),
            drawn: Drawn::Nothing,
            scaler: None,
            refused: None,
        }
    }

    /// Brings the tile up to date.
    pub(super) fn draw(
        &mut self,
        canvas: &mut gst::BufferRef,
        info: &gst_video::VideoInfo,
        sample: Option<&gst::Sample>,
    ) -> Result<(), DisplayError> {
        match (&self.drawn, sample) {
            (Drawn::Picture(drawn), Some(sample)) if drawn.as_ptr() == sample.as_ptr() => {
                return Ok(());
            }
            (Drawn::Panel, None) => return Ok(()),
            _ => {}
        }
        if let Some(sample) = sample
            && self.scale(canvas, info, sample)
        {
            self.drawn = Drawn::Picture(sample.clone());
            return Ok(());
        }
        self.scaler = None;
        self.drawn = Drawn::Panel;
        draw_on(canvas, info, |canvas| {
            self.draw_panel(canvas, info.height());
        })
    }

    /// Scales the sample into the tile; false if this cannot be done with such a sample.
    pub(super) fn scale(
        &mut self,
        canvas: &mut gst::BufferRef,
        info: &gst_video::VideoInfo,
        sample: &gst::Sample,
    ) -> bool {
        let usable = self
            .scaler
            .take()
            .filter(|scaler| sample.caps() == Some(scaler.caps.as_ref()));
        let changed = usable.is_none();
        let scaler = usable.map_or_else(|| Scaler::new(sample, self.area, info), Ok);
        let done = scaler.and_then(|scaler| {
            if changed {
                let area = self.area;
                draw_on(canvas, info, |canvas| canvas.fill(area, theme::BACKGROUND))
                    .map_err(|error| error.to_string())?;
            }
            scaler.scale(sample, canvas)?;
            Ok(scaler)
        });
        match done {
            Ok(scaler) => self.scaler = Some(scaler),
            Err(reason) => {
                if self.refused.as_deref() != sample.caps() {
                    log::warn!(member = self.name.as_str(), reason; "a picture cannot be shown");
                }
                self.refused = sample.caps_owned();
            }
        }
        self.scaler.is_some()
    }

    /// A calm panel with the name, for a member without a picture.
    fn draw_panel(&self, canvas: &mut Canvas<'_>, canvas_height: u32) {
        let scale = layout::scale(canvas_height);
        let area = self.area;
        canvas.fill(area, theme::PANEL);
        let diameter = (area.height.min(area.width) / 3).min(160 * scale);
        let (x, y) = (area.x + area.width / 2, area.y + area.height * 2 / 5);
        canvas.disc(x, y, diameter, theme::DISC);
        let radius = diameter / 2;
        let disc = Rect::new(x - radius, y - radius, diameter, diameter);
        let initial: String = self
            .name
            .chars()
            .take(1)
            .flat_map(char::to_uppercase)
            .collect();
        canvas.text_in_the_middle(&initial, disc, (diameter / 30).max(1), theme::TEXT);
        let below = y + radius;
        let line = Rect::new(
            area.x,
            below,
            area.width,
            (area.y + area.height - below) / 2,
        );
        canvas.text_in_the_middle(&self.name, line, 2 * scale, theme::FAINT);
    }

    /// Draws the name over the top left corner of the picture, if there is one.
    pub(super) fn draw_label(&self, canvas: &mut Canvas<'_>, scale: u32) {
        let Some(picture) = self.scaler.as_ref().map(|scaler| scaler.dest) else {
            return;
        };
        let name = shorten(&self.name, picture.width / (20 * scale));
        let (width, height) = (text_width(&name, scale) + 16 * scale, 28 * scale);
        if width > picture.width || height > picture.height {
            return;
        }
        let label = Rect::new(picture.x, picture.y, width, height);
        canvas.darken(label, theme::BEHIND_TEXT);
        canvas.text_in_the_middle(&name, label, scale, theme::TEXT);
    }
}
