//! `NumPy`'s `.npy` files of fp32 matrices: what the reference keeps its class centers in, and embeddings go out as.
//!
//! Format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>, versions 1 to 3 are read, 1 is
//! written. [`write()`] puts a [`checksum`] behind the numbers, where NumPy looks at nothing.

use std::io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::CheckpointError;
use super::atomic::write_atomically;
use super::checksum::{self, Checksum};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Length of the headers that are written: the numbers begin at a multiple of 64.
const HEADER: usize = 128;
/// Numbers that are written at a time.
const PIECE: usize = 1 << 14;
/// No header of a plain array is longer.
const LONGEST_HEADER: usize = 65_535;

/// A matrix, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// Rows and columns.
    pub shape: [usize; 2],
    /// The numbers.
    pub data: Vec<f32>,
}

/// Writes a matrix, whole or not at all. Returns the number of bytes.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, matrix: &Matrix) -> Result<u64, CheckpointError> {
    let [rows, columns] = matrix.shape;
    write_atomically(path, |temporary| {
        let put = || -> std::io::Result<()> {
            let mut file = BufWriter::new(fs_err::File::create(temporary)?);
            let head = header(rows as u64, columns as u64);
            let mut sum = crc32fast::Hasher::new();
            sum.update(&head);
            file.write_all(&head)?;
            let mut piece = Vec::with_capacity(4 * PIECE);
            for values in matrix.data.chunks(PIECE) {
                piece.clear();
                piece.extend(values.iter().flat_map(|value| value.to_le_bytes()));
                sum.update(&piece);
                file.write_all(&piece)?;
            }
            let length = (HEADER + 4 * matrix.data.len()) as u64;
            file.write_all(&checksum::of(length, sum.finalize()))?;
            file.flush()
        };
        put().map_err(|error| CheckpointError::write(path, error))
    })
}

/// Writes a matrix whose number of rows is known only at its end: `fill` pushes them one after the other, and nothing
/// but them is held. Whole or not at all; returns the number of rows.
///
/// # Errors
/// The file cannot be written, or `fill` failed.
pub fn write_rows<E: From<CheckpointError>>(
    path: &Path,
    columns: usize,
    fill: impl FnOnce(&mut Rows) -> Result<(), E>,
) -> Result<u64, E> {
    let mut written = 0;
    write_atomically::<E>(path, |temporary| {
        let failed = |error: std::io::Error| CheckpointError::write(path, error);
        let mut file = BufWriter::new(fs_err::File::create(temporary).map_err(failed)?);
        file.write_all(&header(0, columns as u64)).map_err(failed)?;
        let mut rows = Rows { file, path: path.to_path_buf(), columns, count: 0 };
        fill(&mut rows)?;
        let Rows { mut file, count, .. } = rows;
        let mut finish = || -> std::io::Result<()> {
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&header(count, columns as u64))?;
            file.flush()
        };
        finish().map_err(failed)?;
        written = count;
        Ok(())
    })?;
    Ok(written)
}

/// A matrix that is being written; see [`write_rows`].
#[derive(Debug)]
pub struct Rows {
    file: BufWriter<fs_err::File>,
    path: PathBuf,
    columns: usize,
    count: u64,
}

impl Rows {
    /// Adds rows: a multiple of the matrix's columns of numbers.
    ///
    /// # Errors
    /// The file cannot be written, or the numbers are no whole rows.
    pub fn push(&mut self, values: &[f32]) -> Result<(), CheckpointError> {
        if self.columns == 0 || !values.len().is_multiple_of(self.columns) {
            let reason = format!("{} numbers do not fill rows of {}", values.len(), self.columns);
            return Err(CheckpointError::write(&self.path, reason));
        }
        put(&mut self.file, values).map_err(|error| CheckpointError::write(&self.path, error))?;
        self.count += (values.len() / self.columns) as u64;
        Ok(())
    }
}

fn put(file: &mut impl std::io::Write, values: &[f32]) -> std::io::Result<()> {
    values.iter().try_for_each(|value| file.write_all(&value.to_le_bytes()))
}

