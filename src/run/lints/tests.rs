//! Every lint on scripted runs: what raises it, what does not, and what puts it to rest.

use super::*;
use crate::event::{BinResult, CheckpointKind, GpuSample, MachineSample, Outcome, RunHeader, StagePlan};

/// A run that is told epoch by epoch, a step a second.
struct Story {
    state: RunState,
    at: f64,
    index: u32,
    stage: usize,
    bins: Vec<String>,
}

const STEPS: usize = 100;

impl Story {
    fn new(bins: &[&str], device: &str) -> Self {
        let bins: Vec<String> = bins.iter().map(|bin| (*bin).to_owned()).collect();
        let plan = StagePlan { loss: "softmax".into(), epochs: 100, ..StagePlan::default() };
        let header = RunHeader {
            run_id: "x-1".into(),
            name: "x".into(),
            schedule: String::new(),
            version: String::new(),
            model: String::new(),
            parameters: 1_000_000,
            embedding_size: 0,
            classes: 2,
            images: 2,
            batch_size: 2,
            device: device.into(),
            precision: "fp32".into(),
            bins: bins.clone(),
            stages: vec![plan; 4],
            initial_epoch: 0,
            pid: 0,
            branches: Vec::new(),
        };
        let mut story = Self { state: RunState::default(), at: 0.0, index: 0, stage: 0, bins };
        story.tell(0.0, Event::RunStarted(Box::new(header)));
        story.stage(0);
        story
    }

    fn tell(&mut self, seconds: f64, event: Event) {
        self.at += seconds;
        self.state.apply(&Record { at: self.at, event });
    }

    fn stage(&mut self, stage: usize) {
        self.stage = stage;
        self.tell(0.0, Event::StageStarted { stage, optimizer: "adam".into() });
    }

    fn begin(&mut self) {
        self.index += 1;
        let (stage, index, steps) = (self.stage, self.index, STEPS as u64);
        self.tell(0.0, Event::EpochStarted { stage, epoch: index, index, steps, learning_rate: 0.1 });
    }

    fn steps(&mut self, step: u64, loss: &[f32], waited: f64) {
        let (loss, index) = (loss.to_vec(), self.index);
        let accuracy = Vec::new();
        self.tell(
            1.0,
            Event::Steps {
                index,
                step,
                loss,
                accuracy,
                images_per_second: 1.0,
                waited,
                memory: 0,
                gradient_norm: None,
            },
        );
    }

    /// A whole epoch: ten reports of ten steps at `loss`, then the bins at (accuracy, threshold).
    fn epoch(&mut self, loss: f64, bins: &[(f64, f64)]) {
        self.epoch_at(loss, bins, 0.1);
    }

    fn epoch_at(&mut self, loss: f64, bins: &[(f64, f64)], learning_rate: f64) {
        self.begin();
        let before = self.state.epochs.last().filter(|row| row.stage == self.stage).map_or(loss, |row| row.loss);
        for report in 1..=10_u64 {
            let value = before + (loss - before) * report as f64 / 10.0;
            self.steps(report * 10, &[value as f32; 10], 0.02);
        }
        for (bin, (accuracy, threshold)) in self.bins.clone().into_iter().zip(bins) {
            let result = BinResult {
                bin,
                accuracy: *accuracy,
                threshold: *threshold,
                fold_mean: None,
                fold_deviation: None,
                pairs: 6000,
                seconds: 1.0,
                rates: Vec::new(),
            };
            self.tell(1.0, Event::BinEvaluated { index: self.index, result });
        }
        let (stage, index) = (self.stage, self.index);
        let (seconds, images_per_second, waited) = (100.0, 1.0, 0.02);
        let accuracy = None;
        self.tell(
            0.1,
            Event::EpochEnded {
                stage,
                epoch: index,
                index,
                loss,
                accuracy,
                learning_rate,
                seconds,
                images_per_second,
                waited,
            },
        );
    }

    fn machine(&mut self, disk_free: Option<u64>, busy: &[f64]) {
        let gpus = busy.iter().map(|busy| GpuSample { busy: *busy, ..GpuSample::default() }).collect();
        self.tell(2.0, Event::Machine(Box::new(MachineSample { disk_free, gpus, ..MachineSample::default() })));
    }

    fn raised(&self) -> Vec<(LintKind, u32, bool)> {
        self.state.warnings.all().iter().map(|warning| (warning.kind, warning.times, warning.active)).collect()
    }
}

/// A story, and the kinds it raises.
type Case = (&'static str, &'static [LintKind], fn(&mut Story));

