//! Whole data sets: layout, determinism, and what happens in folders that are not empty.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::identity::Identity;
use super::random::Dice;
use super::*;
use crate::synth::render::SIDE;

const SMALL: SynthOptions = SynthOptions { identities: 3, images: 4, seed: 7, bins: false };

fn quiet(_: u64, _: u64) {}

/// Every file below `dir` with its bytes.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().to_string_lossy().into_owned();
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn the_layout_is_the_references() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("new/demo");
    let report = generate(&target, &SMALL, &quiet).unwrap();
    assert_eq!((report.images, report.drawn, report.bins.len()), (12, 12, 0));
    let files = files(&target);
    let mut expected: Vec<String> = (0..12).map(|n| format!("{FACES}/{}/{}.jpg", n / 4, n + 1)).collect();
    expected.push("synth.json".into());
    expected.sort();
    assert_eq!(files.keys().cloned().collect::<Vec<_>>(), expected);
    for (name, bytes) in files.iter().filter(|(name, _)| name.ends_with("jpg")) {
        let picture = image::load_from_memory(bytes).unwrap();
        assert_eq!((picture.width(), picture.height()), (SIDE, SIDE), "{name}");
    }
}

#[test]
fn the_same_options_give_the_same_bytes_on_any_number_of_threads() {
    let run = |threads, options: &SynthOptions| {
        let dir = tempfile::tempdir().unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| generate(dir.path(), options, &quiet)).unwrap();
        files(dir.path())
    };
    let one = run(1, &SMALL);
    assert_eq!(one, run(3, &SMALL));
    assert_ne!(one, run(1, &SynthOptions { seed: 8, ..SMALL }));
}

#[test]
fn progress_counts_every_picture_once() {
    let dir = tempfile::tempdir().unwrap();
    let seen = Mutex::new(Vec::new());
    generate(dir.path(), &SMALL, &|done, total| seen.lock().unwrap().push((done, total))).unwrap();
    let mut seen = seen.into_inner().unwrap();
    seen.sort_unstable();
    assert_eq!(seen, (1..=12).map(|n| (n, 12)).collect::<Vec<_>>());
}

#[test]
fn a_finished_data_set_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    generate(dir.path(), &SMALL, &quiet).unwrap();
    let before = files(dir.path());
    std::fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    let again = generate(dir.path(), &SMALL, &|_, _| panic!("nothing should be drawn")).unwrap();
    assert_eq!((again.images, again.drawn), (12, 0));
    let mut after = files(dir.path());
    assert_eq!(after.remove("notes.txt").unwrap(), b"mine");
    assert_eq!(after, before);
}

#[test]
fn an_interrupted_data_set_is_completed() {
    let dir = tempfile::tempdir().unwrap();
    generate(dir.path(), &SMALL, &quiet).unwrap();
    let before = files(dir.path());

    // As if it had been killed with one picture missing and one cut short.
    let partial = dir.path().join(".synth-partial");
    std::fs::create_dir(&partial).unwrap();
    std::fs::rename(dir.path().join(FACES), partial.join(FACES)).unwrap();
    std::fs::remove_file(partial.join(FACES).join("0/2.jpg")).unwrap();
    let cut = partial.join(FACES).join("2/9.jpg");
    let whole = std::fs::read(&cut).unwrap();
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let marker = dir.path().join("synth.json");
    let text = std::fs::read_to_string(&marker).unwrap().replace("\"complete\": true", "\"complete\": false");
    std::fs::write(&marker, text).unwrap();

    let report = generate(dir.path(), &SMALL, &quiet).unwrap();
    assert_eq!(report.drawn, 2);
    assert_eq!(files(dir.path()), before);
    assert!(!partial.exists());
}

