//! What record files may be and what is said of damaged ones.

use std::fmt::Write;

use proptest::prelude::*;

use super::frame::MAGIC;
use super::*;

fn part(kind: u32, bytes: &[u8]) -> Vec<u8> {
    let word = kind << 29 | bytes.len() as u32;
    let mut part = [&MAGIC[..], &word.to_le_bytes(), bytes].concat();
    part.resize(part.len().next_multiple_of(4), 0);
    part
}

fn image(labels: &[f32], bytes: &[u8]) -> Vec<u8> {
    let (flag, label) = if let [label] = labels { (0u32, *label) } else { (labels.len() as u32, 0.0) };
    let mut record = [&flag.to_le_bytes()[..], &label.to_le_bytes(), &[0; 16]].concat();
    if flag > 0 {
        record.extend(labels.iter().flat_map(|label| label.to_le_bytes()));
    }
    record.extend(bytes);
    record
}

/// A header, two images, the second of which holds the magic number, and a record of an identity.
fn small() -> (Vec<u8>, String) {
    let second = image(&[1.0, 7.0], b"xy");
    let mut file = Vec::new();
    let mut index = String::new();
    for (number, record) in [
        part(0, &image(&[3.0, 4.0], b"")),
        part(0, &image(&[0.0], b"abcde")),
        [part(1, &second), part(2, b"1234"), part(3, b"z")].concat(),
        part(0, &image(&[1.0, 2.0], b"")),
    ]
    .iter()
    .enumerate()
    {
        writeln!(index, "{number}\t{}", file.len()).expect("a string takes it");
        file.extend(record);
    }
    (file, index)
}

fn open(file: &[u8], index: Option<&str>) -> Result<RecordFile, RecordError> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(FILE), file).expect("writes");
    if let Some(index) = index {
        std::fs::write(folder.path().join("train.idx"), index).expect("writes");
    }
    RecordFile::open(folder.path(), &|_, _| {})
}

#[test]
fn images_and_labels_are_read_with_and_without_an_index() {
    let (file, index) = small();
    for index in [Some(index.as_str()), None] {
        let set = open(&file, index).expect("opens");
        assert_eq!((set.len(), set.classes(), set.label(0), set.label(1)), (2, 2, 0, 1));
        assert_eq!(set.image_bytes(0).expect("reads"), b"abcde");
        let joined = [&b"xy"[..], &MAGIC, b"1234", &MAGIC, b"z"].concat();
        assert_eq!(set.image_bytes(1).expect("reads"), joined);
        assert!(set.name(1).starts_with("record 2 of "), "{}", set.name(1));
    }
}

#[test]
fn names_beside_the_records_are_the_classes_and_others_are_not() {
    let (file, _) = small();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(FILE), file).expect("writes");
    let beside = folder.path().join(BESIDE_RECORDS);
    let opened = |names: &str| {
        std::fs::write(&beside, names).expect("writes");
        let set = RecordFile::open(folder.path(), &|_, _| {}).expect("opens");
        (set.has_names(), set.names_of_classes().join(" "))
    };
    // A class behind the last one with an image has no place in the set.
    let three = opened(r#"{"version": 1, "classes": ["ann", "bob", "eve"]}"#);
    assert_eq!(three, (true, "ann bob".to_owned()));
    for other in [r#"{"version": 1, "classes": ["ann"]}"#, r#"{"version": 2, "classes": ["ann", "bob"]}"#, "[1", ""] {
        assert_eq!(opened(other), (false, "0 1".to_owned()), "{other}");
    }
}

#[test]
fn without_a_header_every_record_is_an_image() {
    let file = [part(0, &image(&[0.0], b"a")), part(0, &image(&[5.0], b"b"))].concat();
    let set = open(&file, None).expect("opens");
    assert_eq!((set.len(), set.classes()), (2, 6));
}

