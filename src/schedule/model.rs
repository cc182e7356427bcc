//! The model of a schedule: a backbone to build, with the weights it starts from, or a saved file.

use std::path::PathBuf;

use serde::Serialize;

use super::fields::{MODEL, belongs};
use super::names::{Name, any_of, fold, nearest};
use super::range::Range;
use super::reader::{Field, Reader};
use super::scalars::{check_path, share, whole};
use super::span::{At, Span};
use super::tree::{Node, Value};

/// Where a run's network comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelSource {
    /// Built from scratch.
    Backbone(Backbone),
    /// Continued from a saved file.
    File {
        /// A basic model, or a whole model with its head.
        path: PathBuf,
        /// The layer whose output is the embedding, when the file holds a whole model.
        embedding: Option<EmbeddingLayer>,
        /// Whether the file's optimiser resumes; the reference's `compile`.
        compile: bool,
    },
}

/// How a file's embedding layer is named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EmbeddingLayer {
    /// By the layer's name.
    Name(String),
    /// By its position, from the end when negative (the reference's `basic_model=-2`).
    Index(i64),
}

/// A network to build.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backbone {
    /// A name of the backbone table: `mobilefacenet`.
    pub kind: String,
    /// Length of the embedding.
    pub embedding_size: u64,
    /// Share of the features dropped before the embedding, 0 to below 1.
    pub dropout: f64,
    /// Width multiplier: 1 is the published network.
    pub width: f64,
    /// Factor of the sum of squares of every kernel, added to the loss; 0 adds none.
    pub weight_decay: f64,
    /// A file of weights it starts from, found by the layers' names.
    pub pretrained: Option<PathBuf>,
}

impl Backbone {
    /// The published network, from scratch and without dropout.
    pub fn new(kind: impl Into<String>, embedding_size: u64) -> Self {
        Self { kind: kind.into(), embedding_size, dropout: 0.0, width: 1.0, weight_decay: 0.0, pretrained: None }
    }
}

/// Length of the embedding of an unknown backbone unless given.
const EMBEDDING_SIZE: u64 = 256;

/// A backbone that a schedule may name.
struct Row {
    /// Its names: the first is the graph's.
    name: Name,
    /// Length of the embedding unless given.
    embedding_size: u64,
}

const fn row(name: &'static str, aliases: &'static [&'static str], embedding_size: u64) -> Row {
    Row { name: Name::new(name, aliases), embedding_size }
}

/// The backbones a schedule may name, in any case, with `_` or without.
const BACKBONES: &[Row] = &[
    row("mobilefacenet", &[], 256),
    row("se_mobilefacenet", &["mobile_facenet_se"], 256),
    row("mobilenet", &["mobilenet_v1"], 256),
    row("mobilenetv2", &[], 256),
    row("mobilenetv3_large", &["mobilenetv3"], 256),
    row("mobilenetv3_small", &[], 256),
    row("mobilenetv3_large_minimalistic", &[], 256),
    row("mobilenetv3_small_minimalistic", &[], 256),
    row("resnet50v2", &[], 512),
    row("resnet101v2", &[], 512),
    row("resnet152v2", &[], 512),
];

/// Name and default length of the embedding of every backbone that a schedule may name.
pub fn backbones() -> impl Iterator<Item = (&'static str, u64)> {
    BACKBONES.iter().map(|row| (row.name.name, row.embedding_size))
}

/// The field `model`.
pub(super) struct ModelFile {
    pub backbone: Field<String>,
    pub file: Field<String>,
    pub embedding: Field<Embedding>,
    pub dropout: Field<f64>,
    pub width: Field<f64>,
    pub compile: Field<bool>,
    pub weight_decay: Field<f64>,
    /// None where it says that there is none.
    pub pretrained: Field<Option<String>>,
}

/// What `embedding` says: a length for a backbone, a position or a name for a file.
pub(super) enum Embedding {
    Number(i128),
    Text(String),
}

impl ModelFile {
    pub(super) fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        // The short form, as the reference has it: model: checkpoints/NAME.h5
        if let Value::Text(text) = &node.value
            && std::path::Path::new(text.trim_end()).extension().is_some_and(|kind| kind.eq_ignore_ascii_case("h5"))
        {
            return Some(Self {
                backbone: Field::Absent,
                file: reader
                    .text("model", node)
                    .map_or(Field::Broken, |path| Field::Given(At { value: path, at: node.at })),
                embedding: Field::Absent,
                dropout: Field::Absent,
                width: Field::Absent,
                weight_decay: Field::Absent,
                pretrained: Field::Absent,
                compile: Field::Absent,
            });
        }
        let fields = reader.fields("`model`", node, MODEL, &belongs)?;
        Some(Self {
            backbone: reader.field("backbone", fields.all("backbone"), Reader::text),
            file: reader.field("model.file", fields.all("file"), Reader::text),
            embedding: reader.field("embedding", fields.all("embedding"), |reader, name, node| match &node.value {
                Value::Int(number) => Some(Embedding::Number(*number)),
                Value::Text(_) => {
                    let text = reader.text(name, node)?;
                    Some(text.trim().parse().map_or(Embedding::Text(text), Embedding::Number))
                }
                _ => {
                    reader.mismatch(name, node, "a length, a layer's name or a layer's position", None);
                    None
                }
            }),
            dropout: reader.field("dropout", fields.all("dropout"), Reader::number),
            width: reader.field("width", fields.all("width"), Reader::number),
            compile: reader.field("compile", fields.all("compile"), Reader::flag),
            weight_decay: reader.field("weight_decay", fields.all("weight_decay"), Reader::number),
            pretrained: match reader.choose("pretrained", fields.all("pretrained")) {
                Field::Given(At { value: node, at }) if node.is_none() => Field::Given(At { value: None, at }),
                Field::Given(At { value: node, at }) => match reader.text("pretrained", node) {
                    Some(path) => Field::Given(At { value: Some(path), at }),
                    None => Field::Broken,
                },
                Field::Absent => Field::Absent,
                Field::Broken => Field::Broken,
            },
        })
    }
}