const CASES: &[Case] = &[
    ("a loss that falls", &[], |story| {
        (0..30).for_each(|at| story.epoch(5.0 * 0.9_f64.powi(at), &[(0.9 + 0.003 * f64::from(at), 0.3)]));
    }),
    ("a step whose loss is NaN", &[LintKind::NotFinite], |story| {
        story.begin();
        story.steps(3, &[1.0, f32::NAN, 1.0], 0.0);
    }),
    ("an infinite loss", &[LintKind::NotFinite], |story| {
        story.begin();
        story.steps(1, &[f32::INFINITY], 0.0);
    }),
    ("an accuracy that is NaN", &[LintKind::NotFinite], |story| story.epoch(1.0, &[(f64::NAN, 0.3)])),
    ("a loss that climbs back", &[LintKind::Diverging], |story| {
        for loss in [5.0, 3.0, 2.0, 2.5, 4.5, 5.0] {
            story.epoch(loss, &[(0.9, 0.3)]);
        }
    }),
    ("a loss that explodes from its start", &[LintKind::Diverging], |story| {
        for loss in [3.0, 3.0, 9.0, 30.0] {
            story.epoch(loss, &[(0.5, 0.3)]);
        }
    }),
    ("a loss that wobbles where it ends", &[], |story| {
        for loss in [5.0, 1.0, 0.2, 0.15, 0.25, 0.15, 0.2, 0.1, 0.2] {
            story.epoch(loss, &[(0.9, 0.3)]);
        }
    }),
    ("another loss in the next stage", &[], |story| {
        for loss in [5.0, 3.0, 2.0] {
            story.epoch(loss, &[(0.9, 0.3)]);
        }
        story.stage(1);
        for loss in [50.0, 40.0, 30.0] {
            story.epoch(loss, &[(0.85, 0.1)]);
        }
    }),
    ("two worse epochs", &[LintKind::AccuracyDrop], |story| {
        for (at, accuracy) in [0.8, 0.95, 0.9, 0.91].into_iter().enumerate() {
            story.epoch(3.0 - at as f64 / 2.0, &[(accuracy, 0.3)]);
        }
    }),
    ("one worse epoch", &[], |story| {
        for (at, accuracy) in [0.8, 0.95, 0.85, 0.94, 0.96].into_iter().enumerate() {
            story.epoch(3.0 - at as f64 / 2.0, &[(accuracy, 0.3)]);
        }
    }),
    ("two worse epochs of a new loss", &[], |story| {
        story.epoch(3.0, &[(0.95, 0.3)]);
        story.stage(1);
        for accuracy in [0.8, 0.85, 0.96] {
            story.epoch(3.0, &[(accuracy, 0.3)]);
        }
    }),
    ("a threshold that wanders", &[LintKind::ThresholdDrift], |story| {
        for at in 0..8 {
            let at = f64::from(at);
            story.epoch(3.0 - 0.1 * at, &[(0.9, 0.5 - 0.04 * at)]);
        }
    }),
    ("a threshold that wanders to something better", &[], |story| {
        for at in 0..8 {
            let at = f64::from(at);
            story.epoch(3.0 - 0.1 * at, &[(0.8 + 0.02 * at, 0.5 - 0.04 * at)]);
        }
    }),
    ("nothing better for long", &[LintKind::Plateau], |story| {
        for loss in [3.0, 2.0, 1.5] {
            story.epoch(loss, &[(0.9, 0.3)]);
        }
        (0..9).for_each(|_| story.epoch(1.5, &[(0.9, 0.3)]));
    }),
    ("a plateau whose bins still improve", &[], |story| {
        (0..14).for_each(|at| story.epoch(1.5, &[(0.9 + 0.002 * f64::from(at), 0.3)]));
    }),
    ("a learning rate that has run out", &[], |story| {
        (0..14).for_each(|at| story.epoch_at(1.5, &[(0.9, 0.3)], 0.1 * 0.5_f64.powi(at)));
    }),
    ("slow images", &[LintKind::Starvation], |story| {
        story.begin();
        (1..100).for_each(|step| story.steps(step, &[1.0], 0.5));
    }),
    ("slow images for a moment", &[], |story| {
        story.begin();
        (1..100).for_each(|step| story.steps(step, &[1.0], if step < 8 { 0.9 } else { 0.03 }));
    }),
    ("a full disk", &[LintKind::Disk], |story| {
        story.tell(0.0, written(50 << 20));
        story.machine(Some(99 << 20), &[]);
    }),
    ("a full disk before the first file", &[LintKind::Disk], |story| story.machine(Some(20 << 20), &[])),
    ("a disk with room", &[], |story| {
        story.tell(0.0, written(50 << 20));
        story.machine(Some(101 << 20), &[]);
        story.machine(None, &[]);
    }),
    ("a GPU that waits", &[LintKind::IdleGpu], |story| {
        story.begin();
        (1..60).for_each(|step| {
            story.steps(step, &[1.0], 0.0);
            story.machine(None, &[0.0, 0.2]);
        });
    }),
    ("a busy GPU among others", &[], |story| {
        story.begin();
        (1..60).for_each(|step| {
            story.steps(step, &[1.0], 0.0);
            story.machine(None, &[0.0, 0.9]);
        });
    }),
];

fn written(bytes: u64) -> Event {
    Event::CheckpointWritten { kind: CheckpointKind::Model, path: "x.h5".into(), index: 1, bytes, seconds: 0.1 }
}

