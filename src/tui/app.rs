//! The front end without a terminal: what is known ([`ShownRun`], [`HistoryTab`]), how it is looked at ([`View`]), and how
//! both change with the user's [`Action`]s and the world's news. Changes are plain function calls that return what
//! the loop has to do.
//!
//! | file | what changes there |
//! |---|---|
//! | `news` | what happens: events of the run, answers of threads, the clock |
//! | `requests` | what the training is asked for: stop, pause, evaluate, save, learning rate; quitting |
//! | `panes` | tab, focus, zoomed pane, scrolling |
//! | `chart_navigation` | x axis, smoothing, zoom, pan, crosshair |
//! | `bin_view` | the open bin |
//! | `mouse` | the same with the mouse |
//! | `prompt`, `text_input` | text that is typed |
//! | `commands` | commands by name |
//!
//! The keys of the history tab are in `history_tab::keys`.

mod bin_view;
mod chart_navigation;
mod commands;
mod mouse;
mod news;
mod panes;
mod prompt;
mod requests;
pub(super) mod text_input;

use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use super::action::{Action, Effect, Tab};
use super::history_tab::HistoryTab;
use super::keymap::{Keymap, Scope};
use super::layout::Pane;
use super::options::Role;
use super::shown_run::ShownRun;
use super::terminal::pictures::PictureMode;
use super::view::{Dialog, View};
use crate::event::StopKind;

const MOUSE_ON: &str = "mouse on: charts, borders, tabs";
const MOUSE_OFF: &str = "mouse off: the terminal selects text; m turns it on";

/// Everything the screen is drawn from.
#[derive(Debug)]
pub(super) struct App {
    /// Whose run the live one is.
    pub(super) role: Role,
    /// The run that is trained here.
    pub(super) live: Option<ShownRun>,
    pub(super) history: HistoryTab,
    pub(super) view: View,
    /// The screen as it was drawn last: what the mouse points at.
    pub(super) area: Rect,
    /// The moment that is drawn, in seconds since the Unix epoch.
    pub(super) now: f64,
    /// The zone that times are shown in.
    pub(super) zone: TimeZone,
    /// What the keys mean.
    pub(super) keys: Keymap,
    /// How faces are shown.
    pub(super) picture_mode: PictureMode,
}

impl App {
    /// A front end for a live run, or for the history alone.
    pub(super) fn new(live: bool, now: f64, zone: TimeZone) -> Self {
        Self {
            role: Role::default(),
            live: live.then(ShownRun::default),
            history: HistoryTab::default(),
            view: View::new(if live { Tab::Training } else { Tab::History }),
            area: Rect::new(0, 0, 80, 24),
            now,
            zone,
            keys: Keymap::default(),
            picture_mode: PictureMode::default(),
        }
    }

    /// What has to be done before the first frame.
    pub(super) fn start(&self) -> Vec<Effect> {
        if self.view.tab == Tab::History { vec![Effect::ListRuns] } else { Vec::new() }
    }

    /// Whether a run is being trained here right now.
    pub(super) fn training(&self) -> bool {
        self.live.as_ref().is_some_and(|run| !run.state.is_ended())
    }

    /// The run whose panes are on screen, and whether it is the live one.
    pub(super) fn on_screen(&self) -> Option<(&ShownRun, bool)> {
        match self.view.tab {
            Tab::Training => self.live.as_ref().map(|run| (run, true)),
            Tab::History if self.history.full => {
                self.history.shown().and_then(|state| state.as_ref().ok()).map(|run| (run, false))
            }
            Tab::History => None,
        }
    }

    /// The run on screen when it has branches.
    pub(super) fn compared(&self) -> Option<&ShownRun> {
        self.on_screen().map(|(run, _)| run).filter(|run| run.state.comparison.is_some())
    }

    /// Where keys are looked up, first match first.
    pub(super) fn scopes(&self) -> Vec<Scope> {
        let mut scopes = match self.view.dialog {
            Some(Dialog::Help) => vec![Scope::Help],
            Some(Dialog::Quit) if self.role == Role::Trainer => vec![Scope::Quit],
            Some(Dialog::Quit) => vec![Scope::Detach, Scope::Quit],
            Some(Dialog::Result) => vec![Scope::Result],
            Some(Dialog::Branches) => vec![Scope::Branches],
            Some(Dialog::Delete) => vec![Scope::Delete],
            Some(Dialog::Train) => vec![Scope::Train],
            Some(Dialog::ScheduleDiff) => vec![Scope::ScheduleDiff],
            Some(Dialog::StopNow) => vec![Scope::StopNow],
            Some(Dialog::LearningRate) => vec![Scope::LearningRate],
            Some(Dialog::Warnings | Dialog::Machine) => vec![Scope::Window],
            None => {
                let mut scopes = Vec::new();
                if self.training() && self.role != Role::Watching {
                    scopes.push(Scope::Live);
                }
                if self.chooses_bins() {
                    scopes.push(Scope::Bins);
                }
                match self.on_screen() {
                    Some(_) if self.view.open_bin.is_some() => scopes.push(Scope::BinView),
                    Some(_) => scopes.push(Scope::Run),
                    None if self.view.tab == Tab::History => scopes.push(Scope::History),
                    // Nothing is trained here.
                    None => {}
                }
                scopes.push(Scope::Everywhere);
                scopes
            }
        };
        scopes.push(Scope::Always);
        scopes
    }

