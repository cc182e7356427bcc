//! An open bin: how the scores of its pairs lie with the threshold, the curve of accept rates, and the pairs that are
//! hardest to tell, with their faces.

mod hardest_pairs;
mod plots;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Span;

use crate::eval::detail::Detail;
use crate::tui::bin_details::BinView;
use crate::tui::format::{self, wrap};
use crate::tui::layout::Size;
use crate::tui::theme::Styles;

use super::evaluation::epoch_name;
use super::{PaneFrame, Scene, framed, put};

pub(in crate::tui) fn render(area: Rect, buffer: &mut Buffer, scene: &Scene<'_>, bin_view: &BinView, size: Size) {
    let styles = scene.styles;
    let frame = PaneFrame { sides: size.framed(), focused: true };
    let inner = framed(area, buffer, styles, frame, title(scene, bin_view));
    let details = match &bin_view.shown {
        Some(Ok(details)) => details,
        other => {
            let (text, style) = match other {
                Some(Err(reason)) => (reason.as_str(), styles.warning),
                _ => ("reading the details", styles.dim),
            };
            for (row, line) in wrap(text, usize::from(inner.width)).into_iter().enumerate() {
                put(buffer, inner, row as u16, vec![Span::styled(line, style)], styles);
            }
            return;
        }
    };
    // The plots get less where the faces would have none.
    let plots = (inner.height * 2 / 5).clamp(6, 18).min(inner.height.saturating_sub(1));
    let rows = Layout::vertical([Constraint::Length(1), Constraint::Length(plots), Constraint::Fill(1)]);
    let [facts, plots, pairs] = rows.areas(inner);
    put(buffer, facts, 0, facts_of(&details.detail, styles), styles);
    let halves = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).spacing(2);
    let [scores, curve] = halves.areas(plots);
    plots::histogram(scores, buffer, &details.detail, styles);
    plots::roc(curve, buffer, &details.detail, styles);
    hardest_pairs::render(pairs, buffer, scene, bin_view, details);
}

/// The bin, and when it was evaluated.
fn title(scene: &Scene<'_>, bin_view: &BinView) -> Vec<Span<'static>> {
    let styles = scene.styles;
    let mut spans = vec![Span::styled(format::cut(&bin_view.bin, 40, styles.glyphs.ellipsis), styles.title)];
    let which = if bin_view.best { "best" } else { "newest" };
    let when = match &bin_view.shown {
        Some(Ok(details)) => {
            let epoch = epoch_name(&scene.run.state, details.detail.index);
            let step = details.detail.step.map_or_else(String::new, |step| format!(", step {step}"));
            format!("  {which}: epoch {epoch}{step}")
        }
        _ => format!("  {which}"),
    };
    spans.push(Span::styled(when, styles.active));
    spans
}

/// The figures in a line.
fn facts_of(detail: &Detail, styles: &Styles) -> Vec<Span<'static>> {
    let result = &detail.result;
    let mut parts = vec![
        ("accuracy", format::accuracy(result.accuracy)),
        ("threshold", format!("{:.4}", result.threshold)),
        (
            "pairs",
            format!("{} same, {} different", format::grouped(detail.positives), format::grouped(detail.negatives)),
        ),
    ];
    let few = !result.rates.is_empty() && result.rates.iter().all(|rate| rate.tar.is_none());
    if few {
        parts.push(("TAR", "too few pairs".to_owned()));
    }
    for rate in result.rates.iter().filter(|_| !few) {
        let tar = rate.tar.map_or_else(|| "too few pairs".to_owned(), format::accuracy);
        parts.push(("TAR", format!("{tar} at {:.0e}", rate.far)));
    }
    if let Some((mean, deviation)) = result.fold_mean.zip(result.fold_deviation) {
        parts.push(("10-fold", format!("{} {} {deviation:.4}", format::accuracy(mean), styles.glyphs.plus_minus)));
    }
    let mut spans = Vec::new();
    for (name, value) in parts {
        spans.push(Span::styled(format!("{name} "), styles.dim));
        spans.push(Span::styled(format!("{value}  "), styles.text));
    }
    spans
}
