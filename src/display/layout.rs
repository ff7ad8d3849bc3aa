//! Places of things on the screen: pure arithmetic on rectangles.

use crate::config::kiosk::Corner;

/// A part of the canvas, in pixels from its top left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rect {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

impl Rect {
    pub(super) fn new(x: u32, y: u32, width: u32, height: u32) -> Self {
        Self {
            x,
            y,
            width,
            height,
        }
    }
}

/// Pixels between two tiles.
const GAP: u32 = 4;

/// Size of text and margins: 1 up to a height of 1079, 2 from 1080, and so on.
pub(super) fn scale(canvas_height: u32) -> u32 {
    (canvas_height / 540).max(1)
}

/// One tile per member: one fills the canvas, more stand in rows of equal tiles along the
/// longer side, a last row that is not full is centred.
pub(super) fn tiles(width: u32, height: u32, members: u32) -> Vec<Rect> {
    let longer = (1..).find(|side| side * side >= members).unwrap_or(1);
    let shorter = members.div_ceil(longer.max(1));
    let (columns, rows) = if width >= height {
        (longer, shorter)
    } else {
        (shorter, longer)
    };
    if columns == 0 || rows == 0 {
        return Vec::new();
    }
    let side = |whole: u32, parts: u32| (whole.saturating_sub(GAP * (parts - 1)) / parts).max(1);
    let (tile_width, tile_height) = (side(width, columns), side(height, rows));
    let place = |index: u32| {
        let (row, column) = (index / columns, index % columns);
        let in_row = columns.min(members - row * columns);
        let row_width = in_row * tile_width + (in_row - 1) * GAP;
        Rect::new(
            width.saturating_sub(row_width) / 2 + column * (tile_width + GAP),
            row * (tile_height + GAP),
            tile_width,
            tile_height,
        )
    };
    (0..members).map(place).collect()
}

/// The largest rectangle of the picture's shape in the middle of `area`, with even sides.
/// `shape` is width to height, with the shape of its pixels already in it.
pub(super) fn fit(shape: (u64, u64), area: Rect) -> Rect {
    let (wide, high) = (shape.0.max(1), shape.1.max(1));
    let (width, height) = (u64::from(area.width), u64::from(area.height));
    let even = |side: u64, maximum: u32| {
        let side = u32::try_from(side).unwrap_or(maximum) & !1;
        side.clamp(2.min(maximum), maximum)
    };
    let (width, height) = if width * high >= height * wide {
        (even(height * wide / high, area.width), area.height)
    } else {
        (area.width, even(width * high / wide, area.height))
    };
    Rect::new(
        area.x + (area.width - width) / 2,
        area.y + (area.height - height) / 2,
        width,
        height,
    )
}

/// The bar of the line of text at the bottom.
pub(super) fn status_bar(width: u32, height: u32) -> Rect {
    let bar = (36 * scale(height)).min(height);
    Rect::new(0, height - bar, width, bar)
}

/// The kiosk's own picture: about a quarter of the canvas in a corner, clear of the status bar.
pub(super) fn self_view(width: u32, height: u32, corner: Corner, shape: (u64, u64)) -> Rect {
    let margin = 16 * scale(height);
    let bar = status_bar(width, height).height;
    let size = fit(shape, Rect::new(0, 0, width * 26 / 100, height * 28 / 100));
    let left = margin.min(width - size.width);
    let right = width.saturating_sub(size.width + margin);
    let top = margin.min(height - size.height);
    let bottom = height.saturating_sub(size.height + margin + bar);
    let (x, y) = match corner {
        Corner::TopLeft => (left, top),
        Corner::TopRight => (right, top),
        Corner::BottomLeft => (left, bottom),
        Corner::BottomRight => (right, bottom),
    };
    Rect::new(x, y, size.width, size.height)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// x, y, width, height.
    type Sides = (u32, u32, u32, u32);

    fn rects(list: &[Sides]) -> Vec<Rect> {
        let rect = |&(x, y, width, height): &Sides| Rect::new(x, y, width, height);
        list.iter().map(rect).collect()
    }

    #[test]
    fn tiles_stand_in_rows() {
        let cases: [(u32, u32, u32, &[Sides]); 6] = [
            (1280, 720, 0, &[]),
            (1280, 720, 1, &[(0, 0, 1280, 720)]),
            (1280, 720, 2, &[(0, 0, 638, 720), (642, 0, 638, 720)]),
            (720, 1280, 2, &[(0, 0, 720, 638), (0, 642, 720, 638)]),
            (
                1280,
                720,
                3,
                &[(0, 0, 638, 358), (642, 0, 638, 358), (321, 362, 638, 358)],
            ),
            (
                1280,
                720,
                4,
                &[
                    (0, 0, 638, 358),
                    (642, 0, 638, 358),
                    (0, 362, 638, 358),
                    (642, 362, 638, 358),
                ],
            ),
        ];
        for (width, height, members, expected) in cases {
            assert_eq!(tiles(width, height, members), rects(expected), "{members}");
        }
    }

    #[test]
    fn pictures_keep_their_shape() {
        let cases = [
            ((640, 480), (0, 0, 1280, 720), (160, 0, 960, 720)),
            ((1920, 1080), (0, 0, 1280, 720), (0, 0, 1280, 720)),
            ((640, 480), (642, 362, 638, 358), (723, 362, 476, 358)),
            ((480, 640), (0, 0, 1280, 720), (370, 0, 540, 720)),
            ((2000, 10), (0, 0, 100, 100), (0, 49, 100, 2)),
            ((0, 0), (0, 0, 100, 50), (25, 0, 50, 50)),
        ];
        for (shape, area, expected) in cases {
            let fitted = fit(shape, rects(&[area])[0]);
            assert_eq!(fitted, rects(&[expected])[0], "{shape:?}");
        }
    }

    #[test]
    fn the_self_view_stands_in_its_corner() {
        let cases = [
            (Corner::TopLeft, (16, 16, 268, 201)),
            (Corner::TopRight, (996, 16, 268, 201)),
            (Corner::BottomLeft, (16, 467, 268, 201)),
            (Corner::BottomRight, (996, 467, 268, 201)),
        ];
        for (corner, expected) in cases {
            assert_eq!(
                self_view(1280, 720, corner, (640, 480)),
                rects(&[expected])[0]
            );
        }
        assert_eq!(status_bar(1280, 720), Rect::new(0, 684, 1280, 36));
        assert_eq!(status_bar(1920, 1080), Rect::new(0, 1008, 1920, 72));
    }

    proptest! {
        #[test]
        fn nothing_leaves_the_canvas(
            width in 160u32..4000, height in 120u32..4000, members in 0u32..12,
            shape in (0u64..5000, 0u64..5000),
        ) {
            let inside = |rect: &Rect| {
                rect.width > 0 && rect.height > 0
                    && rect.x + rect.width <= width && rect.y + rect.height <= height
            };
            let placed = tiles(width, height, members);
            prop_assert_eq!(placed.len(), members as usize);
            for tile in placed {
                prop_assert!(inside(&tile), "{:?}", tile);
                prop_assert!(inside(&fit(shape, tile)), "{:?}", fit(shape, tile));
            }
            for corner in [Corner::TopLeft, Corner::TopRight, Corner::BottomLeft, Corner::BottomRight] {
                prop_assert!(inside(&self_view(width, height, corner, shape)));
            }
        }
    }
}
