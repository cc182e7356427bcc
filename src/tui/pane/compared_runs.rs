//! The compared runs of the history: their losses and one bin's accuracy over the epochs, and their figures against the
//! baseline's. A run keeps its colour and its letter.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::Span;

use crate::tui::app::App;
use crate::tui::charts::{Best, Chart, Curve, Stroke};
use crate::tui::format::{self, width};
use crate::tui::history_tab::{Compared, Curves, HistoryTab};
use crate::tui::layout::Size;
use crate::tui::theme::Styles;

use super::{PaneFrame, framed, left, put, right};

/// The letters of the slots.
const LETTERS: [&str; 8] = ["A", "B", "C", "D", "E", "F", "G", "H"];

/// A slot's letter.
pub(in crate::tui) fn letter(slot: usize) -> &'static str {
    LETTERS[slot % LETTERS.len()]
}

/// A slot's look.
pub(in crate::tui) fn look(slot: usize, styles: &Styles) -> Style {
    if styles.has_color() { Style::new().fg(styles.series[slot % styles.series.len()]) } else { styles.text }
}

/// Draws everything below the list.
pub(in crate::tui) fn render(area: Rect, buffer: &mut Buffer, app: &App, styles: &Styles, size: Size) {
    let history = &app.history;
    let frame = PaneFrame { sides: size.framed(), focused: false };
    let table = (history.compared.len() as u16 + 4).min(area.height / 2);
    let [charts, table] = Layout::vertical([Constraint::Fill(1), Constraint::Length(table)]).areas(area);
    let [loss, bins] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)])
        .spacing(u16::from(size == Size::Compact))
        .areas(charts);

    let mut title = vec![Span::styled("loss", styles.title)];
    title.extend(legend(history, styles));
    let inner = framed(loss, buffer, styles, frame, title);
    let mut chart = chart(history, styles, |curves| Some(&curves.loss));
    chart.log_y = app.view.charts.log_y;
    chart.empty = waiting(history);
    chart.render(inner, buffer, styles);

    let bin = last_bin(history);
    let title = match &bin {
        Some(bin) => vec![Span::styled(bin.clone(), styles.title), Span::styled("  accuracy, epochs", styles.dim)],
        None => vec![Span::styled("bins", styles.title)],
    };
    let inner = framed(bins, buffer, styles, frame, title);
    let of_bin = |curves: &Curves| bin_curve(curves, bin.as_deref()).cloned();
    let mut chart = Chart { empty: "these runs have no bins", ..Chart::default() };
    for compared in &history.compared {
        if let Some(Ok(curves)) = &compared.curves
            && let Some(points) = of_bin(curves)
        {
            add(&mut chart, compared, &points, styles, true);
        }
    }
    chart.render(inner, buffer, styles);

    let inner = framed(table, buffer, styles, frame, vec![Span::styled("compared", styles.title)]);
    figures(inner, buffer, history, styles);
}

/// What to say while nothing can be drawn.
fn waiting(history: &HistoryTab) -> &'static str {
    if history.compared.iter().any(|compared| compared.curves.is_none()) {
        "reading the journals"
    } else {
        "no epoch has ended"
    }
}

fn legend(history: &HistoryTab, styles: &Styles) -> Vec<Span<'static>> {
    let name = |compared: &Compared| {
        let text = format!("  {} {}", letter(compared.slot), compared.name);
        Span::styled(text, look(compared.slot, styles))
    };
    history.compared.iter().map(name).collect()
}

fn chart(history: &HistoryTab, styles: &Styles, of: impl Fn(&Curves) -> Option<&Vec<(f64, f64)>>) -> Chart {
    let mut chart = Chart::default();
    for compared in &history.compared {
        if let Some(Ok(curves)) = &compared.curves
            && let Some(points) = of(curves)
        {
            add(&mut chart, compared, points, styles, false);
        }
    }
    chart
}

/// Adds a run's curve, with its best point where that is wanted.
fn add(chart: &mut Chart, compared: &Compared, points: &[(f64, f64)], styles: &Styles, best: bool) {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
    chart.x = if chart.curves.is_empty() { (first.0, last.0) } else { (chart.x.0.min(first.0), chart.x.1.max(last.0)) };
    let color = styles.series[compared.slot % styles.series.len()];
    let stroke = match (styles.has_color(), compared.slot % 3) {
        (true, _) | (false, 0) => Stroke::Line,
        (false, 1) => Stroke::Dashed,
        (false, _) => Stroke::Dotted,
    };
    let (x, y) = points.iter().copied().unzip();
    chart.curves.push(Curve { x, y, color, stroke });
    let highest = points.iter().filter(|point| point.1.is_finite()).max_by(|a, b| a.1.total_cmp(&b.1));
    if let (true, Some((x, y))) = (best, highest) {
        let text = format!("{} {}", letter(compared.slot), format::accuracy(*y));
        chart.best.push(Best { x: *x, y: *y, text, color });
    }
}

