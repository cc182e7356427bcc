//! The references of texts of variable length, as they lie in an attribute. HDF5 converts such an attribute by following
//! them, and takes as much memory as they ask for; so it is told of a conversion of its own to plain bytes.

use std::sync::OnceLock;

use hdf5::Attribute;
use hdf5_sys::h5::herr_t;
use hdf5_sys::h5i::hid_t;
use hdf5_sys::{h5a, h5t};

use super::global_heaps::{REFERENCE, Reference};

/// The references of an attribute of `count` texts of variable length.
///
/// # Errors
/// HDF5 cannot read them, or they are not as long as ours, in words.
pub(super) fn of(attribute: &Attribute, count: usize) -> Result<Vec<Reference>, String> {
    let Some(plain) = plain() else { return Err("cannot be read: HDF5 takes no conversion of ours".to_owned()) };
    let mut references = vec![[0; REFERENCE]; count];
    let failed = hdf5::sync::sync(|| {
        #[expect(unsafe_code, reason = "HDF5 is C")]
        // SAFETY: both handles are open, and HDF5 writes `count` elements of the type `plain`, of `REFERENCE` bytes each.
        unsafe {
            h5a::H5Aread(attribute.id(), plain, references.as_mut_ptr().cast())
        }
    });
    if failed < 0 {
        return Err("cannot be read: it is damaged".to_owned());
    }
    Ok(references.into_iter().map(Reference::new).collect())
}

/// The type of a reference that is not followed, once HDF5 knows how to make it.
fn plain() -> Option<hid_t> {
    static PLAIN: OnceLock<Option<hid_t>> = OnceLock::new();
    *PLAIN.get_or_init(|| {
        hdf5::sync::sync(|| {
            #[expect(unsafe_code, reason = "HDF5 is C")]
            // SAFETY: the library is open, its lock is held, and the function lives as long as the program. The types
            // are checked, and the one that is kept is never closed.
            unsafe {
                let plain = h5t::H5Tcreate(h5t::H5T_class_t::H5T_OPAQUE, REFERENCE);
                let text = h5t::H5Tcopy(*hdf5::globals::H5T_C_S1);
                if plain < 0 || text < 0 || h5t::H5Tset_size(text, h5t::H5T_VARIABLE) < 0 {
                    return None;
                }
                let soft = h5t::H5T_pers_t::H5T_PERS_SOFT;
                let known = h5t::H5Tregister(soft, c"facetui references".as_ptr(), text, plain, Some(keep));
                h5t::H5Tclose(text);
                (known >= 0).then_some(plain)
            }
        })
    })
}

/// The conversion: the bytes stay what they are.
extern "C" fn keep(
    from: hid_t,
    to: hid_t,
    with: *mut h5t::H5T_cdata_t,
    _count: usize,
    _stride: usize,
    _background_stride: usize,
    _bytes: *mut std::ffi::c_void,
    _background: *mut std::ffi::c_void,
    _settings: hid_t,
) -> herr_t {
    #[expect(unsafe_code, reason = "HDF5 is C")]
    // SAFETY: HDF5 calls with open types and its own record of the conversion.
    unsafe {
        if (*with).command != h5t::H5T_cmd_t::H5T_CONV_INIT {
            return 0;
        }
        (*with).need_bkg = h5t::H5T_bkg_t::H5T_BKG_NO;
        if h5t::H5Tget_size(from) == REFERENCE && h5t::H5Tget_size(to) == REFERENCE { 0 } else { -1 }
    }
}
