//! The optimisers against Keras's own steps, and at the borders of their hyper-parameters.

use std::path::Path;

use serde_json::Value;
use tch::{Device, Kind};

use super::*;
use crate::train::optim::clip::clip_flat;
use crate::train::optim::restore;

fn numbers(value: &Value) -> Vec<f32> {
    match value {
        Value::Array(list) => list.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().expect("a number") as f32],
    }
}

fn tensor(values: &[&Value]) -> Tensor {
    Tensor::from_slice(&values.iter().copied().flat_map(numbers).collect::<Vec<f32>>())
}

#[test]
fn a_frozen_part_keeps_its_weights_and_state() {
    let flat = Tensor::from_slice(&[1f32, 2.0, 3.0, 4.0]);
    let mut optimizer = OptimizerState::new(Optimizer::ADAM, &flat);
    optimizer.step(&flat, 2, &Tensor::from_slice(&[1f32, -1.0]), 0.1);
    assert_eq!(Vec::<f32>::try_from(flat.narrow(0, 0, 2)).expect("numbers"), [1.0, 2.0]);
    assert!(flat.double_value(&[2]) < 3.0 && flat.double_value(&[3]) > 4.0);
    assert!(optimizer.slots()[0].double_value(&[0]).abs() < 1e-12);
}

#[test]
fn nesterov_looks_ahead() {
    let flat = Tensor::from_slice(&[0f32]);
    let mut optimizer = OptimizerState::new(Optimizer::sgd(0.5, true), &flat);
    optimizer.step(&flat, 0, &Tensor::from_slice(&[1f32]), 1.0);
    assert!((flat.double_value(&[0]) + 1.5).abs() < 1e-6);
}

#[test]
fn small_decays_are_not_lost_in_rounding() {
    let flat = Tensor::full([1], 1.0, (Kind::Float, Device::Cpu));
    let method = Method::SgdW { momentum: 0.0, nesterov: false, weight_decay: 1e-5 };
    let mut optimizer = OptimizerState::new(Optimizer::new(method), &flat);
    for _ in 0..1000 {
        optimizer.step(&flat, 0, &Tensor::zeros([1], (Kind::Float, Device::Cpu)), 0.1);
    }
    let wanted = (1.0 - 1e-5f64).powi(1000);
    assert!((flat.double_value(&[0]) - wanted).abs() < 2e-5, "{flat:?}");
}

#[test]
fn nothing_becomes_infinite_at_the_borders() {
    let all = [
        Method::Sgd { momentum: 0.9, nesterov: true },
        Method::Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, amsgrad: true },
        Method::Nadam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, schedule_decay: 0.004 },
        Method::RmsProp { rho: 0.9, momentum: 0.0, epsilon: 1e-7, centered: true },
        Method::RmsProp { rho: 0.9, momentum: 0.9, epsilon: 1e-7, centered: true },
        Method::AdamW { beta_1: 0.0, beta_2: 0.0, epsilon: 1e-7, amsgrad: false, weight_decay: 0.1, fixed_decay: true },
        Method::SgdW { momentum: 0.0, nesterov: false, weight_decay: 0.1 },
    ];
    for method in all {
        for rate in [0.0, 1e-40, 0.001, 10.0] {
            let flat = Tensor::from_slice(&[1f32, -1.0, 0.0]);
            let mut optimizer = OptimizerState::new(Optimizer::new(method), &flat);
            for _ in 0..50 {
                // A steady gradient, one of zero, and a tiny one.
                optimizer.step(&flat, 0, &Tensor::from_slice(&[3f32, 0.0, 1e-20]), rate);
            }
            let sum = flat.sum(Kind::Float).double_value(&[]);
            assert!(sum.is_finite(), "{method:?} at {rate}: {flat:?}");
        }
    }
}

struct Run<'a> {
    what: String,
    rule: Optimizer,
    file: &'a Value,
    optimizer: OptimizerState,
    flat: Tensor,
    lengths: Tensor,
}

impl<'a> Run<'a> {
    fn new(what: String, rule: Optimizer, file: &'a Value) -> Self {
        let flat = tensor(&[&file["p0"], &file["q0"]]);
        let lengths = [&file["p0"], &file["q0"]].map(|start| numbers(start).len() as i64);
        let optimizer = OptimizerState::new(rule, &flat);
        Self { what, rule, file, optimizer, flat, lengths: Tensor::from_slice(&lengths) }
    }

