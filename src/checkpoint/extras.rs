//! What a file holds beside the model, in a group of our own that Keras does not look at: `facetui`, with named arrays,
//! a JSON text and the figures of the evaluation bins.

use std::collections::BTreeMap;

use hdf5::File;
use serde_json::Value;

use super::datasets::{self, Pending};
use super::h5_file::H5File;
use super::strings::{put_text, text};
use crate::event::BinResult;
use crate::graph::Array;

/// The group.
pub(super) const GROUP: &str = "facetui";
/// Its group of arrays.
const ARRAYS: &str = "arrays";
/// Its attribute.
const NOTES: &str = "notes";
/// Its attribute of figures.
const EVALUATION: &str = "evaluation";
/// Most arrays of a file.
const MOST: u64 = 10_000;

/// Things of facetui's own in a checkpoint: the centers of the center loss, the state of random numbers, ...
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Extras {
    /// Arrays by name, such as `centers` of the shape (C, E). Names have no slash and are not empty.
    pub arrays: BTreeMap<String, Array>,
    /// Anything else; null for nothing.
    pub notes: Value,
}

impl Extras {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.arrays.is_empty() && self.notes.is_null()
    }
}

/// Writes them, when there are any.
pub(super) fn put<'a>(
    file: &File,
    extras: &'a Extras,
    evaluation: &[BinResult],
    later: &mut Vec<Pending<'a>>,
) -> hdf5::Result<()> {
    if extras.is_empty() && evaluation.is_empty() {
        return Ok(());
    }
    let group = datasets::folder_in(file, GROUP)?;
    if !evaluation.is_empty() {
        let text = serde_json::to_string(evaluation).map_err(|error| hdf5::Error::from(error.to_string()))?;
        put_text(&group, EVALUATION, &text)?;
    }
    if extras.is_empty() {
        return Ok(());
    }
    put_text(&group, NOTES, &extras.notes.to_string())?;
    let folder = group.create_group(ARRAYS)?;
    for (name, array) in &extras.arrays {
        if name.is_empty() || name.contains(['/', '\0']) || name == "." {
            return Err(hdf5::Error::from(format!("`{name}` is not a valid name for an array")));
        }
        datasets::put(&folder, name, &array.shape, Some(array), later)?;
    }
    Ok(())
}

/// Reads the figures of the evaluation bins; none when the file has none.
///
/// # Errors
/// Damaged ones, as a sentence.
pub(super) fn evaluation(source: &H5File) -> Result<Vec<BinResult>, String> {
    let Ok(group) = source.file.group(GROUP) else { return Ok(Vec::new()) };
    let Some(figures) = text(source, &group, EVALUATION)? else { return Ok(Vec::new()) };
    serde_json::from_str(&figures).map_err(|error| format!("`{GROUP}/{EVALUATION}`: {error}"))
}

/// Reads them; nothing when the file has none.
///
/// # Errors
/// Damaged ones, as a sentence.
pub(super) fn get(source: &H5File) -> Result<Extras, String> {
    let mut extras = Extras { notes: notes(source)?, ..Extras::default() };
    let Ok(group) = source.file.group(GROUP) else { return Ok(extras) };
    let Ok(folder) = group.group(ARRAYS) else { return Ok(extras) };
    if folder.len() > MOST {
        return Err(format!("`{GROUP}` has {} arrays; at most {MOST} are read", folder.len()));
    }
    for name in folder.member_names().map_err(|error| format!("`{GROUP}` cannot be read: {error}"))? {
        let array = datasets::open(source, &folder, &name).and_then(|numbers| numbers.read(source));
        extras.arrays.insert(name.clone(), array.map_err(|why| format!("the array `{name}` {why}"))?);
    }
    Ok(extras)
}

/// Reads the notes alone; null when there are none.
///
/// # Errors
/// Damaged ones, as a sentence.
pub(super) fn notes(source: &H5File) -> Result<Value, String> {
    let Ok(group) = source.file.group(GROUP) else { return Ok(Value::Null) };
    match text(source, &group, NOTES)? {
        Some(notes) => serde_json::from_str(&notes).map_err(|error| format!("`{GROUP}`: {error}")),
        None => Ok(Value::Null),
    }
}
