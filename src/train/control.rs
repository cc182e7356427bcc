//! What the engine was asked and has not done yet, read between two steps.

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::crash;
use crate::event::{Command, Event, Level, RATE_SCALES, StopKind};
use crate::train::emit::Emit;

/// How often a pause looks for what nobody tells.
const GLANCE: Duration = Duration::from_secs(1);

/// What to do between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Take the next step.
    Step,
    /// Evaluate the bins first.
    Evaluate,
    /// Save the whole model first.
    Save,
    /// End here.
    End,
}

/// The requests.
pub struct Control {
    commands: Receiver<Command>,
    emit: Emit,
    stop: Option<StopKind>,
    paused: bool,
    /// An evaluation that was asked for is being done.
    busy: bool,
    /// It is asked where no step is near: within an evaluation, at an epoch's end.
    within: bool,
    /// What was asked for and not begun.
    asked: Vec<Next>,
    /// What every learning rate is multiplied by.
    pub rate_scale: f64,
}

impl Control {
    /// Listens to `commands` and answers with events.
    pub const fn new(commands: Receiver<Command>, emit: Emit) -> Self {
        Self {
            commands,
            emit,
            stop: None,
            paused: false,
            busy: false,
            within: false,
            asked: Vec::new(),
            rate_scale: 1.0,
        }
    }

    /// What to do now; holds here while paused. Ask again after what it says has been done.
    pub fn attend(&mut self) -> Next {
        // What was done in a pause has changed what a screen shows.
        if std::mem::take(&mut self.busy) && self.paused {
            (self.emit)(Event::Paused);
        }
        self.hear();
        loop {
            if self.stop == Some(StopKind::Now) {
                return Next::End;
            }
            if !self.asked.is_empty() {
                let next = self.asked.remove(0);
                self.busy = next == Next::Evaluate;
                return next;
            }
            if !self.paused {
                return Next::Step;
            }
            self.wait();
        }
    }

    /// Takes what has been asked since; holds here while paused. Returns whether to end now.
    pub fn poll(&mut self) -> bool {
        self.within = true;
        self.hear();
        while self.paused && !self.busy && self.stop != Some(StopKind::Now) {
            self.wait();
        }
        self.within = false;
        self.stop == Some(StopKind::Now)
    }

    /// Takes what has been asked since, where no step is near: whether to end now.
    pub fn ends_now(&mut self) -> bool {
        self.hear();
        self.stop == Some(StopKind::Now)
    }

    /// Whether the run ends at this epoch's end.
    pub fn ends_after_epoch(&mut self) -> bool {
        self.poll() || self.stop.is_some()
    }

    /// Takes what has been asked since, at the end of a run whose files wait for a disk. Whether it is to wait no longer.
    pub fn gives_up(&mut self) -> bool {
        let mut gives_up = false;
        while let Ok(command) = self.commands.try_recv() {
            gives_up |= command == Command::Stop(StopKind::Now);
            self.take(command);
        }
        gives_up
    }

    fn hear(&mut self) {
        if self.stop != Some(StopKind::Now)
            && let Some(message) = crash::happened()
        {
            let message = format!("{message}; the run ends, with its state saved");
            (self.emit)(Event::Log { level: Level::Error, message });
            self.take(Command::Stop(StopKind::Now));
        }
        while let Ok(command) = self.commands.try_recv() {
            self.take(command);
        }
    }

    fn wait(&mut self) {
        // A front end that is gone cannot resume: training goes on.
        match self.commands.recv_timeout(GLANCE) {
            Ok(command) => self.take(command),
            // A panic elsewhere ends a pause too.
            Err(RecvTimeoutError::Timeout) => self.hear(),
            Err(RecvTimeoutError::Disconnected) => self.paused = false,
        }
    }

