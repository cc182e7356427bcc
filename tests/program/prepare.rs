//! `facetui prepare` through the real program: records, folders and parts of drawn faces, and what of it mxnet reads.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use facetui::data::recordio::RecordFile;
use facetui::data::source::Source;
use sha2::{Digest, Sha256};

use crate::place::{Place, epochs, plain};

pub const FACES: &str = "demo/faces_112x112_folders";

/// Every file below a folder, by its path in it, less what `prepare` notes.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).expect("reads").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if entry.file_name() != "prepare.json" {
                let name = path.strip_prefix(folder).expect("below").display().to_string();
                found.insert(name, std::fs::read(path).expect("reads"));
            }
        }
    }
    found
}

pub fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// What Python reads of a set of records: mxnet where `FACETUI_MXNET_PYTHONPATH` says where it is, else a reader of dmlc's
/// format in plain Python; none without Python.
fn python(folder: &Path) -> Option<serde_json::Value> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut command = Command::new(set("FACETUI_TEST_PYTHON").unwrap_or_else(|| "python3".to_owned()));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/records_check.py")).arg(folder);
    // mxnet wants NumPy, which lies beside Keras.
    let mxnet = set("FACETUI_MXNET_PYTHONPATH");
    let paths = [mxnet.clone(), set("FACETUI_KERAS_PYTHONPATH")];
    command.env("PYTHONPATH", paths.into_iter().flatten().collect::<Vec<_>>().join(":"));
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => {
            assert!(set("CI").is_none(), "CI must run this: {error}");
            return None;
        }
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(mxnet.is_none() || found["reader"] == "mxnet", "mxnet is there, but {} read", found["reader"]);
    Some(found)
}

#[test]
fn folders_become_records_and_records_the_same_folders() {
    let place = Place::new(4, 6);
    // A class that is missing, and an image whose bytes hold the magic number at a multiple of four.
    std::fs::rename(place.path(&format!("{FACES}/3")), place.path(&format!("{FACES}/5"))).expect("renames");
    let odd = place.path(&format!("{FACES}/1/10.jpg"));
    let mut bytes = std::fs::read(&odd).expect("reads");
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend([0x0a, 0x23, 0xd7, 0xce, 1, 2, 0x0a, 0x23, 0xd7, 0xce, 0x0a, 0x23, 0xd7, 0xce]);
    std::fs::write(&odd, &bytes).expect("writes");

    let said = place.runs(&["prepare", "records", FACES, "-o", "set"]);
    assert!(said.contains("wrote 24 images to `set`"), "{said}");
    let set = RecordFile::open(&place.path("set"), &|_, _| {}).expect("opens");
    let folders = facetui::data::folder::FolderSet::open(&place.path(FACES), None, &|_, _| {}).expect("lists");
    assert_eq!((set.labels(), set.classes()), (Source::labels(&folders), 6));
    for image in 0..24 {
        assert_eq!(set.image_bytes(image).expect("reads"), std::fs::read(folders.path(image)).expect("reads"));
    }

    if let Some(found) = python(&place.path("set")) {
        eprintln!("read by {}", found["reader"]);
        assert_eq!(found["property"], "6,112,112\n");
        let records = found["records"].as_array().expect("records");
        assert_eq!(records.len(), 1 + 24 + 6);
        assert_eq!(records[0]["labels"], serde_json::json!([25.0, 31.0]));
        for image in 0..24 {
            let record = &records[image + 1];
            assert_eq!(record["labels"], serde_json::json!([f64::from(folders.label(image))]));
            assert_eq!(
                (record["number"].as_u64(), record["id"].as_u64()),
                (Some(image as u64 + 1), Some(image as u64 + 1))
            );
            assert_eq!(record["sha256"], sha256(&std::fs::read(folders.path(image)).expect("reads")));
        }
        let ranges: Vec<_> = records[25..].iter().map(|record| record["labels"].to_string()).collect();
        assert_eq!(ranges, ["[1.0,7.0]", "[7.0,13.0]", "[13.0,19.0]", "[19.0,19.0]", "[19.0,19.0]", "[19.0,25.0]"]);
    }

    place.runs(&["prepare", "folders", "set", "-o", "again"]);
    let again = files(&place.path("again"));
    assert_eq!(again.len(), 24);
    for image in 0..24 {
        let name = format!("{}/{}.jpg", folders.label(image), image + 1);
        assert_eq!(again[&name], std::fs::read(folders.path(image)).expect("reads"), "{name}");
    }
    place.runs(&["prepare", "records", "again", "-o", "set2"]);
    assert_eq!(files(&place.path("set2")), files(&place.path("set")));
}