#[test]
fn other_options_are_refused_and_nothing_is_touched() {
    let dir = tempfile::tempdir().unwrap();
    generate(dir.path(), &SMALL, &quiet).unwrap();
    let before = files(dir.path());
    let error = generate(dir.path(), &SynthOptions { images: 5, ..SMALL }, &quiet).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("3 identities, 4 images each, seed 7, without bins"), "{message}");
    assert!(message.contains("3 identities, 5 images each"), "{message}");
    assert_eq!(files(dir.path()), before);
}

#[test]
fn a_folder_with_other_files_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("thesis.tex"), "years of work").unwrap();
    let error = generate(dir.path(), &SMALL, &quiet).unwrap_err();
    assert!(matches!(&error, SynthError::Foreign { found, .. } if found == "thesis.tex"), "{error}");
    assert_eq!(files(dir.path()).len(), 1);
}

#[test]
fn a_broken_marker_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("synth.json"), "{").unwrap();
    let error = generate(dir.path(), &SMALL, &quiet).unwrap_err();
    assert!(error.to_string().contains("synth.json"), "{error}");
}

#[test]
fn empty_and_uncountable_data_sets_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (identities, images) in [(0, 4), (4, 0), (u32::MAX, 2)] {
        let error = generate(dir.path(), &SynthOptions { identities, images, ..SMALL }, &quiet).unwrap_err();
        assert!(matches!(error, SynthError::Size { .. }), "{error}");
    }
    assert!(files(dir.path()).is_empty());
}

#[test]
fn bins_show_people_who_are_not_in_the_training_folder() {
    let mut people: Vec<String> = Vec::new();
    for purpose in [Purpose::Training, Purpose::Frontal, Purpose::Pose, Purpose::Age] {
        people.extend((0..20).map(|n| format!("{:?}", Identity::draw(&mut Dice::for_identity(7, purpose, n)))));
    }
    let all = people.len();
    people.sort();
    people.dedup();
    assert_eq!(people.len(), all);
}

#[test]
fn bins_are_written_when_asked_for_and_completed_when_missing() {
    let bin = Bin::Age.draw(7, 20, &|| ()).unwrap();
    assert_eq!((bin.jpegs.len(), bin.same.iter().filter(|same| **same).count()), (40, 10));
    for jpeg in &bin.jpegs {
        assert!(image::load_from_memory(jpeg).is_ok());
    }
}

/// Faces of one person must look more alike than faces of two, or there is nothing to learn; but not so much that plain
/// pixels settle it, or there is nothing to show.
#[test]
fn people_differ_visibly_but_not_trivially() {
    let pairs = Bin::Frontal.draw(7, 120, &|| ()).unwrap();
    let thumbnails: Vec<Vec<f32>> = pairs.jpegs.iter().map(|jpeg| thumbnail(jpeg)).collect();
    let mut scored: Vec<(f32, bool)> = thumbnails
        .chunks(2)
        .zip(&pairs.same)
        .map(|(pair, &same)| (pair[0].iter().zip(&pair[1]).map(|(a, b)| a * b).sum(), same))
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let positives = scored.iter().filter(|(_, same)| *same).count();
    let (mut hits, mut best) = (scored.len() - positives, 0);
    for (_, same) in &scored {
        hits = if *same { hits + 1 } else { hits - 1 };
        best = best.max(hits);
    }
    let accuracy = best as f32 / scored.len() as f32;
    assert!((0.56..0.9).contains(&accuracy), "plain pixels reach {accuracy}");
}

/// Grey, 14 x 14, mean 0, length 1.
fn thumbnail(jpeg: &[u8]) -> Vec<f32> {
    let grey = image::load_from_memory(jpeg).unwrap().to_luma8();
    let small = image::imageops::resize(&grey, 14, 14, image::imageops::FilterType::Triangle);
    let mean = small.iter().map(|v| f32::from(*v)).sum::<f32>() / 196.0;
    let centred: Vec<f32> = small.iter().map(|v| f32::from(*v) - mean).collect();
    let length = centred.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-6);
    centred.iter().map(|v| v / length).collect()
}
