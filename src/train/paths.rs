//! Where a run's files go, and what happens to the files of an earlier run of the same name: they are moved aside,
//! never overwritten.

use std::path::{Path, PathBuf};

use crate::checkpoint::names;
use crate::event::{Event, Level};
use crate::schedule::{Branch, Schedule};
use crate::train::emit::Emit;
use crate::train::error::TrainError;

/// Folder of the files set aside, inside the checkpoint folder.
const ASIDE: &str = "earlier";

/// The name of a branch's files: the schedule's and its own.
pub fn branch_name(schedule: &Schedule, branch: &Branch) -> String {
    format!("{}_{}", schedule.name, branch.name)
}

/// The names of a run's files.
#[derive(Debug, Clone)]
pub struct OutputPaths {
    folder: PathBuf,
    name: String,
}

impl OutputPaths {
    /// The files of `name` in `folder`, which is made when it is not there and tried out.
    ///
    /// # Errors
    /// A folder that cannot be made or written.
    pub fn new(folder: &Path, name: &str) -> Result<Self, TrainError> {
        let failed = |error: &std::io::Error| {
            TrainError::new(format!("the checkpoint folder `{}` cannot be written: {error}", folder.display())).with_help(
                "make it writable, or choose another with `checkpoints:` in the schedule or `--set checkpoints=DIR`",
            )
        };
        std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        tempfile::tempfile_in(folder).map_err(|error| failed(&error))?;
        Ok(Self { folder: folder.to_path_buf(), name: name.to_owned() })
    }

    /// The whole model.
    pub fn model(&self) -> PathBuf {
        names::model_file(&self.folder, &self.name)
    }

    /// The best basic model.
    pub fn basic(&self, bin: &str, epoch: u32, accuracy: f64) -> PathBuf {
        names::basic_file(&self.folder, &self.name, bin, epoch, accuracy)
    }

    /// The centers of the center loss.
    pub fn centers(&self) -> PathBuf {
        names::centers_file(&self.folder, &self.name)
    }

    /// The names of the classes.
    pub fn classes(&self) -> PathBuf {
        names::classes_file(&self.folder, &self.name)
    }

    /// The history.
    pub fn history(&self) -> PathBuf {
        names::history_file(&self.folder, &self.name)
    }

    /// A whole model between two epochs, under a name that nothing has yet.
    pub fn extra(&self, epoch: u32, step: u64) -> PathBuf {
        let first = names::extra_file(&self.folder, &self.name, epoch, step);
        // A stage that counts its own epochs comes to the same numbers again.
        let stem = first.with_extension("");
        let numbered = (2..).map(|number| PathBuf::from(format!("{}_{number}.h5", stem.display())));
        std::iter::once(first).chain(numbered).find(|path| !path.exists()).unwrap_or(stem)
    }

    /// The table of the run's branches.
    pub fn branch_table(&self) -> PathBuf {
        names::comparison_file(&self.folder, &self.name)
    }

    /// The states kept within epochs, in turn.
    pub fn snapshots(&self) -> [PathBuf; 2] {
        names::snapshot_files(&self.folder, &self.name)
    }

    /// The files of `name` in `folder`, to look for them.
    pub fn at(folder: &Path, name: &str) -> Self {
        Self { folder: folder.to_path_buf(), name: name.to_owned() }
    }

    /// Removes the states kept within epochs: the run has come to its end.
    pub fn remove_snapshots(&self) {
        for path in self.snapshots() {
            // One that stays is of an earlier run for every later one.
            let _ = std::fs::remove_file(path);
        }
    }

