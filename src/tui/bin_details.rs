//! The details of an evaluated bin, scores and hardest pairs: how they are requested and read, and the view of an open bin.

use std::cell::RefCell;
use std::path::Path;

use super::terminal::pictures::Pictures;
use crate::checkpoint::names;
use crate::crash;
use crate::eval::detail::{self, Detail};
use crate::eval::hardest_pairs::Face;

/// A bin's details to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BinRequest {
    /// The journal beside which they lie; the live run's when none is given.
    pub(super) journal: Option<std::path::PathBuf>,
    /// The run of the branch that is trained, when its folder is another.
    pub(super) branch: Option<String>,
    /// The bin.
    pub(super) bin: String,
    /// The best figures so far instead of the newest.
    pub(super) best: bool,
}

/// What was read of a bin.
#[derive(Debug)]
pub struct BinDetails {
    /// The figures and the pairs.
    pub(super) detail: Detail,
    /// The faces of the pairs, those accepted wrongly first; empty when they cannot be shown.
    pub(super) faces: Vec<[Face; 2]>,
    /// Why not.
    pub(super) blind: Option<String>,
    /// Faces in the terminal's own pictures, made when they are drawn first.
    pub(super) pictures: RefCell<Pictures>,
}

impl BinDetails {
    /// Decodes the faces of what was read.
    pub(super) fn new(detail: Detail) -> Self {
        let (faces, blind) = match detail.faces() {
            Ok(faces) if faces.is_empty() => (faces, Some("no faces were saved".to_owned())),
            Ok(faces) => (faces, None),
            Err(reason) => (Vec::new(), Some(reason)),
        };
        Self { detail, faces, blind, pictures: RefCell::default() }
    }
}

/// The open bin.
#[derive(Debug)]
pub(super) struct BinView {
    pub(super) bin: String,
    pub(super) best: bool,
    /// The first of the hardest pairs on screen, in each of the two rows.
    pub(super) first: usize,
    /// Only the pairs of one person, where there is room for one row.
    pub(super) rejects: bool,
    /// What was read; none while it is being read.
    pub(super) shown: Option<Result<BinDetails, String>>,
}

/// Reads the details of a bin from the run's folder, which is that of the journal.
///
/// # Errors
/// A sentence: there are none yet, or they are damaged.
pub(super) fn read(request: &BinRequest, journal: Option<&Path>) -> Result<BinDetails, String> {
    let run = journal.and_then(Path::parent).ok_or("this run has no folder")?;
    let run = match &request.branch {
        Some(branch) if names::stays_inside(branch) => run.parent().unwrap_or(run).join(branch),
        Some(branch) => {
            return Err(format!("the journal names a branch `{}`, which is not a run's folder", branch.escape_debug()));
        }
        None => run.to_path_buf(),
    };
    let path = detail::path(&run, &request.bin, request.best);
    if !path.exists() {
        return Err(format!("no details of `{}` yet: each evaluation writes them", request.bin));
    }
    let read = crash::expected(|| detail::read(&path).map(BinDetails::new).map_err(|error| error.to_string()));
    read.unwrap_or_else(|_| Err(format!("cannot show `{}`", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journals_names_lead_to_no_file_outside_of_its_run() {
        let place = tempfile::tempdir().expect("a folder");
        let journal = place.path().join("runs/a/journal.jsonl");
        fs_err::create_dir_all(place.path().join("runs/a/evaluation")).expect("makes");
        fs_err::create_dir_all(place.path().join("evaluation")).expect("makes");
        for file in ["x.json", "evaluation/lfw.json", "runs/evaluation"] {
            fs_err::write(place.path().join(file), "{}").expect("writes");
        }
        let said = |branch: Option<&str>, bin: &str| {
            let branch = branch.map(str::to_owned);
            let request = BinRequest { journal: None, branch, bin: bin.to_owned(), best: false };
            read(&request, Some(&journal)).map(drop).expect_err("there is nothing")
        };
        let outside = place.path().join("x").display().to_string();
        for bin in ["../../../x", outside.as_str()] {
            assert!(said(None, bin).contains("no details of"), "{bin}");
        }
        for branch in ["..", "../..", "", place.path().to_str().expect("text")] {
            assert!(said(Some(branch), "lfw").contains("not a run's folder"), "{branch}");
        }
    }
}