#[test]
fn a_second_run_does_nothing_and_an_interrupted_one_goes_on() {
    let place = Place::new(3, 5);
    let records = ["prepare", "records", FACES, "-o", "set"];
    place.runs(&records);
    let whole = files(&place.path("set"));
    let changed = |name: &str| std::fs::metadata(place.path(name)).expect("is there").modified().expect("a time");
    let before = changed("set/train.rec");
    assert!(place.runs(&records).contains("nothing to do: all 15 images are in `set`"));
    assert_eq!(changed("set/train.rec"), before);

    // As a killed process leaves it, cut in the middle of a record or of its first words.
    let marker = place.read("set/prepare.json").replace("\"complete\": true", "\"complete\": false");
    for cut in [0, 3, 40, 45, whole["train.rec"].len() / 2, whole["train.rec"].len() - 2] {
        place.write("set/prepare.json", &marker);
        std::fs::remove_file(place.path("set/train.rec")).expect("removes");
        std::fs::write(place.path("set/train.rec.partial"), &whole["train.rec"][..cut]).expect("writes");
        let said = place.runs(&records);
        assert!(said.contains("to `set`") && !said.contains("nothing to do") || cut > 15_000, "{cut}: {said}");
        assert_eq!(files(&place.path("set")), whole, "{cut}");
    }
    // What was left is of something else.
    place.write("set/prepare.json", &marker);
    let mut other = whole["train.rec"].clone();
    other[100] ^= 1;
    std::fs::write(place.path("set/train.rec"), &other).expect("writes");
    let output = place.run(&records);
    assert_eq!(output.status.code(), Some(1));
    assert!(plain(&output).contains("record 1 is another"), "{}", plain(&output));
    std::fs::write(place.path("set/train.rec"), &whole["train.rec"]).expect("writes");

    let folders = ["prepare", "folders", "set", "-o", "again"];
    place.runs(&folders);
    let whole = files(&place.path("again"));
    assert!(place.runs(&folders).contains("nothing to do"));
    let marker = place.read("again/prepare.json").replace("\"complete\": true", "\"complete\": false");
    place.write("again/prepare.json", &marker);
    std::fs::remove_file(place.path("again/1/7.jpg")).expect("removes");
    std::fs::write(place.path("again/2/11.jpg"), "torn").expect("writes");
    std::fs::write(place.path("again/2/.prepare-x"), "a draft").expect("writes");
    let said = place.runs(&folders);
    assert!(said.contains("wrote the missing 2 of 15 images"), "{said}");
    assert_eq!(files(&place.path("again")), whole);

    // Another set in the same place, and a place that holds something else.
    for (set, to, words) in
        [(FACES, "again", "another set"), ("set", "demo", "other files"), ("set", "set", "of another set")]
    {
        let output = place.run(&["prepare", "folders", set, "-o", to]);
        assert_eq!(output.status.code(), Some(1));
        assert!(plain(&output).contains(words), "{}", plain(&output));
    }
    assert_eq!(files(&place.path("again")), whole);
}

#[test]
fn records_and_their_folders_train_alike() {
    let place = Place::new(4, 10);
    place.runs(&["prepare", "records", FACES, "-o", "set"]);
    place.runs(&["prepare", "folders", "set", "-o", "folders"]);
    place.write(
        "run.yaml",
        "model: {backbone: mobilefacenet, embedding: 16, width: 0.1}\n\
         data: {train: set, bins: [], augment: 3}\nbatch_size: 8\ndevice: cpu\nseed: 5\n\
         stages:\n  - {loss: softmax, optimizer: nadam, epochs: 1}\n  - {loss: arcface, epochs: 2}\n",
    );
    let losses = |name: &str, train: &str| {
        place.runs(&[
            "run.yaml",
            "--headless",
            "--set",
            &format!("name={name}"),
            "--set",
            &format!("data.train={train}"),
        ]);
        epochs(&place.journals(name)[0]).into_iter().map(|(.., loss, _)| loss).collect::<Vec<_>>()
    };
    let records = losses("records", "set/train.rec");
    let folders = losses("folders", "folders");
    assert_eq!((records.len(), folders.len()), (3, 3));
    for (one, other) in records.iter().zip(&folders) {
        assert!((one - other).abs() < 1e-5, "{records:?} {folders:?}");
    }
}

