//! Optimisers through files, changing heads and frozen stages.

use tch::{Device, Kind, Tensor};

use super::*;
use crate::checkpoint::{self, Floats as _, OptimizerSlot, SavedModel};
use crate::graph::Array;
use crate::nn::Network;
use crate::nn::parameters::Piece;
use crate::schedule::{Backbone, HeadKind, Loss, ModelSource};
use crate::train::saver::job::OptimizerSnapshot;
use crate::train::{model, step};

/// Every kind of optimiser, with every slot there is.
fn all() -> Vec<Optimizer> {
    let clip = Clip { value: Some(0.5), norm: Some(1.5), global_norm: None };
    let global = Clip { global_norm: Some(2.0), ..Clip::default() };
    let (beta_1, beta_2, epsilon) = (0.8, 0.99, 1e-5);
    let methods = [
        Method::Sgd { momentum: 0.0, nesterov: false },
        Method::Sgd { momentum: 0.9, nesterov: true },
        Method::Adam { beta_1, beta_2, epsilon, amsgrad: false },
        Method::Adam { beta_1, beta_2, epsilon, amsgrad: true },
        Method::Nadam { beta_1, beta_2, epsilon, schedule_decay: 0.004 },
        Method::Nadam { beta_1, beta_2, epsilon, schedule_decay: 1.0 },
        Method::RmsProp { rho: 0.8, momentum: 0.0, epsilon, centered: false },
        Method::RmsProp { rho: 0.8, momentum: 0.5, epsilon, centered: true },
        Method::AdamW { beta_1, beta_2, epsilon, amsgrad: true, weight_decay: 0.01, fixed_decay: false },
        Method::AdamW { beta_1, beta_2, epsilon, amsgrad: false, weight_decay: 0.01, fixed_decay: true },
        Method::SgdW { momentum: 0.9, nesterov: false, weight_decay: 0.01 },
    ];
    let with = |(place, method)| Optimizer { method, clip: [Clip::default(), clip, global][place % 3], decay: 0.0 };
    methods.into_iter().enumerate().map(with).collect()
}

fn network(head: HeadKind, classes: usize) -> Network {
    let backbone = Backbone { width: 0.1, ..Backbone::new("mobilefacenet", 16) };
    let start = model::start(&ModelSource::Backbone(backbone), 1).expect("builds");
    model::with_head(start, head, classes, 1, Device::Cpu, Kind::Float).expect("fits").0
}

fn train(network: &mut Network, optimizer: &mut OptimizerState, loss: &Loss, head_only: bool) {
    tch::manual_seed(optimizer.iterations);
    let images = Tensor::rand([8, 112, 112, 3], (Kind::Float, Device::Cpu)).permute([0, 3, 1, 2]) * 2.0 - 1.0;
    let labels = Tensor::from_slice(&[0i64, 1, 2, 3, 0, 1, 2, 3]);
    step::step(network, optimizer, loss, &images, &labels, 0.001, head_only);
}

const ARCFACE: Loss = Loss::Arcface { margin1: 1.0, margin2: 0.5, margin3: 0.0, scale: 32.0 };

#[test]
fn every_optimiser_survives_its_keras_configuration() {
    for mut optimizer in all() {
        if !matches!(optimizer.method, Method::Nadam { .. } | Method::AdamW { fixed_decay: false, .. }) {
            optimizer.decay = 0.25;
        }
        let (class, config) = keras_config(&optimizer, 0.01);
        assert_eq!(rule(class, &config), Some(optimizer), "{class} {config}");
        assert_eq!(config["learning_rate"], 0.01);
        assert_eq!(config.get("clipnorm").is_some(), optimizer.clip.norm.is_some());
    }
    assert_eq!(rule("Ftrl", &json!({})), None);
    assert_eq!(rule("SGD", &json!({"weight_decay": 0.1})), None);
}

