//! `batch_size`, and other numbers that may be `auto`.

use super::reader::{Field, Reader};
use super::scalars::whole;
use super::span::At;
use super::tree::{Node, Value};

/// Images a step unless given; the reference's.
pub(super) const BATCH_SIZE: u64 = 128;

/// A number, or `auto`: `data.workers`, `batch_size`.
#[derive(Clone, Copy)]
pub(super) enum Count {
    Auto,
    Number(i128),
}

impl Count {
    pub(super) fn read(reader: &mut Reader, name: &str, node: &Node) -> Option<Self> {
        match &node.value {
            Value::Text(text) if text.eq_ignore_ascii_case("auto") => Some(Self::Auto),
            _ => reader.integer(name, node).map(Self::Number),
        }
    }
}

/// The images of a step, and whether facetui finds them when the run begins: until then they are the usual ones.
pub(super) fn check(field: &Field<Count>, default: (u64, bool), reader: &mut Reader) -> (u64, bool) {
    match field {
        Field::Given(At { value: Count::Auto, .. }) => (BATCH_SIZE, true),
        Field::Given(At { value: Count::Number(number), at }) => {
            let given = Field::Given(At { value: *number, at: *at });
            (whole(reader, "batch_size", &given, BATCH_SIZE, 2, 1 << 20), false)
        }
        Field::Absent | Field::Broken => default,
    }
}