    /// Does what the user asks for.
    pub(super) fn act(&mut self, action: Action) -> Vec<Effect> {
        if !self.view.plotting {
            self.view.notice = None;
        }
        match action {
            Action::NextTab => self.show(match self.view.tab {
                Tab::Training => Tab::History,
                Tab::History => Tab::Training,
            }),
            Action::ToggleStop => self.toggle_stop(),
            Action::TogglePause => self.toggle_pause(),
            Action::AskStopNow => self.ask_stop_now(),
            Action::StopNow => self.stop_now(),
            Action::StopAfterEpoch => {
                self.view.dialog = None;
                if self.wanted_stop().is_none() { self.toggle_stop() } else { Vec::new() }
            }
            Action::EvaluateNow => self.evaluate_now(),
            Action::SaveNow => self.save_now(),
            Action::EditLearningRate => self.ask_rate(),
            Action::Type(letter) => self.type_rate(letter),
            Action::Erase => self.erase_rate(),
            Action::LearningRateUp => self.step_rate(true),
            Action::LearningRateDown => self.step_rate(false),
            Action::ApplyLearningRate => self.apply_rate(),
            Action::OpenBin => self.open_bin(),
            Action::NextBin => self.open_bin_beside(true),
            Action::PreviousBin => self.open_bin_beside(false),
            Action::ToggleBest => self.toggle_best(),
            Action::TogglePairKind => {
                if let Some(bin_view) = &mut self.view.open_bin {
                    bin_view.rejects = !bin_view.rejects;
                }
                Vec::new()
            }
            Action::Warnings => self.window(Dialog::Warnings),
            Action::Machine => self.window(Dialog::Machine),
            Action::Quit => self.quit(),
            Action::Detach => vec![Effect::Quit],
            Action::Interrupt => self.interrupt(),
            Action::Suspend => vec![Effect::Suspend],
            Action::Redraw => vec![Effect::Redraw],
            Action::Help => {
                self.view.dialog = Some(Dialog::Help);
                self.view.help_scroll = 0;
                Vec::new()
            }
            Action::Close => {
                self.close();
                Vec::new()
            }
            Action::Chart(action) => self.chart(action),
            Action::Branches => {
                if self.compared().is_some() {
                    self.view.dialog = Some(Dialog::Branches);
                }
                Vec::new()
            }
            Action::FocusNext => self.focus(1),
            Action::FocusPrevious => self.focus(Pane::ALL.len() - 1),
            Action::Focus(number) => {
                if let Some(pane) = usize::from(number).checked_sub(1).and_then(|at| Pane::ALL.get(at)) {
                    self.focus_on(*pane);
                }
                Vec::new()
            }
            Action::ZoomPane => {
                self.view.zoomed = !self.view.zoomed;
                Vec::new()
            }
            Action::ResetBorders => {
                self.view.borders.clear();
                vec![Effect::SaveUiState(self.ui_state())]
            }
            Action::ToggleMouse => {
                self.view.mouse = !self.view.mouse;
                self.view.drag = None;
                self.view.notice_age = 0;
                self.view.notice = Some(if self.view.mouse { MOUSE_ON } else { MOUSE_OFF }.to_owned());
                vec![Effect::Mouse(self.view.mouse), Effect::SaveUiState(self.ui_state())]
            }
            Action::Move(motion) => self.scroll(motion),
            Action::SavePlot => self.plot(),
            Action::OpenRun => {
                // A run that is still being read opens when it is there.
                self.history.full = self.history.chosen().is_some() && !matches!(self.history.shown(), Some(Err(_)));
                Vec::new()
            }
            Action::Refresh => self.refresh(),
            Action::History(action) => self.act_on_history(action),
            Action::Commands => self.ask_for_command(),
            Action::StopAfterEpochAndQuit => self.stop_and_quit(StopKind::AfterEpoch),
            Action::StopNowAndQuit => self.stop_and_quit(StopKind::Now),
        }
    }

    /// Plots the run on screen, or the compared ones, or the chosen one of the list; one plot at a time.
    fn plot(&mut self) -> Vec<Effect> {
        let chosen = || self.history.chosen().map(|run| Effect::Plot(Some(run.journal.clone())));
        let effect = match self.view.tab {
            Tab::Training => self.live.as_ref().map(|_| Effect::Plot(None)),
            Tab::History if self.compares() => Some(Effect::PlotTogether(self.history.compared_journals())),
            Tab::History => chosen(),
        };
        let Some(effect) = effect.filter(|_| !self.view.plotting) else { return Vec::new() };
        self.view.plotting = true;
        self.view.notice = Some("drawing the plot".to_owned());
        vec![effect]
    }

    /// Whether the history on screen holds a live run.
    pub(super) fn follows_history(&self) -> bool {
        self.view.tab == Tab::History && self.history.runs.iter().any(|run| run.live)
    }

    /// Lists the past runs again.
    pub(super) fn refresh(&mut self) -> Vec<Effect> {
        self.history.age = 0;
        vec![Effect::ListRuns]
    }

    /// Reads the chosen run, unless it is known and cannot have changed.
    pub(in crate::tui) fn open_chosen(&self) -> Vec<Effect> {
        let Some(run) = self.history.chosen() else { return Vec::new() };
        let known = matches!(self.history.shown(), Some(Ok(shown)) if shown.state.is_ended() || !run.live);
        if known { Vec::new() } else { vec![Effect::OpenRun(Box::new(run.clone()))] }
    }
}