    /// The files that may hold a state of the run.
    pub fn states(&self) -> Vec<PathBuf> {
        let basic = format!("{}_basic_", self.name);
        let is_basic = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&basic));
        let is_model = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "h5");
        self.present().into_iter().filter(|path| is_model(path) && !is_basic(path)).collect()
    }

    /// Every file of this name that is there.
    fn present(&self) -> Vec<PathBuf> {
        let stems = [format!("{}_basic_", self.name), names::extra_stem(&self.name)];
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        let mut files: Vec<PathBuf> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                let is_model = path.extension().is_some_and(|extension| extension == "h5");
                let of_epoch = is_model && stems.iter().any(|stem| name.starts_with(stem));
                let others = [self.model(), self.history(), self.centers(), self.branch_table(), self.classes()];
                of_epoch || others.contains(path) || self.snapshots().contains(path)
            })
            .collect();
        files.sort();
        files
    }

    /// Moves the files of an earlier run of this name into `earlier/<name>-<number>`, so that a run from scratch
    /// overwrites nothing. Returns that folder when there were any.
    ///
    /// # Errors
    /// They cannot be moved.
    pub fn set_aside(&self) -> Result<Option<PathBuf>, TrainError> {
        self.move_aside(&self.present())
    }

    /// As [`OutputPaths::set_aside`], and says so.
    ///
    /// # Errors
    /// They cannot be moved.
    pub fn set_aside_and_tell(&self, emit: &Emit) -> Result<(), TrainError> {
        if let Some(folder) = self.set_aside()? {
            let message = format!("the files of an earlier run of this name were moved to `{}`", folder.display());
            emit(Event::Log { level: Level::Info, message });
        }
        Ok(())
    }

    /// As [`OutputPaths::set_aside`], for the states kept within epochs alone.
    ///
    /// # Errors
    /// They cannot be moved.
    pub fn set_snapshots_aside(&self) -> Result<Option<PathBuf>, TrainError> {
        let present: Vec<PathBuf> = self.snapshots().into_iter().filter(|path| path.exists()).collect();
        self.move_aside(&present)
    }

    fn move_aside(&self, files: &[PathBuf]) -> Result<Option<PathBuf>, TrainError> {
        if files.is_empty() {
            return Ok(None);
        }
        let aside = self.folder.join(ASIDE);
        let mut number = 1;
        let numbered = |number: u32| aside.join(format!("{}-{number}", self.name));
        while numbered(number).exists() {
            number += 1;
        }
        let target = numbered(number);
        let moved = || -> std::io::Result<()> {
            std::fs::create_dir_all(&target)?;
            for file in files {
                if let Some(name) = file.file_name() {
                    std::fs::rename(file, target.join(name))?;
                }
            }
            Ok(())
        };
        moved().map_err(|error| {
            TrainError::new(format!("the files of an earlier `{}` cannot be moved aside: {error}", self.name))
                .with_help("move them yourself, or give this run another `name`")
        })?;
        Ok(Some(target))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_run_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = OutputPaths::new(folder.path(), "demo").expect("is writable");
        assert_eq!(paths.set_aside().expect("nothing to move"), None);
        for round in 1..=2 {
            std::fs::write(paths.model(), "model").expect("writes");
            std::fs::write(paths.basic("pose", 3, 0.9), "basic").expect("writes");
            std::fs::write(folder.path().join("demo2.h5"), "another run").expect("writes");
            let aside = paths.set_aside().expect("moves").expect("moved something");
            assert!(aside.ends_with(format!("earlier/demo-{round}")));
            assert_eq!(std::fs::read_dir(&aside).expect("reads").count(), 2);
            assert!(!paths.model().exists());
        }
        assert!(folder.path().join("demo2.h5").exists());
    }

    #[test]
    fn a_model_between_epochs_overwrites_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = OutputPaths::new(folder.path(), "demo").expect("is writable");
        for wanted in ["demo_at_epoch_3_step_40.h5", "demo_at_epoch_3_step_40_2.h5", "demo_at_epoch_3_step_40_3.h5"] {
            let path = paths.extra(3, 40);
            assert!(path.ends_with(wanted), "{}", path.display());
            std::fs::write(path, "model").expect("writes");
        }
        paths.set_aside().expect("moves").expect("moved something");
        assert!(paths.extra(3, 40).ends_with("demo_at_epoch_3_step_40.h5"));
    }

    #[test]
    fn a_file_in_the_folders_place_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("checkpoints");
        std::fs::write(&place, "not a folder").expect("writes");
        let error = OutputPaths::new(&place, "demo").expect_err("is refused");
        assert!(error.message.contains("checkpoints") && error.help.is_some());
    }
}
