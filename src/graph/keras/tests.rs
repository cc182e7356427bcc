//! Every layer there and back, both dialects, and errors that name the layer.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{KerasError, from_json, to_json};
use crate::graph::Graph;
use crate::graph::backbone::{Options, build};
use crate::graph::layer::{Activation, Initializer, Layer, Padding, Regularizer, Window};

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
    let gate = add("gate", Layer::Activation { activation: Activation::Sigmoid }, &[squeeze]);
    let scaled = add("mul", Layer::Multiply, &[sum, gate]);
    let max = add("max", Layer::MaxPooling2D { window: Window::square(3, 2, Padding::Same) }, &[scaled]);
    let mean = add("avg", Layer::AveragePooling2D { window: Window::square(3, 2, Padding::Same) }, &[scaled]);
    let leaky = add("leaky", Layer::LeakyReLU { negative_slope: 0.2 }, &[max]);
    let elu = add("elu", Layer::ELU { alpha: 0.5 }, &[mean]);
    let less = add("sub", Layer::Subtract, &[leaky, elu]);
    let most = add("maximum", Layer::Maximum, &[less, leaky]);
    let least = add("minimum", Layer::Minimum, &[most, elu]);
    let middle = add("average", Layer::Average, &[least, most, less]);
    let turned = add("permute", Layer::Permute { dims: vec![2, 1, 3] }, &[middle]);
    let stacked = add("stack", Layer::Concatenate { axis: 1 }, &[turned, turned]);
    let cropped = add("crop", Layer::Cropping2D { cropping: [0, 1, 2, 0] }, &[stacked]);
    let larger = add("up", Layer::UpSampling2D { size: [1, 2], bilinear: true }, &[cropped]);
    let scaled =
        add("scale", Layer::Rescaling { scale: vec![0.5], offset: (0..8).map(f64::from).collect() }, &[larger]);
    let noisy = add("noise", Layer::GaussianNoise { stddev: 0.1 }, &[scaled]);
    let noisy = add("noise_2", Layer::GaussianDropout { rate: 0.1 }, &[noisy]);
    let noisy = add("noise_3", Layer::AlphaDropout { rate: 0.2 }, &[noisy]);
    let noisy = add("noise_4", Layer::SpatialDropout2D { rate: 0.3 }, &[noisy]);
    let level = add("ln", Layer::LayerNormalization { epsilon: 1e-6, center: false, scale: true }, &[noisy]);
    let unit = add("unit", Layer::UnitNormalization, &[level]);
    let soft = add("soft", Layer::Softmax, &[unit]);
    let peaks = add("peaks", Layer::GlobalMaxPooling2D { keepdims: true }, &[soft]);
    let mean = add("mul_2", Layer::Multiply, &[mean, peaks]);
    let both = add("cat", Layer::Concatenate { axis: -1 }, &[max, mean]);
    let dropped = add("drop", Layer::Dropout { rate: 0.4 }, &[both]);
    let pooled = add("gap_2", Layer::GlobalAveragePooling2D { keepdims: false }, &[dropped]);
    let shaped = add("reshape", Layer::Reshape { target_shape: vec![2, -1] }, &[pooled]);
    let flat = add("flatten", Layer::Flatten, &[shaped]);
    let kernel_initializer = Initializer::GlorotNormal;
    let dense = Layer::Dense { units: 5, use_bias: true, activation: Activation::Tanh, kernel_initializer };
    let dense = add("dense", dense, &[flat]);
    graph.add_use("dense_1", dense, &[flat]).expect("fits");
    let head = graph.add("arcface", Layer::NormDense { units: 7 }, &[dense]).expect("fits");
    graph.set_trainable(norm, false);
    graph.set_regularizer(conv, 0, Some(Regularizer { l1: 0.0, l2: 5e-4 }));
    graph.set_regularizer(separable, 1, Some(Regularizer { l1: 1e-3, l2: 0.0 }));
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
        for node in layer["inbound_nodes"].as_array_mut().expect("a list") {
            let tensor = |input: &Value| {
                let history = [&input[0], &input[1], &input[2]];
                json!({ "class_name": "__keras_tensor__", "config": { "keras_history": history } })
            };
            let tensors: Vec<Value> = node.as_array().expect("inputs").iter().map(tensor).collect();
            let args = if tensors.len() == 1 { tensors } else { vec![Value::Array(tensors)] };
            *node = json!({ "args": args, "kwargs": { "training": false, "mask": null } });
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
    let other = broken("conv", |layer| layer["inbound_nodes"] = json!([[["pad", 1, 0, {}]]]));
    assert!(other.contains("`pad`") && other.contains("use 1"), "{other}");
    let constant = broken("add", |layer| layer["inbound_nodes"] = json!([{ "args": [3.0], "kwargs": {} }]));
    assert!(constant.contains("`add`"), "{constant}");
    let activity = broken("dense", |layer| layer["config"]["activity_regularizer"] = json!("l2"));
    assert!(activity.contains("`dense`") && activity.contains("activity_regularizer"), "{activity}");
    let orthogonal = broken("dense", |layer| {
        layer["config"]["kernel_regularizer"] = json!({ "class_name": "OrthogonalRegularizer", "config": {} });
    });
    assert!(orthogonal.contains("`dense`") && orthogonal.contains("OrthogonalRegularizer"), "{orthogonal}");
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
        let is_conv = layer["class_name"] == "Conv2D";
        let settings = layer["config"].as_object_mut().expect("an object");
        if is_conv {
            settings.insert("kernel_regularizer".to_owned(), json!({ "class_name": "L2", "config": { "l2": 5e-4 } }));
        }
        if settings.get("strides") == settings.get("pool_size") {
            settings.remove("strides");
        }
        match layer["class_name"].as_str() {
            Some("NormDense") => layer["class_name"] = json!("Custom>NormDense"),
            Some("BatchNormalization") => layer["config"]["axis"] = json!([3]),
            Some("Activation") => {
                layer["config"]["activation"] =
                    json!({ "class_name": "function", "config": "sigmoid", "registered_name": "sigmoid" });
            }
            _ => {}
        }
    }
    config["class_name"] = json!("Model");
    assert_eq!(from_json(&config).expect("reads"), everything());
}