#[test]
fn a_subset_keeps_the_first_classes_with_enough_images() {
    let place = Place::new(4, 6);
    std::fs::remove_file(place.path(&format!("{FACES}/1/12.jpg"))).expect("removes");
    place.runs(&["prepare", "subset", FACES, "-o", "part", "--classes", "2", "--min-images", "6"]);
    let part = files(&place.path("part"));
    assert_eq!(part.len(), 12);
    assert_eq!(part["0/1.jpg"], std::fs::read(place.path(&format!("{FACES}/0/1.jpg"))).expect("reads"));
    // Class 2 of the set, whose images are the 12th to the 17th of what is left, is class 1 of the part.
    assert_eq!(part["1/12.jpg"], std::fs::read(place.path(&format!("{FACES}/2/13.jpg"))).expect("reads"));
    place.runs(&["prepare", "records", FACES, "-o", "set"]);
    place.runs(&["prepare", "subset", "set", "-o", "records", "--classes", "2", "--min-images", "6"]);
    let set = RecordFile::open(&place.path("records"), &|_, _| {}).expect("opens");
    assert_eq!(set.labels(), [[0; 6], [1; 6]].concat());
    assert_eq!(set.image_bytes(6).expect("reads"), part["1/12.jpg"]);
    let refused = place.run(&["prepare", "subset", FACES, "-o", "none", "--min-images", "7"]);
    assert!(refused.status.code() == Some(1) && plain(&refused).contains("0 classes with at least 7 images"));
}

#[test]
fn several_sets_train_as_one_with_their_classes_beside_each_other_or_merged() {
    let place = Place::new(4, 6);
    place.runs(&["prepare", "records", FACES, "-o", "set"]);
    place.runs(&["prepare", "subset", FACES, "-o", "part", "--classes", "2"]);
    let header = |name: &str, train: &str| {
        place.write(
            "run.yaml",
            &format!(
                "name: {name}\nmodel: {{backbone: mobilefacenet, embedding: 16, width: 0.1}}\n\
                 data: {{train: {train}, bins: []}}\nbatch_size: 16\ndevice: cpu\n\
                 stages: [{{loss: softmax, optimizer: adam, epochs: 1}}]\n"
            ),
        );
        place.runs(&["run.yaml", "--headless"]);
        let journal = place.journals(name).swap_remove(0);
        let started = journal.iter().find_map(|record| match &record.event {
            facetui::event::Event::RunStarted(header) => Some((header.images, header.classes)),
            _ => None,
        });
        started.expect("started")
    };
    assert_eq!(header("beside", "[set, part]"), (36, 6));
    assert_eq!(header("merged", "[set, {path: part, labels: merge}]"), (36, 4));
    let refused = place.run(&["check", "run.yaml", "--set", "data.train=[set, nowhere]"]);
    assert!(refused.status.code() == Some(2) && plain(&refused).contains("`nowhere` does not exist"));
}

