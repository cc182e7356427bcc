//! Who trains: an advisory lock (`flock`) on a small JSON file that names its holder.
//!
//! The checkpoint lock ([`checkpoint`]) lies beside the checkpoints (`<name>.lock`) and refuses a second trainer of the same
//! files. The process lock, `process.json` in the run's folder, tells everyone whether the run is alive. A lock dies with its process, however that ends,
//! so a file left behind blocks nobody.

pub mod checkpoint;

use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err::File;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// The file in a run's folder that its process holds.
pub const PROCESS_FILE: &str = "process.json";

/// Longest lock file that is read, in bytes.
const LONGEST: u64 = 1 << 16;

/// Probing a lock takes it for an instant; a trainer tries this often before it believes that another one holds it.
const TRIES: u32 = 10;

/// The process that trains a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Owner {
    /// Identifies the run and names its folder.
    pub run: String,
    /// The run's folder, absolute.
    pub folder: PathBuf,
    /// Its process.
    pub pid: u32,
    /// The machine it runs on.
    pub host: String,
    /// When the process began to train, in seconds since the Unix epoch.
    pub started: f64,
    /// facetui's version.
    pub version: String,
    /// Where it listens; none when no socket could be made.
    #[serde(default)]
    pub socket: Option<PathBuf>,
}

impl Owner {
    /// This process, training the run of `folder`.
    pub fn this(run: &str, folder: &Path, started: f64) -> Self {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
        Self {
            run: run.to_owned(),
            folder,
            pid: std::process::id(),
            host: host(),
            started,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            socket: None,
        }
    }

    /// Whether it runs on this machine.
    pub fn is_here(&self) -> bool {
        self.host == host()
    }
}

/// This machine's name.
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Whether a process of this number exists on this machine.
pub fn process_exists(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    // Another user's process cannot be signalled, but it exists.
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(Errno::SRCH))
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("`{}` is locked{}", path.display(), owner.as_ref().map_or_else(String::new, |owner| {
        format!(" by process {} on {}", owner.pid, owner.host)
    }))]
    Held {
        /// The lock's file.
        path: PathBuf,
        /// Who, where the file tells.
        owner: Option<Box<Owner>>,
    },
    /// The file cannot be made or written.
    #[error("the lock cannot be taken: {0}")]
    Io(#[from] io::Error),
}

/// A lock that this process holds; dropping it lets go.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
    stays: bool,
}