/// A small functional model around one layer's entry.
fn around(entry: Value) -> Result<Graph, KerasError> {
    let input = json!({ "class_name": "InputLayer", "name": "x", "inbound_nodes": [],
        "config": { "batch_input_shape": [null, 6, 5, 4], "name": "x" } });
    let name = entry["name"].clone();
    let layers = [input, entry];
    from_json(&json!({ "class_name": "Functional", "config": { "name": "m", "layers": layers,
        "input_layers": [["x", 0, 0]], "output_layers": [[name, 0, 0]] } }))
}

#[test]
fn operations_of_tensorflow_2_1_are_read() {
    let node = json!({ "name": "add/y", "op": "AddV2", "input": ["x", "add/y"], "attr": {} }).to_string();
    let entry = |node: &str, constants: Value| {
        json!({ "class_name": "TensorFlowOpLayer", "name": "op", "inbound_nodes": [[["x", 0, 0, {}]]],
            "config": { "name": "op", "trainable": true, "dtype": "float32", "node_def": node, "constants": constants } })
    };
    let graph = around(entry(&node, json!({ "1": 3.0 }))).expect("reads");
    let affine = |scale: f64, offset: f64| Layer::Rescaling { scale: vec![scale], offset: vec![offset] };
    assert_eq!(graph.nodes()[1].layer, affine(1.0, 3.0));
    let node = json!({ "name": "s", "op": "Sub", "attr": {} }).to_string();
    let graph = around(entry(&node, json!({ "0": 1.0 }))).expect("reads");
    assert_eq!(graph.nodes()[1].layer, affine(-1.0, 1.0));
    let node = json!({ "name": "m", "op": "Mean", "attr": { "keep_dims": { "b": true } } }).to_string();
    let graph = around(entry(&node, json!({ "1": [1, 2] }))).expect("reads");
    assert_eq!(graph.nodes()[1].layer, Layer::GlobalAveragePooling2D { keepdims: true });
    let error = around(entry(r#"{"op": "Cumsum"}"#, json!({}))).expect_err("is refused").to_string();
    assert!(error.contains("`op`") && error.contains("Cumsum"), "{error}");
}

#[test]
fn operations_that_would_be_wrong_are_refused() {
    let op = |function: &str, kwargs: Value| {
        let entry = json!({ "class_name": "TFOpLambda", "name": "op", "inbound_nodes": [["x", 0, 0, kwargs]],
            "config": { "name": "op", "trainable": true, "function": function } });
        around(entry).map(|graph| graph.nodes().len()).map_err(|error| error.to_string())
    };
    assert_eq!(op("math.multiply", json!({ "y": [1.0, 2.0, 3.0, 4.0], "name": null })), Ok(2));
    for (function, kwargs) in [
        ("math.multiply", json!({ "y": [1.0, 2.0, 3.0] })),
        ("math.multiply", json!({ "y": [[1.0], [2.0]] })),
        ("math.truediv", json!({ "y": 0.0 })),
        ("math.reduce_mean", json!({ "axis": -1 })),
        ("math.reduce_mean", json!({ "axis": 1 })),
        ("math.reduce_mean", json!({})),
        ("nn.softmax", json!({ "axis": 1 })),
        ("cast", json!({ "dtype": "int32" })),
        ("reshape", json!({ "shape": [4, -1] })),
        ("transpose", json!({ "perm": [1, 0, 2, 3] })),
        ("clip_by_value", json!({ "clip_value_min": 1.0, "clip_value_max": 0.0 })),
        ("math.cumsum", json!({})),
        ("math.add", json!({})),
        ("squeeze", json!({ "axis": [1] })),
        ("pad", json!({ "paddings": [[1, 0], [0, 0], [0, 0], [0, 0]] })),
    ] {
        let error = op(function, kwargs).expect_err(function);
        assert!(error.contains("`op`"), "{function}: {error}");
    }
}

#[test]
fn layers_are_counted_as_keras_counts_them() {
    let dense = |name: &str| json!({ "class_name": "Dense", "config": { "name": name, "units": 3 } });
    let inner =
        json!({ "class_name": "Sequential", "config": { "name": "basic", "layers": [dense("a"), dense("b")] } });
    let mut first = dense("stem");
    first["config"]["batch_input_shape"] = json!([null, 4]);
    let layers = [first, inner, dense("head")];
    let graph = from_json(&json!({ "class_name": "Sequential", "config": layers })).expect("reads");
    let name = |node: usize| graph.nodes()[node].name.as_str();
    assert_eq!(graph.at(-2).map(name), Ok("b"));
    assert_eq!(graph.require("basic").map(name), Ok("b"));
    assert_eq!(graph.require("a").map(name), Ok("a"));
    assert_eq!(graph.layers().len(), 4);
    assert!(graph.at(4).is_err_and(|error| error.to_string().contains("`basic`")));
    let basic = graph.cut(graph.at(-2).expect("is there"), "basic");
    assert_eq!((basic.nodes().len(), basic.layers().len()), (4, 3));
}

#[test]
fn weights_of_inner_models_are_found_in_kerass_lists() {
    let layer = |class: &str, name: &str, trainable: bool| json!({ "class_name": class, "config": { "name": name, "units": 3, "trainable": trainable } });
    let inner = [
        layer("Dense", "a", true),
        layer("BatchNormalization", "n", true),
        layer("BatchNormalization", "f", false),
        layer("Dense", "b", true),
    ];
    let mut config = json!({ "class_name": "Sequential", "config": { "name": "s", "layers": [
        { "class_name": "Sequential", "config": { "name": "inner", "layers": inner } } ] } });
    config["config"]["build_input_shape"] = json!([null, 3]);
    let model = super::read(&config).expect("reads");
    let places: Vec<_> = model.places.iter().flatten().map(|place| place.positions.clone()).collect();
    // Trained: a, n's gamma and beta, b; then n's statistics; then all of f.
    assert_eq!(places, [vec![0, 1], vec![2, 3, 6, 7], vec![8, 9, 10, 11], vec![4, 5]]);
    assert!(model.places.iter().flatten().all(|place| place.group == "inner" && place.total == 12));
}

#[test]
fn open_sizes_of_images_are_112() {
    let mut config = to_json(&everything());
    let shape = json!([null, null, null, 3]);
    config["config"]["layers"][0]["config"]["batch_input_shape"] = shape;
    let graph = from_json(&config);
    assert!(graph.is_ok_and(|graph| graph.input_shape() == Some(&vec![112, 112, 3])));
}

#[test]
fn models_inside_models_end_somewhere() {
    let mut model = json!({ "class_name": "Sequential", "config": { "name": "s", "layers": [] } });
    for depth in 0..40 {
        model = json!({ "class_name": "Sequential", "config": { "name": format!("s{depth}"), "layers": [model] } });
    }
    assert!(from_json(&model).is_err());
    // Each of these is used twice by the next: 2 to the power of 14 uses without a layer.
    let input = |name: &str| {
        json!({ "class_name": "InputLayer", "name": name, "inbound_nodes": [],
            "config": { "batch_input_shape": [null, 4], "name": name } })
    };
    let mut inner = json!({ "class_name": "Functional", "config": { "name": "m", "layers": [input("x")],
        "input_layers": [["x", 0, 0]], "output_layers": [["x", 0, 0]] } });
    for _ in 0..15 {
        inner["name"] = json!("m");
        inner["inbound_nodes"] = json!([[["x", 0, 0, {}]], [["m", 1, 0, {}]], [["m", 2, 0, {}]]]);
        inner = json!({ "class_name": "Functional", "config": { "name": "m", "layers": [input("x"), inner],
            "input_layers": [["x", 0, 0]], "output_layers": [["m", 3, 0]] } });
    }
    assert!(from_json(&inner).is_err());
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

/// Every function of the operations, and one that is none.
const FUNCTIONS: [&str; 24] = [
    "math.add",
    "math.subtract",
    "math.multiply",
    "math.truediv",
    "math.maximum",
    "math.minimum",
    "cast",
    "nn.gelu",
    "nn.leaky_relu",
    "nn.softmax",
    "math.l2_normalize",
    "clip_by_value",
    "math.reduce_mean",
    "math.reduce_sum",
    "reshape",
    "squeeze",
    "expand_dims",
    "transpose",
    "concat",
    "pad",
    "pow",
    "identity",
    "nn.silu",
    "nothing",
];

proptest! {
    /// Any arguments of any operation are read or refused, and never panic.
    #[test]
    fn no_operation_panics(function in 0_usize..24, name in 0_usize..10, value in any_json(), numbers: Vec<i64>) {
        let names = ["y", "axis", "shape", "perm", "paddings", "clip_value_min", "clip_value_max", "keepdims", "dtype", "alpha"];
        for value in [value, json!(numbers), json!(numbers.first())] {
            let kwargs = json!({ names[name]: value, "clip_value_min": 0.0 });
            let entry = json!({ "class_name": "TFOpLambda", "name": "op", "inbound_nodes": [["x", 0, 0, kwargs]],
                "config": { "name": "op", "trainable": true, "function": FUNCTIONS[function] } });
            if let Ok(graph) = around(entry) {
                prop_assert!(from_json(&to_json(&graph)).is_ok());
            }
        }
    }

    /// Any value in the place of any setting is read or refused, and never panics.
    #[test]
    fn no_setting_panics(layer in 0_usize..64, setting in 0_usize..16, value in any_json()) {
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
