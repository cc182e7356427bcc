//! A terminal's screen as an SVG: a dark ground, runs of cells of one style as text, stretched to the grid. What is drawn
//! with letters (lines, blocks, braille) becomes shapes, so that it looks the same whatever fonts the reader has.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A cell in pixels, and the margin.
const CELL: (u32, u32) = (8, 16);
const MARGIN: u32 = 12;

/// Ground and text where a cell names no colour.
const GROUND: &str = "#14161a";
const TEXT: &str = "#d7dae0";

/// The sixteen colours.
const COLORS: [&str; 16] = [
    "#1d2026", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#abb2bf", "#6b7280", "#ef7f88",
    "#a9d48a", "#f0cf8e", "#7dc0ff", "#d695ea", "#6fcbd6", "#ffffff",
];

/// What a run of cells looks like.
#[derive(Debug, Clone, PartialEq)]
struct Look {
    text: String,
    ground: Option<String>,
    bold: bool,
    dim: bool,
    underline: bool,
}

/// Shapes of one colour and opacity, as the data of paths.
#[derive(Debug, Default)]
struct Shapes {
    filled: String,
    lines: String,
    dots: String,
}

/// The picture while it is drawn: grounds below shapes below texts.
#[derive(Debug, Default)]
struct Picture {
    grounds: BTreeMap<String, String>,
    /// By their colour and opacity in percent.
    shapes: BTreeMap<(String, u8), Shapes>,
    texts: String,
}

/// Draws the screen.
pub fn render(screen: &vt100::Screen) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let mut picture = Picture::default();
    for row in 0..rows {
        picture.line(screen, row, columns);
    }
    let width = u32::from(columns) * CELL.0 + 2 * MARGIN;
    let height = u32::from(rows) * CELL.1 + 2 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{GROUND}\"/>\n<g transform=\"translate({MARGIN} {MARGIN})\">\n"
    );
    for (color, data) in &picture.grounds {
        let _ = writeln!(svg, "<path fill=\"{color}\" d=\"{data}\"/>");
    }
    for ((color, percent), shapes) in &picture.shapes {
        let opacity = if *percent < 100 { format!(" opacity=\"0.{percent}\"") } else { String::new() };
        if !shapes.filled.is_empty() {
            let _ = writeln!(svg, "<path fill=\"{color}\"{opacity} d=\"{}\"/>", shapes.filled);
        }
        let strokes = [(&shapes.lines, "1"), (&shapes.dots, "2.4")];
        for (data, wide) in strokes.into_iter().filter(|(data, _)| !data.is_empty()) {
            let _ = writeln!(
                svg,
                "<path fill=\"none\" stroke=\"{color}\" stroke-width=\"{wide}\" stroke-linecap=\"round\"{opacity} d=\"{data}\"/>"
            );
        }
    }
    let _ = write!(
        svg,
        "<g font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"13.3\" xml:space=\"preserve\">\n{}</g>\n",
        picture.texts
    );
    svg + "</g>\n</svg>\n"
}

impl Picture {
    fn line(&mut self, screen: &vt100::Screen, row: u16, columns: u16) {
        let mut column = 0;
        while column < columns {
            let Some((look, first)) = cell(screen, row, column) else {
                column += 1;
                continue;
            };
            let (start, mut text, mut cells) = (column, first, width(screen, row, column));
            column += cells;
            let drawn = self.shape((start, row), &look, &text);
            while let Some((next, letters)) = (column < columns).then(|| cell(screen, row, column)).flatten() {
                // Half blocks make pictures: neighbours of the same colours are one shape.
                if next != look
                    || (drawn && letters != text)
                    || (!drawn && is_drawn(&letters))
                    || (drawn && text != "▀")
                {
                    break;
                }
                if !drawn {
                    text.push_str(&letters);
                }
                cells += width(screen, row, column);
                column = start + cells;
            }
            self.ground((start, row), cells, &look);
            if drawn && text == "▀" {
                let (x, y) = (u32::from(start) * CELL.0, u32::from(row) * CELL.1);
                let (wide, high) = (u32::from(cells) * CELL.0, CELL.1 / 2);
                let _ = write!(self.grounds.entry(look.text.clone()).or_default(), "M{x} {y}h{wide}v{high}h-{wide}z");
            } else if !drawn {
                self.text((start, row), cells, &look, &text);
            }
        }
    }

    fn ground(&mut self, (column, row): (u16, u16), cells: u16, look: &Look) {
        let Some(ground) = &look.ground else { return };
        let (x, y, wide) = (u32::from(column) * CELL.0, u32::from(row) * CELL.1, u32::from(cells) * CELL.0);
        let _ = write!(self.grounds.entry(ground.clone()).or_default(), "M{x} {y}h{wide}v{}h-{wide}z", CELL.1);
    }

    fn text(&mut self, (column, row): (u16, u16), cells: u16, look: &Look, text: &str) {
        let bare = text.trim_start_matches(' ');
        if bare.is_empty() {
            return;
        }
        let (skipped, bare) = (text.len() - bare.len(), bare.trim_end_matches(' '));
        let cells = usize::from(cells) - (text.len() - bare.len());
        let mut style = String::new();
        for (on, attribute) in [
            (look.bold, " font-weight=\"bold\""),
            (look.dim, " opacity=\"0.6\""),
            (look.underline, " text-decoration=\"underline\""),
        ] {
            if on {
                style.push_str(attribute);
            }
        }
        let escaped = bare.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let _ = writeln!(
            self.texts,
            "<text x=\"{}\" y=\"{}\" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{}\"{style}>{escaped}</text>",
            (usize::from(column) + skipped) * CELL.0 as usize,
            u32::from(row) * CELL.1 + 12,
            cells * CELL.0 as usize,
            look.text,
        );
    }

