//! What a user names: a run's folder, its journal, its name under the folder of runs, or a bare `_hist.json`.

use std::path::{Path, PathBuf};

use crate::checkpoint::keras_history::History;
use crate::run::journal;

use super::curves::Curves;
use super::error::PlotError;

/// Largest history that is read, in bytes: a million epochs of ten bins.
const LARGEST: u64 = 256 << 20;

/// Reads what was named, in order; runs of one name are told apart by the names of their folders.
///
/// # Errors
/// The first one that is not there, cannot be read, or has no finished epoch.
pub fn load(names: &[String], runs: &Path) -> Result<Vec<Curves>, PlotError> {
    let mut all: Vec<(Curves, String)> = Vec::new();
    for name in names {
        let path = find(name, runs)?;
        let found = if path.extension().is_some_and(|end| end == "json") { history(&path)? } else { journal(&path)? };
        let folder = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let id = if path.extension().is_some_and(|end| end == "json") { Some(name.clone()) } else { folder };
        all.extend(found.into_iter().map(|curves| {
            let id = id.clone().unwrap_or_else(|| curves.name.clone());
            (curves, id)
        }));
    }
    let names: Vec<String> = all.iter().map(|(curves, _)| curves.name.clone()).collect();
    let several = |name: &String| names.iter().filter(|other| *other == name).count() > 1;
    let mut named: Vec<Curves> = Vec::new();
    for (mut curves, id) in all {
        if several(&curves.name) {
            curves.name = id;
        }
        let same = named.iter().filter(|other| other.name == curves.name).count();
        if same > 0 {
            curves.name = format!("{} ({})", curves.name, same + 1);
        }
        named.push(curves);
    }
    Ok(named)
}

/// The curves of a journal.
///
/// # Errors
/// It cannot be read, or has no finished epoch.
pub fn journal(path: &Path) -> Result<Vec<Curves>, PlotError> {
    let records = journal::read(path, false)
        .map_err(|error| PlotError::Read { path: path.to_path_buf(), reason: error.to_string() })?;
    let folder =
        path.parent().and_then(Path::file_name).map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let runs = Curves::of_journal(&folder, &records);
    if runs.is_empty() {
        return Err(PlotError::Empty(if folder.is_empty() { path.display().to_string() } else { folder }));
    }
    Ok(runs)
}

fn history(path: &Path) -> Result<Vec<Curves>, PlotError> {
    let unreadable = |reason: String| PlotError::Read { path: path.to_path_buf(), reason };
    let size = fs_err::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
    if size > LARGEST {
        return Err(unreadable(format!("{size} bytes are too many for a `_hist.json`")));
    }
    let history = History::read_if_present(path).map_err(|error| match error {
        crate::checkpoint::CheckpointError::Read { reason, .. } => unreadable(reason),
        error => unreadable(error.to_string()),
    })?;
    let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let curves = Curves::of_history(stem.strip_suffix("_hist").unwrap_or(&stem), &history);
    if curves.epochs() == 0 {
        return Err(PlotError::Empty(path.display().to_string()));
    }
    Ok(vec![curves])
}

/// The file that a name stands for.
fn find(name: &str, runs: &Path) -> Result<PathBuf, PlotError> {
    let path = Path::new(name);
    if path.is_file() {
        return Ok(path.to_path_buf());
    }
    let places = [journal::path(path), journal::path(&runs.join(name))];
    if let Some(found) = places.into_iter().find(|place| place.is_file()) {
        return Ok(found);
    }
    if path.is_dir() {
        let reason = format!("the folder has no `{}`", journal::FILE_NAME);
        return Err(PlotError::Read { path: path.to_path_buf(), reason });
    }
    let mut known: Vec<String> = std::fs::read_dir(runs)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| journal::path(&entry.path()).is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    known.sort_by(|a, b| strsim::jaro(name, b).total_cmp(&strsim::jaro(name, a)).then_with(|| b.cmp(a)));
    let near: Vec<String> = known.iter().take(3).map(|name| format!("`{name}`")).collect();
    let help = if near.is_empty() {
        format!(
            "there are no runs in `{}`; give a run's folder or a `_hist.json` file, or `--runs DIR`",
            runs.display()
        )
    } else {
        format!("runs in `{}` with similar names: {}", runs.display(), near.join(", "))
    };
    Err(PlotError::Missing { name: name.to_owned(), help })
}
