//! Every place of a run's writing, in turn: a place is a call on the way to a file (which of the calls at its temporary file,
//! the renaming, the folder's syncing), for every kind of file that a run has. Each fails, in every way, and no state is lost.
#![cfg(target_os = "linux")]
#![expect(clippy::print_stderr, reason = "faults are counted and printed")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::fault_library::{Kept, count, faulty, library, log, places, states};
use crate::place::{Place, plain, text};

const LONG: &str = "\
name: p
model: {backbone: mobilefacenet, embedding: 16, width: 0.05}
data: {train: demo/faces_112x112_folders, bins: [demo/frontal.bin]}
batch_size: 8
device: cpu
snapshot: {steps: 1}
stages:
  - {loss: softmax, centerloss: true, optimizer: adam, epochs: EPOCHS}
";

/// Places that were come to this often have failed in every way.
const OFTEN: u64 = 40;

/// What the kinds of files are called in the names of places.
const KINDS: [&str; 7] =
    ["p.h#", "p_snapshot_", "p_hist.json", "p_centers.npy", "frontal.npy", "frontal.json", "journal.jsonl"];

/// Places of the writing: calls there, and how many of them failed.
type Places = BTreeMap<String, (u64, u64)>;

/// A run of so many epochs in which a call in some fails, at a place that has not failed in every way; its places. After
/// each fault the older states were there.
fn failing_run(epochs: u32) -> Option<Places> {
    let place = Place::new(2, 4);
    place.write("p.yaml", &LONG.replace("EPOCHS", &epochs.to_string()));
    let library = library()?;
    let keep = place.path("keep");
    std::fs::create_dir(&keep).expect("makes");
    let settings = [
        ("FAULTS_AND", "runs/".to_owned()),
        // After the beginning, where there is nothing to lose yet and a run that cannot write does not begin.
        ("FAULTS_AT", "120".to_owned()),
        ("FAULTS_EACH", "9".to_owned()),
        ("FAULTS_KEEP", keep.display().to_string()),
    ];
    let output = faulty(&place, &["p.yaml", "--headless"], library, &settings).output().expect("starts");
    let said = text(&output);
    assert!(output.status.success(), "{:?}: {said}", output.status);
    let (at_the_end, temporary) = states(&place.path("checkpoints"));
    assert_eq!(temporary, 0, "temporary files at the end");
    let faults = log(&place);
    let mut kept = Kept::until(at_the_end.last().copied().expect("the state of the end"));
    for (number, fault) in (1..).zip(&faults).filter(|(_, fault)| fault.path.contains("/checkpoints")) {
        kept.look(&keep.join(number.to_string()), &format!("{fault:?}"));
    }
    let all = places(&place);
    eprintln!(
        "{} faults at {} places: {:?}",
        faults.len(),
        all.values().filter(|(_, failed)| *failed > 0).count(),
        count(&faults)
    );
    Some(all)
}

/// Places that were come to often enough to have failed in every way.
fn often(places: &Places) -> impl Iterator<Item = (&String, &(u64, u64))> {
    // Right after a fault there is none, so that what was begun again is written.
    places.iter().filter(|(name, (calls, _))| *calls >= OFTEN && !name.starts_with("fault:"))
}

/// Those of them that have not.
fn spared(places: &Places) -> Vec<&String> {
    let ways = |name: &str| if name.contains(":write:") { 3 } else { 2 };
    often(places).filter(|(name, (_, failed))| *failed < ways(name)).map(|(name, _)| name).collect()
}

#[test]
fn every_place_of_a_long_run_fails_in_every_way() {
    let Some(all) = failing_run(30) else { return };
    for kind in KINDS {
        assert!(all.keys().any(|name| name.contains(kind)), "no place of {kind} in {:?}", all.keys());
    }
    let failed = all.values().filter(|(_, failed)| *failed > 0).count();
    assert!(failed >= 40, "{failed} of {} places have failed", all.len());
}

#[test]
#[ignore = "long: hundreds of faults, with a pause after each"]
fn long_every_place_of_a_long_run_fails_in_every_way() {
    let mut all = Places::new();
    // What fails when depends on the disk: what one run has spared fails in another one.
    for number in 0..5 {
        let Some(more) = failing_run(160) else { return };
        for (name, (calls, failed)) in more {
            let place = all.entry(name).or_default();
            *place = (place.0 + calls, place.1 + failed);
        }
        if spared(&all).is_empty() {
            eprintln!("{} runs, {} places were come to at least {OFTEN} times", number + 1, often(&all).count());
            break;
        }
    }
    let spared = spared(&all);
    assert!(spared.is_empty(), "these never failed in every way: {spared:?}");
    for kind in KINDS {
        assert!(often(&all).any(|(name, _)| name.contains(kind)), "no place of {kind} in {:?}", all.keys());
    }
}

const SHORT: &str = "\
name: q
model: {backbone: mobilefacenet, embedding: 8, width: 0.05}
data: {train: demo/faces_112x112_folders, bins: [demo/frontal.bin], workers: 1}
batch_size: 8
device: cpu
stages:
  - {loss: softmax, optimizer: sgd, epochs: 1}