#[test]
fn damage_is_named_by_record_and_offset() {
    let (file, index) = small();
    let message = |file: &[u8], index: Option<&str>| open(file, index).expect_err("is refused").to_string();
    assert!(message(b"JPEG and more", None).contains("record 0"), "{}", message(b"JPEG and more", None));
    assert!(message(&file[..60], Some(&index)).contains("record 1"), "{}", message(&file[..60], Some(&index)));
    assert!(message(&file, Some("0\t0\n1\tx\n")).contains("line 2"));
    assert!(message(&file, Some("0\t0\n1\t40\n")).contains("promises 2 images, but the index has 1"));
    assert!(message(&file, Some("0\t0\n1\t44\n2\t80\n")).contains("no record begins at byte 44"));
    assert!(message(&file, Some("0\t0\n1\t40\n2\t4000\n")).contains("beyond the file's end"));
    let odd = [part(0, &image(&[0.5], b"a")), part(0, &image(&[1.0], b"b"))].concat();
    assert!(message(&odd, None).contains("its label is 0.5"));
    let one = part(0, &image(&[0.0], b"a"));
    assert!(message(&one, None).contains("1 images of 1 classes"));
    let missing = RecordFile::open(Path::new("/nowhere/train.rec"), &|_, _| {}).expect_err("is missing");
    assert!(missing.to_string().contains("/nowhere/train.rec"));
}

#[test]
fn a_file_that_shrinks_or_grows_bad_gives_errors_and_no_signal() {
    let (file, index) = small();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(FILE), &file).expect("writes");
    std::fs::write(folder.path().join("train.idx"), index).expect("writes");
    let set = RecordFile::open(folder.path(), &|_, _| {}).expect("opens");
    let written = std::fs::OpenOptions::new().write(true).open(folder.path().join(FILE)).expect("opens");
    written.set_len(60).expect("cuts");
    let mut pixels = vec![0; 12];
    for at in 0..2 {
        let error = set.image_bytes(at).expect_err("is gone").to_string();
        assert!(error.contains("cut short"), "{error}");
        assert!(set.read(at, (2, 2), &mut Vec::new(), &mut pixels).is_err());
    }
}

#[test]
fn a_kept_index_is_used_until_a_file_changes() {
    let (file, index) = small();
    let folder = tempfile::tempdir().expect("a folder");
    let (rec, cache) = (folder.path().join(FILE), folder.path().join("cache"));
    std::fs::write(&rec, &file).expect("writes");
    std::fs::write(folder.path().join("train.idx"), index).expect("writes");
    let open = || RecordFile::open_cached(&rec, Some(&cache), &|_, _| {}).expect("opens");
    let age = |name: &str, minutes| {
        let past = std::time::SystemTime::now() - std::time::Duration::from_mins(minutes);
        let file = std::fs::File::options().append(true).open(folder.path().join(name)).expect("opens");
        file.set_modified(past).expect("sets the time");
    };
    open();
    assert!(!open().from_cache(), "changed a moment ago, so not to be trusted");
    age(FILE, 2);
    age("train.idx", 2);
    let (first, second) = (open(), open());
    assert!(!first.from_cache() && second.from_cache());
    assert_eq!(first.index, second.index);
    age("train.idx", 3);
    assert!(!open().from_cache() && open().from_cache());

    let kept = std::fs::read_dir(&cache).expect("reads").flatten().next().expect("a file").path();
    let whole = std::fs::read(&kept).expect("reads");
    let mut flipped = whole.clone();
    let last = flipped.len() - 12;
    flipped[last] ^= 1;
    for damaged in [&whole[..whole.len() - 8], &[], &flipped, &[whole.as_slice(), b"x"].concat()] {
        std::fs::write(&kept, damaged).expect("writes");
        let set = open();
        assert!(!set.from_cache());
        assert_eq!(set.index, first.index);
    }
}

proptest! {
    #[test]
    fn any_damage_ends_well(cut in 0usize..200, flips in proptest::collection::vec((0usize..200, 0u8..8), 0..4)) {
        let (mut file, index) = small();
        for (at, bit) in flips {
            let at = at % file.len();
            file[at] ^= 1 << bit;
        }
        file.truncate(file.len().saturating_sub(cut % 40));
        for index in [Some(index.as_str()), None] {
            if let Ok(set) = open(&file, index) {
                for at in 0..set.len() {
                    let _ = set.image_bytes(at);
                }
            }
        }
    }

    #[test]
    fn any_index_ends_well(text in "[0-9\t\n x-]{0,60}") {
        let _ = open(&small().0, Some(&text));
    }
}
