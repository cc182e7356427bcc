//! ONNX: opset 17, IR version 8, maps as NCHW, a batch of any size. Input `images`, output `embeddings`.
//!
//! Dense weights are put in the order that a flattened NCHW map has, so that nothing is transposed but the images, where
//! the file takes them channels-last.

mod check;
pub mod interpreter;
pub mod proto;
mod writer;

use prost::Message as _;
use proto::{GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto};

use super::lower::Lowered;
pub(super) use check::file as check;
use writer::{Writer, operations};

pub use writer::{INPUT, OUTPUT};

/// The operator set that is written.
pub const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;
/// Longest file that protobuf readers take.
pub const MOST_BYTES: usize = i32::MAX as usize;

/// Makes the bytes of a file. `metadata` is keys and values. ONNX has something for every operation; files longer than
/// [`MOST_BYTES`] are not read by others.
pub fn encode(lowered: &Lowered, name: &str, metadata: &[(String, String)]) -> Vec<u8> {
    let graph = Writer::new(lowered).graph(name, operations::write);
    model(graph, metadata).encode_to_vec()
}

fn model(graph: GraphProto, metadata: &[(String, String)]) -> ModelProto {
    let entry =
        |(key, value): &(String, String)| StringStringEntryProto { key: Some(key.clone()), value: Some(value.clone()) };
    ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some("facetui".to_owned()),
        producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        doc_string: None,
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(OPSET) }],
        metadata_props: metadata.iter().map(entry).collect(),
    }
}
