//! The front end without a terminal: what is known ([`Watched`], [`History`]), how it is looked at ([`View`]), and how
//! both change with the user's [`Action`]s and the world's [`News`]. Changes are plain function calls that return what
//! the loop has to do.

mod charts;
mod mouse;
mod past;

use std::path::PathBuf;

use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use crate::event::{Command, Event, Level, Outcome, Record, StopKind};

use super::Role;
use super::action::{Action, Effect, Motion, News, Tab};
use super::keymap::{Keymap, Scope};
use super::layout::{Arrangement, Needs, Pane, Size, run, screen, size};
use super::picture::Means;
use super::shelf::History;
use super::view::{Dialog, Request, STRENGTHS, View, moved};
use super::watched::Watched;

/// Seconds after which the list of runs is read again while one of them is live and on screen.
const REFRESH: u32 = 5;

/// Seconds for which the header of a run that is trained says what became of a plot.
const NOTICE: u32 = 6;

const MOUSE_TAKEN: &str = "the mouse is back: charts, borders, tabs";
const MOUSE_FREE: &str = "the mouse selects text; m takes it back";

/// Everything the screen is drawn from.
#[derive(Debug)]
pub(super) struct App {
    /// Whose run the live one is.
    pub(super) role: Role,
    /// The run that is trained here.
    pub(super) live: Option<Watched>,
    pub(super) history: History,
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
    pub(super) means: Means,
}