#[test]
fn data_says_what_is_in_a_set_and_in_a_bin() {
    let place = Place::new(4, 6);
    let copy = |from: &str, to: &str| {
        std::fs::copy(place.path(&format!("{FACES}/{from}")), place.path(&format!("{FACES}/{to}"))).expect("copies");
    };
    copy("0/1.jpg", "1/x.jpg");
    copy("2/13.jpg", "2/y.jpg");
    place.runs(&["prepare", "bin", FACES, "-o", "own.bin", "--pairs", "2", "--seed", "1"]);
    place.write(&format!("{FACES}/3/z.jpg"), "no picture");
    let json = |arguments: &[&str]| -> serde_json::Value {
        let output = place.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", plain(&output));
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let found = json(&["data", FACES, "--bin", "own.bin", "--json"]);
    let expected = [
        ("images", 27),
        ("classes", 4),
        ("present_classes", 4),
        ("least", 6),
        ("median", 7),
        ("most", 7),
        ("unreadable", 1),
        ("duplicates_within", 1),
        ("duplicates_across", 1),
    ];
    for (key, value) in expected {
        assert_eq!(found[key], value, "{key}: {found}");
    }
    assert_eq!(found["sizes"], serde_json::json!({"112x112": 26}));
    assert_eq!(found["formats"], serde_json::json!({"JPEG": 26}));
    assert_eq!(found["duplicates_names"][0]["classes"], serde_json::json!([0, 1]));
    assert!(found["unreadable_names"][0]["name"].as_str().expect("a name").ends_with("3/z.jpg"));
    let overlap = &found["overlaps"][0];
    assert_eq!((&overlap["same_bytes"], &overlap["same_pixels"]), (&overlap["images"], &overlap["images"]));
    let text = place.runs(&["data", FACES]);
    assert!(text.contains("27 images of 4 classes") && text.contains("4-7 ####"), "{text}");

    let images = [std::fs::read(place.path(&format!("{FACES}/0/1.jpg"))).expect("reads"), b"no picture".to_vec()];
    let all = [0, 0, 0, 1, 1, 0].map(|at: usize| images[at].clone());
    std::fs::write(place.path("odd.bin"), facetui::data::pickle::write::pairs(&all, &[false, true, true]))
        .expect("writes");
    let found = json(&["data", "odd.bin", "--json"]);
    for (key, value) in [
        ("pairs", 3),
        ("same", 2),
        ("different", 1),
        ("images", 2),
        ("repeated_pairs", 1),
        ("pairs_with_itself", 1),
        ("different_but_equal", 1),
    ] {
        assert_eq!(found[key], value, "{key}: {found}");
    }
    assert!(place.runs(&["data", "odd.bin"]).contains("3 pairs, 2 of one person, 1 of two"));
}

#[test]
fn damaged_records_are_named() {
    let place = Place::new(2, 3);
    place.runs(&["prepare", "records", FACES, "-o", "set"]);
    let whole = std::fs::read(place.path("set/train.rec")).expect("reads");
    std::fs::write(place.path("set/train.rec"), &whole[..whole.len() / 2]).expect("writes");
    let output = place.run(&["prepare", "folders", "set", "-o", "out"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        plain(&output).contains("train.rec") && plain(&output).contains("cut short")
            || plain(&output).contains("beyond")
    );
    for set in ["nowhere", "set/property", "demo/pose.bin"] {
        let output = place.run(&["prepare", "folders", set, "-o", "out2"]);
        assert!(output.status.code() == Some(1) && !plain(&output).contains("panicked"), "{}", plain(&output));
    }
}

#[test]
fn shards_hold_every_image_once_under_the_labels_of_the_whole() {
    let place = Place::new(4, 6);
    place.runs(&["prepare", "records", FACES, "-o", "set"]);
    let command = ["prepare", "shard", "set", "-o", "parts", "--shards", "3", "--seed", "5"];
    let said = place.runs(&command);
    assert!(said.contains("wrote 24 images to `parts`") && said.contains("{path: parts/2, labels: merge}"), "{said}");
    assert!(place.runs(&command).contains("nothing to do: all 24 images"));
    let whole = RecordFile::open(&place.path("set"), &|_, _| {}).expect("opens");
    let all = |set: &RecordFile| -> Vec<(u32, String)> {
        let bytes = |image| set.image_bytes(image).expect("reads");
        (0..set.len()).map(|image| (set.label(image), sha256(&bytes(image)))).collect()
    };
    let mut found = Vec::new();
    for part in 0..3 {
        let part = RecordFile::open(&place.path(&format!("parts/{part}")), &|_, _| {}).expect("opens");
        assert_eq!(part.labels(), [[0; 2], [1; 2], [2; 2], [3; 2]].concat());
        found.extend(all(&part));
    }
    let mut expected = all(&whole);
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let again = ["prepare", "shard", "set", "-o", "other", "--shards", "3", "--seed", "6"];
    place.runs(&again);
    assert_ne!(files(&place.path("other")), files(&place.path("parts")));
    // Of folders with names, what was lost is written again.
    std::fs::rename(place.path(&format!("{FACES}/2")), place.path(&format!("{FACES}/zoe"))).expect("renames");
    let command = ["prepare", "shard", FACES, "-o", "named", "--shards", "2"];
    place.runs(&command);
    let parts = files(&place.path("named"));
    assert_eq!(parts.len(), 24);
    assert_eq!(parts.keys().filter(|name| name.starts_with("1/zoe/")).count(), 3);
    let marker = place.read("named/1/prepare.json").replace("\"complete\": true", "\"complete\": false");
    place.write("named/1/prepare.json", &marker);
    std::fs::remove_dir_all(place.path("named/1/zoe")).expect("removes");
    assert!(place.runs(&command).contains("wrote the missing 3 of 24"));
    assert_eq!(files(&place.path("named")), parts);
    place.runs(&["prepare", "subset", FACES, "-o", "part", "--min-images", "6", "--classes", "4"]);
    assert!(place.path("part/zoe").is_dir());
}

#[test]
fn named_classes_keep_their_numbers_and_other_sizes_are_said_once() {
    let place = Place::new(3, 6);
    for (number, name) in ["bob", "eve", "ann"].into_iter().enumerate() {
        std::fs::rename(place.path(&format!("{FACES}/{number}")), place.path(&format!("people/{name}")))
            .or_else(|_| {
                std::fs::create_dir_all(place.path("people"))?;
                std::fs::rename(place.path(&format!("{FACES}/{number}")), place.path(&format!("people/{name}")))
            })
            .expect("renames");
    }
    std::fs::create_dir(place.path("away")).expect("makes");
    std::fs::rename(place.path("people/ann"), place.path("away/ann")).expect("renames");
    // Two images of another size.
    for name in ["bob/1.jpg", "eve/7.jpg"] {
        let path = place.path(&format!("people/{name}"));
        let picture = facetui::data::decode::decode_whole(&std::fs::read(&path).expect("reads")).expect("decodes");
        let whole = image::RgbImage::from_raw(picture.width, picture.height, picture.pixels).expect("fits");
        let mut png = std::io::Cursor::new(Vec::new());
        let small = image::imageops::resize(&whole, 90, 70, image::imageops::FilterType::Triangle);
        small.write_to(&mut png, image::ImageFormat::Png).expect("encodes");
        std::fs::write(path, png.into_inner()).expect("writes");
    }
    place.runs(&["prepare", "records", "people", "-o", "set"]);
    place.runs(&["prepare", "folders", "people", "-o", "numbers"]);
    place.write(
        "run.yaml",
        "name: a\nmodel: {backbone: mobilefacenet, embedding: 16, width: 0.1}\ndata: {train: people, bins: []}\n\
         batch_size: 4\ndevice: cpu\nstages: [{loss: softmax, optimizer: adam, epochs: 2}]\n",
    );
    let logs = |name: &str| -> Vec<String> {
        let journal = place.journals(name).pop().expect("a run");
        let message = |record: &facetui::event::Record| match &record.event {
            facetui::event::Event::Log { message, .. } => Some(message.clone()),
            _ => None,
        };
        journal.iter().filter_map(message).collect()
    };
    for (name, train) in [("a", "people"), ("b", "set")] {
        place.runs(&[
            "run.yaml",
            "--headless",
            "--set",
            &format!("name={name}"),
            "--set",
            &format!("data.train={train}"),
        ]);
        let said =
            logs(name).iter().filter(|line| line.contains("resized to 112x112") && line.contains("90x70")).count();
        assert_eq!(said, 1, "{:?}", logs(name));
    }
    let kept = place.read("checkpoints/a_classes.json");
    assert!(kept.find("\"bob\"") < kept.find("\"eve\""), "{kept}");
    assert_eq!(place.read("checkpoints/b_classes.json"), kept, "records of named folders keep the names");
    // Names meet names, and what meets numbers is told.
    let joined = |sets: &[&str]| -> serde_json::Value {
        let output = place.run(&[&["data", "--merge", "--json"], sets].concat());
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let found = joined(&["people", "set"]);
    assert_eq!((&found["classes"], &found["images"], &found["warnings"]), (&2.into(), &24.into(), &[(); 0][..].into()));
    let found = joined(&["people", "numbers"]);
    assert_eq!(found["classes"], 4);
    assert!(
        found["warnings"][0].as_str().is_some_and(|text| text.contains("class 0 is `bob` in one and `0`")),
        "{found}"
    );
    let said = place.runs(&["data", "people", "numbers", "--merge"]);
    assert!(
        said.starts_with("`people`, `numbers`: 24 images of 4 classes")
            && said.contains("warning: `numbers` is merged")
    );
    assert!(!place.runs(&["data", "people", "numbers"]).contains("warning"));
    let bin = place.run(&["data", "people", "demo/pose.bin"]);
    assert!(bin.status.code() == Some(2) && plain(&bin).contains("--bin"), "{}", plain(&bin));
    let sets = "data.train=[people, {path: numbers, labels: merge}]";
    place.runs(&["run.yaml", "--headless", "--set", "name=d", "--set", sets]);
    assert_eq!(logs("d").iter().filter(|line| line.contains("`numbers` is merged")).count(), 1, "{:?}", logs("d"));
    // Another person, whose name comes first, does not move the others.
    std::fs::rename(place.path("away/ann"), place.path("people/ann")).expect("renames");
    assert!(place.runs(&["data", "people"]).contains("classes by name: 0 ann, 1 bob, 2 eve"));
    place.write(
        "more.yaml",
        "name: c\nmodel: {file: checkpoints/a.h5, embedding: -2}\ndata: {train: people, bins: []}\n\
         batch_size: 4\ndevice: cpu\nstages: [{loss: arcface, optimizer: adam, epochs: 1}]\n",
    );
    place.runs(&["more.yaml", "--headless"]);
    assert!(
        logs("c").iter().any(|line| line.contains("a_classes.json") && line.contains("1 are new")),
        "{:?}",
        logs("c")
    );
    let kept = place.read("checkpoints/c_classes.json");
    assert!(kept.find("\"eve\"") < kept.find("\"ann\""), "{kept}");
}