/// The bin that decides: the last one of the baseline's.
fn last_bin(history: &HistoryTab) -> Option<String> {
    let base = history.base()?.curves.as_ref()?.as_ref().ok()?;
    let own = base.bins.iter().rev().find(|(_, points)| !points.is_empty());
    own.map(|(name, _)| name.clone())
}

fn bin_curve<'a>(curves: &'a Curves, bin: Option<&str>) -> Option<&'a Vec<(f64, f64)>> {
    curves.bins.iter().find(|(name, _)| Some(name.as_str()) == bin).map(|(_, points)| points)
}

/// The table: each run's figures, and the difference from the baseline's behind them.
fn figures(area: Rect, buffer: &mut Buffer, history: &HistoryTab, styles: &Styles) {
    let base = history.base().and_then(|base| base.curves.as_ref()?.as_ref().ok());
    let bins: Vec<String> = history
        .compared
        .iter()
        .filter_map(|compared| compared.curves.as_ref()?.as_ref().ok())
        .flat_map(|curves| curves.figures.bins.iter().map(|(name, ..)| name.clone()))
        .fold(Vec::new(), |mut known, name| {
            if !known.contains(&name) {
                known.push(name);
            }
            known
        });
    let name = history.compared.iter().map(|compared| width(&compared.name)).max().unwrap_or(4).clamp(4, 28);
    let mut head =
        format!("    {}  {}  {}", left("name", name, styles), right("epochs", 6, styles), right("loss", 8, styles));
    for bin in &bins {
        head.push_str("  ");
        head.push_str(&right(bin, 15, styles));
    }
    head.push_str("     img/s");
    put(buffer, area, 0, vec![Span::styled(head, styles.dim)], styles);
    for (row, compared) in history.compared.iter().enumerate() {
        let is_base = history.base().is_some_and(|base| base.id == compared.id);
        let mark = if is_base { "*" } else { " " };
        let shown = format::cut_front(&compared.name, name, styles.glyphs.ellipsis);
        let mut spans = vec![
            Span::styled(format!("{mark} {} ", letter(compared.slot)), look(compared.slot, styles)),
            Span::styled(left(&shown, name, styles), styles.text),
        ];
        match &compared.curves {
            None => spans.push(Span::styled("  reading", styles.dim)),
            Some(Err(error)) => spans.push(Span::styled(format!("  {error}"), styles.bad)),
            Some(Ok(curves)) => {
                let figures = &curves.figures;
                let loss = figures.loss.map_or_else(|| "-".to_owned(), format::loss);
                let text = format!("  {:>6}  {}", figures.epochs, right(&loss, 8, styles));
                spans.push(Span::styled(text, styles.text));
                for bin in &bins {
                    spans.extend(against(
                        figures.bin(bin),
                        base.and_then(|base| base.figures.bin(bin)),
                        is_base,
                        styles,
                    ));
                }
                let speed = figures.images_per_second.map_or_else(|| "-".to_owned(), |speed| format!("{speed:.0}"));
                spans.push(Span::styled(format!("  {}", right(&speed, 8, styles)), styles.text));
            }
        }
        put(buffer, area, row as u16 + 1, spans, styles);
    }
}

/// An accuracy and its difference from the baseline's, in 15 columns.
fn against(value: Option<f64>, base: Option<f64>, is_base: bool, styles: &Styles) -> [Span<'static>; 2] {
    let Some(value) = value else { return [Span::raw(format!("  {:>15}", "-")), Span::raw("")] };
    let own = Span::styled(format!("  {:>7}", format::accuracy(value)), styles.text);
    let difference = match base {
        Some(base) if !is_base => value - base,
        _ => return [own, Span::raw(" ".repeat(8))],
    };
    let style = if difference > 0.0 {
        styles.good
    } else if difference < 0.0 {
        styles.warning
    } else {
        styles.dim
    };
    [own, Span::styled(format!(" {difference:>+7.4}"), style)]
}
