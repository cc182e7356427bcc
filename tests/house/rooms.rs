//! Rooms may use the rooms below them, never those above: `ARCHITECTURE.md` has the picture. This reads the sources, so
//! a forbidden `use` fails here before it becomes a habit.

use std::path::Path;

use crate::imports::{Imports, Module, sources};

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

/// The files and folders of the training room, from the bottom to the top.
const TRAIN: &[&str] = &[
    "error",
    "emit",
    "control",
    "device",
    "paths",
    "optim",
    "loss",
    "model",
    "step",
    "meter",
    "evaluation",
    "state",
    "saver",
    "class_names",
    "trial",
    "memory",
    "check",
    "session",
    "stage_loop",
    "branches",
    "engine",
];

/// The longest a file may be, unless its first lines say why it is longer.
const LONGEST: usize = 500;

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

/// The room of a file: the first folder or file name under `src`.
fn room(path: &Path, root: &Path) -> String {
    let relative = path.strip_prefix(root).expect("below src");
    let first = relative.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The code of a file: no comments, nothing from its test module on.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("readable");
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
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

#[test]
fn files_do_not_import_each_other_in_a_ring() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["src", "crates/jpeg/src", "xtask/src"] {
        let imports = Imports::read(&root.join(folder));
        let rings: Vec<String> = imports.rings().iter().map(|ring| ring.join(", ")).collect();
        assert!(imports.files.len() > 4, "the sources in {folder} were not found");
        assert!(rings.is_empty(), "these files of {folder} import each other in a ring:\n{}", rings.join("\n"));
    }
}

#[test]
fn imports_within_the_training_room_point_downwards() {
    let imports = Imports::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let inside = |module: &Module| module.len() > 1 && module[0] == "train" && module.last().unwrap() != "tests";
    let level = |module: &Module| {
        let level = TRAIN.iter().position(|known| *known == module[1]);
        level.unwrap_or_else(|| panic!("`train/{}` has no level: add it to TRAIN and to src/train.rs", module[1]))
    };
    let mut upwards = Vec::new();
    let mut seen = 0;
    for (module, targets) in imports.edges.iter().filter(|(module, _)| inside(module)) {
        for target in targets.iter().filter(|target| inside(target)) {
            seen += 1;
            if level(target) > level(module) {
                upwards.push(format!("src/{}.rs imports {}, which lies above it", module.join("/"), target.join("/")));
            }
        }
    }
    assert!(seen > 100, "the imports were not found");
    assert!(upwards.is_empty(), "{}", upwards.join("\n"));
}

#[test]
fn long_files_say_why() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "crates", "tests", "xtask", "benches", "examples"] {
        sources(&root.join(folder), &mut files);
    }
    let too_long = |file: &Path| {
        let text = std::fs::read_to_string(file).expect("readable");
        let head = text.lines().take_while(|line| line.starts_with("//!")).collect::<Vec<_>>().join(" ");
        text.lines().count() > LONGEST && !head.contains("long because")
    };
    let long: Vec<_> = files.iter().filter(|file| too_long(file)).collect();
    assert!(long.is_empty(), "more than {LONGEST} lines, and no \"long because\" in their first lines: {long:#?}");
}
