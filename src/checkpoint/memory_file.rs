//! Where an HDF5 file takes shape before it is written to a disk: in memory.
//!
//! HDF5 does not survive a disk that takes no more: when one of its writes fails, closing the file may read memory that was
//! freed, and end the process. So it never writes to a disk here, and every error of a disk is one of our own writing. Large
//! arrays never come into it: they are written behind it (`dataset_addresses`).

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU64, Ordering};

use hdf5::{Dataset, File, FileBuilder};
use hdf5_sys::h5f::{H5Fget_file_image, H5Fget_vfd_handle};
use hdf5_sys::h5o::{H5O_INFO_BASIC, H5O_info2_t, H5Oget_info3};
use hdf5_sys::h5p::H5P_DEFAULT;

/// By how much its memory grows at a time, in bytes.
const STEP: usize = 1 << 20;

/// An empty HDF5 file in memory.
///
/// # Errors
/// HDF5 makes none.
pub(super) fn create() -> hdf5::Result<File> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    // Files of one name are one file to it.
    let name = format!("facetui-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut builder = FileBuilder::new();
    // The first format, as Keras writes it.
    builder.with_fapl(|access| access.core_options(STEP, false).libver_earliest());
    builder.create(name)
}

/// The bytes of a file that [`create`] made.
///
/// # Errors
/// HDF5 cannot finish it.
pub(super) fn bytes(file: &File) -> hdf5::Result<Vec<u8>> {
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
    Ok(bytes.to_vec())
}

/// Where the object header of a dataset begins in its file.
///
/// # Errors
/// HDF5 does not tell.
pub(super) fn header(dataset: &Dataset) -> hdf5::Result<u64> {
    let (id, mut info) = (dataset.id(), MaybeUninit::<H5O_info2_t>::zeroed());
    #[expect(unsafe_code, reason = "HDF5 is C")]
    // SAFETY: `id` is an open dataset's, and the function fills `info`.
    let told = hdf5::sync::sync(|| unsafe { H5Oget_info3(id, info.as_mut_ptr(), H5O_INFO_BASIC) });
    if told < 0 {
        return Err(hdf5::Error::from("HDF5 does not tell where a dataset lies"));
    }
    #[expect(unsafe_code, reason = "the token's bytes are not public")]
    // SAFETY: `info` was filled. A token is sixteen bytes, of which a file's own begins with the address in eight bytes.
    let address = unsafe { (&raw const (*info.as_ptr()).token).cast::<[u8; 8]>().read() };
    Ok(u64::from_le_bytes(address))
}
