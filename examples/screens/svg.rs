//! A terminal's screen as an SVG: a dark ground, runs of cells of one style as text, stretched to the grid.

use std::fmt::Write as _;

/// A cell in pixels, and the margin.
const CELL: (f64, f64) = (8.4, 17.0);
const MARGIN: f64 = 12.0;

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

/// Draws the screen.
pub fn render(screen: &vt100::Screen) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let width = f64::from(columns) * CELL.0 + 2.0 * MARGIN;
    let height = f64::from(rows) * CELL.1 + 2.0 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{GROUND}\"/>\n"
    );
    for row in 0..rows {
        line(&mut svg, screen, row, columns);
    }
    svg + "</svg>\n"
}

fn line(svg: &mut String, screen: &vt100::Screen, row: u16, columns: u16) {
    let mut column = 0;
    while column < columns {
        let Some((look, first)) = cell(screen, row, column) else {
            column += 1;
            continue;
        };
        let (start, mut text, mut cells) = (column, first, width(screen, row, column));
        column += cells;
        while let Some((next, letters)) = (column < columns).then(|| cell(screen, row, column)).flatten() {
            if next != look {
                break;
            }
            text.push_str(&letters);
            cells += width(screen, row, column);
            column = start + cells;
        }
        draw(svg, (start, row), cells, &look, &text);
    }
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

fn draw(svg: &mut String, (column, row): (u16, u16), cells: u16, look: &Look, text: &str) {
    let (x, y) = (MARGIN + f64::from(column) * CELL.0, MARGIN + f64::from(row) * CELL.1);
    let span = f64::from(cells) * CELL.0;
    if let Some(ground) = &look.ground {
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{span:.1}\" height=\"{:.1}\" fill=\"{ground}\"/>",
            CELL.1
        );
    }
    if text.trim().is_empty() {
        return;
    }
    let mut style = String::new();
    if look.bold {
        style.push_str(" font-weight=\"bold\"");
    }
    if look.dim {
        style.push_str(" opacity=\"0.6\"");
    }
    if look.underline {
        style.push_str(" text-decoration=\"underline\"");
    }
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{span:.1}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{}\"{style} \
         xml:space=\"preserve\">{escaped}</text>",
        y + CELL.1 * 0.75,
        look.text,
    );
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
        vt100::Color::Rgb(red, green, blue) => Some(format!("#{red:02x}{green:02x}{blue:02x}")),
    }
}
