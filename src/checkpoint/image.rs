//! Where an HDF5 file takes shape before it is written to a disk: in memory.
//!
//! HDF5 does not survive a disk that takes no more: when one of its writes fails, closing the file may read memory that was
//! freed, and end the process. So it never writes to a disk here, and every error of a disk is one of our own writing. It
//! costs the file's length in memory while it is saved.

use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};

use hdf5::{File, FileBuilder};
use hdf5_sys::h5f::{H5Fget_file_image, H5Fget_vfd_handle};
use hdf5_sys::h5p::H5P_DEFAULT;

/// By how much its memory grows at a time, in bytes.
const STEP: usize = 4 << 20;

/// An empty HDF5 file in memory.
///
/// # Errors
/// HDF5 makes none.
pub(super) fn create() -> hdf5::Result<File> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    // Files of one name are one file to it.
    let name = format!("facetui-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut builder = FileBuilder::new();
    builder.with_fapl(|access| access.core_options(STEP, false));
    builder.create(name)
}

/// Hands the bytes of a file that [`create`] made to `take`, without a copy.
///
/// # Errors
/// HDF5 cannot finish it.
pub(super) fn with_bytes<T>(file: &File, take: impl FnOnce(&[u8]) -> T) -> hdf5::Result<T> {
    file.flush()?;
    let (id, mut handle) = (file.id(), std::ptr::null_mut::<c_void>());
    #[expect(unsafe_code, reason = "HDF5 is C")]
    // SAFETY: `id` is an open file's; without a buffer the function only tells the length, and the other fills `handle`.
    let (length, told) = hdf5::sync::sync(|| unsafe {
        (H5Fget_file_image(id, std::ptr::null_mut(), 0), H5Fget_vfd_handle(id, H5P_DEFAULT, &raw mut handle))
    });
    let length = usize::try_from(length).ok().filter(|_| told >= 0 && !handle.is_null());
    let length = length.ok_or_else(|| hdf5::Error::from("HDF5 does not give the file's bytes"))?;
    #[expect(unsafe_code, reason = "HDF5 is C")]
    // SAFETY: for a file in memory the handle is the address of the pointer to its memory, which holds at least the bytes up
    // to the file's end once it was flushed. Nobody else has the file, so it stays as it is while `file` is borrowed.
    let bytes = unsafe { std::slice::from_raw_parts(*handle.cast::<*const u8>(), length) };
    Ok(take(bytes))
}
