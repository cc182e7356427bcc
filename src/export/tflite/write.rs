//! A [`Model`] as the bytes of a `.tflite` file: TensorFlow's schema, version 3, written table by table.
//!
//! Slots are the places of the fields in `schema.fbs`. Constants lie on 16-byte boundaries, as the runtime wants them:
//! it maps the file and computes in place.

use flatbuffers::{FlatBufferBuilder, ForwardsUOffset, Push, TableFinishedWIPOffset, Vector, WIPOffset};

use super::model::{INPUT, Model, OUTPUT, Operator};
use super::op::{Entry, Scalar};
use super::tensor::Tensor;

/// Boundary of the constants.
pub(super) const ALIGNMENT: usize = 16;

/// What a file may hold: a flatbuffer's offsets are 32 bits, signed, and the tables need room too.
const MOST_BYTES: usize = (1 << 31) - (64 << 20);

/// The file's identifier.
pub(super) const IDENTIFIER: &str = "TFL3";

type Builder = FlatBufferBuilder<'static>;
type Table = WIPOffset<TableFinishedWIPOffset>;
type List<T> = WIPOffset<Vector<'static, T>>;
type Tables = List<ForwardsUOffset<TableFinishedWIPOffset>>;

/// The byte offset of a slot in a vtable.
pub(super) const fn slot(place: u16) -> u16 {
    4 + 2 * place
}

/// The bytes of the file; none when it would be larger than a flatbuffer can be.
pub(super) fn write(model: &Model) -> Option<Vec<u8>> {
    if model.constant_bytes() > MOST_BYTES {
        return None;
    }
    let mut to = Builder::with_capacity(model.constant_bytes() + (1 << 16));
    let mut buffers = vec![buffer(&mut to, &[])];
    let tensors: Vec<Table> = model.tensors.iter().map(|it| tensor(&mut to, it, &mut buffers)).collect();
    let mut runtime = model.runtime().into_bytes();
    runtime.resize(16, 0);
    let own = [("min_runtime_version".to_owned(), runtime)];
    let metadata: Vec<Table> = own
        .iter()
        .chain(&model.metadata)
        .map(|(name, bytes)| {
            buffers.push(buffer(&mut to, bytes));
            let name = to.create_string(name);
            let last = buffers.len() as u32 - 1;
            table(&mut to, |to| {
                to.push_slot_always(slot(0), name);
                to.push_slot(slot(1), last, 0);
            })
        })
        .collect();
    let mut codes: Vec<(Entry, i32)> = Vec::new();
    let operators: Vec<Table> = model.operators.iter().map(|it| operator(&mut to, it, model, &mut codes)).collect();
    let codes: Vec<Table> = codes.into_iter().map(|(entry, version)| code(&mut to, entry, version)).collect();

    let graph = subgraph(&mut to, model, &tensors, &operators);
    let signature = signature(&mut to, model);
    let root = root(&mut to, model, &codes, graph, &buffers, &metadata, signature);
    // Constants lie on boundaries counted from the end: the whole must be a multiple. The root's offset and the identifier
    // come before everything else.
    let before = 4 + IDENTIFIER.len();
    while !(to.unfinished_data().len() + before).is_multiple_of(ALIGNMENT) {
        to.push(0u8);
    }
    to.finish(root, Some(IDENTIFIER));
    Some(to.finished_data().to_vec())
}

fn table(to: &mut Builder, fill: impl FnOnce(&mut Builder)) -> Table {
    let start = to.start_table();
    fill(to);
    to.end_table(start)
}

fn list<T: Push + Copy>(to: &mut Builder, values: &[T]) -> List<T::Output> {
    to.create_vector(values)
}

fn tables(to: &mut Builder, values: &[Table]) -> Tables {
    to.create_vector(values)
}

/// A `Buffer`, its bytes on a boundary.
fn buffer(to: &mut Builder, bytes: &[u8]) -> Table {
    let data = (!bytes.is_empty()).then(|| {
        while !(to.unfinished_data().len() + bytes.len()).is_multiple_of(ALIGNMENT) {
            to.push(0u8);
        }
        list(to, bytes)
    });
    table(to, |to| {
        if let Some(data) = data {
            to.push_slot_always(slot(0), data);
        }
    })
}

