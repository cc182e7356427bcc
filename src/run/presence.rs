//! What tells others of a run while it goes on: its lock, its socket, its place in the list of live runs.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::Sender;

use super::claim::Claim;
use super::launch::now;
use super::live;
use super::lock::{Lock, LockError, Owner, PROCESS_FILE};
use super::recorder::Notes;
use super::socket::hub::Hub;
use super::socket::server::{Server, Service};
use crate::event::{Command, Level};

/// A run's presence; it ends with this.
pub(super) struct Presence {
    server: Option<Server>,
    _process: Arc<Mutex<(Lock, Owner)>>,
    _entry: live::Entry,
}

impl Presence {
    /// Tells. What fails of it is a warning in the log, no reason not to train.
    pub(super) fn announce(
        id: &str,
        folder: &Path,
        claim: &Claim,
        hub: &Arc<Hub>,
        commands: &Sender<Command>,
        notes: &Notes,
    ) -> Option<Self> {
        let mut owner = Owner::this(id, folder, now());
        let take = || Lock::take(&folder.join(PROCESS_FILE), &owner, true);
        // A disk may refuse once.
        let taken = take().or_else(|error| if matches!(error, LockError::Io(_)) { take() } else { Err(error) });
        let lock = match taken {
            Ok(lock) => lock,
            Err(error) => {
                notes.say(Level::Warning, format!("`facetui attach` will not find this run: {error}"));
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
        let asked = {
            let notes = notes.clone();
            Arc::new(move |command: &Command, pid: Option<i32>| {
                let wish = serde_json::to_string(command).unwrap_or_default();
                let who = pid.map_or_else(|| "a client".to_owned(), |pid| format!("process {pid}"));
                notes.say(Level::Info, format!("{who} asks over the socket: {wish}"));
            })
        };
        let service = Service {
            run: id.to_owned(),
            folder: folder.to_path_buf(),
            hub: Arc::clone(hub),
            commands: commands.clone(),
            asked,
        };
        let server = match Server::start(service, moved) {
            Ok(server) => {
                owner.socket = Some(server.path());
                Some(server)
            }
            Err(error) => {
                notes.say(Level::Warning, format!("`facetui attach` cannot reach this run, no socket: {error}"));
                None
            }
        };
        let written = {
            let mut process = process.lock().unwrap_or_else(PoisonError::into_inner);
            process.1 = owner.clone();
            process.0.write(&owner).or_else(|_| process.0.write(&owner))
        };
        claim.tell(&owner);
        if let Err(error) = written {
            notes.say(Level::Warning, format!("`{PROCESS_FILE}` cannot be written: {error}"));
        }
        Some(Self { server, _process: process, _entry: live::Entry::enter(folder) })
    }

    /// Lets clients have the last records, and lets go.
    pub(super) fn end(mut self) {
        if let Some(server) = self.server.take() {
            server.finish();
        }
    }
}
