//! How the state changes on what happens: events of the run, answers of threads, the clock.

use std::path::PathBuf;

use super::App;
use crate::event::{Event, Level, Outcome, Record};
use crate::tui::action::{Effect, News, Tab};
use crate::tui::charts::options::STRENGTHS;
use crate::tui::options::Role;
use crate::tui::shown_run::ShownRun;
use crate::tui::view::Dialog;

/// Seconds after which the list of runs is read again while one of them is live and on screen.
const REFRESH: u32 = 5;

/// Seconds for which the header of a run that is trained says what became of a plot.
const NOTICE: u32 = 6;

impl App {
    /// Takes in what happened.
    pub(in crate::tui) fn hear(&mut self, news: News<'_>) -> Vec<Effect> {
        match news {
            News::Event(record) => self.event(record),
            News::Printed(record) => {
                self.fold(record);
                Vec::new()
            }
            News::Silence if self.training() => self.silence(),
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
                    self.history.opened = Some((id, state.map(|state| ShownRun::of(state, strength))));
                    // Another process may have evaluated again.
                    return if self.view.tab == Tab::History { self.read_details() } else { Vec::new() };
                }
                Vec::new()
            }
            News::Compared { id, state } => {
                self.compared_run(&id, *state);
                Vec::new()
            }
            News::Changed(changed) => {
                self.run_changed(changed);
                self.refresh()
            }
            News::SchedulesDiffed { names, lines } => {
                self.history.schedule_diff = Some((names, lines));
                self.history.schedule_diff_scroll = 0;
                self.view.dialog = Some(Dialog::ScheduleDiff);
                Vec::new()
            }
            News::BinRead(request, details) => {
                self.bin_read(&request, *details);
                Vec::new()
            }
            News::Plotted(plot) => {
                self.plotted(plot);
                Vec::new()
            }
            News::Tick => self.tick(),
        }
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

    /// The engine's events ended without a last one.
    fn silence(&mut self) -> Vec<Effect> {
        let (error, help) = match self.role {
            Role::Trainer => (
                "the training thread ended without saying why",
                "see the log; the checkpoints of the last epoch are complete",
            ),
            Role::Attached | Role::Watching => (
                "the training process ended unexpectedly",
                "its files of the last epoch are complete; start the schedule again to resume",
            ),
        };
        let outcome = Outcome::Failed { error: error.to_owned(), help: Some(help.to_owned()) };
        let seconds = self.live.as_ref().and_then(|run| run.state.started).map_or(0.0, |at| self.now - at);
        self.event(&Record { at: self.now, event: Event::Finished { outcome, seconds } })
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
        if self.view.quit_when_ended && !matches!(outcome, Outcome::Failed { .. }) {
            return vec![Effect::Quit];
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
}
