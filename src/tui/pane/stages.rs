//! The schedule's stages: done, current with its epochs, to come; and what is trained on what, where there is room.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::event::{Outcome, RunHeader, StagePlan};
use crate::run::state::{Phase, RunState, StageProgress};
use crate::tui::format::{grouped, learning_rate, short_count, width};
use crate::tui::theme::Styles;

use super::{Scene, bar, left, put, right};

/// The title: which run's they are when that is not the live one, and which branch's.
pub(in crate::tui) fn title(scene: &Scene<'_>) -> Vec<Span<'static>> {
    let (styles, state) = (scene.styles, &scene.run.state);
    let mut spans = vec![Span::styled("stages", styles.title)];
    // The header tells of the live run only.
    if !scene.live {
        let run = state.whole_header().map_or("a run without a name", |header| &header.run_id);
        spans.push(Span::styled(format!("  of `{run}`"), styles.active));
    }
    if let Some((comparison, branch)) = state.comparison.as_ref().and_then(|all| Some((all, all.current?))) {
        let text = format!("  branch {} of {}, {}", branch + 1, comparison.total(), comparison.name(branch));
        spans.push(Span::styled(text, styles.active));
    }
    spans
}

pub(in crate::tui) fn render(area: Rect, buffer: &mut Buffer, scene: &Scene<'_>) {
    let styles = scene.styles;
    let state = &scene.run.state;
    let Some(header) = &state.header else {
        put(buffer, area, 0, vec![Span::styled("not known yet", styles.dim)], styles);
        return;
    };
    let facts = facts(header, styles);
    let count = header.stages.len();
    let spare = usize::from(area.height).saturating_sub(count);
    let shown = count.min(usize::from(area.height));
    // With more stages than lines, the current one stays in view, the one before it too.
    let current = state.stages.iter().rposition(|stage| *stage != StageProgress::ToCome).unwrap_or(0);
    let first = current.saturating_sub(1).min(count - shown);
    let columns = Columns::of(header, usize::from(area.width));
    for (row, at) in (first..first + shown).enumerate() {
        let spans = stage(at, &header.stages[at], state, &columns, styles);
        put(buffer, area, row as u16, spans, styles);
    }
    let gap = usize::from(spare > facts.len());
    for (row, fact) in facts.into_iter().take(spare).enumerate() {
        put(buffer, area, (shown + gap + row) as u16, vec![Span::styled(fact, styles.dim)], styles);
    }
}

/// What is trained on what, most interesting first.
fn facts(header: &RunHeader, styles: &Styles) -> Vec<String> {
    let dot = styles.glyphs.dot;
    if header.parameters == 0 {
        return vec!["only the history is left".to_owned()];
    }
    vec![
        format!("{} {dot} {} params {dot} {}-d", header.model, short_count(header.parameters), header.embedding_size),
        format!(
            "{} images, {} classes {dot} batch {}",
            grouped(header.images),
            grouped(header.classes),
            header.batch_size
        ),
        format!("{} {dot} {}", header.device, header.precision),
    ]
}

/// Widths that are the same on every line, so that the table is one.
struct Columns {
    loss: usize,
    optimizer: usize,
    epochs: usize,
    head: bool,
    /// Batch size, learning rate and augmentation.
    numbers: usize,
    bar: usize,
}

impl Columns {
    fn of(header: &RunHeader, room: usize) -> Self {
        let widest = |text: fn(&StagePlan) -> usize| header.stages.iter().map(text).max().unwrap_or(0);
        let loss = widest(|plan| width(plan.name.as_ref().unwrap_or(&plan.loss))).min(20);
        let optimizer = widest(|plan| width(&plan.optimizer)).clamp(4, 8);
        let epochs = widest(|plan| plan.epochs.to_string().len()) * 2 + 1;
        let frozen = header.stages.iter().any(|plan| plan.bottleneck_only);
        let needed = |optimizer: usize, head: bool| {
            5 + loss + if optimizer > 0 { optimizer + 1 } else { 0 } + if head { 10 } else { 0 } + epochs
        };
        // The epochs matter most; then which stage trains the head only; then the optimiser.
        let head = frozen && needed(0, true) <= room;
        let optimizer = if needed(optimizer, head) <= room { optimizer } else { 0 };
        // The numbers come where a bar of some length stays beside them.
        let spare = room.saturating_sub(needed(optimizer, head) + 1);
        let numbers = widest(|plan| width(&numbers(plan)));
        let numbers = if numbers > 0 && spare >= numbers + 1 + 8 { numbers } else { 0 };
        let bar = spare.saturating_sub(if numbers > 0 { numbers + 1 } else { 0 }).min(30);
        Self { loss, optimizer, epochs, head, numbers, bar: if bar < 4 { 0 } else { bar } }
    }
}

/// Images a step, learning rate and augmentation of a stage; nothing where an old journal does not say.
fn numbers(plan: &StagePlan) -> String {
    if plan.batch_size == 0 {
        return String::new();
    }
    format!("{:>4} {} aug {}", plan.batch_size, learning_rate(plan.learning_rate), plan.augment)
}

fn stage(at: usize, plan: &StagePlan, state: &RunState, columns: &Columns, styles: &Styles) -> Vec<Span<'static>> {
    let progress = state.stages.get(at).copied().unwrap_or(StageProgress::ToCome);
    let glyphs = styles.glyphs;
    let trained = state.epochs.iter().filter(|row| row.stage == at).count() as u32;
    let (mark, mark_style, style) = match (progress, &state.phase) {
        (StageProgress::Done, _) if trained >= plan.epochs => (glyphs.done, styles.good, styles.text),
        (StageProgress::Current(_), Phase::Ended(Outcome::Failed { .. })) => (glyphs.failed, styles.bad, styles.text),
        (StageProgress::Done, _) | (StageProgress::Current(_), Phase::Ended(_)) => {
            (glyphs.halted, styles.warning, styles.text)
        }
        (StageProgress::Current(_), _) => (glyphs.current, styles.active, styles.strong),
        (StageProgress::ToCome, _) => (glyphs.to_come, styles.dim, styles.dim),
    };
    // The optimiser that the stage really uses, once it is known: a kept one has a name then.
    let optimizer = state.optimizers.get(at).cloned().flatten().unwrap_or_else(|| plan.optimizer.clone());
    let mut spans = vec![
        Span::styled(mark, mark_style),
        Span::styled(right(&(at + 1).to_string(), 2, styles), style),
        Span::raw(" "),
        Span::styled(left(plan.name.as_ref().unwrap_or(&plan.loss), columns.loss, styles), style),
    ];
    if columns.optimizer > 0 {
        spans.push(Span::styled(format!(" {}", left(&optimizer, columns.optimizer, styles)), styles.dim));
    }
    if columns.head {
        let text = if plan.bottleneck_only { " head only" } else { "          " };
        spans.push(Span::styled(text, styles.dim));
    }
    let count = format!("{trained}/{}", plan.epochs);
    spans.push(Span::styled(format!(" {}", right(&count, columns.epochs, styles)), style));
    if columns.numbers > 0 {
        spans.push(Span::styled(format!(" {}", right(&numbers(plan), columns.numbers, styles)), styles.dim));
    }
    if columns.bar > 0 {
        spans.push(Span::raw(" "));
        let current = state.current.as_ref().filter(|now| now.stage == at && trained < plan.epochs);
        let part = current
            .filter(|now| state.epochs.last().is_none_or(|last| last.index != now.index))
            .map_or(0.0, |now| now.step as f64 / now.steps.max(1) as f64);
        if progress != StageProgress::ToCome {
            spans.extend(bar(columns.bar, (f64::from(trained) + part) / f64::from(plan.epochs.max(1)), styles));
        }
    }
    spans
}
