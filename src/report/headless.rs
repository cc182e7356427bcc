//! Lines of a run for pipes, logs and CI: one an event that matters, one an interval during an epoch. A fold of
//! the event stream like the screen; no escape codes.

use std::io::Write;

use crate::event::{Event, Record};
use crate::run::state::RunState;

/// Seconds between two lines about the same epoch.
pub const INTERVAL: f64 = 10.0;

/// Folds events and prints what is worth a line.
#[derive(Debug)]
pub struct Headless<W> {
    out: W,
    json: bool,
    state: RunState,
    printed: u64,
    /// Warnings that were printed.
    warned: usize,
    last_progress: f64,
    last_preparing: String,
}

impl<W: Write> Headless<W> {
    /// Prints to `out`; with `json` every record as it is in the journal.
    pub fn new(out: W, json: bool) -> Self {
        Self::resumed(out, json, RunState::default())
    }

    /// Continues with a run that was shown otherwise so far.
    pub const fn resumed(out: W, json: bool, state: RunState) -> Self {
        let (printed, warned) = (state.logged, state.warnings.all().len());
        Self { out, json, state, printed, warned, last_progress: 0.0, last_preparing: String::new() }
    }

    /// Takes one event. A reader that went away is no reason to end a run: its errors are ignored.
    pub fn take(&mut self, record: &Record) {
        self.state.apply(record);
        if self.json {
            if let Ok(line) = serde_json::to_string(record) {
                self.line(&line);
            }
            return;
        }
        match &record.event {
            Event::RunStarted(header) => {
                let line = format!(
                    "data: {} images of {} identities, batch {}; bins: {}",
                    header.images,
                    header.classes,
                    header.batch_size,
                    if header.bins.is_empty() { "none".to_owned() } else { header.bins.join(", ") }
                );
                self.line(&line);
                let line = format!(
                    "network: {}, {} weights, embedding {}, {}",
                    header.model, header.parameters, header.embedding_size, header.precision
                );
                self.line(&line);
            }
            Event::Preparing { what, done, total } => {
                let due = record.at - self.last_progress >= INTERVAL;
                if *what != self.last_preparing || due {
                    what.clone_into(&mut self.last_preparing);
                    self.last_progress = record.at;
                    let line = if *total > 0 { format!("{what}: {done} of {total}") } else { what.clone() };
                    self.line(&line);
                }
            }
            Event::EpochStarted { .. } => self.last_progress = record.at,
            Event::Steps { .. } if record.at - self.last_progress >= INTERVAL => {
                self.last_progress = record.at;
                if let Some(line) = self.progress() {
                    self.line(&line);
                }
            }
            Event::EpochEnded { seconds, images_per_second, waited, learning_rate, .. } => {
                let line = format!(
                    "epoch {} of {}: {seconds:.1} s, {images_per_second:.0} images/s, {:.0} % of the time waiting for images, \
                     learning rate {learning_rate:.6}",
                    self.state.done_epochs(),
                    self.state.planned_epochs(),
                    waited * 100.0
                );
                self.line(&line);
            }
            _ => {}
        }
        while self.printed < self.state.logged {
            let back = (self.state.logged - self.printed) as usize;
            self.printed += 1;
            let place = self.state.log.len().checked_sub(back);
            if let Some(line) = place.and_then(|place| self.state.log.get(place)) {
                let line = match line.level {
                    crate::event::Level::Info => line.message.clone(),
                    crate::event::Level::Warning => format!("warning: {}", line.message),
                    crate::event::Level::Error => format!("error: {}", line.message),
                };
                self.line(&line);
            }
        }
        self.warn();
    }

    /// Prints every warning once, when it is raised first.
    fn warn(&mut self) {
        let fresh = self.state.warnings.all().get(self.warned..).unwrap_or_default();
        let lines: Vec<String> = fresh
            .iter()
            .map(|warning| format!("warning: {}; {}", warning.finding.sentence, warning.finding.advice))
            .collect();
        self.warned += lines.len();
        for line in lines {
            self.line(&line);
        }
    }

    /// The state so far.
    pub fn into_state(self) -> RunState {
        self.state
    }

    fn progress(&self) -> Option<String> {
        let current = self.state.current.as_ref()?;
        let loss = current.loss().map_or_else(|| "-".to_owned(), |loss| format!("{loss:.4}"));
        let accuracy = current.accuracy().map_or_else(String::new, |accuracy| format!(", accuracy {accuracy:.4}"));
        Some(format!(
            "epoch {} step {}/{}: loss {loss}{accuracy}, {:.0} images/s, {:.0} % of the time waiting for images",
            current.epoch,
            current.step,
            current.steps,
            self.state.images_per_second,
            self.state.waited * 100.0
        ))
    }

    fn line(&mut self, text: &str) {
        // A path may hold anything: control characters never reach the output.
        let text: String = text.chars().filter(|character| !character.is_control()).collect();
        let _ = writeln!(self.out, "{text}");
        let _ = self.out.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Level, Outcome};

    fn printed(events: Vec<Event>) -> String {
        let mut out = Vec::new();
        let mut headless = Headless::new(&mut out, false);
        for (second, event) in events.into_iter().enumerate() {
            headless.take(&Record { at: second as f64, event });
        }
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn every_log_line_is_printed_once_and_without_control_characters() {
        let text = printed(vec![
            Event::Log { level: Level::Warning, message: "look \u{1b}[31mhere".into() },
            Event::Paused,
            Event::Finished {
                outcome: Outcome::Failed { error: "no space".into(), help: Some("make room".into()) },
                seconds: 1.0,
            },
        ]);
        assert_eq!(text, "warning: look [31mhere\nerror: no space\nhelp: make room\n");
    }

    #[test]
    fn a_long_epoch_gets_a_line_an_interval() {
        let steps = |step| Event::Steps {
            index: 1,
            step,
            loss: vec![1.0],
            accuracy: vec![0.5],
            images_per_second: 100.0,
            waited: 0.0,
            memory: 0,
            gradient_norm: None,
        };
        let start = Event::EpochStarted { stage: 0, epoch: 1, index: 1, steps: 40, learning_rate: 0.1 };
        let text = printed(std::iter::once(start).chain((1..=25).map(steps)).collect());
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("epoch 1 step 10/40: loss 1.0000, accuracy 0.5000, 100 images/s"), "{text}");
    }
}
