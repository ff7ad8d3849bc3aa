//! Puts the picture together: members, self-view and text on one BGRx canvas.

use embedded_graphics::pixelcolor::Rgb888;
use gstreamer as gst;
use gstreamer_video as gst_video;

use gst_video::prelude::*;

use super::canvas::{Canvas, PIXEL, shorten, text_width};
use super::layout::{self, Rect};
use super::{DisplayConfig, DisplayError};
use crate::config::kiosk::Corner;

const BACKGROUND: Rgb888 = Rgb888::new(0x0e, 0x13, 0x19);
const PANEL: Rgb888 = Rgb888::new(0x1a, 0x24, 0x2f);
const DISC: Rgb888 = Rgb888::new(0x35, 0x50, 0x68);
const TEXT: Rgb888 = Rgb888::new(0xf2, 0xf4, 0xf6);
const FAINT: Rgb888 = Rgb888::new(0xa9, 0xb5, 0xc1);
/// Part of 256 of the picture that shines through the bars behind text.
const BAR: u16 = 90;

/// What is to be seen.
pub(super) struct View<'a> {
    pub members: Vec<Member<'a>>,
    pub self_view: Option<&'a gst::Sample>,
    pub status: &'a str,
}

/// One member's tile.
pub(super) struct Member<'a> {
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
    own: Tile,
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
            own: Tile::new(String::new()),
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
        self.draw_text(canvas, view.status)?;
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
            canvas.fill(whole, if empty { PANEL } else { BACKGROUND });
            if empty {
                canvas.text_in_the_middle(title, whole, 2 * layout::scale(height), FAINT);
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
        if self.own.area != rect {
            self.own = Tile::new(String::new());
            self.own.area = rect;
        }
        if !self.own.convert(canvas, &self.info, sample) {
            return Ok(());
        }
        draw_on(canvas, &self.info, |canvas| {
            if self.mirror {
                canvas.mirror(rect);
            }
            canvas.frame(rect, 2 * layout::scale(height), TEXT);
        })
    }

    fn draw_text(&self, canvas: &mut gst::BufferRef, status: &str) -> Result<(), DisplayError> {
        let (width, height) = (self.info.width(), self.info.height());
        let scale = layout::scale(height);
        draw_on(canvas, &self.info, |canvas| {
            if self.tiles.len() > 1 {
                for tile in &self.tiles {
                    if let Some(converter) = &tile.converter {
                        draw_label(canvas, &tile.name, converter.dest, scale);
                    }
                }
            }
            if !status.is_empty() {
                let bar = layout::status_bar(width, height);
                canvas.darken(bar, BAR);
                canvas.text_in_the_middle(status, bar, scale, TEXT);
            }
        })
    }
}

