//! What the engine was asked and has not done yet, read between two steps.

use crossbeam_channel::Receiver;

use super::engine::Emit;
use crate::event::{Command, Event, StopKind};

/// The requests.
pub struct Control {
    commands: Receiver<Command>,
    emit: Emit,
    stop: Option<StopKind>,
    paused: bool,
}

impl Control {
    /// Listens to `commands` and answers with events.
    pub const fn new(commands: Receiver<Command>, emit: Emit) -> Self {
        Self { commands, emit, stop: None, paused: false }
    }

    /// Takes what has been asked since; holds here while paused. Returns whether to end now.
    pub fn poll(&mut self) -> bool {
        while let Ok(command) = self.commands.try_recv() {
            self.take(command);
        }
        while self.paused && self.stop != Some(StopKind::Now) {
            // A front end that is gone cannot resume: training goes on.
            match self.commands.recv() {
                Ok(command) => self.take(command),
                Err(_) => self.paused = false,
            }
        }
        self.stop == Some(StopKind::Now)
    }

    /// Whether the run ends at this epoch's end.
    pub fn ends_after_epoch(&mut self) -> bool {
        self.poll() || self.stop.is_some()
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
            Command::Stop(_) | Command::WithdrawStop | Command::Pause | Command::Resume => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn control() -> (crossbeam_channel::Sender<Command>, Control, Arc<Mutex<Vec<Event>>>) {
        let (sender, receiver) = crossbeam_channel::unbounded();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let store = Arc::clone(&heard);
        let emit: Emit = Arc::new(move |event| store.lock().expect("a lock").push(event));
        (sender, Control::new(receiver, emit), heard)
    }

    #[test]
    fn a_gentle_stop_can_be_withdrawn() {
        let (sender, mut control, heard) = control();
        sender.send(Command::Stop(StopKind::AfterEpoch)).expect("sends");
        assert!(!control.poll() && control.ends_after_epoch());
        sender.send(Command::WithdrawStop).expect("sends");
        assert!(!control.ends_after_epoch());
        assert_eq!(
            *heard.lock().expect("a lock"),
            [Event::StopRequested { kind: StopKind::AfterEpoch }, Event::StopWithdrawn]
        );
    }

    #[test]
    fn stop_now_ends_a_pause_and_cannot_be_withdrawn() {
        let (sender, mut control, _) = control();
        for command in [Command::Pause, Command::Stop(StopKind::Now), Command::WithdrawStop] {
            sender.send(command).expect("sends");
        }
        assert!(control.poll());
    }

    #[test]
    fn a_pause_ends_when_nobody_is_there_to_resume() {
        let (sender, mut control, _) = control();
        sender.send(Command::Pause).expect("sends");
        drop(sender);
        assert!(!control.poll());
    }
}
