//! The two plots of a bin: the scores of pairs of one person above those of two, with the threshold between; and the curve
//! of accept rates.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;

use crate::eval::detail::{BUCKETS, Detail, bucket};
use crate::tui::format;
use crate::tui::theme::Styles;

use super::super::{put, right};

const UP: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// The score in the middle of a bucket's beginning.
fn score(bucket: usize) -> f64 {
    bucket as f64 / BUCKETS as f64 * 2.0 - 1.0
}

/// The scores: pairs of one person upwards, of two downwards, the threshold as a line through both.
pub(super) fn histogram(area: Rect, buffer: &mut Buffer, detail: &Detail, styles: &Styles) {
    let area = area.intersection(buffer.area);
    let heading = vec![
        Span::styled("scores", styles.title),
        Span::styled(format!("  {} same person  ", styles.glyphs.up), ink(styles, 2)),
        Span::styled(format!("{} different persons", styles.glyphs.down), ink(styles, 3)),
    ];
    put(buffer, area, 0, heading, styles);
    if area.height < 5 || area.width < 12 {
        return;
    }
    let threshold = bucket(detail.result.threshold);
    let filled = |at: &usize| detail.same[*at] > 0 || detail.different[*at] > 0 || *at == threshold;
    let (Some(first), Some(last)) = ((0..BUCKETS).find(filled), (0..BUCKETS).rfind(filled)) else { return };
    let (first, last) = (first.saturating_sub(1), (last + 2).min(BUCKETS));
    let columns = usize::from(area.width);
    let place = |column: usize| first as f64 + (last - first) as f64 * column as f64 / columns as f64;
    // Each column holds the density of the buckets it lies over, so that wide and narrow plots look alike.
    let density = |counts: &[u32]| -> Vec<f64> {
        let over = |column: usize| {
            let (from, to) = (place(column), place(column + 1));
            let parts = (from as usize..(to.ceil() as usize).min(BUCKETS)).map(|at| {
                let overlap = (to.min(at as f64 + 1.0) - from.max(at as f64)).max(0.0);
                f64::from(counts[at]) * overlap / (to - from)
            });
            parts.sum()
        };
        (0..columns).map(over).collect()
    };
    let (same, different) = (density(&detail.same), density(&detail.different));
    let most = same.iter().chain(&different).copied().fold(0.0, f64::max).max(1e-9);
    let body = area.height - 2;
    let (above, below) = (body / 2, body - body / 2);
    let line = {
        let share = f64::midpoint(detail.result.threshold, 1.0) * BUCKETS as f64 - first as f64;
        ((share / (last - first) as f64 * columns as f64) as usize).min(columns - 1)
    };
    let base = area.y + 1 + above;
    for column in 0..columns {
        let x = area.x + column as u16;
        // A single pair still shows.
        let height = |value: f64, rows: u16| {
            let eighths = (value / most * f64::from(rows) * 8.0).round() as usize;
            if value > 0.0 { eighths.max(1) } else { 0 }
        };
        let (up, down) = (height(same[column], above), height(different[column], below));
        for row in 0..above {
            bar(buffer, (x, base - 1 - row), up.saturating_sub(8 * usize::from(row)), false, ink(styles, 2), styles);
        }
        for row in 0..below {
            bar(buffer, (x, base + row), down.saturating_sub(8 * usize::from(row)), true, ink(styles, 3), styles);
        }
    }
    let mark = if styles.glyphs.unicode { "│" } else { "|" };
    let x = area.x + line as u16;
    for y in area.y + 1..area.bottom() - 1 {
        let cell = &mut buffer[(x, y)];
        // A hanging bar's cell is drawn in reverse.
        cell.reset();
        cell.set_symbol(mark).set_style(styles.warning);
    }
    // The labels: the ends, and the threshold where it lies.
    let row = area.height - 1;
    let (low, high) = (format!("{:.2}", score(first)), format!("{:.2}", score(last)));
    put(buffer, area, row, vec![Span::styled(low.clone(), styles.dim)], styles);
    let end = right(&high, columns, styles);
    let text = format!("{:.3}", detail.result.threshold);
    let start = line.saturating_sub(text.len() / 2).min(columns.saturating_sub(text.len()));
    let mut letters: Vec<char> = end.chars().collect();
    for (at, letter) in low.chars().enumerate() {
        letters[at] = letter;
    }
    put(buffer, area, row, vec![Span::styled(letters.iter().collect::<String>(), styles.dim)], styles);
    let spot = Rect { x: area.x + start as u16, width: text.len() as u16, ..area };
    put(buffer, spot, row, vec![Span::styled(text, styles.warning)], styles);
}

