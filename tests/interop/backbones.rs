//! The backbones against real Keras: layer for layer the models that keras.applications and the reference build, as
//! `tests/python/make_backbone_cases.py` wrote them down.

use facetui::graph::backbone::{Options, Spelling, TABLE, build, build_spelt};
use facetui::graph::{Graph, Node, keras, summary};
use facetui::schedule;
use serde_json::{Value, json};

/// A layer as Keras has it.
struct Row<'a> {
    name: &'a str,
    class: &'a str,
    settings: &'a Value,
    weights: &'a Value,
    inputs: Vec<u64>,
    shape: &'a Value,
}

fn cases() -> Vec<Value> {
    let text = include_str!("../cases/backbones/layers.json");
    serde_json::from_str(text).expect("JSON")
}

fn rows(case: &Value) -> Vec<Row<'_>> {
    let list = |value: &Value| -> Vec<u64> {
        value.as_array().expect("a list").iter().map(|at| at.as_u64().expect("a place")).collect()
    };
    let rows = case["rows"].as_array().expect("rows").iter();
    rows.map(|row| {
        let kind = &case["kinds"][row[1].as_u64().expect("a place") as usize];
        Row {
            name: row[0].as_str().expect("a name"),
            class: kind[0].as_str().expect("a class"),
            settings: &kind[1],
            weights: &kind[2],
            inputs: list(&row[2]),
            shape: &case["shapes"][row[3].as_u64().expect("a place") as usize],
        }
    })
    .collect()
}

fn graph(case: &Value, spelling: Spelling) -> Graph {
    let options = Options {
        embedding_size: case["embedding"].as_u64().expect("a length") as usize,
        dropout: case["dropout"].as_f64().expect("a share"),
        width: case["width"].as_f64().expect("a width"),
    };
    build_spelt(name(case), &options, spelling).expect("builds")
}

fn name(case: &Value) -> &str {
    case["backbone"].as_str().expect("a name")
}

/// Class and settings of Keras 2's inline arithmetic as facetui has them.
fn plain(row: &Row) -> (String, Value) {
    if row.class != "TFOpLambda" {
        return (row.class.to_owned(), row.settings.clone());
    }
    let y = row.settings["y"].as_f64().expect("a number");
    let (scale, offset) = match row.settings["function"].as_str() {
        Some("__operators__.add") => (1.0, y),
        Some("math.multiply") => (y, 0.0),
        other => panic!("`{}` is the operation {other:?}", row.name),
    };
    ("Rescaling".to_owned(), json!({ "scale": scale, "offset": offset }))
}

/// Fails where a setting that Keras wrote is not the one that facetui writes.
fn compare_settings(node: &Node, written: &Value, wanted: &Value) {
    for (key, wanted) in wanted.as_object().expect("settings") {
        let ours = &written[key];
        // Not in the dialect that Keras 3 opens too; facetui has no depthwise convolution with groups.
        if ours.is_null() && key == "groups" && *wanted == json!(1) {
            continue;
        }
        let same = match (ours.as_f64(), wanted.as_f64()) {
            (Some(ours), Some(wanted)) => (ours - wanted).abs() < 1e-12,
            _ => ours == wanted,
        };
        assert!(same, "`{}`: `{key}` is {ours}, in Keras {wanted}", node.name);
    }
}

#[test]
fn every_layer_is_kerass() {
    for case in cases() {
        let graph = graph(&case, Spelling::Keras2);
        let rows = rows(&case);
        let written = keras::to_json(&graph);
        assert_eq!(graph.nodes().len(), rows.len(), "{}", name(&case));
        for (at, (node, row)) in graph.nodes().iter().zip(&rows).enumerate() {
            let (class, settings) = plain(row);
            let place = format!("{} at width {}, layer {at}", name(&case), case["width"]);
            if class != "InputLayer" {
                assert_eq!(node.name, row.name, "{place}");
            }
            assert_eq!(node.layer.class_name(), class, "{place}, `{}`", node.name);
            assert_eq!(json!(node.shape), *row.shape, "{place}, `{}`", node.name);
            assert_eq!(node.inputs.iter().map(|at| *at as u64).collect::<Vec<_>>(), row.inputs, "{place}");
            let weights: Vec<Value> = node.weights.iter().map(|spec| json!([spec.name, spec.shape])).collect();
            assert_eq!(Value::Array(weights), *row.weights, "{place}, `{}`", node.name);
            compare_settings(node, &written["config"]["layers"][at]["config"], &settings);
        }
        let (trainable, fixed) = graph.count_weights();
        assert_eq!(json!(trainable + fixed), case["parameters"], "{}", name(&case));
        assert_eq!(json!(trainable), case["trainable"], "{}", name(&case));
    }
}

#[test]
fn layers_with_weights_have_the_names_of_keras_3() {
    for case in cases().iter().filter(|case| case["keras3"].is_array()) {
        let graph = graph(case, Spelling::Keras3);
        let named = graph.nodes().iter().filter(|node| !node.weights.is_empty());
        let ours: Vec<&str> = named.map(|node| node.name.as_str()).collect();
        let theirs: Vec<&str> =
            case["keras3"].as_array().expect("names").iter().map(|name| name.as_str().expect("a name")).collect();
        // The head's five follow.
        assert_eq!(ours[..theirs.len()], theirs, "{}", name(case));
        assert_eq!(ours.len(), theirs.len() + 5, "{}", name(case));
    }
}

#[test]
fn every_backbone_has_a_case_and_a_name_in_schedules() {
    let cases = cases();
    for backbone in TABLE {
        assert!(cases.iter().any(|case| name(case) == backbone.name), "{}", backbone.name);
    }
    let ours: Vec<(&str, u64)> = TABLE.iter().map(|entry| (entry.name, entry.embedding_size as u64)).collect();
    assert_eq!(schedule::backbones().collect::<Vec<_>>(), ours);
}

#[test]
fn the_sizes_of_the_list_are_kerass() {
    let cases = cases();
    for backbone in TABLE.iter().filter(|backbone| !backbone.pretrained_widths.is_empty()) {
        let options = Options { embedding_size: backbone.embedding_size, dropout: 0.0, width: 1.0 };
        let totals = summary::totals(&build(backbone.name, &options).expect("builds"));
        let case = cases.iter().find(|case| name(case) == backbone.name && case["width"] == json!(1.0));
        let case = case.expect("a case");
        assert_eq!(json!(totals.trainable + totals.fixed), case["parameters"], "{}", backbone.name);
        assert_eq!(json!(totals.trainable), case["trainable"], "{}", backbone.name);
    }
}
