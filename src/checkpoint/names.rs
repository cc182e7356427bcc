//! The names of a run's files, as the reference gives them.

use std::path::{Path, PathBuf};

/// Whether a name that a file states is one of a file in a folder, and leads neither out of it nor further down.
pub fn stays_inside(name: &str) -> bool {
    !name.is_empty() && !matches!(name, "." | "..") && !name.contains(['/', '\0'])
}

/// The whole model: `<name>.h5`.
pub fn model_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.h5"))
}

/// The states kept within epochs, in turn: `<name>_snapshot_a.h5` and `<name>_snapshot_b.h5`.
pub fn snapshot_files(folder: &Path, name: &str) -> [PathBuf; 2] {
    ["a", "b"].map(|turn| folder.join(format!("{name}_snapshot_{turn}.h5")))
}

/// The best basic model: `<name>_basic_<bin>_epoch_<n>_<accuracy, 6 digits>.h5`; `n` counts from 1.
pub fn basic_file(folder: &Path, name: &str, bin: &str, epoch: u32, accuracy: f64) -> PathBuf {
    folder.join(format!("{name}_basic_{bin}_epoch_{epoch}_{accuracy:.6}.h5"))
}

/// The centers of the center loss: `<name>_centers.npy`.
pub fn centers_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}_centers.npy"))
}

/// The names of the classes, by label: `<name>_classes.json`.
pub fn classes_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}_classes.json"))
}

/// The history: `<name>_hist.json`.
pub fn history_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}_hist.json"))
}

/// The whole model between two epochs: `<name>_at_epoch_<n>_step_<s>.h5`.
pub fn extra_file(folder: &Path, name: &str, epoch: u32, step: u64) -> PathBuf {
    folder.join(format!("{}{epoch}_step_{step}.h5", extra_stem(name)))
}

/// What every file of [`extra_file`] begins with.
pub fn extra_stem(name: &str) -> String {
    format!("{name}_at_epoch_")
}

/// The comparison of branches: `<name>_branches.json`.
pub fn comparison_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}_branches.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_references() {
        let path = basic_file(Path::new("checkpoints"), "keras_mobilefacenet_256", "agedb_30", 6, 0.900_333_3);
        assert_eq!(path, Path::new("checkpoints/keras_mobilefacenet_256_basic_agedb_30_epoch_6_0.900333.h5"));
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_told_from_one_that_does_not() {
        for name in ["a", "a b", "..a", "a.", "demo-20260101-000000", "\u{e9}\n", "..."] {
            assert!(stays_inside(name), "{name:?}");
        }
        for name in ["", ".", "..", "/", "/etc", "a/b", "../a", "a/..", "a\0b"] {
            assert!(!stays_inside(name), "{name:?}");
        }
    }
}
