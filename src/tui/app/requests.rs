//! What a user requests of the training: stop, pause, evaluate, save, another learning rate. A request shows as pending
//! until the engine's event confirms it; what destroys something asks first.

use crate::event::{Command, Event, RATE_SCALES, StopKind};
use crate::run::state::{Phase, RunState};

use super::App;
use crate::tui::action::Effect;
use crate::tui::options::Role;
use crate::tui::view::{Dialog, RateInput, Request};

/// The multipliers that the arrow keys step through, in every power of ten.
const SERIES: [f64; 3] = [1.0, 2.0, 5.0];

impl App {
    pub(in crate::tui) fn live_state(&self) -> Option<&RunState> {
        self.live.as_ref().map(|run| &run.state).filter(|state| !state.is_ended())
    }

    /// The stop that was asked for, confirmed or not.
    pub(in crate::tui) fn wanted_stop(&self) -> Option<StopKind> {
        match self.view.request {
            Some(Request::Stop(kind)) => Some(kind),
            Some(Request::Withdraw) => None,
            _ => self.live_state().and_then(|state| state.stop),
        }
    }

    /// Whether a run that is to stop now waits for a disk, so that a second stop can give up what waits.
    pub(in crate::tui) fn waits_for_disk(&self) -> bool {
        self.wanted_stop() == Some(StopKind::Now) && self.live_state().is_some_and(|state| !state.unsaved.is_empty())
    }

    /// Requests a stop after the epoch, or cancels it.
    pub(super) fn toggle_stop(&mut self) -> Vec<Effect> {
        if self.live_state().is_none() {
            return Vec::new();
        }
        match self.wanted_stop() {
            Some(StopKind::Now) => Vec::new(),
            Some(StopKind::AfterEpoch) => {
                self.view.quit_when_ended = false;
                self.view.interrupts = 0;
                self.request(Request::Withdraw, Command::WithdrawStop)
            }
            None => self.request(Request::Stop(StopKind::AfterEpoch), Command::Stop(StopKind::AfterEpoch)),
        }
    }

    /// Pauses or resumes.
    pub(super) fn toggle_pause(&mut self) -> Vec<Effect> {
        let Some(state) = self.live_state() else { return Vec::new() };
        let paused = match self.view.request {
            Some(Request::Pause) => true,
            Some(Request::Resume) => false,
            _ => state.phase == Phase::Paused,
        };
        if paused {
            self.request(Request::Resume, Command::Resume)
        } else {
            self.request(Request::Pause, Command::Pause)
        }
    }

    /// Asks whether to end now.
    pub(super) fn ask_stop_now(&mut self) -> Vec<Effect> {
        if self.live_state().is_some() && (self.wanted_stop() != Some(StopKind::Now) || self.waits_for_disk()) {
            self.view.dialog = Some(Dialog::StopNow);
        }
        Vec::new()
    }

    /// Ends now, as was confirmed.
    pub(super) fn stop_now(&mut self) -> Vec<Effect> {
        self.view.dialog = None;
        if self.live_state().is_none() {
            return Vec::new();
        }
        self.request(Request::Stop(StopKind::Now), Command::Stop(StopKind::Now))
    }

    /// Evaluates the bins before the next step.
    pub(super) fn evaluate_now(&mut self) -> Vec<Effect> {
        match self.live_state() {
            Some(state) if state.current.is_some() => self.request(Request::Evaluate, Command::Evaluate),
            _ => Vec::new(),
        }
    }

    /// Saves the model before the next step.
    pub(super) fn save_now(&mut self) -> Vec<Effect> {
        match self.live_state() {
            Some(state) if state.current.is_some() => self.request(Request::Save, Command::Save),
            _ => Vec::new(),
        }
    }

    /// Whether the run is paused within an evaluation: what is done between two steps waits.
    pub(super) fn paused_within(&self) -> bool {
        let held =
            |state: &RunState| state.phase == Phase::Paused && state.bins.iter().any(|bin| bin.progress.is_some());
        self.live_state().is_some_and(held)
    }

    /// What the learning rate is multiplied by.
    pub(in crate::tui) fn rate_scale(&self) -> f64 {
        self.live_state().and_then(|state| state.rate_scale).unwrap_or(1.0)
    }

    /// Opens the prompt for another multiplier.
    pub(super) fn ask_rate(&mut self) -> Vec<Effect> {
        if self.live_state().is_some() {
            self.view.rate = RateInput { text: shown(self.rate_scale()), fresh: true };
            self.view.dialog = Some(Dialog::LearningRate);
        }
        Vec::new()
    }

    /// Types into the prompt; the first letter replaces what stands there.
    pub(super) fn type_rate(&mut self, letter: char) -> Vec<Effect> {
        if std::mem::take(&mut self.view.rate.fresh) {
            self.view.rate.text.clear();
        }
        if self.view.rate.text.len() < 12 {
            self.view.rate.text.push(letter);
        }
        Vec::new()
    }

    /// Takes the last letter back.
    pub(super) fn erase_rate(&mut self) -> Vec<Effect> {
        self.view.rate.fresh = false;
        self.view.rate.text.pop();
        Vec::new()
    }

    /// The next multiplier of the series, up or down.
    pub(super) fn step_rate(&mut self, up: bool) -> Vec<Effect> {
        let now = self.typed_rate().unwrap_or_else(|| self.rate_scale());
        let text = shown(beside(now, up).clamp(*RATE_SCALES.start(), *RATE_SCALES.end()));
        self.view.rate = RateInput { text, fresh: true };
        Vec::new()
    }

