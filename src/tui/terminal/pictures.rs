//! Small pictures in a terminal: its own graphics where it has them (kitty, sixel, iTerm), half blocks in colour
//! elsewhere, shades without colour.
//!
//! What the terminal can do is told by its environment and by the size of its cells; it is not asked, since one that does
//! not answer would cost a second of waiting at every start, and inside tmux the answer is another terminal's. The first
//! rule that fits decides:
//!
//! | what the environment says | pictures |
//! |---|---|
//! | `TMUX`, `STY`, or `TERM` of screen or tmux | half blocks: what lies behind is not known |
//! | `TERM` is `xterm-kitty` or `xterm-ghostty`, `TERM_PROGRAM` is `ghostty` | kitty's protocol |
//! | `TERM_PROGRAM` is `iTerm.app` or `WezTerm` | iTerm2's protocol |
//! | `TERM` is `foot`, `foot-extra`, `mlterm`, `contour`, `yaft-256color`, or has `sixel` in it | sixel |
//! | anything else, or a terminal that does not tell how many pixels its cells have | half blocks |
//!
//! Half blocks have 24 bits of colour where `COLORTERM` says so or the terminal is one of the above, 256 colours elsewhere.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use image::{DynamicImage, RgbImage, imageops};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::style::{Color, Style};
use ratatui::widgets::Widget;
use ratatui_image::Image;
use ratatui_image::protocol::Protocol;
use ratatui_image::protocol::iterm2::Iterm2;
use ratatui_image::protocol::kitty::Kitty;
use ratatui_image::protocol::sixel::Sixel;

use crate::eval::hardest_pairs::Face;

use crate::tui::theme::Styles;

/// How pictures are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PictureMode {
    /// Two pixels a cell, in 24 bits of colour.
    #[default]
    Blocks,
    /// Two pixels a cell, in 256 colours.
    Palette,
    /// The terminal's own pictures, with a cell's width and height in pixels.
    Own(Graphics, (u16, u16)),
}

/// The terminals' ways to take pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Graphics {
    /// kitty, Ghostty.
    Kitty,
    /// foot, mlterm, contour, `XTerm` with sixel.
    Sixel,
    /// `iTerm2`, `WezTerm`.
    Iterm,
}

impl PictureMode {
    /// Asks the environment, and the terminal's size in pixels.
    pub fn detect() -> Self {
        let cell = crossterm::terminal::window_size().ok().and_then(|size| {
            let cell = (size.width.checked_div(size.columns)?, size.height.checked_div(size.rows)?);
            (cell.0 >= 4 && cell.1 >= 6 && cell.1 <= 200).then_some(cell)
        });
        Self::from(|name| std::env::var(name).ok().filter(|value| !value.is_empty()), cell)
    }

    fn from(get: impl Fn(&str) -> Option<String>, cell: Option<(u16, u16)>) -> Self {
        let term = get("TERM").unwrap_or_default();
        let program = get("TERM_PROGRAM").unwrap_or_default();
        let multiplexed =
            get("TMUX").is_some() || get("STY").is_some() || term.starts_with("screen") || term.starts_with("tmux");
        let graphics = match (term.as_str(), program.as_str()) {
            ("xterm-kitty" | "xterm-ghostty", _) | (_, "ghostty") => Some(Graphics::Kitty),
            (_, "iTerm.app" | "WezTerm") => Some(Graphics::Iterm),
            ("foot" | "foot-extra" | "mlterm" | "contour" | "yaft-256color", _) => Some(Graphics::Sixel),
            _ if term.contains("sixel") => Some(Graphics::Sixel),
            _ => None,
        };
        let deep = matches!(get("COLORTERM").as_deref(), Some("truecolor" | "24bit"));
        match (graphics, cell) {
            (Some(graphics), Some(cell)) if !multiplexed => Self::Own(graphics, cell),
            _ if deep || (graphics.is_some() && !multiplexed) => Self::Blocks,
            _ => Self::Palette,
        }
    }
}

/// The terminal's own pictures that were made, by what they show and their size.
#[derive(Default)]
pub struct Pictures {
    made: HashMap<(usize, Size), Option<Protocol>>,
}

impl std::fmt::Debug for Pictures {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pictures").field("made", &self.made.len()).finish()
    }
}

