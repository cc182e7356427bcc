//! Every layer there and back, both dialects, and errors that name the layer.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{KerasError, from_json, to_json};
use crate::graph::Graph;
use crate::graph::backbone::{Options, build};
use crate::graph::layer::{Activation, Initializer, Layer, Padding, Window};

/// A graph with every kind of layer, and settings that are none of Keras's defaults.
fn everything() -> Graph {
    let mut graph = Graph::new("everything");
    let mut add = |name: &str, layer: Layer, inputs: &[usize]| graph.add(name, layer, inputs).expect("fits");
    let activation = Activation::Linear;
    let input = add("input_1", Layer::Input { shape: vec![20, 18, 3] }, &[]);
    let padded = add("pad", Layer::ZeroPadding2D { padding: [1, 2, 0, 3] }, &[input]);
    let window = Window { kernel: [3, 2], strides: [1, 1], padding: Padding::Valid, dilation: [2, 1] };
    let conv = add(
        "conv",
        Layer::Conv2D { filters: 9, window, groups: 3, use_bias: true, activation: Activation::Swish },
        &[padded],
    );
    let same = Window::square(3, 2, Padding::Same);
    let depthwise = Layer::DepthwiseConv2D { window: same, depth_multiplier: 2, use_bias: false, activation };
    let depthwise = add("dw", depthwise, &[conv]);
    let separable = Window::square(3, 1, Padding::Same);
    let separable =
        Layer::SeparableConv2D { filters: 8, window: separable, depth_multiplier: 1, use_bias: false, activation };
    let separable = add("sep", separable, &[depthwise]);
    let norm = Layer::BatchNormalization { momentum: 0.9, epsilon: 2e-5, center: true, scale: false };
    let norm = add("bn", norm, &[separable]);
    let prelu = add("prelu", Layer::PReLU { shared_axes: vec![1, 2] }, &[norm]);
    let free = add("prelu_free", Layer::PReLU { shared_axes: vec![] }, &[norm]);
    let relu = Layer::ReLU { max_value: Some(6.0), negative_slope: 0.25, threshold: 0.5 };
    let relu = add("relu", relu, &[prelu]);
    let sum = add("add", Layer::Add, &[relu, free]);
    let squeeze = add("gap", Layer::GlobalAveragePooling2D { keepdims: true }, &[sum]);
    let gate = add("gate", Layer::Activation { activation: Activation::HardSigmoid }, &[squeeze]);
    let scaled = add("mul", Layer::Multiply, &[sum, gate]);
    let max = add("max", Layer::MaxPooling2D { window: Window::square(3, 2, Padding::Same) }, &[scaled]);
    let mean = add("avg", Layer::AveragePooling2D { window: Window::square(3, 2, Padding::Same) }, &[scaled]);
    let both = add("cat", Layer::Concatenate { axis: -1 }, &[max, mean]);
    let dropped = add("drop", Layer::Dropout { rate: 0.4 }, &[both]);
    let pooled = add("gap_2", Layer::GlobalAveragePooling2D { keepdims: false }, &[dropped]);
    let shaped = add("reshape", Layer::Reshape { target_shape: vec![2, -1] }, &[pooled]);
    let flat = add("flatten", Layer::Flatten, &[shaped]);
    let kernel_initializer = Initializer::GlorotNormal;
    let dense = Layer::Dense { units: 5, use_bias: true, activation: Activation::Tanh, kernel_initializer };
    let dense = add("dense", dense, &[flat]);
    let head = add("arcface", Layer::NormDense { units: 7 }, &[dense]);
    graph.set_trainable(norm, false);
    graph.set_output(head);
    graph
}

#[test]
fn every_layer_comes_back() {
    let graph = everything();
    assert_eq!(from_json(&to_json(&graph)).expect("reads"), graph);
}

#[test]
fn a_backbone_comes_back() {
    let graph = build("mobilefacenet", &Options { embedding_size: 32, dropout: 0.4, width: 0.25 }).expect("builds");
    assert_eq!(from_json(&to_json(&graph)).expect("reads"), graph);
}

/// The same configuration as Keras 3 writes it.
fn keras3(config: &Value) -> Value {
    let mut config = config.clone();
    for layer in config["config"]["layers"].as_array_mut().expect("a list") {
        if let Some(nodes) = layer["inbound_nodes"].get(0).and_then(Value::as_array) {
            let tensor =
                |name: &Value| json!({ "class_name": "__keras_tensor__", "config": { "keras_history": [name, 0, 0] } });
            let tensors: Vec<Value> = nodes.iter().map(|node| tensor(&node[0])).collect();
            let args = if tensors.len() == 1 { tensors } else { vec![Value::Array(tensors)] };
            layer["inbound_nodes"] = json!([{ "args": args, "kwargs": { "training": false, "mask": null } }]);
        }
        let settings = layer["config"].as_object_mut().expect("an object");
        if let Some(shape) = settings.remove("batch_input_shape") {
            settings.insert("batch_shape".to_owned(), shape);
        }
        settings.insert("dtype".to_owned(), json!({ "class_name": "DTypePolicy", "config": { "name": "float32" } }));
    }
    for ends in ["input_layers", "output_layers"] {
        config["config"][ends] = config["config"][ends][0].clone();
    }
    config
}

#[test]
fn keras_3_says_the_same_in_other_words() {
    let graph = build("mobilefacenet", &Options { embedding_size: 32, dropout: 0.4, width: 0.25 }).expect("builds");
    assert_eq!(from_json(&keras3(&to_json(&graph))).expect("reads"), graph);
}