/// The model, and where its file was named. `start` is where to point when there is none.
pub(super) fn check(model: &Field<ModelFile>, start: Span, reader: &mut Reader) -> Option<(ModelSource, Option<Span>)> {
    let given = match model {
        Field::Given(given) => given,
        Field::Broken => return None,
        Field::Absent => {
            reader.problems.error(
                start,
                "the schedule does not say what to train",
                "`model` is missing",
                "from scratch: model: {backbone: mobilefacenet, embedding: 256}; from a saved model: \
                 model: {file: checkpoints/NAME.h5}"
                    .to_owned(),
            );
            return None;
        }
    };
    let model = &given.value;
    match (&model.backbone, &model.file) {
        (Field::Broken, _) | (_, Field::Broken) => None,
        (Field::Absent, Field::Absent) => {
            reader.problems.error(
                given.at,
                "`model` says neither how to build the network nor which file to load",
                "expected `backbone` or `file`",
                format!("`backbone` is {}", any_of(BACKBONES.iter().map(|row| row.name.name))),
            );
            None
        }
        (Field::Given(backbone), Field::Given(file)) => {
            let later = if backbone.at.start > file.at.start { backbone.at } else { file.at };
            reader.problems.error(
                later,
                "`model` has both a `backbone` and a `file`",
                "the network is either built or loaded",
                "keep `backbone` to start from scratch, `file` to continue from a saved model".to_owned(),
            );
            None
        }
        (Field::Given(backbone), Field::Absent) => {
            let pretrained = check_pretrained(&model.pretrained, reader);
            let backbone = Backbone { pretrained: pretrained.clone()?, ..check_backbone(backbone, model, reader)? };
            let at = model.pretrained.given().filter(|_| backbone.pretrained.is_some()).map(|given| given.at);
            Some((ModelSource::Backbone(backbone), at))
        }
        (Field::Absent, Field::Given(path)) => {
            let source = check_model_file(path, model, reader)?;
            Some((source, Some(path.at)))
        }
    }
}

fn check_backbone(given: &At<String>, model: &ModelFile, reader: &mut Reader) -> Option<Backbone> {
    let known = BACKBONES.iter().find(|row| row.name.is(&given.value));
    if known.is_none() {
        let label = match nearest(&given.value, BACKBONES.iter().map(|row| &row.name)) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "not a known backbone".to_owned(),
        };
        reader.problems.error(
            given.at,
            format!("there is no backbone `{}`", given.value),
            label,
            format!("`backbone` is {}", any_of(BACKBONES.iter().map(|row| row.name.name))),
        );
    }
    let default = known.map_or(EMBEDDING_SIZE, |row| row.embedding_size);
    let embedding_size = match &model.embedding {
        Field::Given(At { value: Embedding::Number(number), at }) => {
            whole(reader, "embedding", &Field::Given(At { value: *number, at: *at }), default, 1, 8192)
        }
        Field::Given(At { value: Embedding::Text(text), at }) => {
            reader.problems.error(
                *at,
                format!("`embedding` must be a whole number, found the text `{text}`"),
                "expected the length of the embedding, as 256",
                "a layer's name belongs to a saved model: model: {file: NAME.h5, embedding: LAYER}".to_owned(),
            );
            default
        }
        Field::Absent | Field::Broken => default,
    };
    let dropout = share(reader, "dropout", &model.dropout, 0.0, Range::SHARE);
    let width = share(reader, "width", &model.width, 1.0, Range::above_zero(4.0));
    let weight_decay = share(reader, "weight_decay", &model.weight_decay, 0.0, Range::closed(0.0, 1.0));
    known.map(|row| Backbone {
        kind: row.name.name.to_owned(),
        embedding_size,
        dropout,
        width,
        weight_decay,
        pretrained: None,
    })
}