/// Draws a face into `area`, as large as it may be without another shape. `key` tells it from the others of `pictures`.
pub(in crate::tui) fn draw(
    face: &Face,
    key: usize,
    area: Rect,
    buffer: &mut Buffer,
    pictures: &mut Pictures,
    mode: PictureMode,
    styles: &Styles,
) {
    let area = area.intersection(buffer.area);
    if area.is_empty() || face.width == 0 || face.height == 0 {
        return;
    }
    if let PictureMode::Own(graphics, cell) = mode {
        let size = Size::new(area.width, area.height);
        let made = pictures.made.entry((key, size)).or_insert_with(|| own(face, size, graphics, cell));
        if let Some(protocol) = made {
            Image::new(protocol).render(area, buffer);
            return;
        }
    }
    // A cell is about twice as high as wide: square pixels, two of them above each other in a cell.
    let (across, down) = fitted((face.width, face.height), (u32::from(area.width), 2 * u32::from(area.height)));
    let small = scaled(face, across, down);
    let pixel = |x: u32, y: u32| (y < down).then(|| small.get_pixel(x, y).0);
    for y in 0..down.div_ceil(2) {
        for x in 0..across {
            let (Some(top), bottom) = (pixel(x, 2 * y), pixel(x, 2 * y + 1)) else { continue };
            let cell = &mut buffer[(area.x + x as u16, area.y + y as u16)];
            if styles.has_color() && styles.glyphs.unicode {
                let deep = mode != PictureMode::Palette;
                let mut style = Style::new().fg(color(top, deep));
                if let Some(bottom) = bottom {
                    style = style.bg(color(bottom, deep));
                }
                cell.set_symbol("▀").set_style(style);
            } else {
                let light = bottom.map_or_else(|| luminance(top), |bottom| luminance(top).midpoint(luminance(bottom)));
                cell.set_symbol(shade(light, styles)).set_style(styles.text);
            }
        }
    }
}

/// A face in the terminal's own way.
fn own(face: &Face, size: Size, graphics: Graphics, cell: (u16, u16)) -> Option<Protocol> {
    let room = (u32::from(size.width) * u32::from(cell.0), u32::from(size.height) * u32::from(cell.1));
    let (width, height) = fitted((face.width, face.height), room);
    // The picture fills whole cells: the rest of the area stays as it is.
    let cells = |pixels: u32, cell: u16| (pixels / u32::from(cell)).max(1);
    let (columns, rows) = (cells(width, cell.0), cells(height, cell.1));
    let image = scaled(face, columns * u32::from(cell.0), rows * u32::from(cell.1));
    let size = Size::new(columns as u16, rows as u16);
    let image = DynamicImage::ImageRgb8(image);
    match graphics {
        Graphics::Kitty => Kitty::new(image, size, rand::random(), false, false).ok().map(Protocol::Kitty),
        Graphics::Sixel => Sixel::new(image, size, false).ok().map(Protocol::Sixel),
        Graphics::Iterm => Iterm2::new(image, size, false).ok().map(Protocol::ITerm2),
    }
}

/// The largest size of the same shape that fits.
fn fitted((width, height): (u32, u32), (most_width, most_height): (u32, u32)) -> (u32, u32) {
    if most_width * height <= most_height * width {
        (most_width, (most_width * height / width).clamp(1, most_height))
    } else {
        ((most_height * width / height).clamp(1, most_width), most_height)
    }
}

fn scaled(face: &Face, width: u32, height: u32) -> RgbImage {
    let whole = RgbImage::from_raw(face.width, face.height, face.pixels.clone()).unwrap_or_default();
    if whole.is_empty() {
        return RgbImage::new(width, height);
    }
    imageops::resize(&whole, width, height, imageops::FilterType::Triangle)
}

fn color([red, green, blue]: [u8; 3], deep: bool) -> Color {
    if deep {
        return Color::Rgb(red, green, blue);
    }
    // The 6x6x6 cube of 256 colours, or its 24 greys.
    let spread = red.max(green).max(blue) - red.min(green).min(blue);
    if spread < 12 {
        return Color::Indexed(232 + (u16::from(red) * 23 / 255) as u8);
    }
    let level = |value: u8| (u16::from(value) * 5 + 127) / 255;
    Color::Indexed((16 + 36 * level(red) + 6 * level(green) + level(blue)) as u8)
}

fn luminance([red, green, blue]: [u8; 3]) -> u32 {
    (u32::from(red) * 54 + u32::from(green) * 183 + u32::from(blue) * 18) / 255
}

/// A lightness of 0 to 255 in ink, more of it where the picture is lighter.
fn shade(light: u32, styles: &Styles) -> &'static str {
    const BLOCKS: [&str; 5] = [" ", "░", "▒", "▓", "█"];
    const LETTERS: [&str; 10] = [" ", ".", ":", "-", "=", "+", "*", "#", "%", "@"];
    let of = |steps: &[&'static str]| steps[(light as usize * steps.len() / 256).min(steps.len() - 1)];
    if styles.glyphs.unicode { of(&BLOCKS) } else { of(&LETTERS) }
}
