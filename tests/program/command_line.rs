//! The program as a user runs it: the real binary on real files, with pipes.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use facetui::event::{Event, Record};
use facetui::run::journal;
use facetui::synth::{SynthOptions, generate};

/// A folder with a tiny data set, a bin of it, and a schedule.
struct Place {
    folder: tempfile::TempDir,
}

const SCHEDULE: &str = "\
name: tiny
model: {backbone: mobilefacenet, embedding: 16, width: 0.1}
data:
  train: data/faces_112x112_folders
  bins: [tiny.bin]
  augment: 3
batch_size: 8
device: cpu
stages:
  - {loss: softmax, optimizer: nadam, epochs: 2}
  - {loss: arcface, bottleneck_only: true, epochs: 1}
  - {loss: arcface, epochs: EPOCHS}
";

impl Place {
    fn new(epochs: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = SynthOptions { identities: 4, images: 10, seed: 1, bins: false };
        generate(&folder.path().join("data"), &options, &|_, _| {}).expect("draws");
        let place = Self { folder };
        place.bin();
        place.write("tiny.yaml", &SCHEDULE.replace("EPOCHS", &epochs.to_string()));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("writes");
    }

    /// Pairs of the data set's own images: 6 of one person, 6 of two.
    fn bin(&self) {
        let image = |class: usize, number: usize| {
            let path = self.path(&format!("data/faces_112x112_folders/{class}/{}.jpg", class * 10 + number + 1));
            std::fs::read(path).expect("reads")
        };
        let (mut images, mut same) = (Vec::new(), Vec::new());
        for pair in 0..12 {
            images.extend([image(pair % 4, pair / 4), image((pair + pair % 2) % 4, 9 - pair / 4)]);
            same.push(pair % 2 == 0);
        }
        let bytes = facetui::data::pickle::write::pairs(&images, &same);
        std::fs::write(self.path("tiny.bin"), bytes).expect("writes");
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_facetui"));
        command.args(arguments).current_dir(self.folder.path()).env("XDG_CACHE_HOME", self.path("cache"));
        command.env("OMP_NUM_THREADS", "1").env("NO_COLOR", "1").output().expect("starts")
    }

