//! Where to compute: finds CUDA at run time, although the binary is linked against libtorch's CPU libraries only.
//!
//! libtorch registers its CUDA kernels when `libtorch_cuda.so` is loaded. Loading it by hand before the first tensor
//! makes one binary serve machines with and without a GPU.

use std::path::{Path, PathBuf};

use tch::{Cuda, Device, Kind, Tensor};
use thiserror::Error;

use crate::schedule::{DeviceChoice, Precision};

/// A device that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`cuda:{wanted}` was asked for, but {found}")]
pub struct DeviceError {
    /// The number asked for.
    pub wanted: usize,
    /// What there is instead, in words.
    pub found: String,
}

/// The folder libtorch is loaded from: where the first of the process's libraries named `libtorch_cpu.so` lies.
pub fn libtorch_folder() -> Option<PathBuf> {
    let maps = fs_err::read_to_string("/proc/self/maps").ok()?;
    let line = maps.lines().find(|line| line.ends_with("/libtorch_cpu.so"))?;
    let path = line.split_once('/').map(|(_, path)| format!("/{path}"))?;
    Path::new(&path).parent().map(Path::to_path_buf)
}

/// Loads libtorch's CUDA half when it lies beside the half that is loaded. Does nothing elsewhere. Call it before the
/// first tensor is made.
pub fn load_cuda() {
    let Some(library) = libtorch_folder().map(|folder| folder.join("libtorch_cuda.so")) else { return };
    if !library.exists() {
        return;
    }
    #[cfg(unix)]
    {
        use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
        #[expect(unsafe_code, reason = "loading a library runs its initialisers")]
        // SAFETY: this is libtorch's own second half, of the same release as the one that is loaded; its initialisers
        // only register kernels. It is kept for the life of the process.
        match unsafe { Library::open(Some(&library), RTLD_NOW | RTLD_GLOBAL) } {
            Ok(loaded) => std::mem::forget(loaded),
            Err(error) => tracing::warn!("cannot load `{}`: {error}; continuing without CUDA", library.display()),
        }
    }
}

/// Free bytes of a GPU's memory, as CUDA tells; none where it does not.
pub fn gpu_memory(number: usize) -> Option<u64> {
    #[cfg(unix)]
    {
        use libloading::os::unix::Library;
        type Set = unsafe extern "C" fn(i32) -> i32;
        type Info = unsafe extern "C" fn(*mut usize, *mut usize) -> i32;
        let number = i32::try_from(number).ok()?;
        let program = Library::this();
        let (mut free, mut all, mut before) = (0_usize, 0_usize, 0);
        #[expect(unsafe_code, reason = "CUDA is C")]
        // SAFETY: the functions are those of CUDA's run-time library, which libtorch's second half brought; the pointers
        // are to numbers of ours.
        let failed = unsafe {
            let get = program.get::<unsafe extern "C" fn(*mut i32) -> i32>(b"cudaGetDevice").ok()?;
            let set = program.get::<Set>(b"cudaSetDevice").ok()?;
            let info = program.get::<Info>(b"cudaMemGetInfo").ok()?;
            get(&raw mut before) != 0 || set(number) != 0 || info(&raw mut free, &raw mut all) != 0 || set(before) != 0
        };
        (!failed).then_some(free as u64)
    }
    #[cfg(not(unix))]
    None
}

/// A tensor of the host on the device. To a GPU it goes through pinned memory, so that neither the copy nor the caller
/// waits for what the GPU still computes; libtorch keeps that memory until the copy is done.
pub fn upload(host: &Tensor, device: Device) -> Tensor {
    if device.is_cuda()
        // The public `pin_memory` warns of its argument, which the bindings always give.
        && let Ok(pinned) = host.f_internal_pin_memory(device)
    {
        return pinned.to_device_(device, host.kind(), true, false);
    }
    host.to_device(device)
}

/// The device of a choice.
///
/// # Errors
/// A GPU that is not there.
pub fn choose(choice: DeviceChoice) -> Result<Device, DeviceError> {
    let gpus = if Cuda::is_available() { Cuda::device_count() as usize } else { 0 };
    match choice {
        DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Auto => Ok(if gpus > 0 { Device::Cuda(0) } else { Device::Cpu }),
        DeviceChoice::Cuda(wanted) if wanted < gpus => Ok(Device::Cuda(wanted)),
        DeviceChoice::Cuda(wanted) => {
            let found = match gpus {
                0 => "no GPU is usable: is the driver installed, and libtorch the GPU build".to_owned(),
                1 => "there is one GPU, `cuda:0`".to_owned(),
                _ => format!("there are {gpus} GPUs, `cuda:0` to `cuda:{}`", gpus - 1),
            };
            Err(DeviceError { wanted, found })
        }
    }
}

/// The number format of activations and products on a device.
pub const fn compute_kind(precision: Precision, device: Device) -> Kind {
    match (precision, device) {
        (Precision::Fp32, _) | (Precision::Auto, Device::Cpu) => Kind::Float,
        (Precision::Bf16 | Precision::Auto, _) => Kind::BFloat16,
    }
}

/// The device in words for the status line.
pub fn describe(device: Device) -> String {
    match device {
        Device::Cpu => {
            let threads = tch::get_num_threads();
            format!("cpu ({threads} thread{})", if threads == 1 { "" } else { "s" })
        }
        Device::Cuda(number) => format!("cuda:{number}"),
        other => format!("{other:?}").to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_gpu_is_named() {
        let error = choose(DeviceChoice::Cuda(99)).expect_err("nobody has a hundred");
        assert!(error.to_string().contains("cuda:99"), "{error}");
        assert_eq!(choose(DeviceChoice::Cpu), Ok(Device::Cpu));
    }

    #[test]
    fn automatic_precision_follows_the_device() {
        assert_eq!(compute_kind(Precision::Auto, Device::Cpu), Kind::Float);
        assert_eq!(compute_kind(Precision::Auto, Device::Cuda(0)), Kind::BFloat16);
        assert_eq!(compute_kind(Precision::Bf16, Device::Cpu), Kind::BFloat16);
    }
}
