//! Composing of the canvas: members, self-view and text on one BGRx picture.

use gstreamer as gst;
use gstreamer_video as gst_video;

use super::canvas::draw_on;
use super::config::DisplayConfig;
use super::error::DisplayError;
use super::layout::{self, Rect};
use super::scaler::shape;
use super::theme;
use super::tile::Tile;
use crate::config::kiosk::Corner;

/// Everything that is to be seen.
pub(super) struct View<'a> {
    pub members: Vec<MemberFrame<'a>>,
    pub self_view: Option<&'a gst::Sample>,
    /// Empty = no line.
    pub status_line: &'a str,
}

/// A member to be seen.
pub(super) struct MemberFrame<'a> {
    pub name: &'a str,
    /// The latest frame; without one, a panel with the name is shown.
    pub sample: Option<&'a gst::Sample>,
}

/// Composes canvas after canvas. Tiles whose frame did not change are not drawn again.
pub(super) struct Composer {
    info: gst_video::VideoInfo,
    caps: gst::Caps,
    title: String,
    corner: Option<Corner>,
    mirror: bool,
    /// The tiles as they were last drawn, without what lies over them.
    base: gst::Buffer,
    tiles: Vec<Tile>,
    self_view: Tile,
    laid_out: bool,
}

impl Composer {
    pub(super) fn new(config: &DisplayConfig) -> Result<Self, DisplayError> {
        let (width, height) = (config.screen.width, config.screen.height);
        let failed = |error: gst::glib::BoolError| DisplayError::Canvas {
            width,
            height,
            reason: error.to_string(),
        };
        let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::Bgrx, width, height)
            .fps(gst::Fraction::new(0, 1))
            .build()
            .map_err(failed)?;
        Ok(Self {
            caps: info.to_caps().map_err(failed)?,
            base: gst::Buffer::with_size(info.size()).map_err(failed)?,
            info,
            title: config.title.clone(),
            corner: config.screen.self_view,
            mirror: config.screen.mirror,
            tiles: Vec::new(),
            self_view: Tile::new(String::new()),
            laid_out: false,
        })
    }

    pub(super) fn caps(&self) -> &gst::Caps {
        &self.caps
    }

    /// One canvas.
    pub(super) fn compose(&mut self, view: &View<'_>) -> Result<gst::Sample, DisplayError> {
        self.lay_out(view)?;
        for (tile, member) in self.tiles.iter_mut().zip(&view.members) {
            tile.draw(self.base.make_mut(), &self.info, member.sample)?;
        }
        let mut buffer = self.base.copy_deep().map_err(|_| DisplayError::Map)?;
        let canvas = buffer.make_mut();
        if let (Some(corner), Some(sample)) = (self.corner, view.self_view) {
            self.draw_self_view(canvas, corner, sample)?;
        }
        self.draw_text(canvas, view.status_line)?;
        Ok(gst::Sample::builder()
            .buffer(&buffer)
            .caps(&self.caps)
            .build())
    }

    /// Gives the members their tiles anew when they are not the same as before.
    fn lay_out(&mut self, view: &View<'_>) -> Result<(), DisplayError> {
        let names = || view.members.iter().map(|member| member.name);
        if self.laid_out && names().eq(self.tiles.iter().map(|tile| tile.name.as_str())) {
            return Ok(());
        }
        let (width, height) = (self.info.width(), self.info.height());
        let count = u32::try_from(view.members.len()).unwrap_or(u32::MAX);
        self.tiles = names().map(|name| Tile::new(name.to_owned())).collect();
        for (tile, area) in self
            .tiles
            .iter_mut()
            .zip(layout::tiles(width, height, count))
        {
            tile.area = area;
        }
        self.laid_out = true;
        let (title, empty) = (&self.title, self.tiles.is_empty());
        draw_on(self.base.make_mut(), &self.info, |canvas| {
            let whole = Rect::new(0, 0, width, height);
            canvas.fill(
                whole,
                if empty {
                    theme::PANEL
                } else {
                    theme::BACKGROUND
                },
            );
            if empty {
                canvas.text_in_the_middle(title, whole, 2 * layout::scale(height), theme::FAINT);
            }
        })
    }

    fn draw_self_view(
        &mut self,
        canvas: &mut gst::BufferRef,
        corner: Corner,
        sample: &gst::Sample,
    ) -> Result<(), DisplayError> {
        let Some(shape) = shape(sample) else {
            return Ok(());
        };
        let (width, height) = (self.info.width(), self.info.height());
        let rect = layout::self_view(width, height, corner, shape);
        if self.self_view.area != rect {
            self.self_view = Tile::new(String::new());
            self.self_view.area = rect;
        }
        if !self.self_view.scale(canvas, &self.info, sample) {
            return Ok(());
        }
        draw_on(canvas, &self.info, |canvas| {
            if self.mirror {
                canvas.mirror(rect);
            }
            canvas.frame(rect, 2 * layout::scale(height), theme::TEXT);
        })
    }

    fn draw_text(&self, canvas: &mut gst::BufferRef, line: &str) -> Result<(), DisplayError> {
        let (width, height) = (self.info.width(), self.info.height());
        let scale = layout::scale(height);
        draw_on(canvas, &self.info, |canvas| {
            if self.tiles.len() > 1 {
                self.tiles
                    .iter()
                    .for_each(|tile| tile.draw_label(canvas, scale));
            }
            if !line.is_empty() {
                let bar = layout::status_bar(width, height);
                canvas.darken(bar, theme::BEHIND_TEXT);
                canvas.text_in_the_middle(line, bar, scale, theme::TEXT);
            }
        })
    }
}
