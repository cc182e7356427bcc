//! Scripted runs: realistic records of a small training, three stages and three bins, without an engine.
//!
//! Tests fold them into states for every screen, and the `replay` example plays them in real time.

use crate::event::{
    BinResult, BranchPlan, BranchRow, CheckpointKind, Event, Level, Outcome, Record, RunHeader, StagePlan, StopKind,
};
use crate::run::state::RunState;

/// When every scripted run begins: 2026-11-24 07:00:00 UTC.
pub const START: f64 = 1_795_503_600.0;

/// Builds the records of a run, one scene after another.
#[derive(Debug, Clone)]
pub struct Script {
    records: Vec<Record>,
    at: f64,
    noise: u64,
    header: RunHeader,
    whole: Option<RunHeader>,
    stage: usize,
    stage_epoch: u32,
    index: u32,
    epoch: u32,
    step: u64,
    total: u64,
    losses: Vec<f32>,
    accuracies: Vec<f32>,
}

impl Default for Script {
    fn default() -> Self {
        Self::new()
    }
}

#[allow(dead_code, reason = "the tests and the example each use a part of it")]
impl Script {
    /// A run of which nothing has happened yet.
    pub fn new() -> Self {
        let stage = |loss: &str, optimizer: &str, epochs, bottleneck_only, steps_per_epoch| StagePlan {
            loss: loss.to_owned(),
            optimizer: optimizer.to_owned(),
            epochs,
            bottleneck_only,
            steps_per_epoch,
            batch_size: 64,
            learning_rate: 0.001,
            augment: 1,
            ..StagePlan::default()
        };
        let header = RunHeader {
            run_id: "demo-20261124-070000".to_owned(),
            name: "demo".to_owned(),
            schedule: "demo.yaml".to_owned(),
            version: "0.1.0".to_owned(),
            model: "mobilefacenet".to_owned(),
            parameters: 1_208_256,
            embedding_size: 256,
            classes: 400,
            images: 19_200,
            batch_size: 64,
            device: "cpu (2 threads)".to_owned(),
            precision: "fp32".to_owned(),
            bins: vec!["frontal".to_owned(), "pose".to_owned(), "age".to_owned()],
            stages: vec![
                stage("softmax", "nadam", 6, false, 300),
                stage("arcface", "keep", 2, true, 300),
                stage("arcface", "sgd", 8, false, 300),
            ],
            initial_epoch: 0,
            pid: 4242,
            branches: Vec::new(),
        };
        Self {
            records: Vec::new(),
            at: START,
            noise: 0x9e37_79b9_7f4a_7c15,
            header,
            whole: None,
            stage: 0,
            stage_epoch: 0,
            index: 0,
            epoch: 0,
            step: 0,
            total: 0,
            losses: Vec::new(),
            accuracies: Vec::new(),
        }
    }

    /// Changes the header before the run starts.
    pub fn with(mut self, change: impl FnOnce(&mut RunHeader)) -> Self {
        change(&mut self.header);
        self
    }

    /// Makes it a comparison: two epochs of softmax, then one epoch of each of these losses.
    pub fn branched(self, losses: &[&str]) -> Self {
        self.with(|header| {
            "losses".clone_into(&mut header.name);
            "losses-20261124-070000".clone_into(&mut header.run_id);
            let plan = StagePlan { epochs: 2, ..header.stages[0].clone() };
            let branch = |loss: &&str| BranchPlan {
                name: (*loss).to_owned(),
                stages: vec![StagePlan {
                    loss: (*loss).to_owned(),
                    optimizer: "adam".to_owned(),
                    epochs: 1,
                    ..plan.clone()
                }],
            };
            header.branches = losses.iter().map(branch).collect();
            header.stages = vec![plan.clone()];
        })
    }

    /// The starting point's line of the table.
    pub fn start_evaluated(self) -> Self {
        let row = BranchRow {
            name: "start".to_owned(),
            seconds: 0.0,
            steps: 0,
            outcome: None,
            ..self.row(Outcome::Completed)
        };
        self.event(0.1, Event::StartEvaluated { row })
    }

    /// A branch begins, with its first epoch.
    pub fn branch(mut self, branch: usize) -> Self {
        let whole = self.whole.clone().unwrap_or_else(|| self.header.clone());
        self.whole = Some(whole.clone());
        let plan = whole.branches[branch].clone();
        self.header = RunHeader {
            run_id: format!("{}-{}", whole.run_id, plan.name),
            name: format!("{}_{}", whole.name, plan.name),
            stages: plan.stages,
            branches: Vec::new(),
            initial_epoch: 2,
            ..whole
        };
        (self.index, self.epoch, self.total) = (0, 2, 0);
        let (name, run_id) = (plan.name, self.header.run_id.clone());
        self.event(0.2, Event::BranchStarted { branch, name, run_id }).start().stage(0)
    }