#[test]
fn every_story_raises_what_it_should_and_nothing_else() {
    for (name, wanted, tell) in CASES {
        let mut story = Story::new(&["lfw"], "cuda:0 NVIDIA H200");
        tell(&mut story);
        let kinds: Vec<LintKind> = story.raised().into_iter().map(|(kind, ..)| kind).collect();
        assert_eq!(kinds, *wanted, "{name}: {:#?}", story.state.warnings.all());
        for warning in story.state.warnings.all() {
            let text = &warning.finding.sentence;
            assert!(!text.ends_with('.') && !warning.finding.advice.ends_with('.') && text.len() < 140, "{text}");
        }
    }
}

#[test]
fn without_a_gpu_no_gpu_is_idle() {
    let mut story = Story::new(&[], "cpu (2 threads)");
    story.begin();
    for step in 1..60 {
        story.steps(step, &[1.0], 0.0);
        story.machine(None, &[0.0]);
    }
    assert_eq!(story.raised(), []);
}

#[test]
fn a_warning_ends_when_it_no_longer_holds_and_comes_back_as_itself() {
    let mut story = Story::new(&[], "cpu");
    story.tell(0.0, written(50 << 20));
    story.machine(Some(60 << 20), &[]);
    assert_eq!(story.raised(), [(LintKind::Disk, 1, true)]);
    // Between the two limits it stays as it is.
    story.machine(Some(150 << 20), &[]);
    assert_eq!(story.raised(), [(LintKind::Disk, 1, true)]);
    story.machine(Some(300 << 20), &[]);
    assert_eq!(story.raised(), [(LintKind::Disk, 1, false)]);
    story.machine(Some(150 << 20), &[]);
    assert_eq!(story.raised(), [(LintKind::Disk, 1, false)]);
    story.machine(Some(60 << 20), &[]);
    assert_eq!(story.raised(), [(LintKind::Disk, 2, true)]);
    story.tell(1.0, Event::Finished { outcome: Outcome::Completed, seconds: 1.0 });
    assert_eq!(story.state.warnings.active().count(), 0, "what ended needs no advice");
}

#[test]
fn each_bin_has_its_own_warnings() {
    let mut story = Story::new(&["lfw", "agedb"], "cpu");
    for (at, accuracy) in [0.9, 0.95, 0.8, 0.8].into_iter().enumerate() {
        story.epoch(3.0 - at as f64 / 2.0, &[(accuracy, 0.3), (0.9 + at as f64 / 100.0, 0.3)]);
    }
    let about: Vec<_> = story.state.warnings.active().map(|warning| warning.finding.about.clone()).collect();
    assert_eq!(about, [Some("lfw".to_owned())]);
}

/// The reference's own run over four losses: `keras_tiny_facenet_32_hist.json`, its bins of 60 pairs.
const REFERENCE: &[(usize, f64, f64, f64)] = &[
    (0, 2.6506, 0.5167, 0.5167),
    (0, 2.5939, 0.5, 0.5167),
    (0, 2.1759, 0.5167, 0.5),
    (0, 2.7526, 0.5, 0.5),
    (1, 53.0018, 0.5, 0.5),
    (1, 51.0542, 0.5, 0.5),
    (1, 42.3695, 0.5, 0.5),
    (1, 39.6331, 0.5667, 0.5),
    (1, 19.7224, 0.7167, 0.8833),
    (2, 1.0098, 0.65, 0.8833),
    (2, 0.9609, 0.8167, 0.8667),
];

/// A demo run: softmax, the head alone, arcface; its bins `pose` and `frontal`.
const DEMO: &[(usize, f64, f64, f64)] = &[
    (0, 5.1345, 0.5683, 0.59),
    (0, 4.5406, 0.5833, 0.65),
    (0, 3.7965, 0.5767, 0.6467),
    (0, 3.0525, 0.665, 0.77),
    (0, 2.1667, 0.8417, 0.9017),
    (1, 11.4418, 0.8417, 0.9017),
    (2, 10.0492, 0.795, 0.8883),
    (2, 5.9471, 0.8583, 0.92),
    (2, 3.9643, 0.895, 0.945),
    (2, 2.8854, 0.9317, 0.9617),
    (2, 2.2297, 0.9433, 0.975),
];

#[test]
fn the_reference_and_the_demo_raise_nothing() {
    for rows in [REFERENCE, DEMO] {
        let mut story = Story::new(&["one", "other"], "cpu");
        for (stage, loss, one, other) in rows {
            if *stage != story.stage {
                story.stage(*stage);
            }
            story.epoch(*loss, &[(*one, 0.3), (*other, 0.4)]);
        }
        assert_eq!(story.raised(), [], "{:#?}", story.state.warnings.all());
    }
}

#[test]
fn a_branch_begins_without_the_warnings_of_the_one_before() {
    let mut story = Story::new(&[], "cpu");
    story.begin();
    story.steps(1, &[f32::NAN], 0.0);
    assert_eq!(story.raised(), [(LintKind::NotFinite, 1, true)]);
    story.tell(1.0, Event::BranchStarted { branch: 0, name: "b".into(), run_id: "x-b".into() });
    assert_eq!(story.raised(), [(LintKind::NotFinite, 1, false)]);
}
