//! The embedded font: widths of texts, and the outlines of their letters.

use std::sync::LazyLock;

use ttf_parser::{Face, GlyphId, OutlineBuilder};
use unicode_width::UnicodeWidthChar as _;

/// Roboto, reduced; see the file beside it.
static FACE: LazyLock<Option<Face<'static>>> =
    LazyLock::new(|| Face::parse(include_bytes!("font/roboto-subset.ttf"), 0).ok());

/// The family names that an SVG asks for; Helvetica and Arial are about as wide as Roboto.
pub const FAMILY: &str = "Roboto, Helvetica, Arial, sans-serif";

/// Width of a letter that the font lacks, in ems: half of a Chinese one's.
const STRANGE: f64 = 0.5;

/// Width of a text in pixels at `size` pixels an em.
pub fn width(text: &str, size: f64) -> f64 {
    text.chars().map(|letter| advance(letter) * size).sum()
}

/// Width of a letter in ems.
fn advance(letter: char) -> f64 {
    let known = FACE.as_ref().and_then(|face| {
        let advance = face.glyph_hor_advance(face.glyph_index(letter)?)?;
        Some(f64::from(advance) / f64::from(face.units_per_em()))
    });
    known.unwrap_or_else(|| STRANGE * letter.width().unwrap_or(0) as f64)
}

/// The text, its middle replaced by `…` where it is wider than `limit` pixels: names differ at their ends.
pub fn shortened(text: &str, size: f64, limit: f64) -> String {
    if width(text, size) <= limit {
        return text.to_owned();
    }
    let letters: Vec<char> = text.chars().collect();
    let mut room = limit - width("…", size);
    let (mut head, mut tail) = (0, 0);
    while head + tail < letters.len() {
        let front = head <= tail;
        let next = if front { letters[head] } else { letters[letters.len() - 1 - tail] };
        room -= advance(next) * size;
        if room < 0.0 {
            break;
        }
        if front {
            head += 1;
        } else {
            tail += 1;
        }
    }
    let start: String = letters[..head].iter().collect();
    let end: String = letters[letters.len() - tail..].iter().collect();
    format!("{}…{}", start.trim_end(), end.trim_start())
}

/// Draws the letters of a text, from the left end of its baseline. `missing` is told the corners of a letter that the
/// font lacks: left, top, width, height.
pub fn outline(text: &str, size: f64, start: (f64, f64), builder: &mut impl Pen, mut missing: impl FnMut([f64; 4])) {
    let mut x = start.0;
    for letter in text.chars() {
        let width = advance(letter) * size;
        let glyph = FACE.as_ref().and_then(|face| Some((face, face.glyph_index(letter)?)));
        match glyph {
            Some((face, glyph)) => draw(face, glyph, size, (x, start.1), builder),
            None if width > 0.0 => missing([x + 0.08 * width, start.1 - 0.7 * size, 0.84 * width, 0.8 * size]),
            None => {}
        }
        x += width;
    }
}

/// What takes outlines, in pixels.
pub trait Pen {
    /// Begins a contour.
    fn move_to(&mut self, x: f32, y: f32);
    /// A straight line.
    fn line_to(&mut self, x: f32, y: f32);
    /// A quadratic curve.
    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32);
    /// A cubic curve.
    fn cubic_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32);
    /// Ends the contour.
    fn close(&mut self);
}

/// A pen that is moved and scaled; the font's y axis points upwards.
struct Placed<'a, P> {
    pen: &'a mut P,
    scale: f32,
    x: f32,
    y: f32,
}

impl<P> Placed<'_, P> {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, self.y - y * self.scale)
    }
}

impl<P: Pen> OutlineBuilder for Placed<'_, P> {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.pen.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.pen.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.pen.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.pen.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.pen.close();
    }
}

fn draw(face: &Face<'_>, glyph: GlyphId, size: f64, (x, y): (f64, f64), pen: &mut impl Pen) {
    let scale = (size / f64::from(face.units_per_em())) as f32;
    // A space has no outline.
    let _ = face.outline_glyph(glyph, &mut Placed { pen, scale, x: x as f32, y: y as f32 });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_is_there_and_knows_what_figures_say() {
        let face = FACE.as_ref().expect("the embedded font parses");
        for letter in "AZaz09 .,:;@…·×−–%()[]_-+=/éßΩяЖ".chars() {
            assert!(face.glyph_index(letter).is_some(), "{letter:?} is missing");
        }
        assert!(width("wide", 10.0) > width("ill", 10.0));
        assert!((width("人脸", 10.0) - 20.0).abs() < 1e-9);
    }

    #[test]
    fn long_names_keep_both_ends() {
        let name = format!("first{}last", "-".repeat(200));
        let short = shortened(&name, 12.0, 120.0);
        assert!(short.starts_with("first") && short.ends_with("last") && short.contains('…'), "{short}");
        assert!(width(&short, 12.0) <= 120.0);
        assert_eq!(shortened("short", 12.0, 120.0), "short");
        assert_eq!(shortened("anything", 12.0, 0.0), "…");
    }
}
