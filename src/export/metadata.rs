//! What an exported file says of itself, as keys and values.

use super::lower::{InputKind, Layout, Options};
use super::model::Model;
use super::request::Request;

/// The thresholds that the checkpoint's run found for its bins, with those of the request over them.
pub(super) fn thresholds(request: &Request, model: &Model) -> serde_json::Map<String, serde_json::Value> {
    let known = model.rest.evaluation.iter().map(|bin| (bin.bin.clone(), bin.threshold.into()));
    known.chain(request.thresholds.iter().map(|(bin, threshold)| (bin.clone(), (*threshold).into()))).collect()
}

/// What a file says of itself, as keys and values.
pub(super) fn metadata(request: &Request, model: &Model) -> Vec<(String, String)> {
    let Options { input, layout, flip, normalize } = request.options;
    let size: usize = model.graph.output_shape().iter().product();
    let input = match input {
        InputKind::Float => "float32 RGB, (x / 255 - 0.5) * 2",
        InputKind::Uint8 => "uint8 RGB, 0 to 255",
    };
    let layout = if layout == Layout::Nhwc { "NHWC" } else { "NCHW" };
    let mut entries = vec![
        ("model", model.graph.name.clone()),
        ("embedding_layer", model.graph.nodes()[model.graph.output()].name.clone()),
        ("embedding_size", size.to_string()),
        ("input", input.to_owned()),
        ("input_layout", layout.to_owned()),
        ("flip", flip.to_string()),
        ("l2_normalized", (flip || normalize).to_string()),
        ("facetui_version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    let thresholds = thresholds(request, model);
    if !thresholds.is_empty() {
        entries.push(("thresholds", serde_json::Value::Object(thresholds).to_string()));
    }
    let accuracies: serde_json::Map<_, _> =
        model.rest.evaluation.iter().map(|bin| (bin.bin.clone(), bin.accuracy.into())).collect();
    if !accuracies.is_empty() {
        entries.push(("accuracies", serde_json::Value::Object(accuracies).to_string()));
    }
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