branches:
  - {name: center, loss: softmax, centerloss: true, optimizer: sgd, epochs: 1}
";

/// A place whose classes have names, with the short schedule.
fn short() -> Place {
    let place = Place::new(2, 4);
    for (class, name) in ["ann", "bob"].into_iter().enumerate() {
        let faces = place.path("demo/faces_112x112_folders");
        std::fs::rename(faces.join(class.to_string()), faces.join(name)).expect("renames");
    }
    place.write("q.yaml", SHORT);
    place
}

/// Runs the short schedule with what is to fail, from nothing; the exit code and what was printed.
fn run_short(place: &Place, library: &Path, settings: &[(&str, String)]) -> (Option<i32>, String) {
    for folder in ["checkpoints", "runs"] {
        let _ = std::fs::remove_dir_all(place.path(folder));
    }
    let _ = std::fs::remove_file(place.path("faults.log"));
    let arguments = ["q.yaml", "--headless", "--keep-trying", "1"];
    let output = faulty(place, &arguments, library, settings).env("FAULTS_AND", "runs/").output().expect("starts");
    (output.status.code(), plain(&output))
}

/// Files of a run that has come to its end, by their names without numbers.
fn files(place: &Place) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let mut open = vec![place.path("checkpoints"), place.path("runs")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("reads").flatten() {
            if entry.path().is_dir() {
                open.push(entry.path());
            } else {
                let name = entry.file_name().to_string_lossy().replace(|letter: char| letter.is_ascii_digit(), "#");
                *found.entry(name).or_insert(0) += 1;
            }
        }
    }
    found
}

/// Places that the usual tests look at; another part of them for each kind of file.
const FEW: usize = 12;

#[test]
fn every_place_of_a_short_run_with_branches_fails_and_the_run_comes_to_its_end() {
    each_fails(Some(FEW));
}

#[test]
#[ignore = "long: a run or two for each of a hundred places"]
fn long_every_place_of_a_short_run_with_branches_fails_and_the_run_comes_to_its_end() {
    each_fails(None);
}

/// One fault a run, at each place in turn, or at so many of them.
fn each_fails(most: Option<usize>) {
    let place = short();
    let Some(library) = library() else { return };
    let (code, said) =
        run_short(&place, library, &[("FAULTS_EACH", u32::MAX.to_string()), ("FAULTS_AT", u32::MAX.to_string())]);
    assert_eq!(code, Some(0), "{said}");
    let mut all: Vec<String> = places(&place).into_keys().collect();
    assert!(all.len() > 80, "{} places", all.len());
    // They are in the order of their names: at equal distances every kind has some.
    let stride = most.map_or(1, |most| all.len().div_ceil(most));
    all = all.into_iter().step_by(stride).collect();
    let wanted = files(&place);
    let (next, failed, ended) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let problems = Mutex::new(Vec::new());
    let work = || {
        let place = short();
        while let Some((number, name)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, all.get(at)?)))
        {
            let way = if number % 2 == 0 { "ENOSPC" } else { "EIO" };
            let settings = [("FAULTS_PLACE", name.clone()), ("FAULTS_WAY", way.to_owned())];
            let (code, said) = run_short(&place, library, &settings);
            let wrong = |what: String| {
                let problem = format!("{way} at {name}, exit code {code:?}: {what}");
                problems.lock().expect("no panic").push(problem);
            };
            let faults = log(&place).len();
            failed.fetch_add(faults, Ordering::Relaxed);
            if faults > 1 || said.contains("panicked") {
                wrong(format!("{faults} faults, {said}"));
            }
            if code == Some(0) {
                ended.fetch_add(1, Ordering::Relaxed);
            } else {
                // What cannot begin, or cannot be told, says why; nothing of it is in the way of the next one.
                let words = ["No space left on device", "Input/output error"];
                if !words.iter().any(|words| said.contains(words)) {
                    wrong(format!("it does not say why: {said}"));
                }
                let again = place.run(&["q.yaml", "--headless"]);
                if again.status.code() != Some(0) {
                    wrong(format!("trained again, it ends with {:?}: {}", again.status, plain(&again)));
                }
            }
            let found = files(&place);
            let lacks = |(file, count): (&String, &usize)| found.get(file).is_none_or(|there| there < count);
            let missing: Vec<_> = wanted.iter().filter(|file| lacks(*file)).collect();
            if !missing.is_empty() {
                wrong(format!("{missing:?} are missing in {found:?}"));
            }
            let temporary = states(&place.path("checkpoints")).1;
            if temporary > 0 {
                wrong(format!("{temporary} temporary files at the end"));
            }
        }
    };
    std::thread::scope(|scope| {
        for worker in [scope.spawn(work), scope.spawn(work)] {
            worker.join().expect("every place is looked at");
        }
    });
    let problems = problems.into_inner().expect("no panic");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let (failed, ended) = (failed.into_inner(), ended.into_inner());
    eprintln!(
        "{failed} faults at {} places; {ended} runs came to their end in spite of it, the others when trained again",
        all.len()
    );
    assert!(failed * 10 >= all.len() * 9, "{failed} faults at {} places", all.len());
}
