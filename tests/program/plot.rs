//! `facetui plot` as a user runs it: the real binary on histories and journals.

use std::path::Path;
use std::process::{Command, Output};

use facetui::event::{BinResult, Event, Record};
use facetui::run::journal::JournalWriter;

fn plot(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_facetui"));
    command.arg("plot").args(arguments).current_dir(folder).env("NO_COLOR", "1").output().expect("starts")
}

fn refused(output: &Output, code: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "`{word}` is missing in: {said}");
    }
}

const HISTORY: &str =
    r#"{"loss": [2.5, NaN, 1.25], "accuracy": [0.1, 0.2], "lr": [0.1, 0.1, 0.1], "lfw": [0.5, 0.75, 0.625]}"#;

fn place() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("old_hist.json"), HISTORY).expect("writes");
    let run = folder.path().join("runs/demo-1");
    std::fs::create_dir_all(&run).expect("makes");
    let mut writer = JournalWriter::open(&run).expect("opens");
    for index in 1..=3 {
        let result = BinResult {
            bin: "lfw".into(),
            accuracy: 0.5 + 0.1 * f64::from(index),
            threshold: 0.3,
            fold_mean: None,
            fold_deviation: None,
            pairs: 600,
            seconds: 1.0,
            rates: Vec::new(),
        };
        let ended = Event::EpochEnded {
            stage: usize::from(index == 3),
            epoch: index,
            index,
            loss: 3.0 / f64::from(index),
            accuracy: Some(0.2),
            learning_rate: 0.1,
            seconds: 1.0,
            images_per_second: 9.0,
            waited: 0.0,
        };
        for event in [Event::BinEvaluated { index, result }, ended] {
            writer.append(&Record { at: 1.0, event }).expect("appends");
        }
    }
    folder
}

#[test]
fn runs_and_histories_become_one_file_and_nothing_else() {
    let place = place();
    for (name, start) in [("a.svg", b"<svg".as_slice()), ("a.PNG", b"\x89PNG")] {
        let output = plot(place.path(), &["demo-1", "old_hist.json", "-o", name, "--title", "Two runs", "--log"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("2 runs, 6 epochs"));
        assert!(std::fs::read(place.path().join(name)).expect("is there").starts_with(start));
    }
    let svg = std::fs::read_to_string(place.path().join("a.svg")).expect("reads");
    for text in [">Two runs<", ">demo-1<", ">old<", ">0.8000 (3)<", ">0.7500 (2)<", ">1.2500 (3)<"] {
        assert!(svg.contains(text), "{text} is missing");
    }
    let mut files: Vec<_> = std::fs::read_dir(place.path())
        .expect("reads")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    assert_eq!(files, ["a.PNG", "a.svg", "old_hist.json", "runs"]);
}

#[test]
fn a_split_names_the_stages() {
    let place = place();
    let output = plot(place.path(), &["old_hist.json", "-o", "a.svg", "--split", "Softmax:0-1,Arcface:1-"]);
    assert_eq!(output.status.code(), Some(0));
    let svg = std::fs::read_to_string(place.path().join("a.svg")).expect("reads");
    assert!(svg.contains(">Softmax<") && svg.contains(">Arcface<"));
    let output = plot(place.path(), &["old_hist.json", "-o", "a.svg", "--split", "Softmax:5-1"]);
    refused(&output, 2, &["ends before it begins", "Softmax:0-15"]);
}

#[test]
fn mistakes_are_told_and_write_nothing() {
    let place = place();
    std::fs::write(place.path().join("bad_hist.json"), "{\"loss\": 3}").expect("writes");
    std::fs::write(place.path().join("empty_hist.json"), "{}").expect("writes");
    std::fs::create_dir(place.path().join("nothing")).expect("makes");
    for (arguments, code, words) in [
        (["demo-2", "-o", "b.svg"], 2, ["no run `demo-2`", "`demo-1`"]),
        (["demo-1", "-o", "b.pdf"], 2, ["`b.pdf` is neither an SVG nor a PNG file", "`.svg`"]),
        (["demo-1", "-o", "b"], 2, ["`b` is neither an SVG nor a PNG file", "`.png`"]),
        (["bad_hist.json", "-o", "b.svg"], 1, ["bad_hist.json", "integer `3`"]),
        (["empty_hist.json", "-o", "b.svg"], 1, ["empty_hist.json", "no finished epoch"]),
        (["nothing", "-o", "b.svg"], 1, ["nothing", "no `journal.jsonl`"]),
        (["demo-1", "-o", "missing/b.svg"], 1, ["missing/b.svg", "written"]),
    ] {
        refused(&plot(place.path(), &arguments), code, &words);
    }
    refused(&plot(place.path(), &["demo-1", "-o", "b.svg", "--size", "9x9"]), 2, &["out of range"]);
    assert!(!place.path().join("b.svg").exists());
}