#[test]
fn a_file_brings_every_state_back_and_a_head_of_other_classes_begins_anew() {
    for rule in all() {
        let mut trained = network(HeadKind::Arcface, 4);
        let mut optimizer = OptimizerState::new(rule, &trained.parameters.flat);
        train(&mut trained, &mut optimizer, &ARCFACE, false);
        let snapshot = trained.parameters.snapshot();
        let pieces = OptimizerSnapshot::new(&optimizer, 0.001).saved(trained.graph(), &snapshot);
        let saved = whole(&pieces);
        let back = crate::train::optim::restore::optimizer(&saved, &trained).expect("is known");
        assert_eq!((back.rule, back.iterations), (rule, 1));
        assert!((back.momentum_cache / optimizer.momentum_cache - 1.0).abs() < 1e-6);
        for (ours, theirs) in back.slots().iter().zip(optimizer.slots()) {
            assert!(ours.equal(theirs), "{rule:?}");
        }
        // And through a real file.
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.h5");
        let graph = trained.graph().clone();
        let weights = snapshot.pieces(graph.nodes().len());
        let model = SavedModel { optimizer: Some(pieces), ..SavedModel::new(graph, weights) };
        checkpoint::write(&path, &model).expect("writes");
        let read = checkpoint::read(&path).expect("reads").optimizer.expect("has one");
        let from_file = crate::train::optim::restore::optimizer(&read, &trained).expect("is known");
        assert_eq!((from_file.rule, from_file.iterations), (rule, 1));
        for (ours, theirs) in from_file.slots().iter().zip(optimizer.slots()) {
            assert!(ours.equal(theirs), "{rule:?} through a file");
        }
        // As many steps later the weights are the same, bit for bit.
        let other = model::take_apart(&trained);
        let (mut continued, fresh) =
            model::with_head(other, HeadKind::Arcface, 4, 1, Device::Cpu, Kind::Float).expect("fits");
        assert!(!fresh);
        let mut back = back;
        train(&mut trained, &mut optimizer, &ARCFACE, false);
        train(&mut continued, &mut back, &ARCFACE, false);
        assert!(trained.parameters.flat.equal(&continued.parameters.flat), "{rule:?}");

        let larger = network(HeadKind::Arcface, 7);
        let back = crate::train::optim::restore::optimizer(&saved, &larger).expect("is known");
        let basic = larger.parameters.range(larger.head()).0;
        for (ours, theirs) in back.slots().iter().zip(optimizer_slots(&saved, &trained)) {
            assert!(ours.narrow(0, 0, basic).equal(&theirs.narrow(0, 0, basic)), "{rule:?}");
            let head = ours.narrow(0, basic, ours.numel() as i64 - basic);
            assert!(head.abs().max().double_value(&[]) < 1e-12);
        }
    }
}

/// An optimiser with its state as arrays.
fn whole(saved: &SavedOptimizer<Piece>) -> SavedOptimizer {
    let slots = saved.slots.iter().map(|slot| OptimizerSlot {
        slot: slot.slot.clone(),
        layer: slot.layer.clone(),
        weight: slot.weight.clone(),
        array: slot.array.array(),
    });
    SavedOptimizer {
        class_name: saved.class_name.clone(),
        config: saved.config.clone(),
        iterations: saved.iterations,
        momentum_cache: saved.momentum_cache,
        slots: slots.collect(),
    }
}

fn optimizer_slots(saved: &SavedOptimizer, network: &Network) -> Vec<Tensor> {
    crate::train::optim::restore::optimizer(saved, network)
        .expect("is known")
        .slots()
        .iter()
        .map(Tensor::copy)
        .collect()
}