/// Draws on a buffer of the canvas's shape.
fn draw_on(
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

/// A member's name in the top left corner of its picture.
fn draw_label(canvas: &mut Canvas<'_>, name: &str, picture: Rect, scale: u32) {
    let name = shorten(name, picture.width / (20 * scale));
    let (width, height) = (text_width(&name, scale) + 16 * scale, 28 * scale);
    if width > picture.width || height > picture.height {
        return;
    }
    let label = Rect::new(picture.x, picture.y, width, height);
    canvas.darken(label, BAR);
    canvas.text_in_the_middle(&name, label, scale, TEXT);
}

/// Width to height of a sample's picture, its pixels' own shape included.
fn shape(sample: &gst::Sample) -> Option<(u64, u64)> {
    let info = gst_video::VideoInfo::from_caps(sample.caps()?).ok()?;
    let (wide, high) = (info.par().numer(), info.par().denom());
    Some((
        u64::from(info.width()) * u64::try_from(wide).ok()?,
        u64::from(info.height()) * u64::try_from(high).ok()?,
    ))
}

/// A rectangle that shows one stream.
struct Tile {
    name: String,
    area: Rect,
    drawn: Drawn,
    converter: Option<Converter>,
    /// Caps that could not be shown, so that it is logged once.
    refused: Option<gst::Caps>,
}

/// What a tile shows now.
enum Drawn {
    Nothing,
    Panel,
    Picture(gst::Sample),
}

impl Tile {
    fn new(name: String) -> Self {
        Self {
            name,
            area: Rect::new(0, 0, 0, 0),
            drawn: Drawn::Nothing,
            converter: None,
            refused: None,
        }
    }

    /// Brings the tile up to date.
    fn draw(
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
            && self.convert(canvas, info, sample)
        {
            self.drawn = Drawn::Picture(sample.clone());
            return Ok(());
        }
        self.converter = None;
        self.drawn = Drawn::Panel;
        draw_on(canvas, info, |canvas| {
            self.draw_panel(canvas, info.height());
        })
    }

    /// Scales the sample into the tile; false if this cannot be done with such a sample.
    fn convert(
        &mut self,
        canvas: &mut gst::BufferRef,
        info: &gst_video::VideoInfo,
        sample: &gst::Sample,
    ) -> bool {
        let usable = self
            .converter
            .take()
            .filter(|converter| sample.caps() == Some(converter.caps.as_ref()));
        let changed = usable.is_none();
        let converter = usable.map_or_else(|| Converter::new(sample, self.area, info), Ok);
        let done = converter.and_then(|converter| {
            if changed {
                draw_on(canvas, info, |canvas| canvas.fill(self.area, BACKGROUND))
                    .map_err(|error| error.to_string())?;
            }
            converter.convert(sample, canvas)?;
            Ok(converter)
        });
        match done {
            Ok(converter) => self.converter = Some(converter),
            Err(reason) => {
                if self.refused.as_deref() != sample.caps() {
                    log::warn!(member = self.name.as_str(), reason; "a picture cannot be shown");
                }
                self.refused = sample.caps_owned();
            }
        }
        self.converter.is_some()
    }

    /// A calm panel with the name, for a member without a picture.
    fn draw_panel(&self, canvas: &mut Canvas<'_>, canvas_height: u32) {
        let scale = layout::scale(canvas_height);
        let area = self.area;
        canvas.fill(area, PANEL);
        let diameter = (area.height.min(area.width) / 3).min(160 * scale);
        let (x, y) = (area.x + area.width / 2, area.y + area.height * 2 / 5);
        canvas.disc(x, y, diameter, DISC);
        let radius = diameter / 2;
        let disc = Rect::new(x - radius, y - radius, diameter, diameter);
        let initial: String = self
            .name
            .chars()
            .take(1)
            .flat_map(char::to_uppercase)
            .collect();
        canvas.text_in_the_middle(&initial, disc, (diameter / 30).max(1), TEXT);
        let below = y + radius;
        let line = Rect::new(
            area.x,
            below,
            area.width,
            (area.y + area.height - below) / 2,
        );
        canvas.text_in_the_middle(&self.name, line, 2 * scale, FAINT);
    }
}

/// Scales pictures of one kind into one rectangle of the canvas.
struct Converter {
    caps: gst::Caps,
    dest: Rect,
    from: gst_video::VideoInfo,
    into: gst_video::VideoInfo,
    inner: gst_video::VideoConverter,
}

impl Converter {
    fn new(
        sample: &gst::Sample,
        area: Rect,
        canvas: &gst_video::VideoInfo,
    ) -> Result<Self, String> {
        let text = |error: gst::glib::BoolError| error.to_string();
        let caps = sample.caps_owned().ok_or("a sample without caps")?;
        let written = gst_video::VideoInfo::from_caps(&caps).map_err(text)?;
        // The converter wants equal frame rates on both sides, and uses neither.
        let from = gst_video::VideoInfo::builder_from_info(&written)
            .fps(canvas.fps())
            .build()
            .map_err(text)?;
        let shape = shape(sample).ok_or("a picture without a shape")?;
        let dest = layout::fit(shape, area);
        let into = part_of(canvas, dest)?;
        let mut config = gst_video::VideoConverterConfig::new();
        config.set_resampler_method(gst_video::VideoResamplerMethod::Linear);
        config.set_dither_method(gst_video::VideoDitherMethod::None);
        let inner = gst_video::VideoConverter::new(&from, &into, Some(config)).map_err(text)?;
        Ok(Self {
            caps,
            dest,
            from,
            into,
            inner,
        })
    }

    fn convert(&self, sample: &gst::Sample, canvas: &mut gst::BufferRef) -> Result<(), String> {
        let text = |error: gst::glib::BoolError| error.to_string();
        let buffer = sample.buffer().ok_or("a sample without a buffer")?;
        let source =
            gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &self.from).map_err(text)?;
        let mut dest =
            gst_video::VideoFrameRef::from_buffer_ref_writable(canvas, &self.into).map_err(text)?;
        self.inner.frame_ref(&source, &mut dest);
        Ok(())
    }
}

/// Describes a rectangle of the canvas as if it were a picture of its own. (The converter's own
/// destination rectangle spoils what stands beside it on the same lines.)
fn part_of(canvas: &gst_video::VideoInfo, rect: Rect) -> Result<gst_video::VideoInfo, String> {
    let stride = canvas.stride()[0];
    let line = usize::try_from(stride).map_err(|error| error.to_string())?;
    let offset = rect.y as usize * line + rect.x as usize * PIXEL;
    gst_video::VideoInfo::builder(canvas.format(), rect.width, rect.height)
        .fps(canvas.fps())
        .colorimetry(&canvas.colorimetry())
        .stride(&[stride])
        .offset(&[offset])
        .size(canvas.size())
        .build()
        .map_err(|error| error.to_string())
}
