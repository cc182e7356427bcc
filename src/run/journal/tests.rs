//! What the journal holds, and what becomes of damaged lines and disks.

use std::io::Write as _;

use proptest::prelude::*;

use super::line::{CHECKSUM, MAX_VALUES};
use super::*;
use crate::event::{Event, Level, Point, Record};

fn log(message: &str) -> Record {
    Record { at: 1.0, event: Event::Log { level: Level::Info, message: message.to_owned() } }
}

#[test]
fn a_torn_last_line_costs_that_line_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = JournalWriter::open(folder.path()).expect("opens");
    writer.append(&log("one")).expect("appends");
    writer.append(&log("two")).expect("appends");
    let path = path(folder.path());
    let whole = std::fs::read(&path).expect("reads");
    std::fs::write(&path, &whole[..whole.len() - 5]).expect("writes");
    assert_eq!(read(&path, true).expect("reads"), [log("one")]);
}

#[test]
fn a_journal_goes_on_behind_a_torn_line() {
    let folder = tempfile::tempdir().expect("a folder");
    JournalWriter::open(folder.path()).expect("opens").append(&log("one")).expect("appends");
    let path = path(folder.path());
    let mut torn = std::fs::read(&path).expect("reads");
    torn.extend_from_slice(br#"{"at":1.0,"eve"#);
    std::fs::write(&path, torn).expect("writes");
    let mut writer = JournalWriter::open(folder.path()).expect("opens");
    writer.append(&log("two")).expect("appends");
    assert_eq!(writer.end(), std::fs::metadata(&path).expect("there").len());
    assert_eq!(read(&path, true).expect("reads"), [log("one"), log("two")]);
}

#[test]
fn what_a_disk_did_not_take_follows_when_it_is_back() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("run");
    std::fs::create_dir(&folder).expect("makes");
    let mut writer = JournalWriter::open(&folder).expect("opens");
    writer.append(&log("one")).expect("appends");
    // The mount is gone, and a file is in its place.
    let away = place.path().join("away");
    std::fs::rename(&folder, &away).expect("moves");
    std::fs::write(&folder, "").expect("writes");
    writer.file = None;
    assert!(writer.append(&log("two")).is_err() && writer.append(&log("three")).is_err());
    std::fs::remove_file(&folder).and_then(|()| std::fs::rename(&away, &folder)).expect("moves back");
    // A part of a line was taken before.
    let two = line(&log("two"));
    let mut file = fs_err::OpenOptions::new().append(true).open(path(&folder)).expect("opens");
    file.write_all(&two[..7]).expect("writes");
    (writer.begun, writer.length) = (7, writer.length + 7);
    writer.append(&log("four")).expect("appends");
    let all = [log("one"), log("two"), log("three"), log("four")];
    assert_eq!(read(&path(&folder), true).expect("reads"), all);
    assert_eq!(writer.end(), std::fs::metadata(path(&folder)).expect("there").len());
    // The disk that is back has lost it all.
    writer.file = None;
    std::fs::remove_dir_all(&folder).expect("removes");
    writer.append(&log("five")).expect("appends");
    assert_eq!(read(&path(&folder), true).expect("reads"), [log("five")]);
}

#[test]
fn steps_can_be_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = JournalWriter::open(folder.path()).expect("opens");
    let steps = Event::Steps {
        index: 1,
        step: 1,
        loss: vec![1.0],
        accuracy: vec![],
        images_per_second: 1.0,
        waited: 0.0,
        memory: 0,
        gradient_norm: None,
    };
    writer.append(&Record { at: 1_700_000_000.123, event: steps }).expect("appends");
    writer.append(&log("steps")).expect("appends");
    assert_eq!(read(&path(folder.path()), false).expect("reads"), [log("steps")]);
    assert_eq!(read(&path(folder.path()), true).expect("reads").len(), 2);
}

#[test]
fn every_changed_byte_of_a_line_is_noticed_and_older_lines_are_read() {
    let whole = line(&log("a \\ \" line"));
    assert_eq!(parse(&whole), Some(log("a \\ \" line")));
    for at in 0..whole.len() - 1 {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        // What makes the checksum no checksum any more leaves a member that nobody knows.
        let is_sum = damaged[whole.len() - 19..].starts_with(CHECKSUM);
        assert!(parse(&damaged).is_none() || !is_sum, "byte {at}");
    }
    let older = br#"{"at":1.0,"event":"log","level":"info","message":"one"}"#;
    assert_eq!(parse(older), Some(log("one")));
}

