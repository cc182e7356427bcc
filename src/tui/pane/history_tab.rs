//! The history tab: the list of past runs, and the chosen one in charts and numbers.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use crate::event::Outcome;
use crate::run::history::PastRun;
use crate::tui::app::App;
use crate::tui::charts::options::ChartOptions;
use crate::tui::charts::x_axis::Axis;
use crate::tui::format::{self, width};
use crate::tui::history_tab::SortBy;
use crate::tui::layout::{Pane, Size, history_tab};
use crate::tui::shown_run::ShownRun;
use crate::tui::theme::Styles;

use super::{PaneFrame, Scene, branches, charts, compared_runs, evaluation, framed, left, put, right, stages};

pub(in crate::tui) fn render(body: Rect, buffer: &mut Buffer, app: &App, styles: &Styles, size: Size) {
    let sides = size.framed();
    let frame = PaneFrame { sides, focused: false };
    let panes = history_tab(body, size, app.history.runs.len());
    if app.history.runs.is_empty() && app.history.filtered() {
        let inner = framed(body, buffer, styles, frame, title(app, styles));
        put(buffer, inner, 1, vec![Span::styled("No run matches the filter.", styles.text)], styles);
        return;
    }
    if app.history.runs.is_empty() {
        let inner = framed(body, buffer, styles, frame, vec![Span::styled("runs", styles.title)]);
        empty(inner, buffer, app, styles);
        return;
    }
    let title = title(app, styles);
    let focused = PaneFrame { focused: true, ..frame };
    list(framed(panes.list, buffer, styles, focused, title), buffer, app, styles);
    if app.compares() {
        let below = Rect { y: panes.list.bottom(), height: body.bottom() - panes.list.bottom(), ..body };
        compared_runs::render(below, buffer, app, styles, size);
        return;
    }

    let name = |text: &'static str| vec![Span::styled(text, styles.title)];
    let compared = app.history.shown().and_then(|run| run.as_ref().ok()).filter(|run| run.state.comparison.is_some());
    let stages_area = framed(panes.stages, buffer, styles, frame, name("stages"));
    let table_title = compared.map_or_else(|| name("evaluation"), |run| branches::title(&run.state, styles));
    let table_area = framed(panes.table, buffer, styles, frame, table_title);
    match app.history.shown() {
        Some(Ok(run)) => {
            let scene = Scene { app, run, styles, live: false };
            stages::render(stages_area, buffer, &scene);
            if run.state.comparison.is_some() {
                branches::render(table_area, buffer, &run.state, styles);
            } else {
                evaluation::render(table_area, buffer, run, styles);
            }
            curves(panes.loss, panes.bins, buffer, &scene, frame);
        }
        other => {
            let (text, style) = match other {
                Some(Err(error)) => (error.clone(), styles.bad),
                _ => ("reading the journal".to_owned() + if styles.glyphs.unicode { "…" } else { "..." }, styles.dim),
            };
            for (row, line) in format::wrap(&text, usize::from(stages_area.width)).into_iter().enumerate() {
                put(buffer, stages_area, row as u16, vec![Span::styled(line, style)], styles);
            }
            framed(panes.loss, buffer, styles, frame, name("loss"));
            framed(panes.bins, buffer, styles, frame, name("bins"));
        }
    }
}

/// The title of the list: how many runs, what is filtered and how they are sorted.
fn title(app: &App, styles: &Styles) -> Vec<Span<'static>> {
    let history = &app.history;
    let count = history.runs.len();
    let mut spans = vec![Span::styled("runs", styles.title)];
    let place = if count == 0 { 0 } else { history.selected + 1 };
    spans.push(Span::styled(format!("  {place} of {count}"), styles.dim));
    if history.filtered() {
        let hidden = format!("  filter: {} ({} hidden)", history.filter_text, history.total() - count);
        spans.push(Span::styled(hidden, styles.warning));
    }
    let by = match &history.sort {
        SortBy::Started => None,
        SortBy::Name => Some("name"),
        SortBy::Model => Some("model"),
        SortBy::State => Some("outcome"),
        SortBy::Epochs => Some("epochs"),
        SortBy::Loss => Some("loss"),
        SortBy::Bin(bin) => Some(bin.as_str()),
    };
    if by.is_some() || history.reversed {
        let order = if history.reversed { ", reversed" } else { "" };
        spans.push(Span::styled(format!("  by {}{order}", by.unwrap_or("start")), styles.dim));
    }
    if let Some(run) = history.chosen() {
        for tag in &run.marks.tags {
            spans.push(Span::styled(format!("  #{tag}"), styles.active));
        }
        if !run.marks.note.is_empty() {
            spans.push(Span::styled(format!("  {}", run.marks.note.replace('\n', " ")), styles.text));
        }
    }
    spans
}

/// Loss and bins over the epochs: what runs are compared by.
fn curves(loss: Rect, bins: Rect, buffer: &mut Buffer, scene: &Scene<'_>, frame: PaneFrame) {
    // What was chosen in the panes of a run is about that run.
    let charts = scene.app.view.charts;
    let options =
        ChartOptions { axis: Axis::Epochs, log_y: charts.log_y, smooth: charts.smooth, ..ChartOptions::default() };
    let run: &ShownRun = scene.run;
    for (pane, area, title) in [
        (Pane::Loss, loss, charts::title(Pane::Loss, run, &options, scene.styles)),
        (Pane::Bins, bins, charts::title(Pane::Bins, run, &options, scene.styles)),
    ] {
        // The numbers of panes are keys of the other screen.
        let title = title.into_iter().skip(1).collect();
        let area = framed(area, buffer, scene.styles, frame, title);
        charts::render(pane, area, buffer, run, &options, scene.styles);
    }
}