#[test]
fn layers_may_come_before_their_inputs() {
    let mut config = to_json(&everything());
    config["config"]["layers"].as_array_mut().expect("a list").reverse();
    let graph = from_json(&config).expect("reads");
    assert_eq!(graph.nodes().len(), everything().nodes().len());
    assert_eq!(graph.output_shape(), &vec![7]);
}

/// The error that a change of one layer's entry makes.
fn broken(layer: &str, change: impl Fn(&mut Value)) -> String {
    let mut config = to_json(&everything());
    let layers = config["config"]["layers"].as_array_mut().expect("a list");
    change(layers.iter_mut().find(|entry| entry["name"] == layer).expect("is there"));
    from_json(&config).expect_err("is refused").to_string()
}

#[test]
fn errors_name_the_layer() {
    let class = broken("bn", |layer| layer["class_name"] = json!("GroupNormalization"));
    assert!(class.contains("`bn`") && class.contains("`GroupNormalization`"), "{class}");
    let format = broken("conv", |layer| layer["config"]["data_format"] = json!("channels_first"));
    assert!(format.contains("`conv`") && format.contains("channels_first"), "{format}");
    let shared = broken("conv", |layer| layer["inbound_nodes"] = json!([[["pad", 0, 0, {}]], [["pad", 0, 0, {}]]]));
    assert!(shared.contains("`conv`") && shared.contains("2 times"), "{shared}");
    let activation = broken("dense", |layer| layer["config"]["activation"] = json!("sparsemax"));
    assert!(activation.contains("`dense`") && activation.contains("sparsemax"), "{activation}");
    let axis = broken("bn", |layer| layer["config"]["axis"] = json!([1]));
    assert!(axis.contains("`bn`") && axis.contains("axis"), "{axis}");
    let lost = broken("dw", |layer| layer["inbound_nodes"] = json!([[["nowhere", 0, 0, {}]]]));
    assert!(lost.contains("`dw`") && lost.contains("`nowhere`"), "{lost}");
    let training = broken("drop", |layer| layer["inbound_nodes"] = json!([[["cat", 0, 0, { "training": true }]]]));
    assert!(training.contains("`drop`") && training.contains("training"), "{training}");
    let huge = broken("dense", |layer| layer["config"]["units"] = json!(1_u64 << 40));
    assert!(huge.contains("`dense`") && huge.contains("units"), "{huge}");
    let zero = broken("conv", |layer| layer["config"]["strides"] = json!([0, 1]));
    assert!(zero.contains("`conv`") && zero.contains("strides"), "{zero}");
    let groups = broken("conv", |layer| layer["config"]["groups"] = json!(2));
    assert!(groups.contains("`conv`") && groups.contains("groups"), "{groups}");
}

#[test]
fn several_outputs_are_refused() {
    let mut config = to_json(&everything());
    config["config"]["output_layers"] = json!([["arcface", 0, 0], ["dense", 0, 0]]);
    let error = from_json(&config).expect_err("is refused");
    assert!(matches!(&error, KerasError::NotAModel(why) if why.contains("2 outputs")), "{error}");
}

#[test]
fn settings_of_older_and_newer_files_are_understood() {
    let mut config = to_json(&everything());
    for layer in config["config"]["layers"].as_array_mut().expect("a list") {
        let settings = layer["config"].as_object_mut().expect("an object");
        settings.insert("kernel_regularizer".to_owned(), json!({ "class_name": "L2", "config": { "l2": 5e-4 } }));
        if settings.get("strides") == settings.get("pool_size") {
            settings.remove("strides");
        }
        match layer["class_name"].as_str() {
            Some("NormDense") => layer["class_name"] = json!("Custom>NormDense"),
            Some("BatchNormalization") => layer["config"]["axis"] = json!([3]),
            Some("Activation") => {
                layer["config"]["activation"] =
                    json!({ "class_name": "function", "config": "hard_sigmoid", "registered_name": "hard_sigmoid" });
            }
            _ => {}
        }
    }
    config["class_name"] = json!("Model");
    assert_eq!(from_json(&config).expect("reads"), everything());
}

/// Any JSON, with the words of a configuration among its keys.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z_]{0,12}".prop_map(Value::from),
        Just(json!([null, 1 << 30, 1 << 30, 3])),
        Just(json!(0)),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Value::from))
}

proptest! {
    /// Any value in the place of any setting is read or refused, and never panics.
    #[test]
    fn no_setting_panics(layer in 0_usize..24, setting in 0_usize..16, value in any_json()) {
        let mut config = to_json(&everything());
        let layers = config["config"]["layers"].as_array_mut().expect("a list");
        let count = layers.len();
        let settings = layers[layer % count]["config"].as_object_mut().expect("an object");
        let key = settings.keys().nth(setting % settings.len()).expect("is there").clone();
        settings.insert(key, value.clone());
        if let Ok(graph) = from_json(&config) {
            let _ = (graph.count_weights(), graph.macs());
        }
        let mut config = to_json(&everything());
        let layers = config["config"]["layers"].as_array_mut().expect("a list");
        let entry = layers[layer % count].as_object_mut().expect("an object");
        let key = entry.keys().nth(setting % entry.len()).expect("is there").clone();
        entry.insert(key, value);
        let _ = from_json(&config);
    }
}
