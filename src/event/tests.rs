//! Events as lines of JSON and back.

use super::*;

fn round_trip(event: Event) -> Record {
    let line = serde_json::to_string(&Record { at: 1.5, event }).expect("serialises");
    serde_json::from_str(&line).expect("reads back")
}

#[test]
fn not_a_number_survives_the_journal() {
    let back = round_trip(Event::Steps {
        index: 1,
        step: 3,
        loss: vec![1.0, f32::NAN, f32::INFINITY],
        accuracy: vec![],
        images_per_second: 10.0,
        waited: 0.0,
        memory: 1,
        gradient_norm: Some(f64::INFINITY),
    });
    let Event::Steps { loss, gradient_norm: Some(f64::INFINITY), .. } = back.event else {
        panic!("another event came back")
    };
    assert!((loss[0] - 1.0).abs() < 1e-9 && loss[1].is_nan() && loss[2].is_infinite());
}

#[test]
fn flattened_fields_come_back() {
    let event = Event::Finished {
        outcome: Outcome::Failed { error: "no space".into(), help: Some("make room".into()) },
        seconds: 2.0,
    };
    assert_eq!(round_trip(event.clone()).event, event);
    let result = BinResult {
        bin: "lfw".into(),
        accuracy: 0.5,
        threshold: 0.1,
        fold_mean: None,
        fold_deviation: None,
        pairs: 6000,
        seconds: 1.0,
        rates: vec![Rate { far: 1e-3, tar: Some(0.9) }, Rate { far: 1e-4, tar: None }],
    };
    let event = Event::BinEvaluated { index: 2, result };
    assert_eq!(round_trip(event.clone()).event, event);
}

#[test]
fn a_journal_from_before_the_rates_is_read() {
    let line = r#"{"at":1.0,"event":"bin_evaluated","index":1,"bin":"lfw","accuracy":0.9,"threshold":0.2,
        "fold_mean":null,"fold_deviation":null,"pairs":6,"seconds":1.0}"#;
    let record: Record = serde_json::from_str(line).expect("reads");
    assert!(matches!(record.event, Event::BinEvaluated { result, .. } if result.rates.is_empty()));
}

#[test]
fn a_journal_from_before_the_gradient_norm_is_read() {
    let line = r#"{"at":1,"event":"steps","index":1,"step":1,"loss":[1],"accuracy":[],"images_per_second":1,
        "waited":0,"memory":1}"#;
    let record: Record = serde_json::from_str(line).expect("reads");
    assert!(matches!(record.event, Event::Steps { gradient_norm: None, .. }));
}

#[test]
fn commands_and_samples_come_back() {
    let commands = [Command::Stop(StopKind::Now), Command::Evaluate, Command::ScaleLearningRate(0.5)];
    let line = serde_json::to_string(&commands).expect("serialises");
    assert_eq!(line, r#"[{"stop":"now"},"evaluate",{"scale_learning_rate":0.5}]"#);
    assert_eq!(serde_json::from_str::<Vec<Command>>(&line).expect("reads"), commands);
    let gpus = vec![GpuSample { name: "a".into(), busy: 0.5, ..GpuSample::default() }];
    let event = Event::Machine(Box::new(MachineSample { cpu: 0.1, gpus, ..MachineSample::default() }));
    assert_eq!(round_trip(event.clone()).event, event);
}

#[test]
fn a_branchs_line_comes_back_whole() {
    let row = BranchRow {
        name: "arcface".into(),
        epoch: 7,
        loss: Some(22.3),
        accuracy: None,
        bins: Vec::new(),
        seconds: 12.0,
        steps: 6,
        outcome: Some(Outcome::Failed { error: "the loss became NaN".into(), help: None }),
    };
    let start = Some(BranchRow { name: "start".into(), outcome: None, ..row.clone() });
    for event in [
        Event::BranchEnded { branch: 2, row: row.clone() },
        Event::StartEvaluated { row: BranchRow { outcome: None, ..row.clone() } },
        Event::BranchesCompared { start, branches: vec![row] },
    ] {
        assert_eq!(round_trip(event.clone()).event, event);
    }
}

#[test]
fn a_plan_of_an_older_version_is_read() {
    let plan: StagePlan = serde_json::from_str(
        r#"{"loss": "softmax", "optimizer": "adam", "epochs": 2, "bottleneck_only": false, "steps_per_epoch": 9}"#,
    )
    .expect("reads");
    assert_eq!((plan.epochs, plan.batch_size, plan.left_out), (2, 0, LeftOut::default()));
}

#[test]
fn an_event_of_the_future_is_read() {
    let record: Record = serde_json::from_str(r#"{"at": 1, "event": "teleported", "to": "mars"}"#).expect("reads");
    assert_eq!(record.event, Event::Unknown);
}

#[test]
fn the_members_of_a_record_come_in_any_order() {
    let read = |text: &str| serde_json::from_str::<Record>(text);
    let record = Record { at: 2.5, event: Event::Log { level: Level::Info, message: "one".into() } };
    for text in [
        r#"{"at":2.5,"event":"log","level":"info","message":"one","crc":"00000000"}"#,
        r#"{"level":"info","message":"one","event":"log","at":2.5}"#,
        r#"{"\u0061t":2.5,"\u0065vent":"log","x":[[{"at":1}]],"level":"info","message":"one"}"#,
    ] {
        assert_eq!(read(text).expect(text), record);
    }
    let wrong = |text: &str| read(text).expect_err(text).to_string();
    assert!(wrong(r#"{"event":"paused"}"#).starts_with("missing field `at`"));
    assert!(wrong(r#"{"at":1,"event":"paused","at":1}"#).starts_with("duplicate field `at`"));
    assert!(wrong(r#"{"at":1}"#).starts_with("missing field `event`"));
    assert!(wrong(r#"{"at":"now","event":"paused"}"#).starts_with("invalid type: string \"now\""));
    assert!(wrong("[1]").starts_with("invalid type: sequence, expected an event with its moment"));
}
