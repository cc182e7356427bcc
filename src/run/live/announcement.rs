//! Announces a run while it trains: its process lock, its socket, its entry in the registry of live runs.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::Sender;

use super::registry::Entry;
use crate::event::{Command, Level};
use crate::run::clock::now;
use crate::run::lock::checkpoint::CheckpointLock;
use crate::run::lock::{Lock, LockError, Owner, PROCESS_FILE};
use crate::run::log::RunLog;
use crate::run::socket::hub::Hub;
use crate::run::socket::server::{Server, Service};

/// An announced run; dropping it takes the announcement back.
pub(in crate::run) struct Announcement {
    server: Option<Server>,
    _process: Arc<Mutex<(Lock, Owner)>>,
    _entry: Entry,
}

impl Announcement {
    /// Announces a run. What fails is a warning in the log, no reason not to train.
    pub(in crate::run) fn new(
        id: &str,
        folder: &Path,
        checkpoints: &CheckpointLock,
        hub: &Arc<Hub>,
        commands: &Sender<Command>,
        log: &RunLog,
    ) -> Option<Self> {
        let mut owner = Owner::this(id, folder, now());
        let take = || Lock::take(&folder.join(PROCESS_FILE), &owner, true);
        // A disk may refuse once.
        let taken = take().or_else(|error| if matches!(error, LockError::Io(_)) { take() } else { Err(error) });
        let lock = match taken {
            Ok(lock) => lock,
            Err(error) => {
                log.add(Level::Warning, format!("`facetui attach` will not find this run: {error}"));
                return None;
            }
        };
        let process = Arc::new(Mutex::new((lock, owner.clone())));
        let moved = {
            let process = Arc::clone(&process);
            move |place: &Path| {
                let mut process = process.lock().unwrap_or_else(PoisonError::into_inner);
                process.1.socket = Some(place.to_path_buf());
                let _ = process.0.write(&process.1);
            }
        };
        let on_command = {
            let log = log.clone();
            Arc::new(move |command: &Command, pid: Option<i32>| {
                let request = serde_json::to_string(command).unwrap_or_default();
                let who = pid.map_or_else(|| "a client".to_owned(), |pid| format!("process {pid}"));
                log.add(Level::Info, format!("{who} requested over the socket: {request}"));
            })
        };
        let service = Service {
            run: id.to_owned(),
            folder: folder.to_path_buf(),
            hub: Arc::clone(hub),
            commands: commands.clone(),
            on_command,
        };
        let server = match Server::start(service, moved) {
            Ok(server) => {
                owner.socket = Some(server.path());
                Some(server)
            }
            Err(error) => {
                log.add(Level::Warning, format!("`facetui attach` cannot reach this run, its socket failed: {error}"));
                None
            }
        };
        let written = {
            let mut process = process.lock().unwrap_or_else(PoisonError::into_inner);
            process.1 = owner.clone();
            process.0.write(&owner).or_else(|_| process.0.write(&owner))
        };
        checkpoints.set_owner(&owner);
        if let Err(error) = written {
            log.add(Level::Warning, format!("`{PROCESS_FILE}` cannot be written: {error}"));
        }
        Some(Self { server, _process: process, _entry: Entry::new(folder) })
    }

    /// Lets clients have the last records, and lets go.
    pub(in crate::run) fn end(mut self) {
        if let Some(server) = self.server.take() {
            server.finish();
        }
    }
}
