//! The files of a run as they were: those of earlier versions are read and gone on with, those of newer ones are refused in
//! words, and damaged ones are named while another place that knows the same is used.
//!
//! Each folder of `tests/cases/formats` holds a run with class names, stages and branches that was killed in its second
//! branch: 1 from before the small files had checksums. `keep_the_formats_of_today` writes one
//! (`FORMATS_FOLDER=2 cargo test --test interop formats:: -- --ignored`); a change of a format adds one and leaves the others as they are.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use facetui::checkpoint::keras_history::History;
use facetui::eval::detail;
use facetui::run::history::HistoryIndex;
use facetui::run::history::HistorySource as _;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::place::{Place, plain};

const SCHEDULE: &str = "\
name: kept
model: {backbone: mobilefacenet, embedding: 8, width: 0.05}
data: {train: demo/faces_112x112_folders, bins: [demo/pose.bin], workers: 1}
batch_size: 8
device: cpu
learning_rate: 0.01
stages:
  - {loss: softmax, optimizer: sgd, epochs: 1}
branches:
  - {name: margin, loss: arcface, optimizer: sgd, epochs: 1}
  - {name: center, loss: softmax, centerloss: true, optimizer: sgd, epochs: 12}
";

/// A place whose classes have names, with the schedule.
fn place() -> Place {
    let place = Place::new(3, 4);
    for (class, name) in ["ann", "bob", "eve"].into_iter().enumerate() {
        let faces = place.path("demo/faces_112x112_folders");
        std::fs::rename(faces.join(class.to_string()), faces.join(name)).expect("renames");
    }
    place.write("kept.yaml", SCHEDULE);
    place
}

/// A run that is killed after the second branch has saved its second epoch.
fn killed() -> Place {
    let place = place();
    let mut child = place.command(&["kept.yaml", "--json"]).stdout(Stdio::piped()).spawn().expect("starts");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map(|line| line.expect("text"));
    let model = r#""event":"checkpoint_written","kind":"model""#;
    let of_branch = lines.filter(|line| line.contains(model) && line.contains("kept_center.h5"));
    assert_eq!(of_branch.take(2).count(), 2);
    child.kill().expect("kills");
    child.wait().expect("ends");
    place
}

fn formats() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/formats")
}

/// The one folder of the whole run.
fn run_folder(place: &Place) -> PathBuf {
    let runs = std::fs::read_dir(place.path("runs")).expect("runs").flatten().map(|run| run.path());
    let whole =
        |run: &PathBuf| !run.to_string_lossy().ends_with("-margin") && !run.to_string_lossy().ends_with("-center");
    runs.filter(whole).find(|run| run.is_dir()).expect("a run")
}

/// Files below `folder`, by their paths in it.
fn below(folder: &Path, inside: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder.join(inside)).expect("reads").flatten() {
        let name = format!("{inside}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            below(folder, &name, found);
        } else {
            found.push(name);
        }
    }
}

/// The run of a folder of formats in a place of its own.
fn unpacked(version: &Path) -> Place {
    let place = place();
    let mut files = Vec::new();
    for part in ["checkpoints", "runs"] {
        below(version, part, &mut files);
    }
    for file in files {
        let to = place.path(file.trim_end_matches(".gz"));
        std::fs::create_dir_all(to.parent().expect("a folder")).expect("makes");
        let mut bytes = Vec::new();
        GzDecoder::new(std::fs::File::open(version.join(&file)).expect("opens"))
            .read_to_end(&mut bytes)
            .expect("reads");
        std::fs::write(to, bytes).expect("writes");
    }
    // Its process is gone, whoever has its number now.
    std::fs::write(run_folder(&place).join("process.json"), "").expect("writes");
    place
}

