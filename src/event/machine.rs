//! How busy the machine is: processor, memory, disk, GPUs.

use serde::{Deserialize, Serialize};

/// How busy the machine is at one moment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MachineSample {
    /// Share of all processor cores in use, 0 to 1.
    pub cpu: f64,
    /// Bytes of memory in use.
    pub memory_used: u64,
    /// Bytes of memory in all.
    pub memory_total: u64,
    /// Bytes free where the checkpoints go; none where that cannot be told.
    pub disk_free: Option<u64>,
    /// The GPUs; empty without one, or without NVIDIA's library.
    #[serde(default)]
    pub gpus: Vec<GpuSample>,
}

/// How busy a GPU is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct GpuSample {
    /// Its name: `NVIDIA H200`.
    pub name: String,
    /// Share of the time that anything ran on it, 0 to 1.
    pub busy: f64,
    /// Bytes of memory in use, by all processes.
    pub memory_used: u64,
    /// Bytes of memory in all.
    pub memory_total: u64,
    /// Degrees Celsius.
    pub temperature: Option<u32>,
    /// Watts.
    pub power: Option<f64>,
}
