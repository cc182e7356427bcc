//! The schedules that come with the project: every one is valid, and those that need no more than a handful of drawn
//! faces are trained by the real program.

use std::path::{Path, PathBuf};

use facetui::schedule;

use crate::place::Place;

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(folder).expect("reads").flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect();
    files.sort();
    files
}

#[test]
fn every_schedule_is_valid_and_warns_of_nothing() {
    let files: Vec<PathBuf> = files("schedules").into_iter().chain(files("schedules/examples")).collect();
    assert!(files.len() >= 19, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).expect("reads");
        let name = file.display().to_string();
        let loaded = schedule::parse(&name, &text, &[], &|_| None);
        let loaded = loaded.unwrap_or_else(|error| panic!("{name}: {error}: {:?}", error.problems()));
        assert!(loaded.warnings.is_empty(), "{name}: {:?}", loaded.warnings);
        assert!(text.starts_with("# "), "{name} says what it is for");
    }
}

#[test]
fn a_file_that_is_no_schedule_for_its_length_is_refused() {
    let folder = std::env::temp_dir().join(format!("facetui-long-schedule-{}", std::process::id()));
    let text = "# nothing\n".repeat(10_000);
    std::fs::write(&folder, &text).expect("writes");
    let error = schedule::load(&folder, &[]).expect_err("is refused");
    std::fs::remove_file(&folder).expect("removes");
    let said = format!("{:?}", error.problems());
    assert!(said.contains("more than 65536 bytes"), "{error}: {said}");
}

/// The schedulers of the reference's README that are one line, and the example that goes on from a file.
#[test]
fn every_example_of_the_reference_trains_on_drawn_faces() {
    let place = Place::new(4, 6);
    let mut examples: Vec<PathBuf> = files("schedules/examples");
    // The continued example goes on from what another leaves.
    examples.sort_by_key(|path| path.file_stem().is_some_and(|stem| stem == "continue_training"));
    assert_eq!(examples.len(), 16);
    for example in &examples {
        let path = example.to_str().expect("UTF-8");
        let said = place.runs(&[path, "--headless", "--set", "batch_size=12", "--set", "device=cpu"]);
        assert!(said.contains("completed"), "{path}: {said}");
        let stem = example.file_stem().expect("a name").to_string_lossy().into_owned();
        assert!(place.path(&format!("checkpoints/example_{stem}.h5")).exists(), "{path}");
    }
    let continued = &place.journals("example_continue_training")[0];
    // The reference's `tt.train(sch, 19)`: the next epoch is the twentieth, the frozen stage counts its own.
    let numbers: Vec<u32> = crate::place::epochs(continued).iter().map(|(_, epoch, ..)| *epoch).collect();
    assert_eq!(numbers, [20, 1, 21, 22, 23, 24]);
}

#[test]
fn the_loss_comparison_runs_as_its_comment_says() {
    let place = Place::new(4, 6);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules/loss_comparison.yaml");
    let mut arguments = vec![path.to_str().expect("UTF-8"), "--headless"];
    for set in [
        "data.train=demo/faces_112x112_folders",
        "data.bins=[demo/pose.bin,demo/age.bin,demo/frontal.bin]",
        "model.width=0.25",
        "batch_size=12",
        "stages.0.epochs=1",
        "device=cpu",
    ] {
        arguments.extend(["--set", set]);
    }
    let said = place.runs(&arguments);
    for branch in ["start, epoch 1", "softmax", "margin_softmax", "center_arcface", "batch_all_triplet"] {
        assert!(said.contains(branch), "{branch} is missing in {said}");
    }
    let table = place.read("checkpoints/keras_mobilenet_256_branches.json");
    let table: serde_json::Value = serde_json::from_str(&table).expect("JSON");
    assert_eq!(table["branches"].as_array().expect("a list").len(), 7);
}
