//! The names of a run's classes: read from the files that the run starts from, written beside its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::checkpoint::atomic::write_atomically;
use crate::checkpoint::{CheckpointError, names};
use crate::data::classes::{self, Classes};
use crate::data::source::Source;
use crate::event::{Event, Level};
use crate::schedule::{ModelSource, Schedule};
use crate::train::emit::Emit;
use crate::train::error::TrainError;
use crate::train::paths::OutputPaths;
use crate::train::state::saved::{Found, SavedState};

/// The file's name in a run's folder.
const IN_RUN: &str = "classes.json";

/// Gives the training set the labels of the run that `schedule` starts from, when that was one of named classes.
///
/// # Errors
/// Names that cannot be read.
pub fn keep(schedule: &Schedule, data: Arc<dyn Source>, emit: &Emit) -> Result<Arc<dyn Source>, TrainError> {
    if !data.has_names() {
        return Ok(data);
    }
    let beside = match &schedule.model {
        ModelSource::File { path, .. } => Some(beside(path)),
        ModelSource::Backbone(_) if schedule.initial_epoch == 0 => return Ok(data),
        ModelSource::Backbone(_) => None,
    };
    let own = names::classes_file(&schedule.checkpoints, &schedule.name);
    for path in beside.into_iter().chain([own]) {
        let kept = match Classes::read(&path) {
            Err(reason) => Some(copy(schedule, &path, reason, emit)?),
            Ok(kept) => kept,
        };
        let Some(kept) = kept else { continue };
        let (data, changes) = classes::relabel(data, &kept);
        if changes.moved + changes.new + changes.missing > 0 {
            let message = format!(
                "classes keep the numbers of `{}`: {} would have another by their names' order, {} are new, {} have no image",
                path.display(),
                changes.moved,
                changes.new,
                changes.missing
            );
            emit(Event::Log { level: Level::Warning, message });
        }
        return Ok(data);
    }
    Ok(data)
}

/// The names in the folder of the run that wrote `path`, which cannot be used for `reason`.
fn copy(schedule: &Schedule, path: &Path, reason: String, emit: &Emit) -> Result<Classes, TrainError> {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let model = path.with_file_name(format!("{}.h5", stem.strip_suffix("_classes").unwrap_or(&stem)));
    let run = match SavedState::read(&model) {
        Ok(Found::State(state)) => Some(schedule.runs.join(state.identity.run_id).join(IN_RUN)),
        _ => None,
    };
    if let Some(copy) = run
        && let Ok(Some(kept)) = Classes::read(&copy)
    {
        emit(Event::Log { level: Level::Warning, message: format!("{reason}; `{}` is used", copy.display()) });
        return Ok(kept);
    }
    Err(TrainError::new(reason).with_help(
        "put the `classes.json` of the run's folder in its place, or remove it to have the classes numbered in the order \
         of their names",
    ))
}

/// Writes the names beside the files of a run (`paths`; the whole one's or a branch's own) and into the folder of `own`, when
/// the classes have some and the run `whole` has a folder.
///
/// # Errors
/// They cannot be written beside the checkpoints.
pub fn note(
    schedule: &Schedule,
    [whole, own]: [&str; 2],
    paths: &OutputPaths,
    data: &dyn Source,
) -> Result<(), TrainError> {
    if !data.has_names() {
        return Ok(());
    }
    let failed = |error: &dyn std::error::Error| TrainError::new(format!("the names of the classes: {error}"));
    let text = Classes::of(data).to_text().map_err(|error| failed(&error))?;
    let put = |path: &Path| {
        write_atomically(path, |part| std::fs::write(part, &text).map_err(|error| CheckpointError::write(path, error)))
    };
    put(&paths.classes()).map_err(|error| failed(&error))?;
    // A branch's folder may not be there yet; and a disk may refuse once.
    let run = schedule.runs.join(own);
    let copy = || {
        std::fs::create_dir_all(&run).map_err(|error| CheckpointError::write(&run, error))?;
        put(&run.join(IN_RUN))
    };
    if schedule.runs.join(whole).is_dir()
        && let Err(error) = copy().or_else(|_| copy())
    {
        tracing::warn!("{error}");
    }
    Ok(())
}

/// The names that belong to a saved model, whichever of a run's it is.
fn beside(model: &Path) -> PathBuf {
    let stem = model.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = ["_basic_", "_at_epoch_"].iter().find_map(|mark| stem.split_once(mark)).map(|(name, _)| name.to_owned());
    names::classes_file(model.parent().unwrap_or(Path::new("")), &name.unwrap_or(stem))
}