/// The file of first weights; none where the schedule names none. The outer none is a mistake, which is noted.
#[expect(clippy::option_option, reason = "absent and wrong are two things")]
fn check_pretrained(field: &Field<Option<String>>, reader: &mut Reader) -> Option<Option<PathBuf>> {
    let given = match field {
        Field::Absent | Field::Given(At { value: None, .. }) => return Some(None),
        Field::Broken => return None,
        Field::Given(At { value: Some(path), at }) => At { value: path.clone(), at: *at },
    };
    if fold(&given.value) == "imagenet" {
        reader.problems.error(
            given.at,
            "`pretrained` names a file, and facetui downloads none",
            "expected the path of a weight file",
            "Keras leaves its weight files in ~/.keras/models when it builds a network with weights=\"imagenet\": \
             give the path of that .h5"
                .to_owned(),
        );
        return None;
    }
    check_path("model.pretrained", &given, reader).map(Some)
}

fn check_model_file(given: &At<String>, model: &ModelFile, reader: &mut Reader) -> Option<ModelSource> {
    let path = check_path("model.file", given, reader);
    let numbers = [("dropout", &model.dropout), ("width", &model.width), ("weight_decay", &model.weight_decay)];
    let numbers = numbers.into_iter().filter_map(|(name, field)| Some((name, field.given()?.at)));
    let weights = model.pretrained.given().map(|given| ("pretrained", given.at));
    for (name, at) in numbers.chain(weights) {
        reader.problems.error(
            at,
            format!("`{name}` cannot be changed in a saved model"),
            "belongs to a `backbone`",
            format!("take `{name}` out: the file holds the network as it was built"),
        );
    }
    let embedding = model.embedding.given().map(|given| match &given.value {
        Embedding::Text(name) => EmbeddingLayer::Name(name.clone()),
        Embedding::Number(position) => {
            if *position >= 64 && position.count_ones() == 1 {
                reader.problems.warn(
                    given.at,
                    format!("`embedding` of a saved model names a layer: this is the layer at position {position}"),
                    "looks like a length",
                    "the file knows its length; leave `embedding` out, or name the layer: embedding: embedding"
                        .to_owned(),
                );
            }
            EmbeddingLayer::Index(i64::try_from(*position).unwrap_or(i64::MAX))
        }
    });
    let compile = model.compile.given().is_none_or(|given| given.value);
    Some(ModelSource::File { path: path?, embedding, compile })
}

#[cfg(test)]
mod tests {
    use super::super::{Schedule, ScheduleError, parse};
    use super::*;

    fn read(model: &str) -> Result<Schedule, ScheduleError> {
        let text = format!("model: {model}\ndata: {{train: x, bins: []}}\nstages: [{{loss: softmax, epochs: 1}}]\n");
        parse("x.yaml", &text, &[], &|_| None).map(|loaded| loaded.schedule)
    }

    fn backbone(model: &str) -> Backbone {
        match read(model).expect(model).model {
            ModelSource::Backbone(backbone) => backbone,
            ModelSource::File { .. } => panic!("{model} is a file"),
        }
    }

    #[test]
    fn spellings_of_the_reference_and_of_keras_are_known() {
        for (written, kind, size) in [
            ("mobile_facenet", "mobilefacenet", 256),
            ("MobileNet", "mobilenet", 256),
            ("MobileNetV2", "mobilenetv2", 256),
            ("mobilenet_v2", "mobilenetv2", 256),
            ("MobileNetV3Large", "mobilenetv3_large", 256),
            ("mobilenetv3-small", "mobilenetv3_small", 256),
            ("ResNet101V2", "resnet101v2", 512),
            ("resnet50_v2", "resnet50v2", 512),
        ] {
            let read = backbone(&format!("{{backbone: {written}}}"));
            assert_eq!((read.kind.as_str(), read.embedding_size), (kind, size), "{written}");
        }
        let read = backbone(
            "{backbone: ResNet50V2, emb_shape: 128, dropout: 0.4, alpha: 0.5, weights: a.h5, weight_decay: 5e-4}",
        );
        let wanted = Backbone {
            dropout: 0.4,
            width: 0.5,
            weight_decay: 5e-4,
            pretrained: Some("a.h5".into()),
            ..Backbone::new("resnet50v2", 128)
        };
        assert_eq!(read, wanted);
        assert_eq!(backbone("{backbone: mobilenet, weights: null}").pretrained, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (model, wanted) in [
            ("{backbone: resnet34}", "there is no backbone `resnet34`"),
            ("{backbone: mobilenet, pretrained: imagenet}", "downloads none"),
            ("{file: a.h5, pretrained: b.h5}", "`pretrained` cannot be changed in a saved model"),
            ("{backbone: mobilenet, width: 0}", "`width`"),
            ("{backbone: mobilenet, weight_decay: -1}", "`weight_decay`"),
            ("{backbone: mobilenet, pretrained: [a, b]}", "pretrained"),
        ] {
            let error = format!("{:?}", miette::Report::new(read(model).expect_err(model)));
            assert!(error.contains(wanted), "{model}: {error}");
        }
    }
}
