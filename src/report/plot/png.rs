//! A drawing as the bytes of a PNG file, with more pixels than the drawing's own so that it can be printed.

use image::ImageEncoder as _;
use tiny_skia::{
    FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Rect, Stroke as Pencil, StrokeDash, Transform,
};

use super::font::{self, Pen};
use super::scene::{Anchor, Colour, Item, Scene, Stroke, Text, WHITE};

/// Pixels of the picture for each pixel of the drawing, in each direction.
pub const SCALE: f32 = 2.0;

/// The bytes of a PNG file.
///
/// # Errors
/// A drawing without area, or one that does not fit into the memory.
pub fn render(scene: &Scene) -> Result<Vec<u8>, String> {
    let side = |length: f64| (length * f64::from(SCALE)).ceil().clamp(1.0, 65_535.0) as u32;
    let (width, height) = (side(scene.width), side(scene.height));
    let mut canvas = Pixmap::new(width, height).ok_or_else(|| format!("{width} x {height} pixels are too many"))?;
    canvas.fill(tiny_skia::Color::WHITE);
    for item in &scene.items {
        put(&mut canvas, item);
    }
    // The background is opaque: what is left is red, green, blue.
    let rgb: Vec<u8> = canvas.pixels().iter().flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]).collect();
    let mut bytes = Vec::new();
    image::codecs::png::PngEncoder::new_with_quality(
        &mut bytes,
        image::codecs::png::CompressionType::Best,
        image::codecs::png::FilterType::Adaptive,
    )
    .write_image(&rgb, width, height, image::ExtendedColorType::Rgb8)
    .map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn put(canvas: &mut Pixmap, item: &Item) {
    match item {
        Item::Lines { parts, stroke, .. } => {
            let mut builder = PathBuilder::new();
            for part in parts {
                for (at, (x, y)) in part.iter().enumerate() {
                    if at == 0 {
                        builder.move_to(*x as f32, *y as f32);
                    } else {
                        builder.line_to(*x as f32, *y as f32);
                    }
                }
            }
            draw(canvas, builder.finish(), stroke);
        }
        Item::Rect { area, fill } => paint(canvas, rectangle(*area), *fill),
        Item::Point { at: (x, y), radius, square, fill, stroke, .. } => {
            let path = || {
                if *square {
                    rectangle([x - radius, y - radius, 2.0 * radius, 2.0 * radius])
                } else {
                    PathBuilder::from_circle(*x as f32, *y as f32, *radius as f32)
                }
            };
            paint(canvas, path(), *fill);
            draw(canvas, path(), stroke);
        }
        Item::Text(text) => put_text(canvas, text),
    }
}

fn put_text(canvas: &mut Pixmap, text: &Text) {
    let width = font::width(&text.content, text.size);
    let left = match text.anchor {
        Anchor::Start => text.at.0,
        Anchor::Middle => text.at.0 - width / 2.0,
        Anchor::End => text.at.0 - width,
    };
    let mut letters = Outline(PathBuilder::new());
    let mut boxes = Vec::new();
    font::outline(&text.content, text.size, (left, text.at.1), &mut letters, |area| boxes.push(area));
    let path = letters.0.finish();
    if text.rim {
        draw(canvas, path.clone(), &Stroke::solid(WHITE, 3.0));
    }
    paint(canvas, path, text.colour);
    for area in boxes {
        draw(canvas, rectangle(area), &Stroke::solid(text.colour, 0.7));
    }
}

fn rectangle([x, y, width, height]: [f64; 4]) -> Option<Path> {
    Rect::from_xywh(x as f32, y as f32, width as f32, height as f32).map(PathBuilder::from_rect)
}

fn colour([red, green, blue]: Colour) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(red, green, blue, 255);
    paint
}

/// Fills a path; nothing is drawn of one without area.
fn paint(canvas: &mut Pixmap, path: Option<Path>, fill: Colour) {
    if let Some(path) = path {
        canvas.fill_path(&path, &colour(fill), FillRule::Winding, Transform::from_scale(SCALE, SCALE), None);
    }
}

fn draw(canvas: &mut Pixmap, path: Option<Path>, stroke: &Stroke) {
    let Some(path) = path else { return };
    let round = stroke.width > 1.0;
    let pencil = Pencil {
        width: stroke.width as f32,
        line_cap: if round && stroke.dash.is_empty() { LineCap::Round } else { LineCap::Butt },
        line_join: if round { LineJoin::Round } else { LineJoin::Miter },
        dash: if stroke.dash.is_empty() { None } else { StrokeDash::new(stroke.dash.to_vec(), 0.0) },
        ..Pencil::default()
    };
    canvas.stroke_path(&path, &colour(stroke.colour), &pencil, Transform::from_scale(SCALE, SCALE), None);
}

/// Letters' outlines on their way into a path.
struct Outline(PathBuilder);

impl Pen for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.0.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.0.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.0.quad_to(x1, y1, x, y);
    }

    fn cubic_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.0.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.0.close();
    }
}
