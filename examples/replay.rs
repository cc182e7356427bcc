//! Plays a scripted training into the front end, without an engine: to look at every screen in a real terminal.
//!
//! `cargo run --example replay -- [SPEED] [fail|forever|history]`: SPEED is how many times faster than life (8 unless given);
//! `fail` ends the run with an error, `forever` never ends it, `history` trains nothing and opens the history.
//! Stops, pauses and Ctrl-C are answered as the engine answers them; from time to time a "library" prints to standard error.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to its terminal")]

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::Receiver;
use facetui::tui::{LiveRun, TuiOptions};
use facetui::{event, run};
use tokio::sync::mpsc::UnboundedSender;

use event::{Command, Event, Level, Outcome, Record, StopKind};
use run::history::{HistorySource, PastRun};
use run::state::RunState;
use testing::Script;

#[path = "../src/tui/testing.rs"]
mod testing;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let speed = arguments.iter().find_map(|argument| argument.parse::<f64>().ok()).unwrap_or(8.0);
    let live = (!has("history")).then(|| {
        let (sender, events) = tokio::sync::mpsc::unbounded_channel();
        let (commands, requests) = crossbeam_channel::unbounded();
        let records = script(has("fail"), has("forever"));
        thread::spawn(move || play(&records, speed, &sender, &requests));
        LiveRun { events, commands }
    });
    let left = facetui::tui::run(live, Box::new(ScriptedHistory { empty: has("empty") }), TuiOptions::default())?;
    if let Some(state) = left.state {
        println!("{} epochs, {:?}, signal {:?}", state.epochs.len(), state.phase, left.signal);
    }
    Ok(())
}

/// The run to play.
fn script(fails: bool, forever: bool) -> Vec<Record> {
    let script = Script::new();
    if fails {
        let outcome = Outcome::Failed {
            error: "out of memory: 512 MiB more were asked for, 92 MiB are free on cuda:0".to_owned(),
            help: Some("halve `batch_size` (now 64), or set `precision: bf16`".to_owned()),
        };
        return script.preparing().start().whole_stage(0).stage(1).steps(120).finish(outcome).records();
    }
    let script = if forever { script.with(|header| header.stages[2].epochs = 5000) } else { script };
    script.whole().records()
}

/// Sends the records at their moments, in time with the commands.
fn play(records: &[Record], speed: f64, events: &UnboundedSender<Arc<Record>>, requests: &Receiver<Command>) {
    let mut before = records.first().map_or(0.0, |record| record.at);
    let mut stop: Option<StopKind> = None;
    let start = now();
    let say = |event: Event| events.send(Arc::new(Record { at: now(), event }));
    for (at, record) in records.iter().enumerate() {
        thread::sleep(Duration::from_secs_f64((record.at - before).max(0.0) / speed));
        before = record.at;
        let mut paused = false;
        while let Some(request) = if paused { requests.recv().ok() } else { requests.try_recv().ok() } {
            let answer = match request {
                Command::Stop(kind) => {
                    stop = Some(kind);
                    paused = false;
                    Event::StopRequested { kind }
                }
                Command::WithdrawStop => {
                    stop = None;
                    Event::StopWithdrawn
                }
                Command::Pause => {
                    paused = true;
                    Event::Paused
                }
                Command::Resume => {
                    paused = false;
                    Event::Resumed
                }
                Command::Evaluate => Event::EvaluationRequested,
                Command::Save => Event::SaveRequested,
                Command::ScaleLearningRate(factor) => Event::LearningRateScaled { factor },
            };
            let _ = say(answer);
        }
        let ended = matches!(record.event, Event::CheckpointWritten { kind: event::CheckpointKind::History, .. });
        if stop == Some(StopKind::Now) || (stop == Some(StopKind::AfterEpoch) && ended) {
            let _ = say(Event::Finished { outcome: Outcome::Stopped, seconds: now() - start });
            return;
        }
        if at % 400 == 200 {
            eprintln!("[W{at}] Warning: a native library says something that must not disturb the screen");
            let _ = say(Event::Log { level: Level::Warning, message: "the loader fell behind for 1.2 s".to_owned() });
        }
        if say(record.event.clone()).is_err() {
            return;
        }
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// A made-up history.
struct ScriptedHistory {
    empty: bool,
}

impl HistorySource for ScriptedHistory {
    fn list(&mut self) -> Vec<PastRun> {
        if self.empty {
            return Vec::new();
        }
        (0..9).map(past).collect()
    }

    fn open(&mut self, run: &PastRun) -> io::Result<RunState> {
        thread::sleep(Duration::from_millis(300));
        if run.epochs == 3 {
            return Err(io::Error::other("line 1204 is not a record"));
        }
        Ok(state_of(run.epochs))
    }
}

fn state_of(epochs: u32) -> RunState {
    let script = Script::new().preparing().start();
    match epochs {
        16 => script.whole_stage(0).whole_stage(1).whole_stage(2).best_file().finish(Outcome::Completed).state(),
        8 => script.whole_stage(0).whole_stage(1).finish(Outcome::Stopped).state(),
        _ => script.whole_stage(0).stage(1).steps(40).state(),
    }
}

fn past(at: u32) -> PastRun {
    let (epochs, outcome) = match at % 4 {
        0 => (16, Some(Outcome::Completed)),
        1 => (8, Some(Outcome::Stopped)),
        2 => (6, None),
        _ => (3, Some(Outcome::Failed { error: "disk full".to_owned(), help: None })),
    };
    let best = [("frontal", 0.9881), ("pose", 0.9312), ("age", 0.8967)];
    let best = best.map(|(bin, value)| (bin.to_owned(), value - 0.011 * f64::from(at)));
    PastRun {
        id: format!("demo-{at}"),
        started: testing::START - 90_000.0 * f64::from(at),
        name: if at == 2 { "glint-mobile-emb512".to_owned() } else { "demo".to_owned() },
        model: if at == 2 { "resnet50v2".to_owned() } else { "mobilefacenet".to_owned() },
        epochs,
        planned: 16,
        outcome,
        best: if epochs == 3 { Vec::new() } else { best.to_vec() },
        journal: PathBuf::from(format!("runs/demo-{at}/journal.jsonl")),
        ..PastRun::default()
    }
}
