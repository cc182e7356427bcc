//! Tries again for a while where a disk refuses what the engine writes itself, between branches, as the saver does.

use std::time::{Duration, Instant};

use crate::event::{Event, Level};
use crate::train::control::Control;
use crate::train::emit::Emit;
use crate::train::error::TrainError;

/// Pauses between two tries, from the first to the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(10)];

/// Between two looks whether to go on trying.
const GLANCE: Duration = Duration::from_millis(100);

/// Does something that needs a disk, and again for as long as `limit` where it fails, or until the user asks `control` to stop
/// now. That it fails is told once, and that it does not any more.
///
/// # Errors
/// What it failed with last.
pub fn retry<T>(
    control: &mut Control,
    emit: &Emit,
    limit: Duration,
    mut work: impl FnMut() -> Result<T, TrainError>,
) -> Result<T, TrainError> {
    let say = |level, message| emit(Event::Log { level, message });
    let began = Instant::now();
    let [mut pause, longest] = PAUSES;
    let mut told = false;
    loop {
        let error = match work() {
            Ok(done) => {
                if told {
                    say(Level::Info, "what could not be written is written now: the run resumes".to_owned());
                }
                return Ok(done);
            }
            Err(error) => error,
        };
        if !std::mem::replace(&mut told, true) {
            say(Level::Error, format!("{}; the run waits and tries again", error.message));
        }
        let next = Instant::now() + pause;
        while Instant::now() < next {
            if began.elapsed() >= limit || control.gives_up() {
                return Err(error);
            }
            std::thread::sleep(GLANCE);
        }
        pause = (pause * 2).min(longest);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::event::{Command, StopKind};

    #[test]
    fn what_fails_is_tried_again_and_told_once() {
        let said = Arc::new(Mutex::new(Vec::new()));
        let emit: Emit = {
            let said = Arc::clone(&said);
            Arc::new(move |event| said.lock().expect("no panic").push(event))
        };
        let (commands, receiver) = crossbeam_channel::unbounded();
        let mut control = Control::new(receiver, Arc::clone(&emit));
        let mut tries = 0;
        let mut twice = || {
            tries += 1;
            if tries > 2 { Ok(tries) } else { Err(TrainError::new("the disk is full")) }
        };
        let hour = Duration::from_hours(1);
        assert_eq!(retry(&mut control, &emit, hour, &mut twice), Ok(3));
        let levels = |said: &[Event]| said.iter().filter(|event| matches!(event, Event::Log { .. })).count();
        assert_eq!(levels(&said.lock().expect("no panic")), 2);
        let full = || Err::<(), _>(TrainError::new("the disk is full"));
        assert_eq!(retry(&mut control, &emit, Duration::ZERO, full), full());
        commands.send(Command::Stop(StopKind::Now)).expect("listens");
        assert_eq!(retry(&mut control, &emit, hour, full), full());
    }
}