    /// The multiplier that was typed, when it is one.
    pub(in crate::tui) fn typed_rate(&self) -> Option<f64> {
        self.view.rate.text.parse().ok().filter(|factor| RATE_SCALES.contains(factor))
    }

    /// Sends the multiplier that was typed; what is none stays in the prompt.
    pub(super) fn apply_rate(&mut self) -> Vec<Effect> {
        let Some(factor) = self.typed_rate() else { return Vec::new() };
        self.view.dialog = None;
        if self.live_state().is_none() || (factor - self.rate_scale()).abs() < 1e-12 {
            return Vec::new();
        }
        self.request(Request::Rate(factor), Command::ScaleLearningRate(factor))
    }

    pub(super) fn request(&mut self, request: Request, command: Command) -> Vec<Effect> {
        self.view.request = Some(request);
        vec![Effect::Send(command)]
    }

    /// Whether an event answers the pending request.
    pub(super) fn answers(&self, event: &Event) -> bool {
        match (event, self.view.request) {
            (Event::StopRequested { kind }, Some(Request::Stop(wanted))) => *kind == wanted || *kind == StopKind::Now,
            // Someone else who is attached was quicker, with more.
            (Event::StopRequested { kind: StopKind::Now } | Event::StopWithdrawn, Some(Request::Withdraw))
            | (Event::Paused, Some(Request::Pause))
            | (Event::Resumed, Some(Request::Resume))
            | (Event::EvaluationRequested, Some(Request::Evaluate))
            | (Event::SaveRequested, Some(Request::Save))
            | (Event::LearningRateScaled { .. }, Some(Request::Rate(_)))
            | (Event::Finished { .. }, _) => true,
            _ => false,
        }
    }

    /// Quits; asks first while a run is trained here.
    pub(super) fn quit(&mut self) -> Vec<Effect> {
        if self.training() && self.role == Role::Trainer {
            self.view.dialog = Some(Dialog::Quit);
            Vec::new()
        } else {
            vec![Effect::Quit]
        }
    }

    /// Ctrl-C.
    pub(super) fn interrupt(&mut self) -> Vec<Effect> {
        match self.role {
            Role::Trainer => self.interrupt_training(),
            Role::Attached if self.training() && self.view.dialog != Some(Dialog::Quit) => {
                self.view.dialog = Some(Dialog::Quit);
                Vec::new()
            }
            Role::Watching | Role::Attached => vec![Effect::Quit],
        }
    }

    pub(super) fn stop_and_quit(&mut self, kind: StopKind) -> Vec<Effect> {
        self.view.dialog = None;
        if self.live_state().is_none() {
            return vec![Effect::Quit];
        }
        self.view.quit_when_ended = true;
        if self.wanted_stop() == Some(kind) && !self.waits_for_disk() {
            return Vec::new();
        }
        self.request(Request::Stop(kind), Command::Stop(kind))
    }

    /// Ctrl-C: the first stops after the epoch, the second now, the third quits.
    fn interrupt_training(&mut self) -> Vec<Effect> {
        if !self.training() || self.wanted_stop() == Some(StopKind::Now) {
            return vec![Effect::Quit];
        }
        self.view.dialog = None;
        self.view.interrupts += 1;
        match (self.view.interrupts, self.wanted_stop()) {
            // It was asked for already: only the next one does more, and the header says so.
            (1, Some(_)) => Vec::new(),
            (1, None) => self.request(Request::Stop(StopKind::AfterEpoch), Command::Stop(StopKind::AfterEpoch)),
            _ => {
                self.view.quit_when_ended = true;
                self.request(Request::Stop(StopKind::Now), Command::Stop(StopKind::Now))
            }
        }
    }
}

/// A multiplier as it is typed.
fn shown(factor: f64) -> String {
    if (1e-3..1e4).contains(&factor) { format!("{factor}") } else { format!("{factor:e}") }
}

/// The next number of 1, 2, 5, 10, ... above or below another.
fn beside(now: f64, up: bool) -> f64 {
    let power = now.log10().floor() as i32;
    let near = (power - 1..=power + 1).flat_map(|power| SERIES.map(|factor| rounded(factor, power)));
    let beyond = |value: &f64| if up { *value > now * (1.0 + 1e-9) } else { *value < now * (1.0 - 1e-9) };
    let mut beyond = near.filter(beyond);
    let found = if up { beyond.next() } else { beyond.next_back() };
    found.unwrap_or(now)
}

/// `factor` times a power of ten, as the nearest number to its decimal text.
fn rounded(factor: f64, power: i32) -> f64 {
    format!("{factor}e{power}").parse().unwrap_or(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arrow_keys_step_through_ones_twos_and_fives() {
        let mut up = vec![0.1];
        for _ in 0..6 {
            up.push(beside(up[up.len() - 1], true));
        }
        assert_eq!(
            up.iter().map(|value| shown(*value)).collect::<Vec<_>>(),
            ["0.1", "0.2", "0.5", "1", "2", "5", "10"]
        );
        let mut down = vec![1.0];
        for _ in 0..5 {
            down.push(beside(down[down.len() - 1], false));
        }
        assert_eq!(
            down.iter().map(|value| shown(*value)).collect::<Vec<_>>(),
            ["1", "0.5", "0.2", "0.1", "0.05", "0.02"]
        );
        assert_eq!((shown(beside(0.3, true)), shown(beside(0.3, false))), ("0.5".to_owned(), "0.2".to_owned()));
        assert_eq!(shown(1e-6), "1e-6");
    }
}