#[test]
fn a_run_of_every_format_there_was_is_read_and_goes_on() {
    let versions: Vec<PathBuf> =
        std::fs::read_dir(formats()).expect("formats").flatten().map(|one| one.path()).collect();
    assert!(!versions.is_empty());
    for version in versions {
        let place = unpacked(&version);
        let lists = place.read("checkpoints/kept_hist.json");
        let before = place.read("checkpoints/kept_center_hist.json");
        let table: Value = serde_json::from_str(&place.read("checkpoints/kept_branches.json")).expect("JSON");
        // The history lists it as a run that was interrupted, with what it had done.
        detail::read(&detail::path(&run_folder(&place), "pose", false)).expect("the details of a bin are read");
        let mut runs = HistoryIndex::new(place.path("runs"));
        let listed = runs.list();
        let whole = listed.iter().find(|run| run.name == "kept").expect("is listed");
        assert_eq!((whole.state(), whole.branches.join(" ").as_str()), ("interrupted", "margin center"));
        let state = runs.open(whole).expect("opens");
        assert!(state.comparison.is_some() && state.log.iter().all(|line| !line.message.contains("damaged")));
        // It goes on where it was, under the labels that it had.
        let said = place.runs(&["kept.yaml", "--headless", "--resume-changed"]);
        assert!(said.contains("resuming `kept-") && said.contains("of branch `center`"), "{said}");
        assert!(!said.contains("damaged"), "{said}");
        assert_eq!(place.read("checkpoints/kept_hist.json"), lists, "the stages before are done");
        let (before, now) = (History::parse(&before), History::parse(&place.read("checkpoints/kept_center_hist.json")));
        let (before, now) = (before.expect("a history"), now.expect("a history"));
        assert!(now.begins_with(&before) && now.values("loss").len() == 13, "{now:?}");
        let after: Value = serde_json::from_str(&place.read("checkpoints/kept_branches.json")).expect("JSON");
        assert_eq!(after["branches"][0], table["branches"][0], "the branch that had ended is as it was");
        assert_eq!(after["branches"].as_array().map(Vec::len), Some(2));
        let classes: Value = serde_json::from_str(&place.read("checkpoints/kept_center_classes.json")).expect("JSON");
        assert_eq!(classes["classes"], json!(["ann", "bob", "eve"]));
    }
}

#[test]
#[ignore = "writes a folder of tests/cases/formats"]
fn keep_the_formats_of_today() {
    let place = killed();
    let to = formats().join(std::env::var("FORMATS_FOLDER").expect("FORMATS_FOLDER"));
    assert!(!to.exists(), "{} is there: FORMATS_FOLDER names another", to.display());
    let mut files = Vec::new();
    for part in ["checkpoints", "runs"] {
        below(&place.path(""), part, &mut files);
    }
    let of_a_process = |file: &str| Path::new(file).extension().is_some_and(|kind| kind == "lock" || kind == "sock");
    for file in files.iter().filter(|file| !of_a_process(file)) {
        let named = to.join(format!("{}.gz", file.trim_start_matches('/')));
        // What names the machine and the process is no part of a format; of files of one kind one is enough.
        let left_out =
            ["process.json", "/.facetui-", "_basic_", "_snapshot_", "_best", "kept_margin.h5", "evaluation/pose.npy"];
        let of_branch = file.contains("-margin/evaluation") || file.contains("-center/evaluation");
        if of_branch || left_out.iter().any(|part| file.contains(part)) {
            continue;
        }
        std::fs::create_dir_all(named.parent().expect("a folder")).expect("makes");
        let bytes = std::fs::read(place.path(file)).expect("reads");
        let mut packed = GzEncoder::new(std::fs::File::create(named).expect("makes"), Compression::best());
        packed.write_all(&bytes).expect("writes");
        packed.finish().expect("writes");
    }
}

