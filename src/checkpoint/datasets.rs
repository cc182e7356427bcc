//! Numbers in HDF5 datasets: read whole as float32 under the limits of [`H5File`]; written behind what HDF5 makes of a file,
//! as they come.

use hdf5::Group;
use hdf5::plist::dataset_create::AllocTime;
use hdf5::types::{FloatSize, TypeDescriptor};

use super::Floats;
use super::checksum::ChecksumWriter;
use super::dataset_addresses::Dataset;
use super::h5_file::H5File;
use super::memory_file::header;
use crate::graph::Array;

/// More axes than any weight has.
const MOST_AXES: usize = 8;
/// The most that deflate, the filter of packed files, makes of a byte.
const MOST_UNPACKED: u64 = 1032;

/// A dataset of a file.
pub(super) struct Numbers {
    dataset: hdf5::Dataset,
    /// Its axes; none for a single number.
    pub(super) shape: Vec<usize>,
}

/// Opens a dataset without reading it.
///
/// # Errors
/// Why it cannot be used, as the rest of a sentence about it.
pub(super) fn open(source: &H5File, group: &Group, name: &str) -> Result<Numbers, String> {
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
    /// Number of elements; none when it is not a number that a computer counts to.
    fn count(&self) -> Option<u64> {
        self.shape.iter().try_fold(1u64, |count, size| count.checked_mul(*size as u64))
    }

    /// Whether it is a single number.
    pub(super) fn is_scalar(&self) -> bool {
        self.shape.is_empty()
    }

    /// Fails unless the file holds as much as the dataset says.
    fn admit(&self, source: &H5File) -> Result<(), String> {
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
    pub(super) fn read(self, source: &H5File) -> Result<Array, String> {
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
    pub(super) fn number(self, source: &H5File) -> Result<f64, String> {
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

/// A float32 dataset whose numbers follow behind the file's other parts.
pub(super) struct Pending<'a> {
    /// Where its object header begins.
    header: u64,
    /// How many there are.
    count: u64,
    /// The numbers; none for zeros.
    numbers: Option<&'a dyn Floats>,
}

impl Pending<'_> {
    /// For [`places::assign`](super::dataset_addresses::assign).
    pub(super) const fn dataset(&self) -> Dataset {
        Dataset { header: self.header, bytes: self.count * size_of::<f32>() as u64 }
    }

    /// Writes its numbers.
    ///
    /// # Errors
    /// The file cannot be written, or there are more or fewer numbers than their shape says.
    pub(super) fn write(&self, file: &mut ChecksumWriter) -> std::io::Result<()> {
        let mut left = self.count;
        if let Some(numbers) = self.numbers {
            numbers.each(&mut |piece| {
                left = left.checked_sub(piece.len() as u64).ok_or_else(wrong_count)?;
                file.put_floats(piece)
            })?;
            return if left == 0 { Ok(()) } else { Err(wrong_count()) };
        }
        let zeros = vec![0.0; left.min(1 << 16) as usize];
        while left > 0 {
            let now = left.min(zeros.len() as u64);
            file.put_floats(&zeros[..now as usize])?;
            left -= now;
        }
        Ok(())
    }
}

fn wrong_count() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, "an array has more or fewer numbers than its shape says")
}

/// Makes a float32 dataset whose numbers are written later; slashes in the name make groups. Without numbers they are zeros.
pub(super) fn put<'a>(
    group: &Group,
    name: &str,
    shape: &[usize],
    numbers: Option<&'a dyn Floats>,
    later: &mut Vec<Pending<'a>>,
) -> hdf5::Result<()> {
    let (parent, leaf) = place(group, name)?;
    let dataset = parent.new_dataset::<f32>().shape(shape.to_vec()).alloc_time(Some(AllocTime::Late)).create(leaf)?;
    let count = shape.iter().map(|size| *size as u64).product();
    later.push(Pending { header: header(&dataset)?, count, numbers });
    Ok(())
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
