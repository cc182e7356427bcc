//! Bare `_hist.json` files, of the reference or of runs whose journal is gone, as runs: each list becomes events.

use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::checkpoint::keras_history::History;
use crate::event::{BinResult, Event, Outcome, Record, RunHeader, StagePlan};
use crate::run::state::RunState;

/// Largest history that is read, in bytes: a million epochs of ten bins.
const LARGEST: u64 = 256 << 20;

/// Folders below the one of the runs that are looked into, and files that are listed at most.
const DEPTH: usize = 3;
const MOST: usize = 10_000;

/// The end of every history's name.
const END: &str = "_hist.json";

/// Lists of a history that are no bins.
const OWN: [&str; 6] = ["loss", "accuracy", "acc", "lr", "val_loss", "val_accuracy"];

/// The name of a history's run: its file's without `_hist.json`.
pub(super) fn name(path: &Path) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    file.strip_suffix(END).filter(|name| !name.is_empty()).map(str::to_owned)
}

/// The histories under `root`, hidden folders and those of `earlier` files apart.
pub(super) fn find(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![(root.to_path_buf(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let hidden = entry.file_name().to_string_lossy().starts_with('.') || entry.file_name() == "earlier";
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !hidden && depth < DEPTH => folders.push((path, depth + 1)),
                Ok(kind) if kind.is_file() && !hidden && name(&path).is_some() && found.len() < MOST => {
                    found.push(path);
                }
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// The run of a history.
///
/// # Errors
/// It cannot be read, or is no history.
pub(super) fn open(path: &Path) -> io::Result<RunState> {
    let meta = fs_err::metadata(path)?;
    if meta.len() > LARGEST {
        return Err(io::Error::other(format!("{} bytes are too many for a `_hist.json`", meta.len())));
    }
    let history = History::read_if_present(path).map_err(io::Error::other)?;
    let written = meta.modified()?.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    Ok(RunState::replay(&records(&name(path).unwrap_or_default(), &history, written)))
}

/// The events that a run with this history would have had, all at the moment the file was written: nothing says when
/// its epochs were.
fn records(name: &str, history: &History, at: f64) -> Vec<Record> {
    let bins: Vec<String> = history.names().filter(|list| !OWN.contains(list)).map(str::to_owned).collect();
    let losses = history.values("loss");
    let epochs = bins.iter().map(|bin| history.values(bin).len()).chain([losses.len()]).max().unwrap_or(0);
    let accuracies = [history.values("accuracy"), history.values("acc")].into_iter().find(|list| !list.is_empty());
    let header = RunHeader {
        run_id: name.to_owned(),
        name: name.to_owned(),
        bins: bins.clone(),
        stages: vec![StagePlan {
            loss: "history".to_owned(),
            epochs: epochs as u32,
            steps_per_epoch: 1,
            ..StagePlan::default()
        }],
        ..RunHeader::default()
    };
    let mut events = vec![Event::RunStarted(Box::new(header))];
    events.push(Event::StageStarted { stage: 0, optimizer: String::new() });
    for epoch in 0..epochs {
        let index = epoch as u32 + 1;
        let loss = losses.get(epoch).copied().unwrap_or(f64::NAN);
        let learning_rate = history.values("lr").get(epoch).copied().unwrap_or(f64::NAN);
        // A triplet stage has no accuracies, and nothing says which epochs those are: a short list is not spread out.
        let accuracy = accuracies.filter(|list| list.len() == epochs).map(|list| list[epoch]);
        events.push(Event::EpochStarted { stage: 0, epoch: index, index, steps: 1, learning_rate });
        // An epoch counts as one step, so that charts have a place for it on every axis.
        events.push(Event::Steps {
            index,
            step: 1,
            loss: vec![loss as f32],
            accuracy: accuracy.map(|accuracy| accuracy as f32).into_iter().collect(),
            images_per_second: f64::NAN,
            waited: 0.0,
            memory: 0,
            gradient_norm: None,
        });
        for bin in &bins {
            if let Some(accuracy) = history.values(bin).get(epoch) {
                let result =
                    BinResult { bin: bin.clone(), accuracy: *accuracy, threshold: f64::NAN, ..BinResult::default() };
                events.push(Event::BinEvaluated { index, result });
            }
        }
        events.push(Event::EpochEnded {
            stage: 0,
            epoch: index,
            index,
            loss,
            accuracy,
            learning_rate,
            seconds: 0.0,
            images_per_second: 0.0,
            waited: 0.0,
        });
    }
    events.push(Event::StageEnded { stage: 0 });
    events.push(Event::Finished { outcome: Outcome::Completed, seconds: 0.0 });
    events.into_iter().map(|event| Record { at, event }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_of_the_reference_is_a_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("TT_mobile_hist.json");
        let text = r#"{"loss": [2.0, 1.5, NaN], "accuracy": [0.1, 0.2, 0.3], "lr": [0.001, 0.001, 0.0005],
            "lfw": [0.9, 0.97, 0.96], "cfp_fp": [0.8, 0.81, 0.82]}"#;
        fs_err::write(&path, text).expect("writes");
        let state = open(&path).expect("opens");
        assert_eq!((state.epochs.len(), state.bins.len()), (3, 2));
        assert_eq!(state.bins[0].best().map(|(index, result)| (*index, result.accuracy)), Some((2, 0.97)));
        assert!(state.is_ended() && state.epochs[2].loss.is_nan());
        assert_eq!(state.epochs[1].accuracy, Some(0.2));
        assert_eq!(state.total_steps(), 3, "every epoch has its place on the axes");
        assert!(state.bins[0].results.iter().all(|(_, result)| result.threshold.is_nan()), "nobody knows");
        fs_err::write(&path, text.replace("NaN", "1.25")).expect("writes");
        let calm = open(&path).expect("opens");
        let warned: Vec<_> = calm.warnings.all().iter().collect();
        assert!(warned.is_empty(), "what a history cannot know is no reason to warn: {warned:?}");
    }

    #[test]
    fn hidden_folders_and_other_files_are_not_looked_into() {
        let root = tempfile::tempdir().expect("a folder");
        for folder in [".trash", "earlier", "checkpoints"] {
            fs_err::create_dir(root.path().join(folder)).expect("makes");
            fs_err::write(root.path().join(folder).join("a_hist.json"), "{}").expect("writes");
        }
        fs_err::write(root.path().join("b_hist.txt"), "{}").expect("writes");
        fs_err::write(root.path().join("_hist.json"), "{}").expect("writes");
        assert_eq!(find(root.path()), [root.path().join("checkpoints/a_hist.json")]);
    }

    #[test]
    fn text_is_no_history() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x_hist.json");
        fs_err::write(&path, "hello").expect("writes");
        assert!(open(&path).is_err());
    }
}