    /// What is done between two steps cannot be done while the run is held elsewhere.
    fn say_that_it_waits(&self) {
        if self.within && self.paused {
            let message =
                "this is done when the run resumes: it is paused between two epochs, where no step is near".to_owned();
            (self.emit)(Event::Log { level: Level::Info, message });
        }
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Stop(kind) if self.stop != Some(StopKind::Now) && self.stop != Some(kind) => {
                self.stop = Some(kind);
                (self.emit)(Event::StopRequested { kind });
            }
            Command::WithdrawStop if self.stop == Some(StopKind::AfterEpoch) => {
                self.stop = None;
                (self.emit)(Event::StopWithdrawn);
            }
            Command::Pause if !self.paused => {
                self.paused = true;
                (self.emit)(Event::Paused);
            }
            Command::Resume if self.paused => {
                self.paused = false;
                (self.emit)(Event::Resumed);
            }
            Command::Evaluate if !self.asked.contains(&Next::Evaluate) => {
                self.asked.push(Next::Evaluate);
                (self.emit)(Event::EvaluationRequested);
                self.say_that_it_waits();
            }
            Command::Save if !self.asked.contains(&Next::Save) => {
                self.asked.push(Next::Save);
                (self.emit)(Event::SaveRequested);
                self.say_that_it_waits();
            }
            Command::ScaleLearningRate(factor) if RATE_SCALES.contains(&factor) => {
                self.rate_scale = factor;
                (self.emit)(Event::LearningRateScaled { factor });
            }
            Command::ScaleLearningRate(factor) => {
                let (least, most) = (RATE_SCALES.start(), RATE_SCALES.end());
                let message = format!(
                    "the learning rate stays as it is: a multiplier of {factor} was asked for, {least:e} to {most:e} is possible"
                );
                (self.emit)(Event::Log { level: Level::Warning, message });
            }
            Command::Stop(_)
            | Command::WithdrawStop
            | Command::Pause
            | Command::Resume
            | Command::Evaluate
            | Command::Save => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    struct Heard(Arc<Mutex<Vec<Event>>>);

    impl Heard {
        fn all(&self) -> Vec<Event> {
            self.0.lock().expect("a lock").clone()
        }
    }

    fn control(commands: &[Command]) -> (crossbeam_channel::Sender<Command>, Control, Heard) {
        let (sender, receiver) = crossbeam_channel::unbounded();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let store = Arc::clone(&heard);
        let emit: Emit = Arc::new(move |event| store.lock().expect("a lock").push(event));
        for command in commands {
            sender.send(*command).expect("sends");
        }
        (sender, Control::new(receiver, emit), Heard(heard))
    }

    #[test]
    fn a_gentle_stop_can_be_withdrawn() {
        let (sender, mut control, heard) = control(&[Command::Stop(StopKind::AfterEpoch)]);
        assert!(!control.poll() && control.ends_after_epoch() && control.attend() == Next::Step);
        sender.send(Command::WithdrawStop).expect("sends");
        assert!(!control.ends_after_epoch());
        assert_eq!(heard.all(), [Event::StopRequested { kind: StopKind::AfterEpoch }, Event::StopWithdrawn]);
    }

    #[test]
    fn stop_now_ends_a_pause_and_cannot_be_withdrawn() {
        let (_sender, mut control, _) =
            control(&[Command::Pause, Command::Stop(StopKind::Now), Command::WithdrawStop, Command::Evaluate]);
        assert!(control.poll());
        assert_eq!(control.attend(), Next::End);
    }

    #[test]
    fn a_pause_ends_when_nobody_is_there_to_resume() {
        let (sender, mut control, _) = control(&[Command::Pause]);
        drop(sender);
        assert!(!control.poll());
    }

    #[test]
    fn a_pause_evaluates_and_saves_and_stays_a_pause() {
        let (sender, mut control, heard) = control(&[Command::Pause, Command::Evaluate, Command::Save]);
        assert_eq!(control.attend(), Next::Evaluate);
        assert!(!control.poll(), "the evaluation is not held by the pause it happens in");
        assert_eq!(control.attend(), Next::Save);
        sender.send(Command::Resume).expect("sends");
        assert_eq!(control.attend(), Next::Step);
        let events = [Event::Paused, Event::EvaluationRequested, Event::SaveRequested, Event::Paused, Event::Resumed];
        assert_eq!(heard.all(), events);
    }

    #[test]
    fn a_pause_away_from_steps_says_that_wishes_wait() {
        let (sender, mut control, heard) = control(&[Command::Pause, Command::Save, Command::Resume]);
        assert!(!control.poll());
        assert!(matches!(&heard.all()[2], Event::Log { message, .. } if message.contains("when the run resumes")));
        assert_eq!(control.attend(), Next::Save);
        drop(sender);
    }

    #[test]
    fn what_is_asked_twice_is_done_once() {
        let (_sender, mut control, heard) = control(&[Command::Save, Command::Save]);
        assert_eq!((control.attend(), control.attend()), (Next::Save, Next::Step));
        assert_eq!(heard.all(), [Event::SaveRequested]);
    }

    #[test]
    fn impossible_multipliers_are_refused_in_words() {
        let (_sender, mut control, heard) =
            control(&[0.5, 0.0, -1.0, f64::NAN, f64::INFINITY].map(Command::ScaleLearningRate));
        assert_eq!(control.attend(), Next::Step);
        assert!((control.rate_scale - 0.5).abs() < 1e-12);
        let heard = heard.all();
        assert_eq!(heard[0], Event::LearningRateScaled { factor: 0.5 });
        assert!(heard.len() == 5 && heard[1..].iter().all(|event| matches!(event, Event::Log { .. })));
    }
}