impl Lock {
    /// Takes the lock of a file, which is made when it is not there, and writes its holder into it. With `stays` the file
    /// is left when the lock is dropped.
    ///
    /// # Errors
    /// [`LockError`]. Where the file system has no locks, only the process that the file names is asked after.
    pub fn take(path: &Path, owner: &Owner, stays: bool) -> Result<Self, LockError> {
        let mut tries = 0;
        loop {
            let file = fs_err::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
            match flock(file.file(), FlockOperation::NonBlockingLockExclusive) {
                // The file may have been removed by its last holder between the opening and the locking.
                Ok(()) if !is_same(&file, path) => continue,
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) if tries < TRIES => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(30));
                    continue;
                }
                Err(Errno::WOULDBLOCK) => {
                    return Err(LockError::Held { path: path.to_path_buf(), owner: read(&file).map(Box::new) });
                }
                Err(error) if no_locks(error) => {
                    if let Some(other) = read(&file).filter(|other| other.is_here() && other.pid != owner.pid)
                        && process_exists(other.pid)
                    {
                        return Err(LockError::Held { path: path.to_path_buf(), owner: Some(Box::new(other)) });
                    }
                }
                Err(error) => return Err(LockError::Io(error.into())),
            }
            let lock = Self { file, path: path.to_path_buf(), stays };
            lock.write(owner)?;
            return Ok(lock);
        }
    }

    /// Writes another holder's facts into the file.
    ///
    /// # Errors
    /// The disk is full, or gone.
    pub fn write(&self, owner: &Owner) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(owner)?;
        text.push(b'\n');
        let mut file = &self.file;
        io::Seek::rewind(&mut file)?;
        // A reader may come in between: it then sees no holder's facts, but the lock.
        self.file.set_len(0)?;
        file.write_all(&text)?;
        file.flush()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if !self.stays && is_same(&self.file, &self.path) {
            // A file left behind is no harm: the lock is what counts.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What a lock's file tells.
#[derive(Debug, Clone, PartialEq)]
pub enum LockState {
    /// Its holder is alive.
    Held(Option<Owner>),
    /// Nobody holds it: its last holder has ended.
    Free(Option<Owner>),
    /// Its holder is on another machine, and whether locks are seen from here is not known.
    Elsewhere(Owner),
}

impl LockState {
    /// The holder, present or last.
    pub const fn owner(&self) -> Option<&Owner> {
        match self {
            Self::Held(owner) | Self::Free(owner) => owner.as_ref(),
            Self::Elsewhere(owner) => Some(owner),
        }
    }

    /// Whether the holder is known to be alive.
    pub const fn is_held(&self) -> bool {
        matches!(self, Self::Held(_))
    }
}

/// Probes a lock; none when there is no such file, or it cannot be read.
pub fn probe(path: &Path) -> Option<LockState> {
    let file = File::open(path).ok()?;
    let owner = read(&file);
    Some(match flock(file.file(), FlockOperation::NonBlockingLockShared) {
        Err(Errno::WOULDBLOCK) => LockState::Held(owner),
        _ if owner.as_ref().is_some_and(|owner| !owner.is_here()) => {
            owner.map_or(LockState::Free(None), LockState::Elsewhere)
        }
        Err(error) if no_locks(error) && owner.as_ref().is_some_and(|owner| process_exists(owner.pid)) => {
            LockState::Held(owner)
        }
        _ => LockState::Free(owner),
    })
}

fn no_locks(error: Errno) -> bool {
    [Errno::NOLCK, Errno::OPNOTSUPP, Errno::NOTSUP, Errno::NOSYS, Errno::INVAL].contains(&error)
}

/// The holder that a lock's file names.
fn read(file: &File) -> Option<Owner> {
    let mut text = Vec::new();
    let mut file = file;
    io::Seek::rewind(&mut file).ok()?;
    file.take(LONGEST).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Whether a path still leads to an open file.
fn is_same(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner::this("demo-1", Path::new("runs/demo-1"), 1.0)
    }

    #[test]
    fn a_second_holder_is_refused_and_told_of_the_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("demo.lock");
        let first = Lock::take(&path, &owner(), false).expect("takes");
        assert_eq!(probe(&path), Some(LockState::Held(Some(owner()))));
        let Err(LockError::Held { owner: Some(named), .. }) = Lock::take(&path, &owner(), false) else {
            panic!("the second was let in")
        };
        assert_eq!(*named, owner());
        drop(first);
        assert!(!path.exists() && probe(&path).is_none());
        Lock::take(&path, &owner(), false).expect("takes what is free again");
    }

    #[test]
    fn a_file_left_behind_blocks_nobody() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("demo.lock");
        for text in ["", "{", "not json at all"] {
            std::fs::write(&path, text).expect("writes");
            assert_eq!(probe(&path), Some(LockState::Free(None)));
            drop(Lock::take(&path, &owner(), true).expect("takes"));
            assert_eq!(probe(&path), Some(LockState::Free(Some(owner()))));
        }
        let other = Owner { host: "elsewhere".into(), ..owner() };
        std::fs::write(&path, serde_json::to_string(&other).expect("text")).expect("writes");
        assert_eq!(probe(&path), Some(LockState::Elsewhere(other)));
    }

    #[test]
    fn this_process_is_there_and_a_strange_number_is_not() {
        assert!(process_exists(std::process::id()));
        assert!(!process_exists(u32::MAX) && !process_exists(0x3fff_fff0));
    }
}