#[test]
fn state_is_kept_over_head_changes_and_frozen_stages() {
    for rule in all() {
        let mut network = network(HeadKind::Softmax, 4);
        let mut optimizer = OptimizerState::new(rule, &network.parameters.flat);
        train(&mut network, &mut optimizer, &Loss::Softmax { label_smoothing: 0.0 }, false);
        let basic = network.parameters.range(network.head()).0;
        let kept: Vec<Tensor> = optimizer.slots().iter().map(|slot| slot.narrow(0, 0, basic).copy()).collect();
        let check = |optimizer: &OptimizerState, network: &Network| {
            for (slot, kept) in optimizer.slots().iter().zip(&kept) {
                assert_eq!(slot.numel(), network.parameters.flat.numel());
                assert!(slot.narrow(0, 0, basic).equal(kept), "{rule:?}");
            }
        };
        // A new head, trained alone; the basic model's state rests.
        let old = network.graph().clone();
        let start = model::take_apart(&network);
        let (mut next, fresh) =
            model::with_head(start, HeadKind::Arcface, 9, 1, Device::Cpu, Kind::Float).expect("fits");
        assert!(fresh);
        keep_state(&mut optimizer, &old, &next);
        check(&optimizer, &next);
        train(&mut next, &mut optimizer, &ARCFACE, true);
        check(&optimizer, &next);
        // No head at all.
        let old = next.graph().clone();
        let start = model::take_apart(&next);
        let (mut bare, _) = model::with_head(start, HeadKind::Triplet, 9, 1, Device::Cpu, Kind::Float).expect("fits");
        keep_state(&mut optimizer, &old, &bare);
        check(&optimizer, &bare);
        train(&mut bare, &mut optimizer, &Loss::BatchHardTriplet { alpha: 2.0 }, false);
        assert_eq!(optimizer.iterations, 3);
        // And one again.
        let old = bare.graph().clone();
        let start = model::take_apart(&bare);
        let (mut last, _) = model::with_head(start, HeadKind::Softmax, 5, 1, Device::Cpu, Kind::Float).expect("fits");
        keep_state(&mut optimizer, &old, &last);
        train(&mut last, &mut optimizer, &Loss::Softmax { label_smoothing: 0.1 }, false);
        let finite = last.parameters.flat.isfinite().all();
        assert_eq!(i64::try_from(finite).expect("a flag"), 1, "{rule:?}");
    }
}

#[test]
fn a_nadam_whose_product_no_file_tells_goes_on_with_the_right_one() {
    let network = network(HeadKind::Arcface, 4);
    let mut state = OptimizerState::new(Optimizer::NADAM, &network.parameters.flat);
    for _ in 0..7 {
        state.step(&network.parameters.flat, 0, &network.parameters.flat.zeros_like(), 0.1);
    }
    let config = json!({"decay": 0.004});
    let saved =
        SavedOptimizer { class_name: "Nadam".into(), config, iterations: 7, momentum_cache: None, slots: Vec::new() };
    let back = crate::train::optim::restore::optimizer(&saved, &network).expect("is known");
    assert!((back.momentum_cache / state.momentum_cache - 1.0).abs() < 1e-9);
    let endless = SavedOptimizer { iterations: i64::MAX, ..saved };
    assert!(crate::train::optim::restore::optimizer(&endless, &network).is_some());
}

#[test]
fn unknown_slots_are_passed_over() {
    let network = network(HeadKind::Arcface, 4);
    let slot = OptimizerSlot {
        slot: "v".into(),
        layer: "no such layer".into(),
        weight: "kernel".into(),
        array: Array { shape: vec![1], data: vec![1.0] },
    };
    let saved = SavedOptimizer {
        class_name: "Adam".into(),
        config: json!({"decay": 0.0}),
        iterations: 5,
        momentum_cache: None,
        slots: vec![slot],
    };
    let state = crate::train::optim::restore::optimizer(&saved, &network).expect("is known");
    assert_eq!((state.rule, state.iterations), (Optimizer::ADAM, 5));
    assert!(state.slots().iter().all(|slot| slot.abs().max().double_value(&[]) < 1e-12));
}