#[test]
fn a_damaged_table_of_branches_is_named_and_its_lines_come_from_the_states() {
    let place = killed();
    let table = place.read("checkpoints/kept_branches.json");
    let before: Value = serde_json::from_str(&table).expect("JSON");
    for damaged in [table.replacen("\"steps\": ", "\"steps\": 9", 1), table[..table.len() / 2].to_owned()] {
        assert_ne!(damaged, table);
        place.write("checkpoints/kept_branches.json", &damaged);
        let said = place.run(&["kept.yaml", "--headless", "--set", "stages.0.epochs=2"]);
        assert_eq!(said.status.code(), Some(2), "nothing is changed by looking: {}", plain(&said));
    }
    let said = place.runs(&["kept.yaml", "--headless"]);
    assert!(said.contains("kept_branches.json` cannot be used") && said.contains("the branches' states"), "{said}");
    let after: Value = serde_json::from_str(&place.read("checkpoints/kept_branches.json")).expect("JSON");
    assert_eq!(after["branches"][0], before["branches"][0]);
    assert_eq!(after["start"], before["start"]);
    assert_eq!(after["branches"].as_array().map(Vec::len), Some(2));
}

#[test]
fn damaged_names_of_classes_are_named_and_the_runs_copy_is_used() {
    let place = place();
    let stages = SCHEDULE.split("branches:").next().expect("the stages");
    place.write("kept.yaml", stages);
    place.runs(&["kept.yaml", "--headless"]);
    let on = stages.replace("{backbone: mobilefacenet, embedding: 8, width: 0.05}", "{file: checkpoints/kept.h5}");
    place.write("on.yaml", &format!("initial_epoch: 1\n{on}"));
    let names = place.read("checkpoints/kept_classes.json");
    let copy = run_folder(&place).join("classes.json");
    place.write("checkpoints/kept_classes.json", &names.replace("bob", "bib"));
    let said = place.runs(&["on.yaml", "--headless"]);
    assert!(said.contains("kept_classes.json` holds no names of classes: it is damaged"), "{said}");
    assert!(said.contains("classes.json` is used") && !said.contains("are new"), "{said}");
    assert_eq!(place.read("checkpoints/kept_classes.json"), names, "it is written again");
    // Without a copy nothing is guessed.
    place.write("checkpoints/kept_classes.json", &names.replace("bob", "bib"));
    std::fs::remove_dir_all(place.path("runs")).expect("removes");
    assert!(!copy.exists());
    let output = place.run(&["on.yaml", "--headless"]);
    let said = plain(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("it is damaged") && said.contains("in its place, or remove it"), "{said}");
    // Names without a checksum are those of before.
    let mut old: Value = serde_json::from_str(&names).expect("JSON");
    old.as_object_mut().expect("an object").shift_remove("crc");
    place.write("checkpoints/kept_classes.json", &old.to_string());
    let said = place.runs(&["on.yaml", "--headless"]);
    assert!(!said.contains("damaged"), "{said}");
}

#[test]
fn files_of_a_newer_facetui_are_refused_in_words() {
    let place = killed();
    let table = "checkpoints/kept_branches.json";
    let mut newer: Value = serde_json::from_str(&place.read(table)).expect("JSON");
    newer.as_object_mut().expect("an object").shift_remove("crc");
    newer["version"] = json!(1000);
    place.write(table, &newer.to_string());
    let said = place.runs(&["kept.yaml", "--headless"]);
    let words = "kept_branches.json` cannot be used: its version is 1000; this facetui knows 1: a newer one wrote it";
    assert!(said.contains(words), "{said}");
    let mut refused = 0;
    for entry in std::fs::read_dir(place.path("checkpoints")).expect("reads").flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|kind| kind == "h5") && !path.to_string_lossy().contains("_basic_") {
            let mut model = facetui::checkpoint::read(&path).expect("reads");
            model.extras.notes["state"]["version"] = json!(1000);
            facetui::checkpoint::write(&path, &model).expect("writes");
            refused += 1;
        }
    }
    assert!(refused >= 3, "{refused}");
    let output = place.run(&["kept.yaml", "--headless"]);
    let said = plain(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("kept.h5` holds a run's state of version 1000, and this facetui knows up to"), "{said}");
}
