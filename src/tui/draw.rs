//! The whole screen from the whole state.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::action::Tab;
use super::app::App;
use super::format::{cut, width};
use super::layout::{Pane, SMALLEST, Size, run, screen, size};
use super::pane::{
    Frame, Scene, branches, charts, detail, dialog, evaluation, footer, framed, header, help, history, log, machine,
};
use super::pane::{result, stages, status, warnings};
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
            match &app.view.drill {
                Some(drill) => detail::render(body, buffer, &scene, drill, size),
                None => panes(body, buffer, &scene, size),
            }
        }
        (Tab::History, None) => history::render(body, buffer, app, styles, size),
        (Tab::Training, None) => nothing_trained(body, buffer, styles),
    }
    footer::render(bottom, buffer, app, styles);
    match app.view.dialog {
        Some(Dialog::Help) => help::render(body, buffer, app, styles),
        Some(Dialog::Branches) => {
            if let Some(run) = app.compared() {
                branches::window(body, buffer, &run.state, styles);
            }
        }
        Some(Dialog::Quit) => dialog::quit(body, buffer, app, styles),
        Some(Dialog::StopNow) => dialog::stop_now(body, buffer, app, styles),
        Some(Dialog::Rate) => dialog::rate(body, buffer, app, styles),
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
}

/// The panes of a run, or one of them on the whole body.
fn panes(body: Rect, buffer: &mut Buffer, scene: &Scene<'_>, size: Size) {
    let state = &scene.run.state;
    if scene.app.view.zoomed {
        pane(scene.app.view.focus, body, buffer, scene, Frame { sides: size != Size::Compact, focused: true });
        return;
    }
    let branches = state.comparison.as_ref().map_or(0, |comparison| comparison.total());
    for (which, area) in run(body, size, state.stages.len(), state.bins.len(), branches) {
        let frame = Frame { sides: size != Size::Compact, focused: which == scene.app.view.focus };
        pane(which, area, buffer, scene, frame);
    }
}

fn pane(which: Pane, area: Rect, buffer: &mut Buffer, scene: &Scene<'_>, frame: Frame) {
    let styles = scene.styles;
    let options = scene.app.view.charts;
    let plain = |text: &'static str| vec![Span::styled(text, styles.title)];
    let title = match which {
        Pane::Stages => stages::title(scene),
        Pane::Status => plain("status"),
        Pane::Evaluation => plain("evaluation"),
        Pane::Loss => charts::loss_title(scene),
        Pane::Accuracy => charts::accuracy_title(scene),
        Pane::Bins => charts::bins_title(&scene.run.state, styles),
        Pane::Branches => branches::title(&scene.run.state, styles),
        Pane::Log => log::title(scene),
    };
    let inner = framed(area, buffer, styles, frame, title);
    match which {
        Pane::Stages => stages::render(inner, buffer, scene),
        Pane::Status => status::render(inner, buffer, scene),
        Pane::Evaluation => {
            let selected = scene.app.chosen_bin().filter(|_| scene.app.chooses_bins());
            evaluation::chosen(inner, buffer, scene.run, selected, styles);
        }
        Pane::Loss => charts::loss(inner, buffer, scene.run, options, styles),
        Pane::Accuracy => charts::accuracy(inner, buffer, scene),
        Pane::Bins => charts::bins(inner, buffer, scene.run, options, styles),
        Pane::Branches => branches::render(inner, buffer, &scene.run.state, styles),
        Pane::Log => log::render(inner, buffer, scene),
    }
}

fn nothing_trained(body: Rect, buffer: &mut Buffer, styles: &Styles) {
    let lines = ["No run is trained here.", "Start one with `facetui SCHEDULE.yaml`; past runs are on tab 2."];
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
