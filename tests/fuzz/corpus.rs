//! The corpus of each target: `fuzz/corpus`, and what the other tests have of its kind.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use facetui::fuzz::Target;

/// Files above this are left out: they would be slow to read, and say nothing that smaller ones do not.
const LARGEST: usize = 96 << 10;

/// Names and bytes, in an order that does not change.
pub type Corpus = Vec<(String, Vec<u8>)>;

/// The files of a target.
pub fn of(target: &Target) -> Corpus {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    list(&root.join("fuzz/corpus").join(target.name), &mut files);
    match target.name {
        "bin" => list(&root.join("tests/cases/recordio/bins"), &mut files),
        "schedule" => list(&root.join("schedules"), &mut files),
        "model" => ["checkpoint", "layers", "models"]
            .iter()
            .for_each(|folder| list(&root.join("tests/cases").join(folder), &mut files)),
        _ => {}
    }
    let mut corpus: Corpus = files.iter().filter_map(|path| Some((path.display().to_string(), read(path)?))).collect();
    if target.name == "records" {
        for folder in ["scalar_label", "array_label"] {
            let folder = root.join("tests/cases/recordio").join(folder);
            let file = |name: &str| std::fs::read(folder.join(name)).expect("a case");
            for index in [file("train.idx"), Vec::new()] {
                let records = file("train.rec");
                let bytes = [&(records.len() as u32).to_le_bytes()[..], &records, &index].concat();
                corpus.push((folder.display().to_string(), bytes));
            }
        }
    }
    corpus.retain(|(name, bytes)| bytes.len() <= LARGEST || name.contains("fuzz/corpus"));
    corpus
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let kind = path.extension().unwrap_or_default();
        if path.is_dir() {
            list(&path, files);
        } else if !(["json", "npz"].iter().any(|other| kind == *other) && path.parent().is_some_and(is_cases)) {
            files.push(path);
        }
    }
}

/// A folder of the other tests, whose JSON says what to expect.
fn is_cases(folder: &Path) -> bool {
    folder.components().any(|part| part.as_os_str() == "cases")
}

/// A file, decompressed where it is.
fn read(path: &Path) -> Option<Vec<u8>> {
    let bytes = std::fs::read(path).ok()?;
    if path.extension().is_none_or(|kind| kind != "gz") {
        return Some(bytes);
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut plain).ok()?;
    Some(plain)
}
