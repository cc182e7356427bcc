//! Where a run computes, in which number format, and how much memory is free there.

use tch::Kind;

use crate::nn::device;
use crate::schedule::Schedule;
use crate::train::error::TrainError;

/// Where a run computes, and in which number format.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Device {
    /// The CPU or a GPU.
    pub place: tch::Device,
    /// Number format of activations.
    pub compute: Kind,
    /// Bytes that were free there before the run took any, its own kept blocks included.
    pub free: Option<u64>,
}

impl Device {
    /// That of a schedule.
    ///
    /// # Errors
    /// A GPU that is not there.
    pub fn choose(schedule: &Schedule) -> Result<Self, TrainError> {
        device::load_cuda();
        let place = device::choose(schedule.device).map_err(|error| {
            TrainError::new(error.to_string()).with_help("use `device: auto`, or `--set device=cpu`")
        })?;
        let free = available_on(place);
        Ok(Self { place, compute: device::compute_kind(schedule.precision, place), free })
    }
}

/// Where a schedule computes, and in what number format.
///
/// # Errors
/// A device that is not there.
pub fn place(schedule: &Schedule) -> Result<(tch::Device, Kind), device::DeviceError> {
    device::load_cuda();
    let place = device::choose(schedule.device)?;
    Ok((place, device::compute_kind(schedule.precision, place)))
}

/// Bytes of memory that this process may take, its own included: the machine's free memory, or what a container leaves.
pub fn available() -> Option<u64> {
    let free = std::fs::read_to_string("/proc/meminfo").ok()?;
    let free = free.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let free = free.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.saturating_mul(1024);
    let number = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let limit = number("/sys/fs/cgroup/memory.max").map(|limit| {
        // What files left in memory is given back when it is wanted.
        let files = std::fs::read_to_string("/sys/fs/cgroup/memory.stat").unwrap_or_default();
        let files = files.lines().find_map(|line| line.strip_prefix("inactive_file ")?.parse::<u64>().ok());
        let taken = number("/sys/fs/cgroup/memory.current").unwrap_or_default();
        limit.saturating_sub(taken.saturating_sub(files.unwrap_or_default()))
    });
    // A limit of the process's own (`ulimit -v`), less what it has mapped.
    let own = rustix::process::getrlimit(rustix::process::Resource::As).current;
    let own = own.map(|limit| limit.saturating_sub(of_this_process("VmSize:").unwrap_or_default()));
    let free = [limit, own].into_iter().flatten().fold(free, u64::min);
    Some(free.saturating_add(of_this_process("RssAnon:").unwrap_or_default()))
}

/// Bytes of memory that are left for a run on a device.
pub fn available_on(device: tch::Device) -> Option<u64> {
    match device {
        tch::Device::Cuda(number) => device::gpu_memory(number),
        _ => available(),
    }
}

/// Bytes that the kernel counts for this process under a name.
fn of_this_process(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.saturating_mul(1024))
}
