//! What can be asked of a run while it goes on, with the real engine: evaluate now, save now, another learning rate, stop
//! now. None of it may change what is trained otherwise, or overwrite a file.

use facetui::event::{CheckpointKind, Command, Event, Outcome, StopKind};
use facetui::run::launch;
use facetui::run::lock::checkpoint::CheckpointLock;
use facetui::schedule;

use crate::place::Place;

/// Trains `stages` and gives the events; `ask` says what to ask for after an event.
fn train(place: &Place, stages: &str, before: &[Command], ask: impl Fn(&Event) -> Option<Command>) -> Vec<Event> {
    tch::set_num_threads(1);
    let at = |name: &str| place.path(name).display().to_string();
    let text = format!(
        "name: control\nmodel: {{backbone: mobilefacenet, embedding: 16, width: 0.1}}\ndata:\n  train: {}\n  bins: [{}]\n  \
         augment: 0\nbatch_size: 4\ndevice: cpu\ncheckpoints: {}\nruns: {}\nstages:\n{stages}",
        at("demo/faces_112x112_folders"),
        at("demo/pose.bin"),
        at("checkpoints"),
        at("runs"),
    );
    place.write("control.yaml", &text);
    let loaded = schedule::load(&place.path("control.yaml"), &[]).expect("a good schedule");
    let checkpoints = CheckpointLock::take(&loaded.schedule).expect("nobody else trains it");
    let launched =
        launch::launch(loaded.schedule, &text, checkpoints, launch::LaunchOptions::default()).expect("starts");
    let (mut events, commands, threads) = launched.split();
    for command in before {
        commands.send(*command).expect("the engine listens");
    }
    let mut heard = Vec::new();
    while let Some(record) = events.blocking_recv() {
        if let Some(command) = ask(&record.event) {
            let _ = commands.send(command);
        }
        heard.push(record.event.clone());
    }
    threads.join();
    heard
}

/// The folder of the newest run.
fn launched_folder(place: &Place) -> std::path::PathBuf {
    let runs = std::fs::read_dir(place.path("runs")).expect("runs").flatten().map(|entry| entry.path());
    runs.max_by_key(|run| std::fs::metadata(run.join("journal.jsonl")).and_then(|meta| meta.modified()).ok())
        .expect("a run")
}

fn losses(events: &[Event]) -> Vec<f32> {
    let steps = events.iter().filter_map(|event| match event {
        Event::Steps { loss, .. } => Some(loss.clone()),
        _ => None,
    });
    steps.flatten().collect()
}

fn extras(events: &[Event]) -> Vec<String> {
    let written = events.iter().filter_map(|event| match event {
        Event::CheckpointWritten { kind: CheckpointKind::Extra, path, .. } => Some(path.clone()),
        _ => None,
    });
    written.collect()
}

const TWO_EPOCHS: &str = "  - {loss: softmax, optimizer: adam, epochs: 2}\n";

/// An epoch ends with the figures of its evaluation, and its file holds them.
fn figures_come_before_what_needs_them(events: &[Event], place: &Place) {
    let mut figures = None;
    let order: Vec<(&str, u32)> = events
        .iter()
        .filter_map(|event| match event {
            Event::EpochStarted { index, .. } => Some(("begun", *index)),
            Event::Evaluating { done, total, .. } if done == total => Some(("embedded", figures.iter().count() as u32)),
            Event::BinEvaluated { index, result } => {
                figures = Some(result.clone());
                Some(("figures", *index))
            }
            Event::EpochEnded { index, .. } => Some(("ended", *index)),
            _ => None,
        })
        .collect();
    let epoch = |index: u32| [("begun", index), ("embedded", index - 1), ("figures", index), ("ended", index)];
    assert_eq!(order, [epoch(1), epoch(2)].concat());
    assert_eq!(place.model("checkpoints/control.h5").evaluation, figures.into_iter().collect::<Vec<_>>());
}

