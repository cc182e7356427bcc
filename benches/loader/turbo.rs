//! libjpeg-turbo, loaded at run time: the yardstick of the loader's benchmark, no part of facetui.
//!
//! `FACETUI_TURBOJPEG` names its `libturbojpeg.so.0`; without it the system's is tried (Debian: `apt install
//! libturbojpeg0`, or, without being root, `apt-get download libturbojpeg0` and `dpkg -x`). Those of distributions hold its SIMD
//! code. Licence: IJG and BSD-3-Clause; nothing of it is linked or shipped.

#![expect(unsafe_code, reason = "a C library")]

use std::ffi::{c_int, c_uchar, c_ulong, c_void};

use libloading::Library;

type Init = unsafe extern "C" fn() -> *mut c_void;
type Decompress = unsafe extern "C" fn(
    *mut c_void,
    *const c_uchar,
    c_ulong,
    *mut c_uchar,
    c_int,
    c_int,
    c_int,
    c_int,
    c_int,
) -> c_int;
type Destroy = unsafe extern "C" fn(*mut c_void) -> c_int;

/// `TJPF_RGB`.
const RGB: c_int = 0;

/// The loaded library.
pub struct Turbo {
    library: Library,
}

impl Turbo {
    /// Loads it; none where it is not to be found.
    pub fn load() -> Option<Self> {
        let named = std::env::var("FACETUI_TURBOJPEG").ok();
        let names = named.iter().map(String::as_str).chain(["libturbojpeg.so.0", "libturbojpeg.0.dylib"]);
        // SAFETY: its initialisers do nothing but look at the processor.
        names.into_iter().find_map(|name| unsafe { Library::new(name) }.ok()).map(|library| Self { library })
    }

    /// Decodes every image of `held` into `pixels`, RGB of `size` (width, height), as one thread does with one handle:
    /// accurate inverse transform and smooth upsampling, which are its defaults and those of every framework.
    pub fn decode_all(&self, held: &[Vec<u8>], size: (u32, u32), pixels: &mut [u8]) {
        assert_eq!(pixels.len(), (size.0 * size.1 * 3) as usize);
        // SAFETY: the signatures are those of turbojpeg.h, versions 2 and 3; buffers have the lengths that are given.
        unsafe {
            let init = self.library.get::<Init>(b"tjInitDecompress").expect("libturbojpeg has it");
            let decompress = self.library.get::<Decompress>(b"tjDecompress2").expect("libturbojpeg has it");
            let destroy = self.library.get::<Destroy>(b"tjDestroy").expect("libturbojpeg has it");
            let handle = init();
            for bytes in held {
                let (width, height) = (size.0 as c_int, size.1 as c_int);
                let length = bytes.len() as c_ulong;
                let place = pixels.as_mut_ptr();
                let failed = decompress(handle, bytes.as_ptr(), length, place, width, width * 3, height, RGB, 0);
                assert_eq!(failed, 0, "libjpeg-turbo fails on an image");
            }
            destroy(handle);
        }
    }
}
