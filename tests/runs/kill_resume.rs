//! A run that is killed again and again, and goes on each time, is the run that was left alone: the same weights, optimiser,
//! centers, history and journal, bit for bit, on the CPU in fp32.
//!
//! The kills are SIGKILL after a number of events that a printed seed draws, and some milliseconds more. The short tests
//! run always; the long one (`cargo xtask test --long`) kills ten runs at least five times each.
//! `KILL_SEED=7 cargo test --test runs kill_resume::` gives another seed, or repeats one.
#![expect(clippy::print_stderr, reason = "seeds and kills are printed")]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use facetui::event::{BinResult, BranchRow, Event};
use facetui::run::state::RunState;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use serde_json::Value;

use crate::place::Place;

const COMMON: &str = "\
model: {backbone: mobilefacenet, embedding: 16, width: 0.1, dropout: 0.3}
data:
  train: demo/faces_112x112_folders
  bins: [demo/pose.bin, demo/frontal.bin]
  augment: 3
batch_size: 4
device: cpu
precision: fp32
learning_rate: {base: 0.002, decay: 0.3, hold: 1}
snapshot: {steps: 2}
";

/// Stages of all kinds, so short that a run takes seconds.
const STAGES: &str = "\
stages:
  - {loss: softmax, optimizer: nadam, epochs: 1}
  - {loss: arcface, bottleneck_only: true, epochs: 1}
  - {loss: arcface, optimizer: {sgd: {momentum: 0.9}}, epochs: 1, centerloss: true}
  - {loss: batch_hard_triplet, optimizer: adam, epochs: 1, batch_size: 8}
";

const BRANCHES: &str = "\
stages:
  - {loss: softmax, optimizer: adam, epochs: 1}
branches:
  - {name: center, loss: softmax, centerloss: true, epochs: 1}
  - {name: margin, stages: [{loss: arcface, bottleneck_only: true, epochs: 1}, {loss: arcface, optimizer: nadam, epochs: 1}]}
";

struct Program<'a> {
    place: &'a Place,
    threads: u32,
}