    /// Draws a letter that is a shape; whether it is one.
    fn shape(&mut self, (column, row): (u16, u16), look: &Look, letter: &str) -> bool {
        let Some(letter) = letter.chars().next().filter(|_| is_drawn(letter)) else { return false };
        if letter == '▀' {
            return true;
        }
        let (x, y) = (f64::from(u32::from(column) * CELL.0), f64::from(u32::from(row) * CELL.1));
        let (wide, high) = (f64::from(CELL.0), f64::from(CELL.1));
        let percent = match (letter, look.dim) {
            ('░', _) => 25,
            (_, true) => 60,
            (_, false) => 100,
        };
        let shapes = self.shapes.entry((look.text.clone(), percent)).or_default();
        let mut fill = |x: f64, y: f64, wide: f64, high: f64| {
            let _ = write!(shapes.filled, "M{x} {y}h{wide}v{high}h-{wide}z");
        };
        match letter {
            '░' => fill(x, y, wide, high),
            // From the bottom in eighths, and from the left.
            '▁'..='█' => {
                let part = high * f64::from(letter as u32 - '▁' as u32 + 1) / 8.0;
                fill(x, y + high - part, wide, part);
            }
            '▉'..='▏' => fill(x, y, wide * f64::from('▏' as u32 - letter as u32 + 1) / 8.0, high),
            '\u{2800}'..='\u{28ff}' => {
                let bits = letter as u32 - 0x2800;
                for (bit, (across, down)) in
                    [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)].into_iter().enumerate()
                {
                    if bits >> bit & 1 == 1 {
                        let _ = write!(
                            shapes.dots,
                            "M{} {}h0",
                            x + 2.0 + 4.0 * f64::from(across),
                            y + 2.0 + 4.0 * f64::from(down)
                        );
                    }
                }
            }
            _ => {
                let (right, bottom, middle, centre) = (x + wide, y + high, x + wide / 2.0, y + high / 2.0);
                let data = match letter {
                    '─' => format!("M{x} {centre}h{wide}"),
                    '│' => format!("M{middle} {y}v{high}"),
                    '┊' => format!("M{middle} {}v3M{middle} {}v3", y + 2.0, y + 10.0),
                    '┤' => format!("M{middle} {y}v{high}M{x} {centre}H{middle}"),
                    '├' => format!("M{middle} {y}v{high}M{middle} {centre}H{right}"),
                    '┬' => format!("M{x} {centre}h{wide}M{middle} {centre}V{bottom}"),
                    '└' => format!("M{middle} {y}V{centre}H{right}"),
                    '╭' => format!("M{middle} {bottom}Q{middle} {centre} {right} {centre}"),
                    '╮' => format!("M{middle} {bottom}Q{middle} {centre} {x} {centre}"),
                    '╰' => format!("M{middle} {y}Q{middle} {centre} {right} {centre}"),
                    _ => format!("M{middle} {y}Q{middle} {centre} {x} {centre}"),
                };
                shapes.lines.push_str(&data);
            }
        }
        true
    }
}

/// Whether a letter is drawn as a shape.
fn is_drawn(letter: &str) -> bool {
    let mut letters = letter.chars();
    let drawn = |letter: char| matches!(letter, '▀'..='▏' | '░' | '─' | '│' | '┊' | '┤' | '├' | '┬' | '└' | '╭' | '╮' | '╰' | '╯' | '\u{2800}'..='\u{28ff}');
    letters.next().is_some_and(drawn) && letters.next().is_none()
}

fn width(screen: &vt100::Screen, row: u16, column: u16) -> u16 {
    if screen.cell(row, column).is_some_and(vt100::Cell::is_wide) { 2 } else { 1 }
}

fn cell(screen: &vt100::Screen, row: u16, column: u16) -> Option<(Look, String)> {
    let cell = screen.cell(row, column)?;
    if cell.is_wide_continuation() {
        return None;
    }
    let letters = if cell.has_contents() { cell.contents().to_owned() } else { " ".to_owned() };
    let (mut text, mut ground) = (color(cell.fgcolor()), color(cell.bgcolor()));
    if cell.inverse() {
        (text, ground) = (ground.or(Some(GROUND.to_owned())), text.or(Some(TEXT.to_owned())));
    }
    let look = Look {
        text: text.unwrap_or_else(|| TEXT.to_owned()),
        ground,
        bold: cell.bold(),
        dim: cell.dim(),
        underline: cell.underline(),
    };
    Some((look, letters))
}

/// A colour as SVG has it; none for the terminal's own.
fn color(color: vt100::Color) -> Option<String> {
    match color {
        vt100::Color::Default => None,
        vt100::Color::Idx(index @ 0..=15) => Some(COLORS[usize::from(index)].to_owned()),
        vt100::Color::Idx(index @ 16..=231) => {
            let level = |value: u8| if value == 0 { 0 } else { 55 + 40 * value };
            let at = index - 16;
            Some(format!("#{:02x}{:02x}{:02x}", level(at / 36), level(at / 6 % 6), level(at % 6)))
        }
        vt100::Color::Idx(index) => {
            let grey = 8 + 10 * (index - 232);
            Some(format!("#{grey:02x}{grey:02x}{grey:02x}"))
        }
        // Sixteen levels a channel are enough for a thumbnail, and let neighbours be the same.
        vt100::Color::Rgb(red, green, blue) => {
            let short = |value: u8| (u16::from(value) + 8).min(255) / 17;
            Some(format!("#{:x}{:x}{:x}", short(red), short(green), short(blue)))
        }
    }
}