    fn journal(&self) -> Vec<Record> {
        let run = std::fs::read_dir(self.path("runs")).expect("runs").flatten().next().expect("a run");
        journal::read(&journal::path(&run.path()), true).expect("reads")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Fails as a user would want: this exit code, and one message with all of these words.
fn refused(output: &Output, code: i32, words: &[&str]) {
    let said = text(&output.stderr) + &text(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{said}");
    let plain = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(plain.contains(word), "`{word}` is missing in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_piped_run_tells_every_epoch_and_leaves_whole_files() {
    let place = Place::new(1);
    let output = place.run(&["tiny.yaml"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    assert!(!said.contains('\u{1b}'), "an escape code in {said:?}");
    let ends: Vec<(u32, f64, Option<f64>)> = place
        .journal()
        .into_iter()
        .filter_map(|record| match record.event {
            Event::EpochEnded { epoch, loss, accuracy, .. } => Some((epoch, loss, accuracy)),
            _ => None,
        })
        .collect();
    // The bottleneck-only stage counts its own epochs and does not advance the global ones.
    assert_eq!(ends.iter().map(|(epoch, ..)| *epoch).collect::<Vec<_>>(), [1, 2, 1, 3]);
    let history = std::fs::read_to_string(place.path("checkpoints/tiny_hist.json")).expect("reads");
    let history: serde_json::Value = serde_json::from_str(&history).expect("JSON");
    for (at, (epoch, loss, accuracy)) in ends.iter().enumerate() {
        assert!(said.contains(&format!("epoch {epoch} ended: loss {loss:.4}")), "{said}");
        assert!((history["loss"][at].as_f64().expect("a loss") - loss).abs() < 1e-9);
        assert!((history["accuracy"][at].as_f64().expect("one") - accuracy.expect("one")).abs() < 1e-9);
    }
    let bin = history["tiny"].as_array().expect("the bin");
    assert_eq!((bin.len(), &bin[1]), (4, &bin[2]), "a frozen stage repeats the bin's figures");
    let model = facetui::checkpoint::read(&place.path("checkpoints/tiny.h5")).expect("reads");
    assert_eq!(model.graph.nodes().last().expect("a head").name, "arcface");
    assert!(model.optimizer.is_some_and(|optimizer| optimizer.class_name == "Nadam" && optimizer.iterations > 0));
    let files = std::fs::read_dir(place.path("checkpoints")).expect("reads").flatten();
    let names: Vec<String> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(names.iter().filter(|name| name.starts_with("tiny_basic_tiny_epoch_")).count(), 1, "{names:?}");
    assert!(names.iter().all(|name| !name.contains("partial")), "{names:?}");
}

#[test]
fn the_same_seed_gives_the_same_run_and_the_files_before_are_kept() {
    let place = Place::new(1);
    let losses = |place: &Place| std::fs::read_to_string(place.path("checkpoints/tiny_hist.json")).expect("reads");
    assert_eq!(place.run(&["tiny.yaml", "--headless"]).status.code(), Some(0));
    let first = losses(&place);
    assert_eq!(place.run(&["tiny.yaml", "--headless", "--set", "data.workers=3"]).status.code(), Some(0));
    assert_eq!(losses(&place), first);
    assert!(place.path("checkpoints/earlier/tiny-1/tiny.h5").exists());
}

#[test]
fn mistakes_in_a_schedule_are_named_with_their_line() {
    let place = Place::new(1);
    let good = std::fs::read_to_string(place.path("tiny.yaml")).expect("reads");
    for (from, to, words) in [
        ("epochs: 2", "epocs: 2", ["tiny.yaml:10", "epocs", "epochs"]),
        ("loss: softmax", "loss: sofmax", ["tiny.yaml:10", "sofmax", "softmax"]),
        ("epochs: 2", "epochs: ten", ["tiny.yaml:10", "ten", "number"]),
        ("data/faces_112x112_folders", "nowhere/faces", ["tiny.yaml:4", "nowhere/faces", "--set"]),
    ] {
        place.write("bad.yaml", &good.replace(from, to));
        let words: Vec<String> = words.iter().map(|word| word.replace("tiny.yaml", "bad.yaml")).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        refused(&place.run(&["bad.yaml", "--headless"]), 2, &words);
        refused(&place.run(&["check", "bad.yaml"]), 2, &words);
    }
    assert!(!place.path("checkpoints").exists() && !place.path("runs").exists());
    assert_eq!(place.run(&["check", "tiny.yaml"]).status.code(), Some(0));
}

#[test]
fn a_file_is_inspected_and_its_problems_are_named() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/layers");
    let folder = tempfile::tempdir().expect("a folder");
    let model = folder.path().join("nested.h5");
    let packed = std::fs::File::open(cases.join("tf_keras_nested.h5.gz")).expect("opens");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).expect("unpacks");
    std::fs::write(&model, &bytes).expect("writes");
    let inspect = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_facetui"));
        command.arg("inspect").args(arguments).current_dir(folder.path()).output().expect("runs")
    };
    let table = inspect(&["nested.h5"]);
    let text = String::from_utf8(table.stdout).expect("text");
    assert!(table.status.success(), "{text}");
    for wanted in ["tail_conv (Conv2D)", "weights of third_conv", "frozen", "(6, 5, 4)", "optimizer: none", "trainable"]
    {
        assert!(text.contains(wanted), "no `{wanted}` in\n{text}");
    }
    let lines = inspect(&["nested.h5", "--json"]);
    let value: serde_json::Value = serde_json::from_slice(&lines.stdout).expect("JSON");
    let layers = value["layers"].as_array().expect("layers");
    let sum: u64 = layers.iter().map(|layer| layer["params"].as_u64().expect("a number")).sum();
    assert_eq!(value["totals"]["weights"].as_u64(), Some(sum));
    std::fs::write(folder.path().join("half.h5"), &bytes[..bytes.len() / 2]).expect("writes");
    std::fs::write(folder.path().join("text.h5"), "no model").expect("writes");
    for (file, code) in [("missing.h5", 2), ("text.h5", 1), ("half.h5", 1)] {
        let refused = inspect(&[file]);
        assert_eq!(refused.status.code(), Some(code), "{file}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(file), "{file}");
    }
}

#[test]
fn what_is_wrong_with_files_is_named_with_their_path() {
    let place = Place::new(1);
    std::fs::create_dir(place.path("data/faces_112x112_folders/9")).expect("makes");
    refused(&place.run(&["tiny.yaml", "--headless"]), 1, &["faces_112x112_folders/9", "holds no image"]);
    std::fs::remove_dir(place.path("data/faces_112x112_folders/9")).expect("removes");
    std::fs::write(place.path("data/faces_112x112_folders/2/x.jpg"), "no picture").expect("writes");
    refused(&place.run(&["tiny.yaml", "--headless"]), 1, &["faces_112x112_folders/2/x.jpg", "JPEG"]);
    std::fs::remove_file(place.path("data/faces_112x112_folders/2/x.jpg")).expect("removes");
    place.write("blocked", "a file where the folder should be");
    refused(&place.run(&["tiny.yaml", "--headless", "--set", "checkpoints=blocked"]), 1, &["`blocked`", "checkpoints"]);
    // The run that met the picture kept its state; without it the set is another.
    refused(
        &place.run(&["tiny.yaml", "--headless"]),
        1,
        &["40 images of 4 classes", "had 41 of 4", "--resume-changed"],
    );
    place.write("tiny.bin", "no pickle");
    refused(&place.run(&["tiny.yaml", "--headless", "--fresh"]), 1, &["tiny.bin", "pickle"]);
}

#[test]
fn the_example_says_which_data_are_missing_and_how_to_get_on() {
    let place = Place::new(1);
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules/mobilefacenet.yaml");
    let output = place.run(&[example.to_str().expect("UTF-8"), "--headless"]);
    refused(&output, 2, &["faces_emore_112x112_folders", "lfw.bin", "FACETUI_DATA", "--set", "facetui synth"]);
}
