//! What is folded, and what is left alone.

use super::*;
use crate::graph::backbone;
use crate::graph::layer::Initializer;
use crate::nn::init;

fn plain(graph: &Graph) -> Lowered {
    lower(graph, &init::weights(graph, 1), Options::default()).expect("lowers")
}

fn kinds(lowered: &Lowered) -> Vec<&'static str> {
    let name = |op: &Op| match op.kind {
        OpKind::Conv { .. } => "conv",
        OpKind::Dense { .. } => "dense",
        OpKind::Affine { .. } => "affine",
        OpKind::Pad { .. } => "pad",
        OpKind::MaxPool { .. } => "max",
        OpKind::Unit => "unit",
        _ => "other",
    };
    lowered.ops.iter().map(name).collect()
}

const NORM: Layer = Layer::BatchNormalization { momentum: 0.99, epsilon: 1e-3, center: true, scale: true };

fn conv(padding: Padding) -> Layer {
    let window = Window::square(3, 2, padding);
    Layer::Conv2D { filters: 4, window, groups: 1, use_bias: false, activation: Activation::Linear }
}

fn started() -> (Graph, NodeId) {
    let mut graph = Graph::new("small");
    let input = graph.add("images", Layer::Input { shape: vec![8, 8, 3] }, &[]).expect("fits");
    (graph, input)
}

#[test]
fn backbones_keep_no_norm_and_no_dropout() {
    for name in ["mobilefacenet", "mobilenet", "mobilenetv2"] {
        let options = backbone::Options { embedding_size: 8, dropout: 0.4, width: 0.25 };
        let lowered = plain(&backbone::build(name, &options).expect("builds"));
        let found = kinds(&lowered);
        assert!(!found.contains(&"affine") && !found.contains(&"pad"), "{name}: {found:?}");
        assert_eq!(lowered.values[lowered.output].shape, [8]);
    }
}

#[test]
fn every_value_is_made_before_it_is_used() {
    for entry in backbone::TABLE {
        let options = backbone::Options { embedding_size: 8, dropout: 0.0, width: 0.1 };
        let lowered = plain(&backbone::build(entry.name, &options).expect("builds"));
        let mut made = vec![false; lowered.values.len()];
        made[lowered.input] = true;
        for op in &lowered.ops {
            assert!(op.inputs.iter().all(|input| made[*input]), "{}: {}", entry.name, op.name);
            made[op.output] = true;
        }
        assert!(made[lowered.output]);
    }
}

#[test]
fn padding_goes_into_convolutions_alone() {
    let (mut graph, input) = started();
    let pad = graph.add("pad", Layer::ZeroPadding2D { padding: [1, 0, 2, 0] }, &[input]).expect("fits");
    let x = graph.add("conv", conv(Padding::Same), &[pad]).expect("fits");
    let lowered = plain(&graph);
    assert_eq!(kinds(&lowered), ["conv"]);
    let OpKind::Conv { pads, .. } = &lowered.ops[0].kind else { panic!("no convolution") };
    // `same` of the padded map, 9 x 10, adds (1, 1) and (0, 1).
    assert_eq!(*pads, Pads { top: 2, bottom: 1, left: 2, right: 1 });
    let pad = graph.add("again", Layer::ZeroPadding2D { padding: [1; 4] }, &[x]).expect("fits");
    graph.add("pool", Layer::MaxPooling2D { window: Window::square(3, 1, Padding::Valid) }, &[pad]).expect("fits");
    assert_eq!(kinds(&plain(&graph)), ["conv", "pad", "max"]);
}

#[test]
fn a_norm_is_folded_only_where_nothing_else_needs_what_is_before_it() {
    let (mut graph, input) = started();
    let x = graph.add("conv", conv(Padding::Valid), &[input]).expect("fits");
    let norm = graph.add("norm", NORM, &[x]).expect("fits");
    assert_eq!(kinds(&plain(&graph)), ["conv"]);
    graph.add("sum", Layer::Add, &[x, norm]).expect("fits");
    assert_eq!(kinds(&plain(&graph)), ["conv", "affine", "other"]);
}

#[test]
fn the_ends_have_their_names() {
    let (mut graph, input) = started();
    let flat = graph.add("embeddings", Layer::Flatten, &[input]).expect("fits");
    let dense = Layer::Dense {
        units: 4,
        use_bias: false,
        activation: Activation::Linear,
        kernel_initializer: Initializer::GlorotUniform,
    };
    graph.add("dense", dense, &[flat]).expect("fits");
    graph.add("head", Layer::NormDense { units: 5 }, &[graph.output()]).expect("fits");
    let lowered = plain(&graph);
    assert_eq!(kinds(&lowered), ["other", "dense", "unit", "dense"]);
    let names: Vec<&str> = lowered.values.iter().map(|value| &*value.name).collect();
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{names:?}");
    assert_eq!((names[lowered.input], lowered.uses()[lowered.output]), ("images", 1));
}

#[test]
fn what_cannot_be_lowered_is_named() {
    let (mut graph, input) = started();
    let x = graph.add("conv", conv(Padding::Valid), &[input]).expect("fits");
    let error = lower(&graph, &Weights::default(), Options::default()).expect_err("has no weights").to_string();
    assert!(error.contains("`conv` (Conv2D)") && error.contains("weights"), "{error}");
    let other = graph.add("other", Layer::Input { shape: vec![3, 3, 4] }, &[]).expect("fits");
    graph.add("sum", Layer::Add, &[x, other]).expect("fits");
    let weights = init::weights(&graph, 1);
    assert_eq!(lower(&graph, &weights, Options::default()).expect_err("is refused"), LowerError::Inputs(2));
    let mut vector = Graph::new("vector");
    vector.add("vector", Layer::Input { shape: vec![4] }, &[]).expect("fits");
    let weights = init::weights(&vector, 1);
    assert_eq!(kinds(&lower(&vector, &weights, Options::default()).expect("lowers")), ["other"]);
    let flip = Options { flip: true, ..Options::default() };
    assert!(lower(&vector, &weights, flip).is_err());
}