/// What to say while there are no runs.
fn empty(area: Rect, buffer: &mut Buffer, app: &App, styles: &Styles) {
    let lines: &[&str] = if app.history.listed {
        &[
            "No runs yet.",
            "",
            "Every training writes a journal to the folder `runs` of the current folder, or where the schedule's `runs` \
             says. It is listed here with its charts and figures.",
            "",
            "Start one with `facetui SCHEDULE.yaml`; `r` reloads the list.",
        ]
    } else {
        &["Reading the runs."]
    };
    let mut row = 1;
    for line in lines {
        for text in format::wrap(line, usize::from(area.width)) {
            put(buffer, area, row, vec![Span::styled(text, styles.text)], styles);
            row += 1;
        }
    }
}

/// Widths of the list's columns.
struct Columns {
    name: usize,
    model: usize,
    outcome: usize,
    bins: Vec<(String, usize)>,
}

impl Columns {
    /// The date, the outcome and the epochs are always there; then the bins, the name and the model take what is left.
    fn of(runs: &[PastRun], room: usize) -> Self {
        let widest = |text: fn(&PastRun) -> usize| runs.iter().map(text).max().unwrap_or(0);
        // Branches differ at their names' ends, and have long ones.
        let name = widest(|run| width(&run.name)).clamp(4, if room >= 110 { 40 } else { 24 });
        let model = widest(|run| width(&run.model)).clamp(5, 16);
        let outcome = 11;
        let mut left = room.saturating_sub(3 + 16 + 2 + name + 2 + outcome + 2 + 9);
        let mut bins: Vec<(String, usize)> = Vec::new();
        let names = runs.iter().flat_map(|run| run.best.iter().map(|(bin, _)| bin));
        for bin in names {
            let columns = width(bin).clamp(6, 10) + 2;
            if left >= columns && !bins.iter().any(|(known, _)| known == bin) {
                left -= columns;
                bins.push((bin.clone(), columns - 2));
            }
        }
        let model = if left >= model + 2 { model } else { 0 };
        Self { name, model, outcome, bins }
    }
}

fn list(area: Rect, buffer: &mut Buffer, app: &App, styles: &Styles) {
    let history = &app.history;
    let columns = Columns::of(&history.runs, usize::from(area.width));
    let model = |text: &str| if columns.model > 0 { left(text, columns.model + 2, styles) } else { String::new() };
    let mut head = vec![
        format!("   {}  {}  ", left("started", 16, styles), left("name", columns.name, styles)),
        model("model"),
        format!("{}  {}", left("outcome", columns.outcome, styles), right("epochs", 9, styles)),
    ];
    head.extend(columns.bins.iter().map(|(bin, width)| format!("  {}", right(bin, *width, styles))));
    let head = head.concat();
    put(buffer, area, 0, vec![Span::styled(head, styles.dim)], styles);
    let lines = usize::from(area.height).saturating_sub(1).max(1);
    let first = history.first_line(lines);
    for (row, (at, run)) in history.runs.iter().enumerate().skip(first).take(lines).enumerate() {
        let chosen = at == history.selected;
        let mark = if chosen { styles.glyphs.selected } else { " " };
        let (word, style) = outcome(run, styles);
        let base = if chosen { styles.selected } else { styles.text };
        let style = if chosen { base } else { style };
        let date = format::date(run.started, &app.zone);
        let name = format::cut_front(&run.name, columns.name, styles.glyphs.ellipsis);
        let mut spans = vec![
            Span::styled(mark, base),
            slot(run, app, styles, base),
            Span::styled(format!(" {}  {}  ", left(&date, 16, styles), left(&name, columns.name, styles)), base),
            Span::styled(model(&run.model), base),
            Span::styled(format!("{}  ", left(word, columns.outcome, styles)), style),
            Span::styled(right(&format!("{}/{}", run.epochs, run.planned), 9, styles), base),
        ];
        for (bin, width) in &columns.bins {
            let best = run.best.iter().find(|(known, _)| known == bin).map(|(_, value)| format::accuracy(*value));
            spans.push(Span::styled(format!("  {}", right(best.as_deref().unwrap_or("-"), *width, styles)), base));
        }
        let used: usize = spans.iter().map(|span| width(&span.content)).sum();
        spans.push(Span::styled(" ".repeat(usize::from(area.width).saturating_sub(used)), base));
        put(buffer, area, row as u16 + 1, spans, styles);
    }
}

/// The letter of a run that is compared.
fn slot(run: &PastRun, app: &App, styles: &Styles, base: Style) -> Span<'static> {
    match app.history.compared.iter().find(|compared| compared.id == run.id) {
        Some(compared) => {
            Span::styled(compared_runs::letter(compared.slot), base.patch(compared_runs::look(compared.slot, styles)))
        }
        None => Span::styled(" ", base),
    }
}

/// A run's end in a word.
const fn outcome(run: &PastRun, styles: &Styles) -> (&'static str, Style) {
    match &run.outcome {
        Some(Outcome::Completed) => ("finished", styles.good),
        Some(Outcome::Stopped) => ("stopped", styles.warning),
        Some(Outcome::Failed { .. }) => ("failed", styles.bad),
        None if run.live => ("training", styles.active),
        None => ("interrupted", styles.warning),
    }
}
