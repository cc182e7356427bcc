//! `.safetensors`: a header in JSON, then the numbers (<https://github.com/huggingface/safetensors>). Written here, so that
//! the same network gives the same bytes, and read back by the `safetensors` crate.

use std::io::Write;
use std::path::Path;

use safetensors::SafeTensors;
use serde_json::{Map, Value, json};

use super::state_dict::Named;
use crate::graph::Array;

/// Writes arrays and metadata.
///
/// # Errors
/// The disk is full, or the like.
pub(super) fn write(path: &Path, arrays: &Named, metadata: &[(String, String)]) -> std::io::Result<()> {
    let mut header = Map::new();
    let metadata = metadata.iter().map(|(key, value)| (key.clone(), Value::from(value.clone())));
    header.insert("__metadata__".to_owned(), Value::Object(metadata.collect()));
    let mut end = 0;
    for (name, array) in arrays {
        let start = end;
        end += array.data.len() * 4;
        header.insert(name.clone(), json!({"dtype": "F32", "shape": array.shape, "data_offsets": [start, end]}));
    }
    let mut text = Value::Object(header).to_string();
    // The numbers begin at a multiple of 8, as the format asks.
    text.extend(std::iter::repeat_n(' ', text.len().next_multiple_of(8) - text.len()));
    let mut file = std::io::BufWriter::new(fs_err::File::create(path)?);
    file.write_all(&(text.len() as u64).to_le_bytes())?;
    file.write_all(text.as_bytes())?;
    for (_, array) in arrays {
        let bytes: Vec<u8> = array.data.iter().flat_map(|value| value.to_le_bytes()).collect();
        file.write_all(&bytes)?;
    }
    file.flush()
}

/// Reads a file back and compares it with what was written.
///
/// # Errors
/// What differs, as a sentence.
pub(super) fn check(path: &Path, arrays: &Named) -> Result<(), String> {
    let bytes = fs_err::read(path).map_err(|error| error.to_string())?;
    let read =
        SafeTensors::deserialize(&bytes).map_err(|error| format!("the safetensors crate refuses it: {error}"))?;
    if read.len() != arrays.len() {
        return Err(format!("it has {} arrays; expected {}", read.len(), arrays.len()));
    }
    for (name, Array { shape, data }) in arrays {
        let view = read.tensor(name).map_err(|error| format!("`{name}`: {error}"))?;
        let same = view.shape() == shape && view.data().len() == data.len() * 4;
        let numbers = view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes).to_bits());
        if !same || !numbers.eq(data.iter().map(|value| value.to_bits())) {
            return Err(format!("`{name}` was read back as something else"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_damage_is_seen() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.safetensors");
        let array = |shape: &[usize], data: &[f32]| Array { shape: shape.to_vec(), data: data.to_vec() };
        let mut arrays =
            vec![("b/kernel".to_owned(), array(&[2, 1], &[1.0, -2.5])), ("a/bias".to_owned(), array(&[1], &[0.5]))];
        write(&path, &arrays, &[("model".to_owned(), "\"x\"".to_owned())]).expect("writes");
        check(&path, &arrays).expect("is the same");
        let bytes = std::fs::read(&path).expect("reads");
        let (_, metadata) = SafeTensors::read_metadata(&bytes).expect("reads");
        assert_eq!(metadata.metadata().as_ref().expect("has some")["model"], "\"x\"");
        arrays[1].1.data[0] = 0.25;
        assert!(check(&path, &arrays).is_err_and(|why| why.contains("a/bias")));
        std::fs::write(&path, &bytes[..bytes.len() - 1]).expect("writes");
        assert!(check(&path, &arrays).is_err());
    }
}