/// What a file of fp32 begins with: 128 bytes for any number of rows and columns, so that it can be put right later.
fn header(rows: u64, columns: u64) -> [u8; HEADER] {
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let mut header = [b' '; HEADER];
    let length = ((HEADER - 10) as u16).to_le_bytes();
    // Its text is shorter than 100 bytes, with two numbers of 20 digits.
    for (place, byte) in header.iter_mut().zip(MAGIC.iter().chain(&[1, 0]).chain(&length).chain(text.as_bytes())) {
        *place = *byte;
    }
    header[HEADER - 1] = b'\n';
    header
}

/// Reads a matrix of fp32.
///
/// # Errors
/// The file cannot be read, or holds something else than a matrix of fp32.
pub fn read(path: &Path) -> Result<Matrix, CheckpointError> {
    let wrong = |reason: &str| CheckpointError::Array { path: path.to_path_buf(), reason: reason.to_owned() };
    let failed = |error: std::io::Error| wrong(&error.to_string());
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let mut start = [0u8; 8];
    file.read_exact(&mut start).map_err(|_short| wrong("it is shorter than a header"))?;
    if start[..6] != MAGIC[..] {
        return Err(wrong("it does not begin as a .npy file does"));
    }
    let length_size = if start[6] == 1 { 2 } else { 4 };
    let mut length = [0u8; 4];
    file.read_exact(&mut length[..length_size]).map_err(|_short| wrong("it is shorter than a header"))?;
    let length = u32::from_le_bytes(length) as usize;
    if length > LONGEST_HEADER {
        return Err(wrong("its header is too long"));
    }
    let mut header = vec![0u8; length];
    file.read_exact(&mut header).map_err(|_short| wrong("it is shorter than its header"))?;
    let shape = shape(&String::from_utf8_lossy(&header)).map_err(|reason| wrong(&reason))?;
    let bytes = shape[0].checked_mul(shape[1]).and_then(|count| count.checked_mul(4));
    let present = size.saturating_sub((8 + length_size + length) as u64);
    let with_checksum = |bytes: usize| bytes as u64 + checksum::LENGTH == present;
    let Some(bytes) = bytes.filter(|bytes| *bytes as u64 == present || with_checksum(*bytes)) else {
        return Err(wrong(&format!(
            "{present} bytes follow its header, which do not hold {} x {} numbers of fp32",
            shape[0], shape[1]
        )));
    };
    let mut raw = vec![0u8; bytes];
    file.read_exact(&mut raw).map_err(failed)?;
    if with_checksum(bytes) && checksum::check(path).map_err(failed)? != Checksum::Whole {
        return Err(wrong("it is damaged: its bytes are not those of its checksum"));
    }
    let data = raw.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect();
    Ok(Matrix { shape, data })
}