/// A cell of a bar: so many eighths of it (more are all), from its bottom or hanging from its top.
fn bar(buffer: &mut Buffer, at: (u16, u16), eighths: usize, hanging: bool, style: Style, styles: &Styles) {
    if eighths == 0 || !buffer.area.contains(at.into()) {
        return;
    }
    let cell = &mut buffer[at];
    if !styles.glyphs.unicode {
        cell.set_symbol("#").set_style(style);
    } else if eighths >= 8 {
        cell.set_symbol(UP[8]).set_style(style);
    } else if hanging {
        // What is not filled at the bottom is drawn in the ground's colour.
        cell.set_symbol(UP[8 - eighths]).set_style(style.add_modifier(Modifier::REVERSED));
    } else {
        cell.set_symbol(UP[eighths]).set_style(style);
    }
}

fn ink(styles: &Styles, series: usize) -> Style {
    match styles.series[series] {
        Color::Reset => styles.text,
        color => Style::new().fg(color),
    }
}

/// Width of the labels beside the curve.
const GUTTER: u16 = 4;

/// The curve: true accept rate over the false accept rate on a logarithmic axis.
pub(super) fn roc(area: Rect, buffer: &mut Buffer, detail: &Detail, styles: &Styles) {
    let area = area.intersection(buffer.area);
    let heading = vec![Span::styled("ROC", styles.title), Span::styled("  true over false accept rate", styles.dim)];
    put(buffer, area, 0, heading, styles);
    if area.height < 5 || area.width < 16 {
        return;
    }
    if detail.roc.is_empty() {
        put(buffer, area, 1, vec![Span::styled("needs pairs of both kinds", styles.dim)], styles);
        return;
    }
    let plot = Rect { x: area.x + GUTTER, y: area.y + 1, width: area.width - GUTTER, height: area.height - 2 };
    // From the smallest rate that one pair can show.
    let decades = (detail.negatives.max(10) as f64).log10().ceil().clamp(1.0, 6.0);
    let at =
        |far: f64| detail.roc.iter().take_while(|(rate, _)| *rate <= far).map(|(_, tar)| *tar).last().unwrap_or(0.0);
    let (dots_x, dots_y) = if styles.glyphs.unicode { (2, 4) } else { (1, 1) };
    let (columns, rows) = (usize::from(plot.width) * dots_x, usize::from(plot.height) * dots_y);
    let mut cells = vec![0_u8; usize::from(plot.width) * usize::from(plot.height)];
    let mut before: Option<usize> = None;
    for column in 0..columns {
        let share = if columns > 1 { column as f64 / (columns - 1) as f64 } else { 1.0 };
        let tar = at(10_f64.powf(decades * (share - 1.0)) * (1.0 + 1e-9));
        let row = ((1.0 - tar.clamp(0.0, 1.0)) * (rows - 1) as f64).round() as usize;
        // Where it jumps, it is drawn as a step.
        let (from, to) = before.map_or((row, row), |before| (before.min(row), before.max(row)));
        for row in from..=to {
            let (x, y) = (column / dots_x, row / dots_y);
            cells[y * usize::from(plot.width) + x] |= braille(column % dots_x, row % dots_y);
        }
        before = Some(row);
    }
    for (at, dots) in cells.into_iter().enumerate().filter(|(_, dots)| *dots > 0) {
        let spot = (plot.x + (at % usize::from(plot.width)) as u16, plot.y + (at / usize::from(plot.width)) as u16);
        let letter = if styles.glyphs.unicode { char::from_u32(0x2800 + u32::from(dots)).unwrap_or('*') } else { '*' };
        buffer[spot].set_char(letter).set_style(ink(styles, 0));
    }
    for (label, y) in [("1.0", 0), ("0.5", (plot.height - 1) / 2), ("0.0", plot.height - 1)] {
        put(buffer, area, y + 1, vec![Span::styled(label, styles.dim)], styles);
    }
    let labels = area.height - 1;
    let mut free = 0;
    for decade in 0..=decades as u16 {
        let share = f64::from(decade) / decades;
        let text =
            if f64::from(decade) >= decades { "1".to_owned() } else { format!("1e-{}", decades as u16 - decade) };
        let x = (share * f64::from(plot.width - 1)) as u16;
        let x = x.saturating_sub(format::width(&text) as u16 / 2).min(plot.width - format::width(&text) as u16);
        if x >= free {
            let spot = Rect { x: plot.x + x, width: plot.width - x, ..area };
            put(buffer, spot, labels, vec![Span::styled(text.clone(), styles.dim)], styles);
            free = x + format::width(&text) as u16 + 1;
        }
    }
}

/// The bit of a braille cell's dot.
const fn braille(x: usize, y: usize) -> u8 {
    match (x, y) {
        (0, 3) => 0x40,
        (1, 3) => 0x80,
        (0, y) => 1 << y,
        (_, y) => 8 << y,
    }
}
