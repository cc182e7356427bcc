//! The whole screen from the whole state.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::action::Tab;
use super::app::App;
use super::format::{cut, width};
use super::layout::{Pane, SMALLEST, Size, screen, size};
use super::pane::{
    PaneFrame, Scene, bin_view, branches, charts, dialog, evaluation, footer, framed, header, help, history_tab, log,
};
use super::pane::{machine, prompt, result, schedule_diff, stages, status, warnings};
use super::theme::Styles;
use super::view::Dialog;

/// Draws everything into `area`, whatever its size.
pub(super) fn draw(area: Rect, buffer: &mut Buffer, app: &App, styles: &Styles) {
    let size = size(area);
    if size == Size::TooSmall {
        too_small(area, buffer, styles);
        return;
    }
    let [top, body, bottom] = screen(area);
    header::render(top, buffer, app, styles);
    match (app.view.tab, app.on_screen()) {
        (_, Some((shown, live))) => {
            let scene = Scene { app, run: shown, styles, live };
            match &app.view.open_bin {
                Some(open) => bin_view::render(body, buffer, &scene, open, size),
                None => panes(body, buffer, &scene, size),
            }
        }
        (Tab::History, None) => history_tab::render(body, buffer, app, styles, size),
        (Tab::Training, None) => nothing_trained(body, buffer, styles),
    }
    if app.view.prompt.is_none() {
        footer::render(bottom, buffer, app, styles);
    }
    match app.view.dialog {
        Some(Dialog::Help) => help::render(body, buffer, app, styles),
        Some(Dialog::Branches) => {
            if let Some(run) = app.compared() {
                branches::window(body, buffer, &run.state, styles);
            }
        }
        Some(Dialog::Delete) => dialog::delete(body, buffer, app, styles),
        Some(Dialog::Train) => dialog::train(body, buffer, app, styles),
        Some(Dialog::ScheduleDiff) => schedule_diff::render(body, buffer, app, styles),
        Some(Dialog::Quit) => dialog::quit(body, buffer, app, styles),
        Some(Dialog::StopNow) => dialog::stop_now(body, buffer, app, styles),
        Some(Dialog::LearningRate) => dialog::rate(body, buffer, app, styles),
        Some(Dialog::Warnings) => {
            if let Some((run, _)) = app.on_screen() {
                warnings::render(body, buffer, app, &run.state, styles);
            }
        }
        Some(Dialog::Machine) => {
            if let Some((run, _)) = app.on_screen() {
                machine::window(body, buffer, &run.state, styles);
            }
        }
        Some(Dialog::Result) => {
            if let Some(run) = &app.live {
                result::render(body, buffer, &run.state, styles);
            }
        }
        None => {}
    }
    prompt::render(bottom, body, buffer, app, styles);
}

/// The panes of a run, or one of them on the whole body.
fn panes(body: Rect, buffer: &mut Buffer, scene: &Scene<'_>, size: Size) {
    for (which, area) in scene.app.arrangement(scene.run, body, size).panes {
        let frame = PaneFrame { sides: size.framed(), focused: which == scene.app.view.focus };
        pane(which, area, buffer, scene, frame);
    }
}

/// One pane in its frame.
pub(super) fn pane(which: Pane, area: Rect, buffer: &mut Buffer, scene: &Scene<'_>, frame: PaneFrame) {
    let styles = scene.styles;
    let options = &scene.app.view.charts;
    let plain = |text: &'static str| vec![Span::styled(text, styles.title)];
    let title = match which {
        Pane::Stages => stages::title(scene),
        Pane::Status => plain("status"),
        Pane::Evaluation => plain("evaluation"),
        Pane::Branches => branches::title(&scene.run.state, styles),
        Pane::Machine => plain("machine"),
        Pane::Log => log::title(scene),
        chart => charts::title(chart, scene.run, options, styles),
    };
    let numbered =
        which.number().filter(|_| !which.is_chart()).map(|number| Span::styled(format!("{number} "), styles.dim));
    let inner = framed(area, buffer, styles, frame, numbered.into_iter().chain(title).collect());
    match which {
        Pane::Stages => stages::render(inner, buffer, scene),
        Pane::Status => status::render(inner, buffer, scene),
        Pane::Evaluation => {
            let selected = scene.app.chosen_bin().filter(|_| scene.app.chooses_bins());
            evaluation::chosen(inner, buffer, scene.run, selected, styles);
        }
        Pane::Branches => branches::render(inner, buffer, &scene.run.state, styles),
        Pane::Machine => machine::render(inner, buffer, &scene.run.state, styles),
        Pane::Log => log::render(inner, buffer, scene),
        chart => charts::render(chart, inner, buffer, scene.run, options, styles),
    }
}

fn nothing_trained(body: Rect, buffer: &mut Buffer, styles: &Styles) {
    let lines = ["No run is trained here.", "Start one with `facetui SCHEDULE.yaml`; Tab shows past runs."];
    for (at, line) in lines.into_iter().enumerate() {
        middle(body, buffer, (body.height / 2 + at as u16).saturating_sub(1), line, styles);
    }
}

fn too_small(area: Rect, buffer: &mut Buffer, styles: &Styles) {
    let need = format!("facetui needs {}x{}", SMALLEST.0, SMALLEST.1);
    let have = format!("terminal too small: {}x{}", area.width, area.height);
    let whole = format!("{have}, {need}");
    if width(&whole) <= usize::from(area.width) {
        middle(area, buffer, area.height / 2, &whole, styles);
    } else {
        middle(area, buffer, (area.height / 2).saturating_sub(1), &have, styles);
        middle(area, buffer, (area.height / 2).saturating_sub(1) + 1, &need, styles);
    }
}

/// A line of text in the middle of a row.
fn middle(area: Rect, buffer: &mut Buffer, row: u16, text: &str, styles: &Styles) {
    let area = area.intersection(buffer.area);
    if row >= area.height {
        return;
    }
    let text = cut(text, usize::from(area.width), styles.glyphs.ellipsis);
    let column = (usize::from(area.width) - width(&text)) / 2;
    buffer.set_string(area.x + column as u16, area.y + row, text, styles.text);
}
