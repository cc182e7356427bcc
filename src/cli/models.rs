//! `facetui models`: every backbone with its size, as text or JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::failure::Failure;
use super::output::say;
use crate::graph::backbone::{self, Backbone, Options};
use crate::graph::summary::{self, Totals};

/// Prints the backbones at their default embedding, without dropout, at width 1.
pub(super) fn models(json: bool) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for entry in backbone::TABLE {
        let options = Options { embedding_size: entry.embedding_size, dropout: 0.0, width: 1.0 };
        let graph = backbone::build(entry.name, &options).map_err(|error| Failure::Run(miette::miette!("{error}")))?;
        rows.push((entry, summary::totals(&graph)));
    }
    say(&if json { as_json(&rows) } else { as_text(&rows) });
    Ok(())
}

fn as_text(rows: &[(&Backbone, Totals)]) -> String {
    let width = rows.iter().map(|(entry, _)| entry.name.len()).max().unwrap_or(0);
    let mut text = format!(
        "{:width$}  embedding  million weights  million MACs  {:18}     MiB/image  ImageNet widths\n",
        "backbone", "maps"
    );
    for (entry, totals) in rows {
        let widths = if entry.pretrained_widths.is_empty() {
            "none".to_owned()
        } else {
            entry.pretrained_widths.iter().map(|width| format!("{width:?}")).collect::<Vec<_>>().join(" ")
        };
        let _ = writeln!(
            text,
            "{:width$}  {:>9}  {:>15.2}  {:>12.1}  {:18}  {:>12.1}  {widths}\n  {}",
            entry.name,
            entry.embedding_size,
            (totals.trainable + totals.fixed) as f64 / 1e6,
            totals.macs as f64 / 1e6,
            totals.maps.iter().map(|[height, _, _]| height.to_string()).collect::<Vec<_>>().join("-"),
            totals.activation_bytes as f64 / f64::from(1 << 20),
            entry.about,
        );
    }
    text.push_str(
        "\nFor 112x112 images at width 1. MiB/image: the results of all layers in fp32, about what training keeps for\n\
         each image of a batch. ImageNet widths: those of Keras's own weight files, for `pretrained`.\n\
         In a schedule: model: {backbone: mobilenetv2, embedding: 256, dropout: 0.4, width: 0.5, pretrained: FILE.h5}\n",
    );
    text
}

fn as_json(rows: &[(&Backbone, Totals)]) -> String {
    let rows = rows.iter().map(|(entry, totals)| {
        json!({
            "name": entry.name,
            "about": entry.about,
            "embedding": entry.embedding_size,
            "weights": totals.trainable + totals.fixed,
            "trainable": totals.trainable,
            "macs": totals.macs,
            "maps": totals.maps.iter().map(|[height, _, _]| height).collect::<Vec<_>>(),
            "activation_bytes": totals.activation_bytes,
            "layers": totals.layers,
            "imagenet_widths": entry.pretrained_widths,
        })
    });
    let lines: Vec<String> = rows.map(|row: Value| format!("  {row}")).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}
