//! Text in HDF5 attributes: Keras and h5py write it in half a dozen ways.

use hdf5::types::{FixedAscii, FixedUnicode, TypeDescriptor, VarLenAscii, VarLenUnicode};
use hdf5::{Attribute, Group, H5Type, Location};

/// Names that fit into one attribute of an object header (64 kB, 16 bytes each).
const NAMES_A_CHUNK: usize = 3000;

/// The text of a scalar attribute, or of one that Keras cut into numbered chunks.
pub(super) fn text(place: &Location, name: &str) -> Option<String> {
    texts(place, name).map(|texts| texts.concat())
}

/// The texts of an attribute, or of its numbered chunks; none when there is no such attribute.
pub(super) fn texts(place: &Location, name: &str) -> Option<Vec<String>> {
    if let Ok(attribute) = place.attr(name) {
        return values(&attribute);
    }
    let mut all = Vec::new();
    for chunk in 0.. {
        let Ok(attribute) = place.attr(&format!("{name}{chunk}")) else { break };
        all.extend(values(&attribute)?);
    }
    (!all.is_empty()).then_some(all)
}

fn values(attribute: &Attribute) -> Option<Vec<String>> {
    if attribute.size() == 0 {
        return Some(Vec::new());
    }
    let kind = attribute.dtype().ok()?.to_descriptor().ok()?;
    match kind {
        TypeDescriptor::VarLenUnicode => list::<VarLenUnicode>(attribute),
        TypeDescriptor::VarLenAscii => list::<VarLenAscii>(attribute),
        // Sizes are converted by HDF5: any type that is long enough does.
        TypeDescriptor::FixedAscii(0..=128) => list::<FixedAscii<128>>(attribute),
        TypeDescriptor::FixedAscii(0..=4096) => list::<FixedAscii<4096>>(attribute),
        TypeDescriptor::FixedAscii(0..=65536) => list::<FixedAscii<65536>>(attribute),
        TypeDescriptor::FixedUnicode(0..=128) => list::<FixedUnicode<128>>(attribute),
        TypeDescriptor::FixedUnicode(0..=4096) => list::<FixedUnicode<4096>>(attribute),
        TypeDescriptor::FixedUnicode(0..=65536) => list::<FixedUnicode<65536>>(attribute),
        _ => None,
    }
}

fn list<T: H5Type + ToString>(attribute: &Attribute) -> Option<Vec<String>> {
    Some(attribute.read_raw::<T>().ok()?.iter().map(ToString::to_string).collect())
}

/// Writes a text of any length as a scalar attribute.
pub(super) fn put_text(place: &Location, name: &str, value: &str) -> hdf5::Result<()> {
    // An inner zero byte would end the text; JSON and names have none.
    let value: VarLenUnicode = value.replace('\0', "").parse().unwrap_or_default();
    place.new_attr::<VarLenUnicode>().create(name)?.write_scalar(&value)
}

/// Writes names as a list, in numbered chunks when there are very many, as Keras does.
pub(super) fn put_names(group: &Group, name: &str, names: &[String]) -> hdf5::Result<()> {
    let write = |attribute: &str, names: &[String]| {
        let values: Vec<VarLenUnicode> =
            names.iter().map(|name| name.replace('\0', "").parse().unwrap_or_default()).collect();
        group.new_attr::<VarLenUnicode>().shape(values.len()).create(attribute)?.write_raw(&values)
    };
    if names.is_empty() {
        // As h5py writes an empty list.
        return group.new_attr::<f64>().shape(0).create(name).map(|_| ());
    }
    if names.len() <= NAMES_A_CHUNK {
        return write(name, names);
    }
    for (number, chunk) in names.chunks(NAMES_A_CHUNK).enumerate() {
        write(&format!("{name}{number}"), chunk)?;
    }
    Ok(())
}