    /// The gradient of `step`: given ones, or that of the file's quadratic function.
    fn gradient(&self, step: usize, quadratic: bool) -> Tensor {
        if !quadratic {
            return tensor(&[&self.file["fixed_grads_p"][step], &self.file["fixed_grads_q"][step]]);
        }
        let about = &self.file["quadratic"];
        let (diagonal, b) = (tensor(&[&about["A_diag"]]), tensor(&[&about["b"]]));
        let length = diagonal.numel() as i64;
        let p = self.flat.narrow(0, 0, length);
        let q = self.flat.narrow(0, length, self.flat.numel() as i64 - length);
        Tensor::cat(&[diagonal * p - b, q.copy()], 0)
    }

    /// Follows steps of weights `p` and `q`, each within 1e-5 of its size.
    fn follow(&mut self, kind: &str, steps: &Value, rate: impl Fn(usize) -> f64) {
        for (step, wanted) in steps.as_array().expect("steps").iter().enumerate() {
            let mut gradient = self.gradient(step, kind == "quadratic");
            clip_flat(&self.rule.clip, &mut gradient, Some(&self.lengths));
            self.optimizer.step(&self.flat, 0, &gradient, rate(step));
            let wanted = tensor(&[&wanted["p"], &wanted["q"]]);
            let allowed = wanted.abs() * 1e-5 + 1e-7;
            let worst = ((&self.flat - &wanted).abs() - allowed).max().double_value(&[]);
            assert!(worst <= 0.0, "{}, {kind}, step {step}: off by {worst} more than allowed", self.what);
        }
    }

    /// Compares the state with Keras's variables, `Adam/p/m:0` or `m/p:0`.
    fn compare_state(&self, state: &Value, tolerance: f64) {
        let find = |weight: &str, slot: &str| {
            let mut entries = state.as_object().expect("a map").iter();
            entries.find(|(name, _)| {
                let parts: Vec<&str> = name.trim_end_matches(":0").split('/').collect();
                parts.contains(&weight) && parts.contains(&slot)
            })
        };
        for (name, slot) in OptimizerState::slot_names(&self.rule).iter().zip(self.optimizer.slots()) {
            // Keras's newer SGD calls its momentum `m`.
            let name = if find("p", name).is_some() { name } else { "m" };
            let [p, q] = ["p", "q"].map(|weight| find(weight, name).expect("the slot").1);
            let wanted = tensor(&[p, q]);
            let allowed = wanted.abs() * tolerance + wanted.abs().max() * 1e-6;
            let worst = ((slot - &wanted).abs() - allowed).max().double_value(&[]);
            assert!(worst <= 0.0, "{}: {name} is off by {worst} more than allowed", self.what);
        }
        if let Some(cache) = state.get("Nadam/momentum_cache:0") {
            let cache = cache.as_f64().expect("a number");
            assert!((self.optimizer.momentum_cache / cache - 1.0).abs() < 1e-5, "{}", self.what);
        }
    }
}

fn compare_file(path: &Path) -> usize {
    let text = std::fs::read_to_string(path).expect("reads");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let runs = file["runs"].as_object().expect("runs");
    for (name, run) in runs {
        let what = format!("{name} of {}", path.display());
        let config = &run["config"];
        let class = if name.starts_with("Addons>") {
            name.split('(').next().expect("a class")
        } else {
            config["name"].as_str().expect("a class")
        };
        let rule = restore::rule(class, config).unwrap_or_else(|| panic!("{what}: not known"));
        let base = config["learning_rate"].as_f64().expect("a rate");
        let mut ours = Run::new(what.clone(), rule, &file);
        ours.follow("fixed", &run["fixed"], |_| base);
        // The newer optimisers take `1 - beta` in double precision.
        ours.compare_state(&run["state_after_fixed"], if config.get("decay").is_some() { 1e-5 } else { 2e-5 });
        if run["quadratic"].is_array() {
            Run::new(what.clone(), rule, &file).follow("quadratic", &run["quadratic"], |_| base);
        }
        if run["lr_schedule"].is_array() {
            let rate = |step: usize| if step < 5 { base } else { base * (0.05 * (5.0 - step as f64)).exp() };
            Run::new(what.clone(), rule, &file).follow("lr_schedule", &run["lr_schedule"], rate);
        }
        let double = &file["runs_f64_fixed"][name];
        if double.is_array() {
            Run::new(what, rule, &file).follow("fixed in double precision", double, |_| base);
        }
    }
    runs.len()
}

/// Ten steps of every optimiser as real Keras took them (`tests/python/make_numbers.py`).
#[test]
fn follows_keras() {
    assert!(compare_file(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/optimizers.json"))) >= 20);
}

/// The same of the shared cases, where they lie beside the clone.
#[test]
fn follows_the_shared_cases() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/cases/optimizers.json"));
    if path.is_file() {
        compare_file(path);
    }
}
