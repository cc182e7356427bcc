//! How busy the machine is, sampled every two seconds on a thread of its own: processor, memory, the disk of the
//! checkpoints, and the GPUs where NVIDIA's library is there (it is loaded at run time; without it there are none).

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender};
use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::TemperatureSensor;
use nvml_wrapper::error::NvmlError;
use sysinfo::System;

use crate::crash;
use crate::disk_watch;
use crate::event::{Event, GpuSample, MachineSample};

/// Between two samples.
const INTERVAL: Duration = Duration::from_secs(2);

/// The thread; dropping this ends it, unless it waits for a disk that does not answer.
#[derive(Debug)]
pub struct MachineSampler {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl MachineSampler {
    /// Starts it. `folder` is where the checkpoints go. Without a thread there are no samples.
    pub fn start(folder: PathBuf, emit: impl Fn(Event) + Send + 'static) -> Self {
        let (stop, stopped) = crossbeam_channel::bounded::<()>(0);
        let work = move || {
            let mut machine = Machine::open(folder);
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                crash::test("machine");
                emit(Event::Machine(Box::new(machine.sample())));
            }
        };
        let thread = std::thread::Builder::new().name("machine".into()).spawn(work).ok();
        Self { stop: Some(stop), thread }
    }
}

impl Drop for MachineSampler {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            disk_watch::join_within(thread, disk_watch::silence_limit());
        }
    }
}

/// What is asked.
struct Machine {
    system: System,
    gpus: Option<Nvml>,
    folder: PathBuf,
}

impl Machine {
    fn open(folder: PathBuf) -> Self {
        let mut system = System::new();
        // Use is measured between two samples.
        system.refresh_cpu_usage();
        Self { system, gpus: Nvml::init().ok(), folder }
    }

    fn sample(&mut self) -> MachineSample {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        MachineSample {
            cpu: f64::from(self.system.global_cpu_usage() / 100.0).clamp(0.0, 1.0),
            memory_used: self.system.used_memory(),
            memory_total: self.system.total_memory(),
            disk_free: disk_free(&self.folder),
            gpus: self.gpus.as_ref().map_or_else(Vec::new, gpus),
        }
    }
}

/// Bytes that a user may still write where a folder lies, or will lie.
fn disk_free(folder: &Path) -> Option<u64> {
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    let disk = rustix::fs::statvfs(there).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

/// Every GPU that answers.
fn gpus(library: &Nvml) -> Vec<GpuSample> {
    let look = |number: u32| -> Result<GpuSample, NvmlError> {
        let device = library.device_by_index(number)?;
        let memory = device.memory_info()?;
        Ok(GpuSample {
            name: device.name()?,
            busy: f64::from(device.utilization_rates()?.gpu) / 100.0,
            memory_used: memory.used,
            memory_total: memory.total,
            // Some cards, and parts of shared ones, do not tell.
            temperature: device.temperature(TemperatureSensor::Gpu).ok(),
            power: device.power_usage().ok().map(|milliwatts| f64::from(milliwatts) / 1000.0),
        })
    };
    (0..library.device_count().unwrap_or(0)).filter_map(|number| look(number).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_plausible_and_a_folder_to_come_has_a_disk() {
        let place = tempfile::tempdir().expect("a folder");
        let mut machine = Machine::open(place.path().join("not/yet"));
        let sample = machine.sample();
        assert!((0.0..=1.0).contains(&sample.cpu));
        assert!(sample.memory_used > 0 && sample.memory_used <= sample.memory_total);
        assert!(sample.disk_free.is_some());
        assert!(disk_free(Path::new("checkpoints")).is_some());
    }

    #[test]
    fn it_ends_at_once_when_it_is_dropped() {
        let (sender, samples) = crossbeam_channel::unbounded();
        drop(MachineSampler::start(PathBuf::from("."), move |event| drop(sender.send(event))));
        assert!(samples.recv().is_err(), "its thread is gone, and with it the sender");
    }
}