#[test]
fn a_line_of_more_values_than_any_event_has_is_damaged() {
    let line = |count: usize| format!(r#"{{"at":1,"event":"paused","x":[0{}]}}"#, ",0".repeat(count - 1));
    // Members and list count too.
    assert!(parse(line(MAX_VALUES - 3).as_bytes()).is_some());
    assert!(parse(line(MAX_VALUES - 2).as_bytes()).is_none());
    let folder = tempfile::tempdir().expect("a folder");
    let path = path(folder.path());
    let paused = at(Event::Paused);
    std::fs::write(&path, [&line(2 * MAX_VALUES), "\n", &line(9), "\n"].concat()).expect("writes");
    assert_eq!(read_noting_damage(&path, true).expect("reads"), (vec![paused], vec![1]));
    // A text may be as long as it likes.
    let long = log(&"a word ".repeat(MAX_VALUES));
    assert_eq!(parse(&super::line(&long)), Some(long));
}

#[test]
fn a_damaged_line_is_named_and_passed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = JournalWriter::open(folder.path()).expect("opens");
    for text in ["one", "two", "three"] {
        writer.append(&log(text)).expect("appends");
    }
    let path = path(folder.path());
    let text = std::fs::read_to_string(&path).expect("reads").replace("\"two\"", "\"twp\"");
    std::fs::write(&path, text + "{\"at\":1").expect("writes");
    drop(JournalWriter::open(folder.path()).and_then(|mut writer| writer.append(&log("four"))));
    let (records, damaged) = read_noting_damage(&path, true).expect("reads");
    assert_eq!((records, damaged), (vec![log("one"), log("three"), log("four")], vec![2]));
}

#[test]
fn a_line_is_never_put_behind_a_torn_one() {
    let folder = tempfile::tempdir().expect("a folder");
    JournalWriter::open(folder.path()).and_then(|mut writer| writer.append(&log("one"))).expect("appends");
    let path = path(folder.path());
    let mut torn = std::fs::read(&path).expect("reads");
    torn.extend_from_slice(&torn.clone()[..20]);
    std::fs::write(&path, torn).expect("writes");
    JournalWriter::open(folder.path()).and_then(|mut writer| writer.append(&log("two"))).expect("appends");
    assert_eq!(read(&path, true).expect("reads"), [log("one"), log("two")]);
}

fn at(event: Event) -> Record {
    Record { at: 1.0, event }
}

fn steps(index: u32, step: u64, count: usize) -> Record {
    let loss = (0..count).map(|back| (step as usize - count + back + 1) as f32).collect();
    let (accuracy, images_per_second, waited, memory) = (Vec::new(), 1.0, 0.0, 0);
    at(Event::Steps { index, step, loss, accuracy, images_per_second, waited, memory, gradient_norm: None })
}

fn started(index: u32) -> Record {
    at(Event::EpochStarted { stage: 0, epoch: index, index, steps: 9, learning_rate: 0.1 })
}

fn ended(index: u32) -> Record {
    at(Event::EpochEnded {
        stage: 0,
        epoch: index,
        index,
        loss: 1.0,
        accuracy: None,
        learning_rate: 0.1,
        seconds: 1.0,
        images_per_second: 1.0,
        waited: 0.0,
    })
}

fn kept(records: &[Record], point: Point) -> Vec<Record> {
    let mut records = records.to_vec();
    truncate_at(&mut records, point);
    records
}

#[test]
fn what_lies_beyond_the_point_is_taken_back() {
    let line = [
        started(1),
        steps(1, 9, 9),
        ended(1),
        log("a"),
        started(2),
        steps(2, 3, 3),
        steps(2, 9, 6),
        ended(2),
        log("b"),
    ];
    let point = |index, step| Point { index, step, ..Point::default() };
    assert_eq!(kept(&line, point(2, 0)), line[..3]);
    assert_eq!(kept(&line, point(3, 0)), line[..8]);
    assert_eq!(kept(&line, point(2, 3)), line[..6]);
    assert_eq!(kept(&line, point(2, 9)), line[..7]);
    let cut = kept(&line, point(2, 5));
    assert_eq!((&cut[..6], &cut[6]), (&line[..6], &steps(2, 5, 2)));
    // Without steps the epoch has begun, with a journal that lacks it nothing is lost.
    let few: Vec<Record> = line.iter().filter(|r| !matches!(r.event, Event::Steps { .. })).cloned().collect();
    assert_eq!(kept(&few, point(2, 3)), few[..4]);
    assert_eq!(kept(&line, point(7, 0)), line);
}

#[test]
fn branches_are_told_apart() {
    let branch = |branch| at(Event::BranchStarted { branch, name: "b".into(), run_id: "b".into() });
    let done = |branch| {
        let row = crate::event::BranchRow {
            name: "b".into(),
            epoch: 1,
            loss: None,
            accuracy: None,
            bins: Vec::new(),
            seconds: 1.0,
            steps: 9,
            outcome: Some(crate::event::Outcome::Completed),
        };
        at(Event::BranchEnded { branch, row })
    };
    let whole = [
        ended(1),
        branch(0),
        started(1),
        ended(1),
        done(0),
        log("c"),
        branch(1),
        started(1),
        steps(1, 4, 4),
        ended(1),
        done(1),
    ];
    let point = |branches, within, index, step| Point { branches, within, index, step };
    assert_eq!(kept(&whole, point(0, false, 2, 0)), whole[..1]);
    assert_eq!(kept(&whole, point(0, true, 2, 0)), whole[..4]);
    assert_eq!(kept(&whole, point(1, false, 0, 0)), whole[..5]);
    assert_eq!(kept(&whole, point(1, true, 1, 4)), whole[..9]);
    assert_eq!(kept(&whole, point(1, true, 2, 0)), whole[..10]);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(path(folder.path()), bytes).expect("writes");
        let records = read(&path(folder.path()), true).expect("reads");
        crate::run::state::RunState::replay(&records);
    }
}
