//! The center loss in whole runs: its centers lie beside the checkpoint, go from stage to stage and from run to run.

use std::path::Path;
use std::sync::{Arc, Mutex};

use facetui::checkpoint::npy;
use facetui::event::{Event, Level, Outcome};
use facetui::schedule;
use facetui::synth::{SynthOptions, generate};
use facetui::train::engine;

/// Trains a schedule; its events.
fn run(folder: &Path, stages: &str, more: &str) -> Vec<Event> {
    let place = folder.display();
    let text = format!(
        "name: tiny\ncheckpoints: {place}/checkpoints\ndata: {{train: {place}/faces_112x112_folders, bins: []}}\n\
         batch_size: 8\ndevice: cpu\nstages:\n{stages}{more}"
    );
    let loaded = schedule::parse("tiny.yaml", &text, &[], &|_| None).expect("is sound");
    let events = Arc::new(Mutex::new(Vec::new()));
    let (_commands, receiver) = crossbeam_channel::unbounded();
    let emit: facetui::train::emit::Emit = {
        let events = Arc::clone(&events);
        Arc::new(move |event| events.lock().expect("no panic").push(event))
    };
    engine::run(&loaded.schedule, "tiny-1", &receiver, &emit);
    let events = std::mem::take(&mut *events.lock().expect("no panic"));
    let ended = events.iter().any(|event| matches!(event, Event::Finished { outcome: Outcome::Completed, .. }));
    assert!(ended, "{events:?}");
    events
}

fn losses(events: &[Event]) -> Vec<(f64, Option<f64>)> {
    let ends = events.iter().filter_map(|event| match event {
        Event::EpochEnded { loss, accuracy, .. } => Some((*loss, *accuracy)),
        _ => None,
    });
    ends.collect()
}

fn said(events: &[Event], words: &str, wanted: Level) -> bool {
    events.iter().any(|event| match event {
        Event::Log { level, message } => *level == wanted && message.contains(words),
        _ => false,
    })
}

/// What NumPy reads of a matrix, as a list of its numbers; none where no Python with NumPy is named.
fn numpy(path: &Path) -> Option<Vec<f32>> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (Some(python), Some(packages)) = (set("FACETUI_TEST_PYTHON"), set("FACETUI_KERAS_PYTHONPATH")) else {
        assert!(set("CI").is_none(), "CI must run this");
        return None;
    };
    let script = "import json, sys, numpy; print(json.dumps(numpy.load(sys.argv[1]).astype(float).ravel().tolist()))";
    let output = std::process::Command::new(python).env("PYTHONPATH", packages).args(["-c", script]).arg(path).output();
    let output = output.expect("starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}

#[test]
fn centers_are_kept_and_restored() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = SynthOptions { identities: 4, images: 6, seed: 1, bins: false };
    generate(folder.path(), &options, &|_, _| {}).expect("draws");
    let file = folder.path().join("checkpoints/tiny_centers.npy");
    let scratch = "model: {backbone: mobilefacenet, embedding: 16, width: 0.1}\n";

    let stages = "  - {loss: softmax, optimizer: adam, epochs: 1}\n  \
                  - {loss: softmax, centerloss: {factor: 0.5}, epochs: 1}\n  \
                  - {loss: center_loss, epochs: 1}\n";
    let events = run(folder.path(), stages, scratch);
    let ends = losses(&events);
    // The center loss alone has the accuracy of the head that rests.
    assert!(ends.iter().all(|(loss, accuracy)| loss.is_finite() && accuracy.is_some()), "{ends:?}");
    assert!(ends[2].0 < ends[1].0, "without the softmax's part less is left: {ends:?}");
    let first = npy::read(&file).expect("reads");
    assert_eq!(first.shape, [4, 16]);
    assert!(first.data.iter().any(|value| *value != 0.0));
    if let Some(read) = numpy(&file) {
        assert_eq!(read, first.data, "NumPy passes over the checksum");
    }
    let written = events
        .iter()
        .filter(|event| matches!(event, Event::CheckpointWritten { path, .. } if path.ends_with("_centers.npy")));
    assert_eq!(written.count(), 2, "a stage without it writes none");

    // A run from the file goes on with them, whatever its loss is.
    let model = format!("initial_epoch: 3\nmodel: {{file: {}/checkpoints/tiny.h5}}\n", folder.path().display());
    let stages = "  - {loss: arcface, bottleneck_only: true, centerloss: true, optimizer: adam, epochs: 1}\n";
    let events = run(folder.path(), stages, &model);
    assert!(said(&events, "class centers from", Level::Info), "{events:?}");
    let second = npy::read(&file).expect("reads");
    assert_ne!(first.data, second.data);
    let distance: f32 = first.data.iter().zip(&second.data).map(|(a, b)| (a - b).abs()).sum();
    let size: f32 = first.data.iter().map(|value| value.abs()).sum();
    assert!(distance < size, "they go on from where they were: {distance} of {size}");

    // Damaged ones are named, and those of the state in the model are used; so is a damaged history.
    let lists = folder.path().join("checkpoints/tiny_hist.json");
    let history = std::fs::read_to_string(&lists).expect("reads");
    std::fs::write(&lists, history.replacen("0.", "1.", 1)).expect("writes");
    let mut bytes = std::fs::read(&file).expect("reads");
    bytes[140] ^= 1;
    std::fs::write(&file, bytes).expect("writes");
    let events = run(folder.path(), stages, &model);
    assert!(said(&events, "tiny_centers.npy` holds no class centers: it is damaged", Level::Warning), "{events:?}");
    assert!(said(&events, "tiny.h5` are used", Level::Warning), "{events:?}");
    assert!(said(&events, "tiny_hist.json` does not hold what the run's state holds; it was", Level::Warning));
    assert!(
        std::fs::read_to_string(&lists).expect("reads").starts_with(&history[..history.find(',').expect("a list")])
    );
    let third = npy::read(&file).expect("reads");
    let moved: f32 = second.data.iter().zip(&third.data).map(|(a, b)| (a - b).abs()).sum();
    assert!(moved > 0.0 && moved < size, "they go on from the state's: {moved} of {size}");

    // Centers of other classes are told, and the new ones start at zero.
    npy::write(&file, &npy::Matrix { shape: [9, 16], data: vec![1.0; 9 * 16] }).expect("writes");
    let events = run(folder.path(), stages, &model);
    assert!(said(&events, "start at zero", Level::Warning), "{events:?}");
    assert_eq!(npy::read(&file).expect("reads").shape, [4, 16]);

    // A run from scratch starts at zero too, and keeps the file of the run before.
    run(folder.path(), "  - {loss: arcface, centerloss: true, epochs: 1}\n", scratch);
    assert!(folder.path().join("checkpoints/earlier/tiny-1/tiny_centers.npy").is_file());
}