impl Program<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_facetui"));
        command.args(arguments).current_dir(self.place.path("")).env("XDG_CACHE_HOME", self.place.path("cache"));
        command.env("OMP_NUM_THREADS", self.threads.to_string()).env("NO_COLOR", "1");
        command
    }

    /// Runs to the end; the number of events.
    fn run(&self, schedule: &str) -> usize {
        let output = self.command(&[schedule, "--json"]).output().expect("starts");
        assert!(output.status.success(), "{}", crate::place::text(&output));
        output.stdout.lines().count()
    }

    /// Kills a run after so many events and milliseconds; whether it had not ended before, and what it said.
    fn kill(&self, schedule: &str, events: usize, pause: Duration) -> (bool, String) {
        let mut child =
            self.command(&[schedule, "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        // With a whole epoch's worth the run ends by itself.
        let heard = lines.take(events).count();
        std::thread::sleep(pause);
        let running = child.try_wait().expect("waits").is_none() && heard == events;
        child.kill().expect("kills");
        let output = child.wait_with_output().expect("ends");
        let said = crate::place::text(&output);
        assert!(running || output.status.code().is_none_or(|code| code == 0), "{said}");
        (running, said)
    }
}

/// What must be the same of two runs: the figures that a journal's fold has, without times.
fn figures(state: &RunState) -> Value {
    let untimed = |result: &BinResult| BinResult { seconds: 0.0, ..result.clone() };
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<u32>>();
    let rows =
        |row: &BranchRow| BranchRow { seconds: 0.0, bins: row.bins.iter().map(untimed).collect(), ..row.clone() };
    let epochs = state.epochs.iter().map(|row| {
        let accuracy = row.accuracy.map(f64::to_bits);
        let rate = row.learning_rate.to_bits();
        (row.stage, row.epoch, row.index, row.loss.to_bits(), accuracy, rate, row.total_steps)
    });
    let bins = state.bins.iter().map(|bin| {
        (bin.name.clone(), bin.results.iter().map(|(index, result)| (*index, untimed(result))).collect::<Vec<_>>())
    });
    serde_json::json!({
        "epochs": epochs.collect::<Vec<_>>(),
        "loss": bits(&state.step_loss),
        "accuracy": bits(&state.step_accuracy),
        "bins": bins.collect::<Vec<_>>(),
        "stages": format!("{:?}", state.stages),
        "borders": state.stage_steps,
        "optimizers": state.optimizers,
        "phase": format!("{:?}", state.phase),
        "branches": state.comparison.as_ref().map(|comparison| comparison.lines().map(rows).collect::<Vec<_>>()),
    })
}

/// Compares the files of two runs of names of the same length, and their journals.
fn same(place: &Place, alone: &str, killed: &str) {
    let files = |name: &str| {
        let mut files: Vec<String> = std::fs::read_dir(place.path("checkpoints"))
            .expect("reads")
            .flatten()
            .map(|file| file.file_name().to_string_lossy().into_owned())
            .filter(|file| file.starts_with(name))
            .map(|file| file[name.len()..].to_owned())
            .collect();
        files.sort();
        files
    };
    let names = files(alone);
    assert_eq!(files(killed), names);
    for file in &names {
        let path = |name: &str| format!("checkpoints/{name}{file}");
        match file.rsplit('.').next().expect("a kind") {
            "h5" => {
                let (one, other) = (place.model(&path(alone)), place.model(&path(killed)));
                assert!(one.weights == other.weights, "the weights of `{file}` differ");
                assert!(one.optimizer == other.optimizer, "the optimiser of `{file}` differs");
                assert_eq!(one.graph, other.graph);
                assert!(one.extras.arrays == other.extras.arrays, "the centers of `{file}` differ");
            }
            "json" if file.ends_with("_branches.json") => {
                let table = |name: &str| {
                    let text = place.read(&path(name)).replace(name, "x");
                    let mut table: Value = serde_json::from_str(&text).expect("JSON");
                    let mut rows: Vec<Value> = table["branches"].as_array().expect("rows").clone();
                    rows.push(table["start"].take());
                    for row in &mut rows {
                        row["seconds"] = 0.into();
                        for bin in row["bins"].as_array_mut().expect("bins") {
                            bin["seconds"] = 0.into();
                        }
                    }
                    rows
                };
                assert_eq!(table(killed), table(alone));
            }
            _ => {
                let bytes = |name: &str| std::fs::read(place.path(&path(name))).expect("reads");
                assert!(bytes(alone) == bytes(killed), "`{file}` differs");
            }
        }
    }
    let (one, other) = (place.journals(alone), place.journals(killed));
    // A run that was killed before it had saved anything is another run.
    assert!(other.len() >= one.len(), "journals of `{killed}`");
    for (one, other) in one.iter().zip(&other[other.len() - one.len()..]) {
        assert_eq!(figures(&RunState::replay(other)), figures(&RunState::replay(one)));
    }
}

/// Kills a run at least `kills` times and compares it with the same run left alone. Returns the number of kills.
fn compare(stages: &str, kills: usize, seed: u64, threads: u32) -> usize {
    eprintln!("KILL_SEED={seed} draws the kills; {threads} threads");
    let place = Place::new(5, 7);
    for name in ["alone", "piece"] {
        place.write(&format!("{name}.yaml"), &(COMMON.to_owned() + stages));
    }
    let program = Program { place: &place, threads };
    let events = program.run("alone.yaml");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |most: usize| random.next_u64() as usize % most.max(1);
    let mut done = 0;
    // The later kills come after a smaller part of the run, so that there is something left of it.
    for number in 0..kills * 3 {
        if done >= kills {
            break;
        }
        let (after, pause) = (draw(2 * events / (kills + 2)) + 1, draw(40) as u64);
        let (running, said) = program.kill("piece.yaml", after, Duration::from_millis(pause));
        eprintln!("  kill {number} after {after} of {events} events and {pause} ms: running {running}");
        if !running {
            assert!(number > 0, "it ended before the first kill: {said}");
            break;
        }
        done += 1;
    }
    program.run("piece.yaml");
    same(&place, "alone", "piece");
    done
}

fn seed() -> u64 {
    std::env::var("KILL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7)
}

/// Compares a run that was killed at least twice: where one came to its end too early for that, with other kills.
fn compare_killed_twice(stages: &str, seed: u64) {
    let killed = (seed..seed + 10).any(|seed| compare(stages, 4, seed, 1) >= 2);
    assert!(killed, "no run was killed twice");
}

#[test]
fn a_killed_run_is_the_run_left_alone() {
    compare_killed_twice(STAGES, seed());
}

#[test]
fn so_is_one_with_branches() {
    compare_killed_twice(BRANCHES, seed());
}

/// A run that was killed after it had saved states, as `piece`, and its place. One that has come to its end before the kill
/// on a busy machine is begun again.
fn interrupted() -> Place {
    let ended = |place: &Place| {
        let journal = place.journals("piece").pop().expect("a journal");
        journal.iter().any(|record| matches!(record.event, Event::Finished { .. }))
    };
    (0..20).map(|_| killed_after_states()).find(|place| !ended(place)).expect("a run is killed before its end")
}

fn killed_after_states() -> Place {
    let place = Place::new(5, 7);
    place.write("piece.yaml", &(COMMON.to_owned() + STAGES));
    let program = Program { place: &place, threads: 1 };
    let mut child = program.command(&["piece.yaml", "--json"]).stdout(Stdio::piped()).spawn().expect("starts");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map(|line| line.expect("text"));
    // The state of an epoch with its history, and one between two steps: on a slow disk there are not many of these.
    let mut wanted = ["model", "snapshot", "history"]
        .map(|kind| format!(r#""event":"checkpoint_written","kind":"{kind}""#))
        .to_vec();
    for line in lines {
        wanted.retain(|kind| !line.contains(kind.as_str()));
        if wanted.is_empty() {
            break;
        }
    }
    assert!(wanted.is_empty(), "the run ended before it had written {wanted:?}");
    child.kill().expect("kills");
    child.wait().expect("ends");
    place
}

#[test]
fn a_changed_schedule_goes_on_only_when_told_and_fresh_starts_over() {
    let place = interrupted();
    let changed = ["piece.yaml", "--headless", "--set", "stages.3.epochs=2", "--set", "data.workers=1"];
    let output = place.run(&changed);
    let said = crate::place::plain(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for words in ["is unfinished, at", "- stages.3.epochs: 1", "+ stages.3.epochs: 2", "--resume-changed", "--fresh"] {
        assert!(said.contains(words), "`{words}` is missing in {said}");
    }
    assert!(!said.contains("workers"), "{said}");
    let said = place.runs(&[&changed[..], &["--resume-changed"]].concat());
    assert!(said.contains("resuming `piece-") && said.contains("the run resumes from"), "{said}");
    assert!(said.contains("5 of 5 epochs"), "{said}");
    assert_eq!(place.journals("piece").len(), 1, "it is one run");
    // It has come to its end: trained again it is another run, and its files are kept.
    let again = place.runs(&["piece.yaml", "--headless"]);
    assert!(again.contains("moved to `checkpoints/earlier/piece-1`") && !again.contains("going on"), "{again}");
    assert_eq!(place.journals("piece").len(), 2);
}

#[test]
fn fresh_moves_an_unfinished_run_aside() {
    let place = interrupted();
    let said = place.runs(&["piece.yaml", "--headless", "--fresh"]);
    assert!(said.contains("moved to `checkpoints/earlier/piece-1`") && !said.contains("resumes from"), "{said}");
    let aside = place.path("checkpoints/earlier/piece-1");
    assert!(aside.join("piece.h5").exists() && aside.join("piece_snapshot_a.h5").exists());
    assert_eq!(place.journals("piece").len(), 2);
}

#[test]
fn a_damaged_state_is_named_and_the_one_before_it_is_used() {
    let place = interrupted();
    let sequence = |path: &std::path::Path| {
        let notes = facetui::checkpoint::notes(path).expect("reads");
        notes["state"]["sequence"].as_u64().expect("a state")
    };
    let mut states: Vec<std::path::PathBuf> = ["piece.h5", "piece_snapshot_a.h5", "piece_snapshot_b.h5"]
        .map(|name| place.path("checkpoints").join(name))
        .into();
    states.retain(|path| path.exists());
    states.sort_by_key(|path| std::cmp::Reverse(sequence(path)));
    assert!(states.len() >= 2);
    let mut bytes = std::fs::read(&states[0]).expect("reads");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    // As another file: the run's own may have a second name, which would be damaged too.
    std::fs::write(place.path("damaged"), bytes).expect("writes");
    std::fs::rename(place.path("damaged"), &states[0]).expect("renames");
    let said = place.runs(&["piece.yaml", "--headless"]);
    let name = states[0].file_name().expect("a name").to_string_lossy().into_owned();
    assert!(said.contains(&format!("{name}` is damaged")) && said.contains("the state before it is used"), "{said}");
    // The same run in the end.
    place.write("alone.yaml", &(COMMON.to_owned() + STAGES));
    place.runs(&["alone.yaml", "--headless"]);
    same(&place, "alone", "piece");
}

#[test]
#[ignore = "long: ten runs, each killed at least five times"]
fn long_fifty_kills_over_ten_runs() {
    let kinds = [
        STAGES,
        BRANCHES,
        "stages:\n  - {loss: softmax, optimizer: sgd, epochs: 2}\n  - {loss: arcface, epochs: 2}\n",
        "stages:\n  - {loss: arcface, optimizer: {adam: {amsgrad: true}}, epochs: 2, centerloss: true}\n  \
         - {loss: batch_all_triplet, optimizer: nadam, epochs: 2, batch_size: 8}\n",
        "stages:\n  - {loss: center, optimizer: rmsprop, epochs: 2}\n  - {loss: softmax, bottleneck_only: true, epochs: 2}\n",
    ];
    let mut kills = 0;
    for run in 0..10u64 {
        kills += compare(kinds[run as usize % kinds.len()], 8, seed() + 100 + run, 1 + run as u32 % 2);
    }
    eprintln!("{kills} kills over 10 runs");
    assert!(kills >= 50, "{kills} kills");
}

#[test]
fn a_damaged_history_and_a_damaged_line_of_the_journal_are_named() {
    let place = interrupted();
    let lists = place.read("checkpoints/piece_hist.json");
    place.write("checkpoints/piece_hist.json", &lists[..lists.len() / 2]);
    let runs = std::fs::read_dir(place.path("runs")).expect("runs").flatten();
    let journal = runs.map(|run| run.path().join("journal.jsonl")).find(|path| path.exists()).expect("a journal");
    let text = std::fs::read_to_string(&journal).expect("reads");
    let number = text.lines().position(|line| line.contains(r#""event":"preparing""#)).expect("such a line") + 1;
    let damaged: Vec<String> = (1..)
        .zip(text.lines())
        .map(|(at, line)| if at == number { line.replace("preparing", "prepaping") } else { line.to_owned() })
        .collect();
    std::fs::write(&journal, damaged.join("\n") + "\n").expect("writes");
    let said = place.runs(&["piece.yaml", "--headless"]);
    assert!(said.contains("piece_hist.json` is damaged") && said.contains("written again from the state"), "{said}");
    assert!(said.contains(&format!("were skipped: {number}")), "{said}");
    place.write("alone.yaml", &(COMMON.to_owned() + STAGES));
    place.runs(&["alone.yaml", "--headless"]);
    same(&place, "alone", "piece");
}