    /// The branch that is trained ends.
    pub fn branch_end(self, branch: usize, outcome: Outcome) -> Self {
        let row = self.row(outcome);
        self.event(0.2, Event::BranchEnded { branch, row })
    }

    /// A line of the table, of what was trained last.
    fn row(&self, outcome: Outcome) -> BranchRow {
        let state = RunState::replay(&self.records);
        let last = state.epochs.last();
        BranchRow {
            name: self.header.stages[0].loss.clone(),
            epoch: self.epoch,
            loss: last.map(|row| row.loss),
            accuracy: last.and_then(|row| row.accuracy).filter(|_| !self.header.stages[0].loss.contains("triplet")),
            bins: state.bins.iter().filter_map(|bin| bin.last().cloned()).collect(),
            seconds: last.map_or(0.0, |row| row.seconds),
            steps: last.map_or(0, |row| row.total_steps),
            outcome: Some(outcome),
        }
    }

    /// The records so far.
    pub fn records(self) -> Vec<Record> {
        self.records
    }

    /// The state after the records so far.
    pub fn state(self) -> RunState {
        RunState::replay(&self.records)
    }

    /// Adds an event `seconds` after the last one.
    pub fn event(mut self, seconds: f64, event: Event) -> Self {
        self.at += seconds;
        self.records.push(Record { at: self.at, event });
        self
    }

    /// Before the start: images are being listed.
    pub fn preparing(self) -> Self {
        let step = |done| Event::Preparing { what: "listing images".to_owned(), done, total: 19_200 };
        self.event(0.0, step(0)).event(0.4, step(7_300)).event(0.3, step(12_800))
    }

    /// The header.
    pub fn start(self) -> Self {
        let header = self.header.clone();
        self.event(0.4, Event::RunStarted(Box::new(header)))
    }

    /// A stage and its first epoch begin.
    pub fn stage(mut self, stage: usize) -> Self {
        self.stage = stage;
        self.stage_epoch = 0;
        let optimizer = match self.header.stages[stage].optimizer.as_str() {
            "keep" => self.header.stages[stage.saturating_sub(1)].optimizer.clone(),
            own => own.to_owned(),
        };
        self.event(0.6, Event::StageStarted { stage, optimizer }).epoch()
    }

    /// The next epoch begins.
    pub fn epoch(mut self) -> Self {
        let plan = self.header.stages[self.stage].clone();
        self.index += 1;
        self.stage_epoch += 1;
        if !plan.bottleneck_only {
            self.epoch += 1;
        }
        self.step = 0;
        self.losses.clear();
        self.accuracies.clear();
        let event = Event::EpochStarted {
            stage: self.stage,
            epoch: self.shown_epoch(),
            index: self.index,
            steps: plan.steps_per_epoch,
            learning_rate: self.learning_rate(),
        };
        self.event(0.02, event)
    }

    /// Takes steps, ten an event.
    pub fn steps(mut self, count: u64) -> Self {
        for _ in 0..count.div_ceil(10) {
            let mut loss = Vec::new();
            let mut accuracy = Vec::new();
            for _ in 0..10 {
                self.step += 1;
                self.total += 1;
                let (step_loss, step_accuracy) = self.figures();
                loss.push(step_loss);
                accuracy.push(step_accuracy);
            }
            self.losses.extend_from_slice(&loss);
            self.accuracies.extend_from_slice(&accuracy);
            let speed = 412.0 + 30.0 * self.random();
            let event = Event::Steps {
                index: self.index,
                step: self.step,
                loss,
                accuracy,
                images_per_second: speed,
                waited: 0.02 + 0.02 * self.random(),
                memory: 1_288_490_189,
                gradient_norm: Some(2.0 + 8.0 * (-(self.total as f64) / 900.0).exp() + 0.8 * self.random()),
            };
            self = self.event(640.0 / speed, event);
        }
        self
    }

    /// A bin is being embedded, `done` of 1200 images.
    pub fn evaluating(self, bin: usize, done: u64) -> Self {
        let bin = self.header.bins[bin].clone();
        self.event(0.3, Event::Evaluating { bin, done, total: 1200 })
    }

    /// A bin's figures.
    pub fn evaluated(mut self, bin: usize) -> Self {
        let ceiling = [0.992, 0.941, 0.905][bin % 3];
        let progress = 1.0 - (-0.35 * f64::from(self.index)).exp();
        let accuracy = 0.5 + (ceiling - 0.5) * progress - 0.006 * self.random();
        let result = BinResult {
            bin: self.header.bins[bin].clone(),
            accuracy,
            threshold: 0.21 + 0.03 * bin as f64 + 0.01 * self.random(),
            fold_mean: Some(accuracy - 0.003),
            fold_deviation: Some(0.0041 + 0.001 * self.random()),
            pairs: 600,
            seconds: 2.4,
            rates: Vec::new(),
        };
        let index = self.index;
        self.event(0.9, Event::BinEvaluated { index, result })
    }

