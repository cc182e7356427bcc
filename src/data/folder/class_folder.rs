//! The class folders of a data set, as they were listed.

use std::time::SystemTime;

/// A class folder as listed: its name, when it last changed, and its images' names, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClassFolder {
    pub(super) name: Vec<u8>,
    pub(super) changed: SystemTime,
    pub(super) images: Names,
}

/// File names in one buffer: a million strings of their own would take three times the memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Names {
    pub(super) bytes: Vec<u8>,
    pub(super) ends: Vec<u32>,
}

impl Names {
    pub(super) fn push(&mut self, name: &[u8]) {
        self.bytes.extend_from_slice(name);
        self.ends.push(self.bytes.len() as u32);
    }

    pub(super) fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        &self.bytes[start..self.ends[index] as usize]
    }

    pub(super) const fn len(&self) -> usize {
        self.ends.len()
    }
}
