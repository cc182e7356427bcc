//! Files of real Keras in all their dialects (`tests/cases/checkpoint`, made by `tests/python/make_checkpoint_cases.py`),
//! read and written again; damaged ones; and every file of `../shared/cases` where that folder lies beside the clone.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use facetui::checkpoint::{self, CheckpointError, Extras, SavedModel, SavedOptimizer, read_weights};
use facetui::graph::layer::{Activation, Initializer, Layer};
use facetui::graph::{Array, Graph, Weights};
use serde_json::Value;
use tempfile::TempDir;

/// The cases, unpacked.
struct Cases {
    folder: TempDir,
    expected: Value,
}

fn unpack(from: &Path, to: &Path) {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(from).expect("opens");
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).expect("unpacks");
    std::fs::write(to, bytes).expect("writes");
}

impl Cases {
    fn new() -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/checkpoint");
        let folder = tempfile::tempdir().expect("a folder");
        for entry in std::fs::read_dir(&source).expect("is there").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(name) = name.strip_suffix(".gz") {
                unpack(&entry.path(), &folder.path().join(name));
            }
        }
        let text = std::fs::read_to_string(source.join("expected.json")).expect("reads");
        Self { folder, expected: serde_json::from_str(&text).expect("JSON") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> SavedModel {
        checkpoint::read(&self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The names of the whole models.
    fn models(&self) -> Vec<String> {
        let cases = self.expected.as_object().expect("cases").iter();
        cases
            .filter(|(name, case)| case["optimizer"].is_object() && !name.starts_with("nested"))
            .map(|(name, _)| name.clone())
            .collect()
    }
}

/// Checks an array against `[shape, sum(value[i] * (1 + i % 7))]`.
fn check(what: &str, array: &Array, wanted: &Value) {
    let shape: Vec<u64> = array.shape.iter().map(|size| *size as u64).collect();
    assert_eq!(serde_json::json!(shape), wanted[0], "{what}");
    let sum: f64 = array.data.iter().enumerate().map(|(at, value)| f64::from(*value) * (1 + at % 7) as f64).sum();
    let wanted = wanted[1].as_f64().expect("a number");
    assert!((sum - wanted).abs() <= 1e-9 * wanted.abs().max(1e-3), "{what}: {sum}, not {wanted}");
}

fn check_weights(name: &str, graph: &Graph, weights: &Weights, wanted: &Value) {
    let mut count = 0;
    for (node, arrays) in graph.nodes().iter().zip(&weights.nodes) {
        for (spec, array) in node.weights.iter().zip(arrays) {
            let layer = wanted.get(&node.name).unwrap_or_else(|| &wanted[format!("inner/{}", node.name)]);
            // Keras 3's name.
            let known = layer.get(spec.name).unwrap_or(&layer["kernel"]);
            check(&format!("{name}: {}/{}", node.name, spec.name), array, known);
            count += 1;
        }
    }
    let all: usize = wanted
        .as_object()
        .expect("layers")
        .values()
        .map(|layer| layer.as_object().map_or(0, serde_json::Map::len))
        .sum();
    assert_eq!(count, all, "{name}");
}

fn check_optimizer(name: &str, state: &SavedOptimizer, wanted: &Value) {
    assert_eq!(state.class_name, wanted["class"], "{name}");
    assert_eq!(state.iterations, 3, "{name}");
    let rate = state.config["learning_rate"].as_f64().expect("a rate");
    assert!((rate - wanted["rate"].as_f64().expect("a rate")).abs() < 1e-9, "{name}: {rate}");
    match wanted["product"].as_f64() {
        None => assert_eq!(state.momentum_cache, None, "{name}"),
        Some(product) => {
            let ours = f64::from(state.momentum_cache.expect("a product"));
            assert!((ours - product).abs() < 1e-6 * product, "{name}: {ours}, not {product}");
        }
    }
    let slots = wanted["slots"].as_object().expect("slots");
    assert_eq!(state.slots.len(), slots.len(), "{name}");
    for slot in &state.slots {
        let key = format!("{}/{}/{}", slot.slot, slot.layer, slot.weight);
        let known = slots.get(&key).or_else(|| slots.get(&key.replace("depthwise_", ""))).expect(&key);
        check(&format!("{name}: {key}"), &slot.array, known);
    }
}

#[test]
fn whole_models_of_every_keras_are_read() {
    let cases = Cases::new();
    for name in cases.models() {
        let wanted = &cases.expected[&name];
        let model = cases.read(&name);
        check_weights(&name, &model.graph, &model.weights, &wanted["layers"]);
        assert_eq!(model.optimizer_note, None, "{name}");
        check_optimizer(&name, model.optimizer.as_ref().expect("an optimiser"), &wanted["optimizer"]);
        let loss = if name.starts_with("head_only") { "arcface_loss" } else { "categorical_crossentropy" };
        assert_eq!(model.loss.as_deref(), Some(loss), "{name}");
        let legacy = ["legacy", "imitated", "chunked"].iter().any(|start| name.starts_with(start));
        assert_eq!(model.optimizer.expect("an optimiser").is_legacy(), legacy, "{name}");
    }
}

#[test]
fn what_is_written_is_read_again() {
    let cases = Cases::new();
    for name in cases.models() {
        let mut model = cases.read(&name);
        let centers = Array { shape: vec![3, 2], data: vec![1.0, -2.0, 0.5, 0.0, 7.0, 3.25] };
        model.extras.arrays.insert("centers".to_owned(), centers);
        model.extras.notes = serde_json::json!({ "seed": 7, "state": [1, 2, 3] });
        let path = cases.path("again.h5");
        checkpoint::write(&path, &model).expect("writes");
        let again = checkpoint::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(again.weights, model.weights, "{name}");
        assert_eq!((&again.loss, &again.loss_config), (&model.loss, &model.loss_config), "{name}");
        assert_eq!(again.extras, model.extras, "{name}");
        assert_eq!(again.optimizer_note, None, "{name}");
        let (again, model) = (again.optimizer.expect("is one"), model.optimizer.expect("is one"));
        assert_eq!((&again.class_name, again.iterations), (&model.class_name, model.iterations), "{name}");
        assert_eq!(again.is_legacy(), model.is_legacy(), "{name}");
        assert_eq!(again.slots, model.slots, "{name}");
        let close = |a: Option<f32>, b: Option<f32>| a.zip(b).is_none_or(|(a, b)| (a - b).abs() < 1e-6);
        assert!(close(again.momentum_cache, model.momentum_cache), "{name}");
    }
}

#[test]
fn the_state_of_frozen_weights_is_kept_beside_what_keras_reads() {
    let cases = Cases::new();
    let mut model = cases.read("legacy_adam.h5");
    let stem = model.graph.require("stem").expect("is there");
    model.graph.set_trainable(stem, false);
    let path = cases.path("again.h5");
    checkpoint::write(&path, &model).expect("writes");
    let again = checkpoint::read(&path).expect("reads");
    assert_eq!(again.optimizer_note, None);
    assert_eq!(again.optimizer.expect("is one").slots, model.optimizer.expect("is one").slots);
}

#[test]
fn weights_alone_find_their_layers() {
    let cases = Cases::new();
    let graph = cases.read("legacy_adam.h5").graph;
    for name in ["only.h5", "half.h5", "only_keras3.weights.h5", "only_tf_keras.weights.h5", "new_sgd.h5"] {
        let loaded = read_weights(&cases.path(name), &graph).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(loaded.is_complete() && loaded.unused.is_empty(), "{name}: {loaded:?}");
        assert_eq!(loaded.loaded.len(), 6, "{name}");
        assert_eq!(loaded.by_order, name == "only_tf_keras.weights.h5", "{name}");
        let mut weights = Weights { nodes: vec![Vec::new(); graph.nodes().len()] };
        loaded.fill(&mut weights);
        check_weights(name, &graph, &weights, &cases.expected[name]["layers"]);
    }
    let outer = cases.read("nested.h5");
    let loaded = read_weights(&cases.path("nested_keras3.h5"), &outer.graph).expect("reads");
    assert!(loaded.is_complete() && loaded.unused.is_empty() && !loaded.by_order);
    let mut weights = outer.weights;
    loaded.fill(&mut weights);
    check_weights("nested_keras3.h5", &outer.graph, &weights, &cases.expected["nested_keras3.h5"]["layers"]);
    let error = checkpoint::read(&cases.path("only.h5")).expect_err("has no layers");
    assert!(matches!(error, CheckpointError::WeightsOnly { .. }), "{error}");
}

fn dense(units: usize) -> Layer {
    let (activation, kernel_initializer) = (Activation::Softmax, Initializer::GlorotUniform);
    Layer::Dense { units, use_bias: true, activation, kernel_initializer }
}

#[test]
fn what_does_not_fit_is_told() {
    let cases = Cases::new();
    let whole = cases.read("legacy_adam.h5").graph;
    let pool = whole.require("pool").expect("is there");
    // Another head, and one layer more.
    let mut graph = whole.cut(pool, "other");
    let embedding = graph.add("embedding", dense(5), &[pool]).expect("fits");
    graph.add("softmax", dense(9), &[embedding]).expect("fits");
    let loaded = read_weights(&cases.path("only.h5"), &graph).expect("reads");
    assert_eq!((loaded.loaded.len(), &loaded.missing), (5, &vec!["embedding".to_owned()]));
    assert!(loaded.unused.is_empty() && !loaded.by_order);
    let mismatch = &loaded.mismatched[0];
    assert_eq!((mismatch.layer.as_str(), &mismatch.file[0], &mismatch.graph[0]), ("softmax", &vec![4, 3], &vec![5, 9]));
    assert!(mismatch.to_string().contains("[4, 3] in the file; expected [5, 9]"), "{mismatch}");
    let without = whole.cut(pool, "headless");
    let loaded = read_weights(&cases.path("only.h5"), &without).expect("reads");
    assert!(loaded.is_complete());
    assert_eq!(loaded.unused, ["softmax"]);
}

#[test]
fn unknown_names_go_by_order_when_all_fits() {
    let cases = Cases::new();
    let whole = cases.read("legacy_adam.h5").graph;
    let renamed = |units: usize| {
        let mut graph = Graph::new("renamed");
        for node in whole.nodes() {
            let layer = if node.name == "softmax" { dense(units) } else { node.layer.clone() };
            graph.add(format!("my_{}", node.name), layer, &node.inputs).expect("fits");
        }
        graph
    };
    let loaded = read_weights(&cases.path("only.h5"), &renamed(3)).expect("reads");
    assert!(loaded.by_order && loaded.is_complete() && loaded.unused.is_empty());
    let loaded = read_weights(&cases.path("only.h5"), &renamed(4)).expect("reads");
    assert!(!loaded.by_order && loaded.loaded.is_empty());
    assert_eq!((loaded.missing.len(), loaded.unused.len()), (6, 6));
}

/// Keras's own order of layers, however the graph was built.
#[test]
fn layers_are_listed_as_keras_lists_them() {
    let cases = Cases::new();
    let model = cases.read("legacy_adam.h5");
    let mut graph = Graph::new("tiny");
    let mut weights = Weights::default();
    let mut places = std::collections::HashMap::new();
    // As they were made: `short` before `wide`.
    for name in ["images", "stem", "stem_bn", "short", "wide", "bend", "add", "pool", "softmax"] {
        let at = model.graph.require(name).expect("is there");
        let node = &model.graph.nodes()[at];
        let inputs: Vec<usize> = node.inputs.iter().map(|input| places[input]).collect();
        places.insert(at, graph.add(name, node.layer.clone(), &inputs).expect("fits"));
        weights.nodes.push(model.weights.nodes[at].clone());
    }
    let path = cases.path("again.h5");
    let optimizer = model.optimizer;
    checkpoint::write(&path, &SavedModel { optimizer, ..SavedModel::new(graph, weights) }).expect("writes");
    let file = unlocked().open(&path).expect("opens");
    let names = file.group("model_weights").and_then(|group| group.attr("layer_names")).expect("is there");
    let names = names.read_raw::<hdf5::types::VarLenUnicode>().expect("reads");
    let wanted = cases.expected["legacy_adam.h5"]["order"].as_array().expect("names");
    assert_eq!(
        names.iter().map(hdf5::types::VarLenUnicode::as_str).collect::<Vec<_>>(),
        wanted.iter().map(|n| n.as_str().expect("a name")).collect::<Vec<_>>()
    );
    let slots = file.group("optimizer_weights").and_then(|group| group.attr("weight_names")).expect("is there");
    let slots = slots.read_raw::<hdf5::types::VarLenUnicode>().expect("reads");
    assert_eq!(slots[3].as_str(), "Adam/wide/depthwise_kernel/m:0");
}

#[test]
fn what_an_optimiser_lacks_is_said() {
    let cases = Cases::new();
    let mut model = cases.read("legacy_adam.h5");
    let path = cases.path("again.h5");
    checkpoint::write(&path, &model).expect("writes");
    // A variable of a layer that is not there.
    let file = unlocked().open_rw(&path).expect("opens");
    file.group("optimizer_weights").expect("is there").unlink("Adam/iter:0").expect("goes");
    file.close().expect("closes");
    let broken = checkpoint::read(&path).expect("reads");
    assert!(broken.optimizer.is_none());
    assert!(broken.optimizer_note.expect("a note").contains("`Adam/iter:0` is missing"));
    model.optimizer.as_mut().expect("is one").class_name = "Lookahead".to_owned();
    checkpoint::write(&path, &model).expect("writes");
    let other = checkpoint::read(&path).expect("reads").optimizer.expect("is one");
    assert_eq!((other.class_name.as_str(), other.slots.len()), ("Lookahead", 18));
}

#[test]
fn names_that_are_no_names_are_refused() {
    let cases = Cases::new();
    let mut model = cases.read("legacy_sgd.h5");
    for name in ["", "a/b", "."] {
        let array = Array { shape: vec![1], data: vec![1.0] };
        model.extras = Extras { arrays: [(name.to_owned(), array)].into(), notes: Value::Null };
        let error = checkpoint::write(&cases.path("again.h5"), &model).expect_err("is refused");
        assert!(error.to_string().contains("is not a valid name"), "{error}");
    }
}

/// How files are opened: a lock would be held on by a process that another test starts meanwhile.
fn unlocked() -> hdf5::FileBuilder {
    let mut builder = hdf5::FileBuilder::new();
    builder.with_fapl(|access| access.file_locking(false));
    builder
}

/// A file whose dataset of the layer `stem` another one replaces.
fn with_stem(cases: &Cases, put: impl FnOnce(&hdf5::Group)) -> String {
    let path = cases.path("changed.h5");
    std::fs::copy(cases.path("legacy_sgd.h5"), &path).expect("copies");
    let file = unlocked().open_rw(&path).expect("opens");
    let group = file.group("model_weights/stem/stem").expect("is there");
    group.unlink("kernel:0").expect("goes");
    put(&group);
    drop(group);
    file.close().expect("closes");
    checkpoint::read(&path).expect_err("is refused").to_string()
}

#[test]
fn datasets_that_lie_are_refused() {
    let cases = Cases::new();
    let error = with_stem(&cases, |group| {
        let huge = group.new_dataset::<f32>().chunk([1 << 10, 1 << 10]).shape([1 << 40, 1 << 20]);
        huge.create("kernel:0").expect("creates");
    });
    assert!(error.contains("stem") && error.contains("expected [3, 3, 3, 4]"), "{error}");
    let error = with_stem(&cases, |group| {
        group.new_dataset::<f32>().chunk([1, 1, 1, 1]).shape([3, 3, 3, 4]).create("kernel:0").expect("creates");
    });
    assert!(error.contains("should hold 432 bytes, but 0 are stored"), "{error}");
    let error = with_stem(&cases, |group| {
        let whole = group.new_dataset::<i32>().shape([3, 3, 3, 4]).create("kernel:0").expect("creates");
        whole.write_raw(&[1; 108]).expect("writes");
    });
    assert!(error.contains("no floating-point numbers"), "{error}");
    let error = with_stem(&cases, |group| {
        let other = cases.path("legacy_adam.h5");
        let other = other.to_str().expect("is text");
        group.link_external(other, "/model_weights/stem/stem/kernel:0", "kernel:0").expect("links");
    });
    assert!(error.contains("lies in another file"), "{error}");
}

#[test]
fn other_files_are_told_apart() {
    let cases = Cases::new();
    let path = cases.path("x.keras");
    std::fs::write(&path, b"PK\x03\x04 and more").expect("writes");
    assert!(matches!(checkpoint::read(&path), Err(CheckpointError::Archive { .. })));
    std::fs::write(&path, b"").expect("writes");
    assert!(matches!(checkpoint::read(&path), Err(CheckpointError::Read { .. })));
    assert!(matches!(checkpoint::read(cases.folder.path()), Err(CheckpointError::Read { .. })));
    assert!(matches!(checkpoint::read(&cases.path("missing.h5")), Err(CheckpointError::Read { .. })));
}

/// Numbers that are always the same and look like chance.
fn dice(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

#[test]
fn damaged_files_are_refused_or_read_and_never_end_the_program() {
    let cases = Cases::new();
    let graph = cases.read("new_adam.h5").graph;
    let path = cases.path("damaged.h5");
    let rounds = std::env::var("FACETUI_FUZZ_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(150);
    let mut state = 5;
    for name in ["new_adam.h5", "imitated_keras21_adam.h5", "only_keras3.weights.h5", "only.h5"] {
        let whole = std::fs::read(cases.path(name)).expect("reads");
        for round in 0..rounds {
            let mut bytes = whole.clone();
            if round % 5 == 0 {
                bytes.truncate(dice(&mut state) as usize % bytes.len());
            } else {
                for _ in 0..=round % 7 {
                    let at = dice(&mut state) as usize % bytes.len();
                    bytes[at] = dice(&mut state) as u8;
                }
            }
            std::fs::write(&path, bytes).expect("writes");
            let _ = checkpoint::read(&path);
            let _ = read_weights(&path, &graph);
        }
    }
}

#[test]
fn a_heap_that_leads_nowhere_is_refused() {
    // HDF5's own library would walk it for ever.
    let cases = Cases::new();
    let mut bytes = std::fs::read(cases.path("legacy_adam.h5")).expect("reads");
    let heap = bytes.windows(4).position(|window| window == b"GCOL").expect("a heap");
    let number = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let mut at = heap + 16;
    while bytes[at..at + 2] != [0, 0] {
        at += 16 + (number(&bytes, at + 8) as usize).next_multiple_of(8);
    }
    bytes[at + 8..at + 16].fill(0);
    let path = cases.path("heap.h5");
    std::fs::write(&path, bytes).expect("writes");
    let error = checkpoint::read(&path).expect_err("is refused").to_string();
    assert!(error.contains("damaged") && error.contains(&format!("byte {heap}")), "{error}");
}

#[test]
fn every_file_of_the_shared_cases_is_read() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases");
    if !cases.is_dir() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut models = Vec::new();
    let mut folders = vec![cases.clone()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("reads").flatten() {
            let path = entry.path();
            let ends = path.extension().map(|extension| extension.to_string_lossy().into_owned());
            match (ends.as_deref(), path.file_stem().map(Path::new)) {
                _ if path.is_dir() => folders.push(path),
                (Some("gz"), Some(stem)) if stem.extension().is_some_and(|extension| extension == "h5") => {
                    unpack(&path, &folder.path().join(stem));
                    models.push(folder.path().join(stem));
                }
                (Some("h5"), Some(stem)) if stem.extension().is_none_or(|extension| extension != "weights") => {
                    models.push(path);
                }
                _ => {}
            }
        }
    }
    assert!(models.len() >= 10);
    for path in &models {
        let name = path.file_name().expect("a name").to_string_lossy();
        let model = checkpoint::read(path).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(model.optimizer_note, None, "{name}");
        let trained = model.graph.nodes().iter().filter(|node| node.trainable);
        let trained = trained.flat_map(|node| &node.weights).filter(|spec| spec.trainable).count();
        if let Some(state) = model.optimizer {
            assert_eq!(state.slots.len(), 2 * trained, "{name}");
            assert!(state.iterations > 0 && model.loss.is_some(), "{name}");
        }
    }
    let whole = folder.path().join("buildin_MobileNet_a025_emb32.k212.h5");
    let model = checkpoint::read(&whole).expect("reads");
    let loaded = read_weights(&cases.join("models/buildin_MobileNet_a025_emb32.k212.weights.h5"), &model.graph);
    let loaded = loaded.expect("reads");
    assert!(loaded.is_complete() && loaded.unused.is_empty() && loaded.by_order);
    let mut weights = Weights { nodes: vec![Vec::new(); model.graph.nodes().len()] };
    loaded.fill(&mut weights);
    assert!(weights == model.weights);
}
