//! Rooms may use the rooms below them, never those above: `ARCHITECTURE.md` has the picture. This reads the sources, so
//! a forbidden `use` fails here before it becomes a habit.

use std::path::{Path, PathBuf};

/// Every room, from the bottom to the top.
const ROOMS: &[&str] = &[
    "crash",
    "disk_watch",
    "event",
    "schedule",
    "graph",
    "checkpoint",
    "nn",
    "data",
    "synth",
    "export",
    "eval",
    "train",
    "run",
    "report",
    "tui",
    "cli",
    "fuzz",
];

/// Crates that belong to some rooms only.
const CRATES: &[(&str, &[&str])] = &[
    ("tch::", &["nn", "data", "train", "eval", "export"]),
    ("facetui_jpeg::", &["data"]),
    ("ratatui::", &["tui"]),
    ("crossterm::", &["tui"]),
    ("ratatui_image::", &["tui"]),
    ("nvml_wrapper::", &["run"]),
    ("sysinfo::", &["run"]),
    ("hdf5::", &["checkpoint"]),
    ("hdf5_sys::", &["checkpoint"]),
    ("flatbuffers::", &["export"]),
    ("prost::", &["export"]),
    ("safetensors::", &["export"]),
    ("serde_yaml::", &["schedule"]),
    ("clap::", &["cli"]),
    ("tiny_skia::", &["report"]),
    ("ttf_parser::", &["report"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("src is readable").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The room of a file: the first folder or file name under `src`.
fn room(path: &Path, root: &Path) -> String {
    let relative = path.strip_prefix(root).expect("below src");
    let first = relative.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The code of a file: no comments, nothing from its test module on.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("readable");
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Whether `code` names `word` as a path of its own: `tch::` is not in `batch::`.
fn names(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|character| character.is_alphanumeric() || character == '_' || character == ':')
    })
}

#[test]
fn imports_point_downwards() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut wrong = Vec::new();
    for file in &files {
        let room = room(file, &root);
        if matches!(room.as_str(), "lib" | "main") {
            continue;
        }
        let level = ROOMS.iter().position(|known| *known == room);
        let level = level.unwrap_or_else(|| panic!("`{room}` is no room: add it to ROOMS and ARCHITECTURE.md"));
        let code = code(file);
        for above in &ROOMS[level + 1..] {
            if names(&code, &format!("crate::{above}::")) {
                wrong.push(format!("{}: `{room}` names `{above}`, which lies above it", file.display()));
            }
        }
        for (name, rooms) in CRATES {
            if names(&code, name) && !rooms.contains(&room.as_str()) {
                wrong.push(format!("{}: only {rooms:?} may name `{name}`", file.display()));
            }
        }
    }
    assert!(files.len() > 40, "the sources were not found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_does() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let silent: Vec<_> =
        files.iter().filter(|file| !std::fs::read_to_string(file).expect("readable").starts_with("//! ")).collect();
    assert!(silent.is_empty(), "no first lines in {silent:?}");
}