#[test]
fn evaluating_and_saving_on_request_changes_nothing_of_the_run() {
    let place = Place::new(4, 12);
    let alone = train(&place, TWO_EPOCHS, &[], |_| None);
    figures_come_before_what_needs_them(&alone, &place);
    let again = |event: &Event| matches!(event, Event::EpochStarted { index: 2, .. }).then_some(Command::Evaluate);
    // A busy machine may hear of the second epoch when it is over: then the run is asked once more.
    let in_time =
        |events: &Vec<Event>| events.iter().filter(|event| matches!(event, Event::BinChecked { .. })).count() == 2;
    let mut runs = (0..20).map(|_| train(&place, TWO_EPOCHS, &[Command::Evaluate, Command::Save], again));
    let asked = runs.find(in_time).expect("one of twenty is asked in time");
    assert_eq!(losses(&alone), losses(&asked));
    assert_eq!(losses(&alone).len(), 24);
    let checked: Vec<u32> = asked
        .iter()
        .filter_map(|event| match event {
            Event::BinChecked { index, result, .. } => {
                assert!(result.bin == "pose" && result.pairs == 24 && result.accuracy >= 0.5);
                assert!(result.rates.iter().all(|rate| rate.tar.is_none()), "12 pairs tell nothing of 1e-3");
                Some(*index)
            }
            _ => None,
        })
        .collect();
    assert_eq!(checked.first(), Some(&1));
    assert_eq!(checked.len(), 2);
    // What lies behind the newest and the best figures lies beside the journal.
    let run = launched_folder(&place);
    for best in [false, true] {
        let detail = facetui::eval::detail::read(&facetui::eval::detail::path(&run, "pose", best)).expect("reads");
        assert_eq!((detail.positives, detail.negatives, detail.step), (12, 12, None));
        assert_eq!(detail.faces().expect("faces").len(), 24);
        let all: u32 = detail.same.iter().chain(&detail.different).sum();
        assert_eq!(all, 24);
    }
    let details = asked.iter().filter(|event| matches!(event, Event::DetailsWritten { .. })).count();
    assert_eq!(details, 4, "two epochs and two looks between them");
    let evaluated =
        |events: &[Event]| events.iter().filter(|event| matches!(event, Event::BinEvaluated { .. })).count();
    assert_eq!((evaluated(&alone), evaluated(&asked)), (2, 2));
    let extras = extras(&asked);
    assert!(extras.len() == 1 && extras[0].ends_with("control_at_epoch_1_step_0.h5"), "{extras:?}");
    let saved = place.model("checkpoints/control_at_epoch_1_step_0.h5");
    assert!(saved.optimizer.is_some(), "training can go on from it");
}

#[test]
fn the_learning_rate_is_multiplied_from_then_on() {
    let place = Place::new(4, 12);
    let rates = |events: &[Event]| -> Vec<f64> {
        let ends = events.iter().filter_map(|event| match event {
            Event::EpochEnded { learning_rate, .. } => Some(*learning_rate),
            _ => None,
        });
        ends.collect()
    };
    let stages = "  - {loss: softmax, optimizer: sgd, epochs: 1, learning_rate: {base: 0.01}}\n  \
                  - {loss: softmax, epochs: 1, learning_rate: {base: 0.01}}\n";
    let plain = train(&place, stages, &[], |_| None);
    let twice = |event: &Event| match event {
        Event::EpochEnded { index: 1, .. } => Some(Command::ScaleLearningRate(2.0)),
        _ => None,
    };
    // A busy machine may hear of the first epoch's end when the second is over: then the run is asked once more.
    let in_time = |events: &Vec<Event>| {
        let scaled = |event: &Event| matches!(event, Event::LearningRateScaled { .. });
        let last = events.iter().rposition(scaled).expect("the first multiplier");
        let behind = events[last..].iter().any(|event| matches!(event, Event::Steps { index: 2, .. }));
        behind && events.iter().filter(|event| scaled(event)).count() == 2
    };
    let mut runs = (0..20).map(|_| train(&place, stages, &[Command::ScaleLearningRate(0.5)], twice));
    let scaled = runs.find(in_time).expect("one of twenty is asked in time");
    assert_eq!(rates(&plain), [0.01, 0.01]);
    assert_eq!(rates(&scaled), [0.005, 0.02]);
    let (plain, scaled) = (losses(&plain), losses(&scaled));
    assert!((plain[0] - scaled[0]).abs() < 1e-6, "the first step's loss is from before any update");
    assert!(plain[1..].iter().zip(&scaled[1..]).any(|(a, b)| (a - b).abs() > 1e-6));
}

#[test]
fn stop_now_leaves_a_checkpoint_of_its_own_beside_the_epochs() {
    let place = Place::new(4, 60);
    let stages = "  - {loss: softmax, optimizer: adam, epochs: 50}\n";
    let events = train(&place, stages, &[], |event| match event {
        // The latter on a machine so fast that the epoch has ended before.
        Event::Steps { index: 2, .. } | Event::EpochEnded { index: 3.., .. } => Some(Command::Stop(StopKind::Now)),
        _ => None,
    });
    assert!(matches!(events.last(), Some(Event::Finished { outcome: Outcome::Stopped, .. })));
    let last = events.iter().rev().find_map(|event| match event {
        Event::EpochStarted { index, .. } => Some(*index),
        _ => None,
    });
    let last = last.expect("an epoch");
    let taken: usize = events
        .iter()
        .map(|event| match event {
            Event::Steps { index, loss, .. } if *index == last => loss.len(),
            _ => 0,
        })
        .sum();
    let extras = extras(&events);
    let whole = place.model("checkpoints/control.h5").optimizer.expect("an optimiser").iterations;
    assert_eq!(whole, i64::from(last - 1) * 60, "the epoch's checkpoint is the epoch's");
    if taken == 0 {
        assert!(extras.is_empty());
    } else {
        let name = format!("control_at_epoch_{last}_step_{taken}.h5");
        assert!(extras.len() == 1 && extras[0].ends_with(&name), "{extras:?} is not {name}");
        let stopped = place.model(&format!("checkpoints/{name}")).optimizer.expect("an optimiser").iterations;
        assert_eq!(stopped, whole + taken as i64);
    }
}