    /// All bins, with their progress.
    pub fn evaluation(mut self) -> Self {
        for bin in 0..self.header.bins.len() {
            self = self.evaluating(bin, 0).evaluating(bin, 400).evaluating(bin, 800).evaluated(bin);
        }
        self
    }

    /// The epoch's figures, and its files.
    pub fn epoch_end(self) -> Self {
        let mean = |values: &[f32]| f64::from(values.iter().sum::<f32>()) / values.len().max(1) as f64;
        let (loss, accuracy) = (mean(&self.losses), mean(&self.accuracies));
        let (index, name) = (self.index, self.header.name.clone());
        let event = Event::EpochEnded {
            stage: self.stage,
            epoch: self.shown_epoch(),
            index,
            loss,
            accuracy: Some(accuracy),
            learning_rate: self.learning_rate(),
            seconds: self.step as f64 * 0.15,
            images_per_second: 421.0,
            waited: 0.03,
        };
        let file = |kind, path, bytes| Event::CheckpointWritten { kind, path, index, bytes, seconds: 0.2 };
        self.event(0.05, event)
            .event(0.3, file(CheckpointKind::Model, format!("checkpoints/{name}.h5"), 15_204_352))
            .event(0.01, file(CheckpointKind::History, format!("checkpoints/{name}_hist.json"), 2_048))
    }

    /// One whole epoch that has begun.
    pub fn whole_epoch(self) -> Self {
        let plan = self.header.stages[self.stage].clone();
        let trained = self.steps(plan.steps_per_epoch);
        if plan.bottleneck_only { trained.epoch_end() } else { trained.evaluation().epoch_end() }
    }

    /// One whole stage.
    pub fn whole_stage(mut self, stage: usize) -> Self {
        let epochs = self.header.stages[stage].epochs;
        self = self.stage(stage);
        for at in 0..epochs {
            self = if at == 0 { self } else { self.epoch() };
            self = self.whole_epoch();
        }
        self.event(0.01, Event::StageEnded { stage })
    }

    /// The whole run, to its good end.
    pub fn whole(mut self) -> Self {
        self = self.preparing().start();
        for stage in 0..self.header.stages.len() {
            self = self.whole_stage(stage);
        }
        self.best_file().finish(Outcome::Completed)
    }

    /// The best basic model is written.
    pub fn best_file(self) -> Self {
        let index = self.index;
        let path = format!("checkpoints/{}_basic_age_epoch_{}_0.904167.h5", self.header.name, self.epoch);
        let kind = CheckpointKind::Basic;
        self.event(0.2, Event::CheckpointWritten { kind, path, index, bytes: 4_915_200, seconds: 0.1 })
    }

    /// A line for the log.
    pub fn log(self, level: Level, message: &str) -> Self {
        self.event(0.01, Event::Log { level, message: message.to_owned() })
    }

    /// A stop is asked for.
    pub fn stop(self, kind: StopKind) -> Self {
        self.event(0.01, Event::StopRequested { kind })
    }

    /// The end.
    pub fn finish(self, outcome: Outcome) -> Self {
        let seconds = self.at - START;
        self.event(0.1, Event::Finished { outcome, seconds })
    }

    fn shown_epoch(&self) -> u32 {
        if self.header.stages[self.stage].bottleneck_only { self.stage_epoch } else { self.epoch }
    }

    fn learning_rate(&self) -> f64 {
        if self.epoch < 10 { 0.001 } else { 0.001 * (0.05 * (10.0 - f64::from(self.epoch))).exp() }
    }

    /// Loss and accuracy of the step that was just taken.
    fn figures(&mut self) -> (f32, f32) {
        let arcface = self.header.stages[self.stage].loss == "arcface";
        let (time, top, bottom) =
            if arcface { (self.total as f64 - 1800.0, 31.0, 9.0) } else { (self.total as f64, 6.0, 1.1) };
        let curve = bottom + (top - bottom) * (-time / 700.0).exp();
        let loss = curve * (1.0 + 0.16 * (self.random() - 0.5));
        let reached = if arcface { 0.75 } else { 0.9 };
        let accuracy = (reached * (1.0 - (-time / 800.0).exp()) + 0.1 * (self.random() - 0.5)).clamp(0.0, 1.0);
        (loss as f32, accuracy as f32)
    }

    /// A number between 0 and 1, the same in every run (xorshift).
    fn random(&mut self) -> f64 {
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        (self.noise >> 11) as f64 / (1_u64 << 53) as f64
    }
}
