//! Numbers in HDF5 datasets: read whole as float32 under the limits of [`Source`], written without a copy.

use hdf5::types::{FloatSize, TypeDescriptor};
use hdf5::{Dataset, Group};

use super::source::Source;
use crate::graph::Array;

/// More axes than any weight has.
const MOST_AXES: usize = 8;
/// The most that deflate, the filter of packed files, makes of a byte.
const MOST_UNPACKED: u64 = 1032;

/// A dataset of a file.
pub(super) struct Numbers {
    dataset: Dataset,
    /// Its axes; none for a single number.
    pub(super) shape: Vec<usize>,
}

/// Opens a dataset without reading it.
///
/// # Errors
/// Why it cannot be used, as the rest of a sentence about it.
pub(super) fn open(source: &Source, group: &Group, name: &str) -> Result<Numbers, String> {
    let dataset = group.dataset(name).map_err(|_ignored| "is missing")?;
    let unreadable = |error: hdf5::Error| format!("cannot be read: {error}");
    let settings = dataset.dcpl().map_err(unreadable)?;
    let elsewhere = settings.get_layout().map_err(unreadable)? == hdf5::dataset::Layout::Virtual
        || !settings.get_external().map_err(unreadable)?.is_empty();
    if elsewhere || !source.owns(&dataset) {
        return Err("lies in another file, which is not read".to_owned());
    }
    let shape = dataset.get_shape().map_err(unreadable)?;
    if shape.len() > MOST_AXES {
        return Err(format!("has {} axes; at most {MOST_AXES} are read", shape.len()));
    }
    Ok(Numbers { dataset, shape })
}

impl Numbers {
    /// Number of elements; none when it is no number that a computer counts to.
    fn count(&self) -> Option<u64> {
        self.shape.iter().try_fold(1u64, |count, size| count.checked_mul(*size as u64))
    }

    /// Whether it is a single number.
    pub(super) fn is_scalar(&self) -> bool {
        self.shape.is_empty()
    }

    /// Fails unless the file holds as much as the dataset says.
    fn admit(&self, source: &Source) -> Result<(), String> {
        let size = self.dataset.dtype().map_err(|error| format!("cannot be read: {error}"))?.size() as u64;
        let bytes = self.count().and_then(|count| count.checked_mul(size)).ok_or("is too large")?;
        let stored = self.dataset.storage_size();
        let packed = !self.dataset.filters().is_empty();
        let most = if packed { stored.saturating_mul(MOST_UNPACKED) } else { stored };
        if bytes > most || stored > source.length() {
            return Err(format!("should hold {bytes} bytes, but {stored} are stored"));
        }
        source.spend(stored)
    }

    /// All of it.
    ///
    /// # Errors
    /// It holds no floating-point numbers, or less than it says.
    pub(super) fn read(self, source: &Source) -> Result<Array, String> {
        self.admit(source)?;
        let kind = self.dataset.dtype().map_err(|error| format!("cannot be read: {error}"))?;
        let data = match kind.to_descriptor() {
            Ok(TypeDescriptor::Float(FloatSize::U4 | FloatSize::U8)) => self.dataset.read_raw::<f32>(),
            // Half precision, which has no descriptor; HDF5 converts whatever floating-point format it is.
            Err(_) if kind.size() == 2 => self.dataset.read_raw::<f32>(),
            _ => return Err("holds no floating-point numbers".to_owned()),
        };
        let data = data.map_err(|_ignored| "holds no floating-point numbers that can be read".to_owned())?;
        Ok(Array { shape: self.shape, data })
    }

    /// Its only number, whatever its format is.
    ///
    /// # Errors
    /// It holds several numbers, or none.
    pub(super) fn number(self, source: &Source) -> Result<f64, String> {
        if self.count() != Some(1) {
            return Err(format!("has the shape {:?}; expected one number", self.shape));
        }
        self.admit(source)?;
        let kind = self.dataset.dtype().and_then(|kind| kind.to_descriptor());
        match kind {
            Ok(TypeDescriptor::Integer(_) | TypeDescriptor::Unsigned(_) | TypeDescriptor::Float(_)) => {}
            _ => return Err("holds no number".to_owned()),
        }
        let values = self.dataset.read_raw::<f64>().map_err(|error| format!("cannot be read: {error}"))?;
        values.first().copied().ok_or_else(|| "is empty".to_owned())
    }
}

/// Writes a float32 dataset; slashes in the name make groups.
pub(super) fn put(group: &Group, name: &str, array: &Array) -> hdf5::Result<()> {
    let (parent, leaf) = place(group, name)?;
    let dataset = parent.new_dataset::<f32>().shape(array.shape.clone()).create(leaf)?;
    dataset.write_raw(&array.data)
}

/// Writes one float32 number.
pub(super) fn put_number(group: &Group, name: &str, value: f32) -> hdf5::Result<()> {
    let (parent, leaf) = place(group, name)?;
    parent.new_dataset::<f32>().create(leaf)?.write_scalar(&value)
}

/// Writes one whole number.
pub(super) fn put_count(group: &Group, name: &str, value: i64) -> hdf5::Result<()> {
    let (parent, leaf) = place(group, name)?;
    parent.new_dataset::<i64>().create(leaf)?.write_scalar(&value)
}

/// The group that a name with slashes lies in, made where it is missing, and the name's last part.
fn place<'a>(group: &Group, name: &'a str) -> hdf5::Result<(Group, &'a str)> {
    let Some((folder, leaf)) = name.rsplit_once('/') else { return Ok((group.clone(), name)) };
    Ok((folder_in(group, folder)?, leaf))
}

/// The group of a name with slashes, made where it is missing.
pub(super) fn folder_in(group: &Group, path: &str) -> hdf5::Result<Group> {
    if let Ok(found) = group.group(path) { Ok(found) } else { group.create_group(path) }
}