impl App {
    /// A front end for a live run, or for the history alone.
    pub(super) fn new(live: bool, now: f64, zone: TimeZone) -> Self {
        Self {
            role: Role::default(),
            live: live.then(Watched::default),
            history: History::default(),
            view: View::new(if live { Tab::Training } else { Tab::History }),
            area: Rect::new(0, 0, 80, 24),
            now,
            zone,
            keys: Keymap::default(),
            means: Means::default(),
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
    pub(super) fn on_screen(&self) -> Option<(&Watched, bool)> {
        match self.view.tab {
            Tab::Training => self.live.as_ref().map(|run| (run, true)),
            Tab::History if self.history.full => {
                self.history.shown().and_then(|state| state.as_ref().ok()).map(|run| (run, false))
            }
            Tab::History => None,
        }
    }

    /// The run on screen when it has branches.
    pub(super) fn compared(&self) -> Option<&Watched> {
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
            Some(Dialog::Difference) => vec![Scope::Difference],
            Some(Dialog::StopNow) => vec![Scope::StopNow],
            Some(Dialog::Rate) => vec![Scope::Rate],
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
                    Some(_) if self.view.drill.is_some() => scopes.push(Scope::Drill),
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
            Action::StopGently => {
                self.view.dialog = None;
                if self.wanted_stop().is_none() { self.toggle_stop() } else { Vec::new() }
            }
            Action::EvaluateNow => self.evaluate_now(),
            Action::SaveNow => self.save_now(),
            Action::AskRate => self.ask_rate(),
            Action::Type(letter) => self.type_rate(letter),
            Action::Erase => self.erase_rate(),
            Action::StepRate(up) => self.step_rate(up),
            Action::ApplyRate => self.apply_rate(),
            Action::Look => self.open_bin(),
            Action::LookBeside(forward) => self.look_beside(forward),
            Action::ToggleBest => self.toggle_best(),
            Action::ToggleKind => {
                if let Some(drill) = &mut self.view.drill {
                    drill.rejects = !drill.rejects;
                }
                Vec::new()
            }
            Action::Warnings => self.window(Dialog::Warnings),
            Action::Machine => self.window(Dialog::Machine),
            Action::Leave => self.leave(),
            Action::Detach => vec![Effect::Leave],
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
            Action::Zoom => {
                self.view.zoomed = !self.view.zoomed;
                Vec::new()
            }
            Action::ResetBorders => {
                self.view.borders.clear();
                vec![Effect::Remember(self.remembered())]
            }
            Action::ToggleMouse => {
                self.view.mouse = !self.view.mouse;
                self.view.drag = None;
                self.view.notice_age = 0;
                self.view.notice = Some(if self.view.mouse { MOUSE_TAKEN } else { MOUSE_FREE }.to_owned());
                vec![Effect::Mouse(self.view.mouse), Effect::Remember(self.remembered())]
            }
            Action::Move(motion) => self.scroll(motion),
            Action::Plot => self.plot(),
            Action::Open => {
                // A run that is still being read opens when it is there.
                self.history.full = self.history.chosen().is_some() && !matches!(self.history.shown(), Some(Err(_)));
                Vec::new()
            }
            Action::Refresh => self.refresh(),
            Action::Past(action) => self.past(action),
            Action::Command => self.ask_for_command(),
            Action::StopAfterEpochAndLeave => self.stop_and_leave(StopKind::AfterEpoch),
            Action::StopNowAndLeave => self.stop_and_leave(StopKind::Now),
        }
    }

    /// Takes in what happened.
    pub(super) fn hear(&mut self, news: News<'_>) -> Vec<Effect> {
        match news {
            News::Event(record) => self.event(record),
            News::Printed(record) => {
                self.fold(record);
                Vec::new()
            }
            News::Silence if self.training() => {
                let (error, help) = match self.role {
                    Role::Trainer => (
                        "the training thread ended without saying why",
                        "the log may tell; the checkpoints of the last epoch are whole",
                    ),
                    Role::Attached | Role::Watching => (
                        "the process that trained ended without a last word",
                        "its files of the last epoch are whole; start the schedule again to go on",
                    ),
                };
                let outcome = Outcome::Failed { error: error.to_owned(), help: Some(help.to_owned()) };
                let seconds = self.live.as_ref().and_then(|run| run.state.started).map_or(0.0, |at| self.now - at);
                self.event(&Record { at: self.now, event: Event::Finished { outcome, seconds } })
            }
            News::Silence => Vec::new(),
            News::Listed(runs) => {
                let stale = self.history.take(runs);
                let mut effects = self.open_chosen();
                effects.extend(stale.into_iter().map(|run| Effect::Compare(Box::new(run))));
                effects
            }
            News::Opened { id, state } => {
                let strength = STRENGTHS[self.view.charts.strength];
                if self.history.chosen().is_some_and(|run| run.id == id) {
                    self.history.opened = Some((id, state.map(|state| Watched::of(state, strength))));
                    // Another process may have evaluated once more.
                    return if self.view.tab == Tab::History { self.read_details() } else { Vec::new() };
                }
                Vec::new()
            }
            News::Compared { id, state } => {
                self.compared_run(&id, *state);
                Vec::new()
            }
            News::Kept(kept) => {
                self.kept(kept);
                self.refresh()
            }
            News::Differs { names, lines } => {
                self.history.difference = Some((names, lines));
                self.history.difference_scroll = 0;
                self.view.dialog = Some(Dialog::Difference);
                Vec::new()
            }
            News::Looked(wish, look) => {
                self.looked(&wish, *look);
                Vec::new()
            }
            News::Plotted(plot) => {
                self.plotted(plot);
                Vec::new()
            }
            News::Tick => self.tick(),
        }
    }

    /// Has the run on screen plotted, or the compared ones, or the chosen one of the list; one plot at a time.
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

    /// Says what became of a plot: above the panes until the next key, and in the live run's log.
    fn plotted(&mut self, plot: Result<PathBuf, String>) {
        let (level, message) = match plot {
            Ok(path) => (Level::Info, format!("wrote `{}`", path.display())),
            Err(reason) => (Level::Warning, format!("no plot: {reason}")),
        };
        self.view.plotting = false;
        self.view.notice_age = 0;
        self.view.notice = Some(message.clone());
        self.fold(&Record { at: self.now, event: Event::Log { level, message } });
    }

    /// Folds a record into the live run; a log that was scrolled up stays where it is.
    fn fold(&mut self, record: &Record) {
        let Some(run) = &mut self.live else { return };
        let before = run.state.logged;
        run.apply(record);
        if self.view.log_scroll > 0 && self.view.tab == Tab::Training {
            let last = run.state.log.len().saturating_sub(1);
            self.view.log_scroll = (self.view.log_scroll + (run.state.logged - before) as usize).min(last);
        }
    }

    fn event(&mut self, record: &Record) -> Vec<Effect> {
        self.fold(record);
        if self.answers(&record.event) {
            self.view.request = None;
        }
        match &record.event {
            Event::EvaluationRequested | Event::SaveRequested => self.view.waits = self.paused_within(),
            Event::Resumed | Event::Finished { .. } => self.view.waits = false,
            _ => {}
        }
        if let Event::DetailsWritten { bin, .. } = &record.event
            && self.details_changed(bin)
        {
            return self.read_details();
        }
        let Event::Finished { outcome, .. } = &record.event else { return Vec::new() };
        if self.view.leave_when_ended && !matches!(outcome, Outcome::Failed { .. }) {
            return vec![Effect::Leave];
        }
        self.view.dialog = Some(Dialog::Result);
        if self.history.listed { vec![Effect::ListRuns] } else { Vec::new() }
    }

    fn tick(&mut self) -> Vec<Effect> {
        self.history.age = self.history.age.saturating_add(1);
        self.view.notice_age = self.view.notice_age.saturating_add(1);
        if self.view.notice_age >= NOTICE && !self.view.plotting {
            self.view.notice = None;
        }
        let due = self.follows_history() && self.history.age >= REFRESH;
        if due { self.refresh() } else { Vec::new() }
    }

    /// Whether the history on screen holds a run that goes on.
    pub(super) fn follows_history(&self) -> bool {
        self.view.tab == Tab::History && self.history.runs.iter().any(|run| run.live)
    }

    fn refresh(&mut self) -> Vec<Effect> {
        self.history.age = 0;
        vec![Effect::ListRuns]
    }

    fn show(&mut self, tab: Tab) -> Vec<Effect> {
        self.view.tab = tab;
        self.view.drill = None;
        self.view.log_scroll = 0;
        self.view.zoomed = false;
        if tab == Tab::History { self.refresh() } else { Vec::new() }
    }

    /// Reads the chosen run, unless it is known and cannot have changed.
    fn open_chosen(&self) -> Vec<Effect> {
        let Some(run) = self.history.chosen() else { return Vec::new() };
        let known = matches!(self.history.shown(), Some(Ok(shown)) if shown.state.is_ended() || !run.live);
        if known { Vec::new() } else { vec![Effect::OpenRun(Box::new(run.clone()))] }
    }

    /// Where the panes of a run lie within the body; zoomed, the focused one has it all.
    pub(super) fn arrangement(&self, shown: &Watched, body: Rect, size: Size) -> Arrangement {
        if self.view.zoomed {
            return Arrangement { panes: vec![(self.view.focus, body)], borders: Vec::new() };
        }
        self.laid_out(shown, body, size)
    }

    /// The same when no pane is zoomed.
    fn laid_out(&self, shown: &Watched, body: Rect, size: Size) -> Arrangement {
        let state = &shown.state;
        let branches = state.comparison.as_ref().map_or(0, |comparison| comparison.total());
        let needs = Needs {
            stages: state.stages.len(),
            bins: state.bins.len(),
            branches,
            machine: super::pane::machine::lines(state),
            charts: self.view.order,
        };
        run(body, size, &needs, &self.view.borders)
    }

    /// The panes that have a place on a screen of this size.
    fn visible(&self) -> Option<(Size, Vec<Pane>)> {
        let (shown, _) = self.on_screen()?;
        let size = size(self.area);
        let [_, body, _] = screen(self.area);
        Some((size, self.laid_out(shown, body, size).panes.into_iter().map(|(pane, _)| pane).collect()))
    }

    fn focus(&mut self, by: usize) -> Vec<Effect> {
        let at = Pane::ALL.iter().position(|pane| *pane == self.view.focus).unwrap_or(0);
        let visible = self.visible().map(|(_, panes)| panes).unwrap_or_default();
        let shown = |pane: &Pane| visible.is_empty() || visible.contains(pane);
        // A run without branches has no pane of them.
        let exists = |pane: &Pane| *pane != Pane::Branches || self.compared().is_some();
        let turns = (1..=Pane::ALL.len()).map(|turn| Pane::ALL[(at + by * turn) % Pane::ALL.len()]);
        if let Some(pane) = turns.into_iter().find(|pane| shown(pane) && exists(pane)) {
            self.view.focus = pane;
        }
        Vec::new()
    }

    fn close(&mut self) {
        if self.view.dialog.take().is_some() || self.view.drill.take().is_some() {
            return;
        }
        let charts = &mut self.view.charts;
        if charts.cross.take().is_some() {
            self.view.hovers = false;
        } else if self.view.zoomed {
            self.view.zoomed = false;
        } else if charts.window.is_some() || charts.y.is_some() {
            (charts.window, charts.y) = (None, None);
        } else if self.view.log_scroll > 0 {
            self.view.log_scroll = 0;
        } else {
            self.history.full = false;
        }
    }

    fn scroll(&mut self, motion: Motion) -> Vec<Effect> {
        if self.view.dialog == Some(Dialog::Difference) {
            self.scroll_difference(motion);
            return Vec::new();
        }
        if matches!(self.view.dialog, Some(Dialog::Warnings | Dialog::Machine)) {
            self.view.help_scroll = moved(self.view.help_scroll, 200, motion);
            return Vec::new();
        }
        if self.view.dialog.is_none() && self.move_in_bins(motion) {
            return Vec::new();
        }
        if self.view.dialog == Some(Dialog::Help) {
            self.view.help_scroll = moved(self.view.help_scroll, super::pane::help::lines(&self.keys) - 1, motion);
            return Vec::new();
        }
        if let Some((run, _)) = self.on_screen() {
            // The log's position counts from its end, so that it can follow.
            let last = run.state.log.len().saturating_sub(1);
            let from_top = moved(last - self.view.log_scroll.min(last), last, motion);
            self.view.log_scroll = last - from_top;
            return Vec::new();
        }
        if self.view.tab == Tab::History {
            let last = self.history.runs.len().saturating_sub(1);
            let selected = moved(self.history.selected, last, motion);
            if selected != self.history.selected {
                self.history.selected = selected;
                self.history.full = false;
                return self.open_chosen();
            }
        }
        Vec::new()
    }

    /// Opens a window about the run on screen.
    fn window(&mut self, dialog: Dialog) -> Vec<Effect> {
        if self.on_screen().is_some() {
            self.view.help_scroll = 0;
            self.view.dialog = Some(dialog);
        }
        Vec::new()
    }

    fn leave(&mut self) -> Vec<Effect> {
        if self.training() && self.role == Role::Trainer {
            self.view.dialog = Some(Dialog::Quit);
            Vec::new()
        } else {
            vec![Effect::Leave]
        }
    }

    fn interrupt(&mut self) -> Vec<Effect> {
        match self.role {
            Role::Trainer => self.interrupt_training(),
            Role::Attached if self.training() && self.view.dialog != Some(Dialog::Quit) => {
                self.view.dialog = Some(Dialog::Quit);
                Vec::new()
            }
            Role::Watching | Role::Attached => vec![Effect::Leave],
        }
    }

    fn stop_and_leave(&mut self, kind: StopKind) -> Vec<Effect> {
        self.view.dialog = None;
        if self.live_state().is_none() {
            return vec![Effect::Leave];
        }
        self.view.leave_when_ended = true;
        if self.wanted_stop() == Some(kind) && !self.waits_for_disk() {
            return Vec::new();
        }
        self.request(Request::Stop(kind), Command::Stop(kind))
    }
}
