//! Names in files of strangers lead to no place outside: class names, pairs, a state's run and models, a journal's names.
//! Each is tried with the real program, and what lies around its folders is compared before and after.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use facetui::event::{Event, Record, RunHeader};
use facetui::run::history::HistoryIndex;
use facetui::run::history::HistorySource as _;
use facetui::run::journal::JournalWriter;
use serde_json::{Value, json};

use crate::place::{Place, plain};

const SCHEDULE: &str = "\
name: inner
model: {backbone: mobilefacenet, embedding: 16, width: 0.1}
data: {train: demo/faces_112x112_folders, bins: [demo/pose.bin], workers: 1}
batch_size: 8
device: cpu
checkpoints: work/checkpoints
runs: work/runs
stages:
  - {loss: softmax, optimizer: sgd, epochs: 1}
";

/// Every file below a folder and the length of each; the folder `except` is left out.
fn all(folder: &Path, except: &str) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).expect("reads").flatten() {
            let (path, kind) = (entry.path(), entry.file_type().expect("a kind"));
            if kind.is_dir() {
                if entry.file_name() != except && entry.file_name() != "cache" {
                    open.push(path);
                }
            } else {
                found.insert(path, entry.metadata().expect("is there").len());
            }
        }
    }
    found
}

#[test]
fn class_names_of_a_set_of_records_stay_in_its_folders() {
    let place = Place::new(4, 4);
    place.runs(&["prepare", "records", "demo/faces_112x112_folders", "-o", "set"]);
    let outside = place.path("outside");
    let names = ["../outside", "..", "a/../../outside", outside.to_str().expect("text")];
    place.write("set/classes.json", &json!({"version": 1, "classes": names}).to_string());
    let before = all(&place.path(""), "out");
    place.runs(&["prepare", "folders", "set", "-o", "out/folders"]);
    place.runs(&["prepare", "subset", "set", "--classes", "3", "-o", "out/subset"]);
    place.runs(&["prepare", "shard", "set", "--shards", "2", "-o", "out/shards"]);
    assert_eq!(all(&place.path(""), "out"), before);
    assert!(place.path("out/folders/3/1.jpg").exists() || place.path("out/folders/3/13.jpg").exists());
    // A zero byte, none at all, and a file that is none: the classes go by their numbers, or by these words.
    for text in
        [r#"{"version": 1, "classes": ["", ".", "a\u0000b", "/"]}"#, "{\"version\": 9, \"classes\": []}", "../x"]
    {
        place.write("set/classes.json", text);
        let before = all(&place.path(""), "out");
        place.runs(&["prepare", "folders", "set", "-o", "out/again"]);
        assert_eq!(all(&place.path(""), "out"), before, "{text}");
    }
}

#[test]
fn a_pairs_file_reads_no_image_outside_of_its_folder() {
    let place = Place::new(4, 4);
    std::fs::copy(place.path("demo/faces_112x112_folders/0/1.jpg"), place.path("outside.jpg")).expect("copies");
    let outside = place.path("outside.jpg");
    for name in ["../../outside.jpg", "0/../../../outside.jpg", outside.to_str().expect("text")] {
        assert!(place.path("demo/faces_112x112_folders").join(name).is_file(), "{name}");
        place.write("demo/faces_112x112_folders/pairs.txt", &format!("0/1.jpg 0/2.jpg 1\n0/1.jpg {name} 0\n"));
        let output = place.run(&["prepare", "bin", "demo/faces_112x112_folders/pairs.txt", "-o", "made.bin"]);
        let said = plain(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("line 2 of") && said.contains("leads out of"), "{said}");
        assert!(!place.path("made.bin").exists());
    }
}

#[test]
fn records_are_not_written_through_a_link() {
    let place = Place::new(4, 4);
    let make = ["prepare", "records", "demo/faces_112x112_folders", "-o", "set"];
    place.runs(&make);
    let marker = place.read("set/prepare.json").replace("\"complete\": true", "\"complete\": false");
    place.write("set/prepare.json", &marker);
    place.write("mine", "mine");
    for file in ["train.rec", "train.rec.partial"] {
        let _ = std::fs::remove_file(place.path("set/train.rec"));
        std::os::unix::fs::symlink("../mine", place.path("set").join(file)).expect("links");
        let output = place.run(&make);
        let said = plain(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("is a link to `../mine`"), "{said}");
        assert_eq!(place.read("mine"), "mine");
    }
}

/// The whole model of `inner` with another state, made as facetui makes files.
fn forged(place: &Place, change: impl Fn(&mut Value)) {
    let path = place.path("work/checkpoints/inner.h5");
    let mut model = facetui::checkpoint::read(&path).expect("reads");
    change(&mut model.extras.notes["state"]);
    facetui::checkpoint::write(&path, &model).expect("writes");
}

#[test]
fn a_state_leads_to_no_other_folder_and_removes_no_other_file() {
    let place = Place::new(4, 4);
    place.write("inner.yaml", SCHEDULE);
    place.runs(&["inner.yaml", "--headless"]);
    let on = ["inner.yaml", "--headless", "--resume-changed", "--set", "stages.0.epochs=2"];
    let outside = place.path("outside").display().to_string();
    for run in ["../../outside", "..", "", outside.as_str(), "a/b"] {
        forged(&place, |state| {
            state["complete"] = json!(false);
            state["identity"]["run_id"] = json!(run);
        });
        let before = all(&place.path(""), "");
        let output = place.run(&on);
        let said = plain(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("inner.h5` names the folder") && said.contains("--fresh"), "{said}");
        assert_eq!(all(&place.path(""), ""), before, "{run}");
    }
    // The best basic model of before is removed when there is a better one: only if it is one of this run.
    place.write("mine.h5", "mine");
    place.write("work/checkpoints/other_basic_pose_epoch_1_0.500000.h5", "another run's");
    place.write("work/checkpoints/inner.h5.old", "mine");
    let runs = std::fs::read_dir(place.path("work/runs")).expect("runs").flatten().map(|run| run.file_name());
    let run = runs.map(|name| name.to_string_lossy().into_owned()).next().expect("a run");
    let kept = place.path("work/checkpoints/inner.h5");
    let state = std::fs::read(&kept).expect("reads");
    for basic in
        ["../../mine.h5", "other_basic_pose_epoch_1_0.500000.h5", "inner.h5.old", "inner_basic_/../../../mine.h5"]
    {
        std::fs::write(&kept, &state).expect("writes");
        forged(&place, |state| {
            state["complete"] = json!(false);
            state["stage"] = json!(0);
            state["stage_epochs"] = json!(1);
            state["identity"]["run_id"] = json!(run);
            state["basic"] = json!(basic);
            state["best"] = json!(-1.0);
        });
        let said = place.runs(&on);
        assert!(said.contains("resuming `"), "{said}");
        assert!(
            place
                .path("work/checkpoints")
                .read_dir()
                .expect("reads")
                .flatten()
                .any(|file| { file.file_name().to_string_lossy().starts_with("inner_basic_pose_epoch_2") })
        );
        assert_eq!(place.read("mine.h5"), "mine");
        assert_eq!(place.read("work/checkpoints/other_basic_pose_epoch_1_0.500000.h5"), "another run's");
        assert_eq!(place.read("work/checkpoints/inner.h5.old"), "mine");
    }
}

#[test]
fn a_journals_names_move_and_write_nothing_outside_of_its_run() {
    let place = Place::new(4, 4);
    place.write("keep", "mine");
    let folder = place.path("work/runs/a");
    std::fs::create_dir_all(&folder).expect("makes");
    for name in ["../../../keep", "/", "..", "", "keep\0"] {
        let header = RunHeader { name: name.to_owned(), run_id: name.to_owned(), ..RunHeader::default() };
        let events = [
            Event::RunStarted(Box::new(header)),
            Event::BranchStarted { branch: 0, name: name.to_owned(), run_id: name.to_owned() },
        ];
        let _ = std::fs::remove_file(folder.join("journal.jsonl"));
        let mut journal = JournalWriter::open(&folder).expect("opens");
        for event in events {
            journal.append(&Record { at: 1.0, event }).expect("appends");
        }
        let before = all(&place.path(""), "runs");
        let mut runs = HistoryIndex::new(place.path("work/runs"));
        let run = runs.list().remove(0);
        assert_eq!(run.id, "a");
        runs.open(&run).expect("opens");
        let trash = runs.discard(&run).expect("moves");
        assert!(trash.starts_with(place.path("work/runs/.trash")), "{}", trash.display());
        assert_eq!(all(&place.path(""), "runs"), before, "{name:?}");
        std::fs::rename(trash, &folder).expect("comes back");
        // As the history trains a run again: with its name.
        place.write("work/runs/a/schedule.yaml", SCHEDULE);
        let named = format!("name={}", Value::from(name));
        let output = place.run(&["work/runs/a/schedule.yaml", "--headless", "--set", &named]);
        if !name.contains('\0') {
            assert_eq!(output.status.code(), Some(2), "{}", plain(&output));
        }
        assert_eq!(all(&place.path(""), "runs"), before, "{name:?}");
    }
}