fn tensor(to: &mut Builder, tensor: &Tensor, buffers: &mut Vec<Table>) -> Table {
    let place = tensor.data.as_ref().map_or(0, |data| {
        buffers.push(buffer(to, data));
        buffers.len() as u32 - 1
    });
    let name = to.create_string(&tensor.name);
    let shape = list(to, &tensor.shape);
    let signature = tensor.signature.as_ref().map(|signature| list(to, signature));
    let quantization = tensor.quantization.as_ref().map(|quantization| {
        let scales = list(to, &quantization.scales);
        let zeros = list(to, &vec![quantization.zero_point; quantization.scales.len()]);
        table(to, |to| {
            to.push_slot_always(slot(2), scales);
            to.push_slot_always(slot(3), zeros);
            to.push_slot(slot(6), quantization.axis, 0);
        })
    });
    table(to, |to| {
        to.push_slot_always(slot(0), shape);
        to.push_slot(slot(1), tensor.kind.code(), 0);
        to.push_slot(slot(2), place, 0);
        to.push_slot_always(slot(3), name);
        if let Some(quantization) = quantization {
            to.push_slot_always(slot(4), quantization);
        }
        if let Some(signature) = signature {
            to.push_slot_always(slot(7), signature);
        }
        to.push_slot(slot(8), true, false);
    })
}

fn operator(to: &mut Builder, operator: &Operator, model: &Model, codes: &mut Vec<(Entry, i32)>) -> Table {
    let entry = operator.op.entry();
    let key = (entry, model.version(operator));
    let place = codes.iter().position(|known| *known == key).unwrap_or_else(|| {
        codes.push(key);
        codes.len() - 1
    });
    let ids = |ids: &[usize]| ids.iter().map(|id| *id as i32).collect::<Vec<i32>>();
    let inputs = list(to, &ids(&operator.inputs));
    let outputs = list(to, &[operator.output as i32]);
    let options = (entry.options != 0).then(|| {
        let settings = operator.op.settings();
        table(to, |to| {
            for (place, value) in settings {
                match value {
                    Scalar::Byte(value) => to.push_slot_always(slot(place), value),
                    Scalar::Int(value) => to.push_slot_always(slot(place), value),
                    Scalar::Float(value) => to.push_slot_always(slot(place), value),
                }
            }
        })
    });
    table(to, |to| {
        to.push_slot(slot(0), place as u32, 0);
        to.push_slot_always(slot(1), inputs);
        to.push_slot_always(slot(2), outputs);
        if let Some(options) = options {
            to.push_slot(slot(3), entry.options, 0);
            to.push_slot_always(slot(4), options);
        }
    })
}

/// Readers from before 2020 look for the operator's number in one byte; 127 there means "see the other field".
fn code(to: &mut Builder, entry: Entry, version: i32) -> Table {
    table(to, |to| {
        to.push_slot(slot(0), entry.code.min(127) as i8, 0);
        to.push_slot(slot(2), version, 1);
        to.push_slot(slot(3), entry.code, 0);
    })
}

fn subgraph(to: &mut Builder, model: &Model, tensors: &[Table], operators: &[Table]) -> Table {
    let tensors = self::tables(to, tensors);
    let operators = self::tables(to, operators);
    let inputs = list(to, &[model.input as i32]);
    let outputs = list(to, &[model.output as i32]);
    let name = to.create_string("main");
    table(to, |to| {
        to.push_slot_always(slot(0), tensors);
        to.push_slot_always(slot(1), inputs);
        to.push_slot_always(slot(2), outputs);
        to.push_slot_always(slot(3), operators);
        to.push_slot_always(slot(4), name);
    })
}

/// The `SignatureDef` named `serving_default`, as `TensorFlow` has it.
fn signature(to: &mut Builder, model: &Model) -> Table {
    let mut named = |name: &str, id: usize| {
        let name = to.create_string(name);
        let entry = table(to, |to| {
            to.push_slot_always(slot(0), name);
            to.push_slot(slot(1), id as u32, 0);
        });
        self::tables(to, &[entry])
    };
    let inputs = named(INPUT, model.input);
    let outputs = named(OUTPUT, model.output);
    let key = to.create_string("serving_default");
    table(to, |to| {
        to.push_slot_always(slot(0), inputs);
        to.push_slot_always(slot(1), outputs);
        to.push_slot_always(slot(2), key);
    })
}

fn root(
    to: &mut Builder,
    model: &Model,
    codes: &[Table],
    graph: Table,
    buffers: &[Table],
    metadata: &[Table],
    signature: Table,
) -> Table {
    let codes = self::tables(to, codes);
    let graphs = self::tables(to, &[graph]);
    let description = to.create_string(&model.description);
    let buffers = self::tables(to, buffers);
    let metadata = self::tables(to, metadata);
    let signatures = self::tables(to, &[signature]);
    table(to, |to| {
        to.push_slot(slot(0), 3u32, 0);
        to.push_slot_always(slot(1), codes);
        to.push_slot_always(slot(2), graphs);
        to.push_slot_always(slot(3), description);
        to.push_slot_always(slot(4), buffers);
        to.push_slot_always(slot(6), metadata);
        to.push_slot_always(slot(7), signatures);
    })
}