/// The shape that a header tells, when it is that of an fp32 matrix in rows.
fn shape(header: &str) -> Result<[usize; 2], String> {
    let value = |key: &str| {
        let rest = header.split_once(&format!("'{key}':"))?.1.trim_start();
        Some(rest)
    };
    let descr = value("descr").ok_or("its header has no 'descr'")?;
    if !descr.starts_with("'<f4'") {
        return Err(format!("its numbers are {}, not '<f4'", descr.split(',').next().unwrap_or_default()));
    }
    if !value("fortran_order").is_some_and(|order| order.starts_with("False")) {
        return Err("its numbers lie in columns, not in rows".to_owned());
    }
    let text =
        value("shape").and_then(|rest| rest.strip_prefix('(')?.split_once(')')).ok_or("its header has no 'shape'")?;
    let sizes: Result<Vec<usize>, _> =
        text.0.split(',').map(str::trim).filter(|size| !size.is_empty()).map(str::parse).collect();
    match sizes.ok().and_then(|sizes| <[usize; 2]>::try_from(sizes).ok()) {
        Some(shape) => Ok(shape),
        None => Err(format!("its shape is ({}), not (classes, length of the embedding)", text.0)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.npy");
        std::fs::write(&path, bytes).expect("writes");
        (folder, path)
    }

    #[test]
    fn what_is_written_is_read_and_aligned() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x_centers.npy");
        let matrix = Matrix { shape: [3, 2], data: vec![1.0, -2.5, 0.0, f32::MIN_POSITIVE, 4.0, 5.0] };
        assert_eq!(write(&path, &matrix).expect("writes"), 128 + 24 + checksum::LENGTH);
        assert_eq!(read(&path).expect("reads"), matrix);
    }

    #[test]
    fn every_changed_byte_of_the_numbers_is_noticed() {
        let matrix = Matrix { shape: [2, 2], data: vec![1.0, -2.5, 0.0, 4.0] };
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x_centers.npy");
        write(&path, &matrix).expect("writes");
        let whole = std::fs::read(&path).expect("reads");
        for at in HEADER..whole.len() - 4 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 8);
            std::fs::write(&path, &damaged).expect("writes");
            let error = read(&path).expect_err("is damaged").to_string();
            assert!(error.contains("x_centers.npy`") && error.contains("it is damaged"), "byte {at}: {error}");
        }
        // One without a checksum, as NumPy or an older facetui writes it.
        std::fs::write(&path, &whole[..whole.len() - checksum::LENGTH as usize]).expect("writes");
        assert_eq!(read(&path).expect("reads"), matrix);
    }

    #[test]
    fn rows_of_unknown_number_are_written_whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.npy");
        let count = write_rows(&path, 3, |rows| {
            rows.push(&[1.0, 2.0, 3.0])?;
            rows.push(&[4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
        });
        assert_eq!(count.expect("writes"), 3);
        let data = (1..=9u8).map(f32::from).collect();
        assert_eq!(read(&path).expect("reads"), Matrix { shape: [3, 3], data });
        let broken = write_rows(&path, 2, |rows| rows.push(&[1.0, 2.0, 3.0]));
        assert!(broken.expect_err("no whole rows").to_string().contains("3 numbers do not fill rows of 2"));
        assert_eq!(read(&path).expect("is the old one").shape, [3, 3]);
        assert_eq!(std::fs::read_dir(folder.path()).expect("reads").count(), 1);
    }

    #[test]
    fn a_header_has_room_for_the_largest_numbers() {
        let text = header(u64::MAX, u64::MAX);
        assert!(text.ends_with(b" \n"));
        assert_eq!(shape(&String::from_utf8_lossy(&text)).expect("a shape"), [usize::MAX, usize::MAX]);
    }

    /// `numpy.save` of `numpy.arange(4, dtype="float32").reshape(2, 2)`, NumPy 2.2.
    #[test]
    fn numpys_own_file_is_read() {
        let mut bytes = b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }".to_vec();
        bytes.resize(127, b' ');
        bytes.push(b'\n');
        for value in 0..4u8 {
            bytes.extend(f32::from(value).to_le_bytes());
        }
        let (_folder, path) = file(&bytes);
        assert_eq!(read(&path).expect("reads"), Matrix { shape: [2, 2], data: vec![0.0, 1.0, 2.0, 3.0] });
    }

    #[test]
    fn other_arrays_are_refused_with_their_reason() {
        let with = |header: &str| {
            let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
            bytes.extend((header.len() as u16).to_le_bytes());
            bytes.extend(header.as_bytes());
            let (_folder, path) = file(&bytes);
            read(&path).expect_err("is refused").to_string()
        };
        for (header, reason) in [
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }", "'<f8'"),
            ("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", "columns"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "(2,)"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", "0 bytes"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 9), }", "bytes"),
            ("{}", "descr"),
        ] {
            let message = with(header);
            assert!(message.contains(reason), "{message}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), with_magic in any::<bool>()) {
            let mut all = if with_magic { b"\x93NUMPY\x01\x00".to_vec() } else { Vec::new() };
            all.extend(bytes);
            let (_folder, path) = file(&all);
            let _ = read(&path);
        }
    }
}
