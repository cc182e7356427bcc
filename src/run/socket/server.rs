//! The serving end of a run's socket: a thread that lets clients in, and two threads for each of them.
//!
//! Nothing here is waited for by the recorder or the engine. A client reads at its own pace from the [`Hub`] and the
//! journal; what it sends is checked, bounded, and handed to the engine as a [`Command`].

use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::hub::{Hub, Next};
use super::lines::Lines;
use super::path;
use super::protocol::{LONGEST_REQUEST, ToClient, ToServer, VERSION, Welcome, line, read_request, record_line};
use crate::event::Command;

/// Most clients at a time.
const MAX_CLIENTS: usize = 32;

/// Most commands that may wait for the engine; it looks between two steps.
const MAX_COMMANDS: usize = 256;

/// How long a client may take for its first line.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take nothing of what it is sent.
const SLOWEST: Duration = Duration::from_secs(30);

/// How long clients may take for the last records when the run has ended.
const FINISH_TIMEOUT: Duration = Duration::from_secs(2);

/// How often the server looks whether its socket is still there.
const LOOK: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

/// What the server tells of: a command that came over the socket, by the process of that number.
pub type OnCommand = Arc<dyn Fn(&Command, Option<i32>) + Send + Sync>;

/// What every client's threads share.
struct Shared {
    welcome: Welcome,
    journal: PathBuf,
    hub: Arc<Hub>,
    commands: Sender<Command>,
    on_command: OnCommand,
    clients: AtomicUsize,
}

/// A socket that is served. Dropping it removes the socket, and leaves clients to themselves.
pub struct Server {
    shared: Arc<Shared>,
    path: Arc<Mutex<PathBuf>>,
    _wake: OwnedFd,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Server").field("path", &self.path()).finish_non_exhaustive()
    }
}

/// What a server serves.
pub struct Service {
    /// Identifies the run.
    pub run: String,
    /// Its folder.
    pub folder: PathBuf,
    /// The journal's lines.
    pub hub: Arc<Hub>,
    /// Where commands go.
    pub commands: Sender<Command>,
    /// Who wants to know of them.
    pub on_command: OnCommand,
}

impl Server {
    /// Serves a run. `moved` is told when the socket had to be made anew in another place.
    ///
    /// # Errors
    /// No socket can be made, or no thread.
    pub fn start(service: Service, moved: impl Fn(&Path) + Send + 'static) -> io::Result<Self> {
        let (listener, path) = path::make(&service.run, &service.folder)?;
        let welcome = Welcome {
            protocol: VERSION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            run: service.run,
            pid: std::process::id(),
        };
        let shared = Arc::new(Shared {
            welcome,
            journal: crate::run::journal::path(&service.folder),
            hub: service.hub,
            commands: service.commands,
            on_command: service.on_command,
            clients: AtomicUsize::new(0),
        });
        let (sleeper, wake) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let path = Arc::new(Mutex::new(path));
        let acceptor =
            Acceptor { folder: service.folder, path: Arc::clone(&path), shared: Arc::clone(&shared), sleeper };
        thread::Builder::new().name("socket".to_owned()).spawn(move || acceptor.run(listener, moved))?;
        Ok(Self { shared, path, _wake: wake })
    }

    /// Where it listens.
    pub fn path(&self) -> PathBuf {
        self.path.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets clients have the last records, for a moment, and ends.
    pub fn finish(self) {
        self.shared.hub.close();
        let until = Instant::now() + FINISH_TIMEOUT;
        while self.shared.clients.load(Ordering::SeqCst) > 0 && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.path());
    }
}

/// The thread that lets clients in.
struct Acceptor {
    folder: PathBuf,
    path: Arc<Mutex<PathBuf>>,
    shared: Arc<Shared>,
    sleeper: OwnedFd,
}

impl Acceptor {
    fn run(self, mut listener: UnixListener, moved: impl Fn(&Path)) {
        loop {
            if listener.set_nonblocking(true).is_err() {
                return;
            }
            let mut ends = [PollFd::new(&listener, PollFlags::IN), PollFd::new(&self.sleeper, PollFlags::IN)];
            let ready = poll(&mut ends, Some(&LOOK));
            if !ends[1].revents().is_empty() {
                return;
            }
            match ready {
                Ok(0) => {
                    // Someone tidied the folder of sockets up: a run must not be out of reach for that.
                    let path = self.path.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    if !path.exists()
                        && let Ok((again, place)) = path::make(&self.shared.welcome.run, &self.folder)
                    {
                        listener = again;
                        moved(&place);
                        *self.path.lock().unwrap_or_else(PoisonError::into_inner) = place;
                    }
                }
                Ok(_) => match listener.accept() {
                    Ok((stream, _)) => self.accept(stream),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    // No more open files, for example: others may close some.
                    Err(_) => thread::sleep(Duration::from_millis(200)),
                },
                Err(_) => thread::sleep(Duration::from_millis(200)),
            }
        }
    }

    fn accept(&self, stream: UnixStream) {
        let shared = Arc::clone(&self.shared);
        let many = shared.clients.fetch_add(1, Ordering::SeqCst) >= MAX_CLIENTS;
        let guest = move || {
            if stream.set_nonblocking(false).is_ok() {
                if many {
                    refuse(&stream, &format!("{MAX_CLIENTS} clients are already attached"));
                } else {
                    attend(&stream, &shared);
                }
            }
            let _ = stream.shutdown(std::net::Shutdown::Both);
            shared.clients.fetch_sub(1, Ordering::SeqCst);
        };
        if thread::Builder::new().name("client".to_owned()).spawn(guest).is_err() {
            self.shared.clients.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Says why a client is sent away.
fn refuse(mut stream: &UnixStream, reason: &str) {
    let _ = stream.set_write_timeout(Some(Duration::from_secs(1)));
    let _ = stream.write_all(&line(&ToClient::Refused(reason.to_owned())));
}

/// Serves one client until it leaves.
fn attend(stream: &UnixStream, shared: &Arc<Shared>) {
    crate::crash::test("socket");
    let peer = match peer(stream) {
        Ok(peer) => peer,
        Err(reason) => return refuse(stream, &reason),
    };
    let (mut sender, mut gone) = (None, None::<Arc<AtomicBool>>);
    let mut lines = Lines::new(LONGEST_REQUEST);
    let mut bytes = vec![0; 4096];
    let mut problem = None;
    let began = Instant::now();
    let _ = stream.set_write_timeout(Some(SLOWEST));
    while problem.is_none() {
        // The first line has to come soon, the next whenever its user likes.
        let left =
            sender.is_none().then(|| HELLO_TIMEOUT.saturating_sub(began.elapsed()).max(Duration::from_millis(1)));
        if stream.set_read_timeout(left).is_err() {
            break;
        }
        let mut reader = stream;
        let count = match reader.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) if sender.is_none() => {
                problem = Some("the first line did not arrive in time".to_owned());
                break;
            }
            Err(_) => break,
        };
        lines.push(&bytes[..count], |line| {
            if problem.is_some() {
                return;
            }
            let request = line.map_err(|error| error.to_string()).and_then(read_request);
            problem = match request {
                Ok(ToServer::Hello(hello)) if hello.protocol == VERSION && sender.is_none() => {
                    let flag = Arc::new(AtomicBool::new(false));
                    gone = Some(Arc::clone(&flag));
                    match feed_beside(stream, shared, flag) {
                        Ok(thread) => {
                            sender = Some(thread);
                            None
                        }
                        Err(error) => Some(error.to_string()),
                    }
                }
                Ok(ToServer::Hello(hello)) => Some(format!(
                    "this run speaks protocol {VERSION} (facetui {}), not {}; use the version that trains it",
                    env!("CARGO_PKG_VERSION"),
                    hello.protocol
                )),
                Ok(ToServer::Command(_)) if sender.is_none() => Some("the first line must be `hello`".to_owned()),
                Ok(ToServer::Command(_)) if shared.commands.len() >= MAX_COMMANDS => {
                    Some(format!("{MAX_COMMANDS} commands are already waiting"))
                }
                Ok(ToServer::Command(command)) => {
                    (shared.on_command)(&command, peer);
                    // An engine that has just ended receives nothing, and needs not.
                    let _ = shared.commands.send(command);
                    None
                }
                Err(sentence) => Some(sentence),
            };
        });
    }
    if let Some(flag) = gone {
        flag.store(true, Ordering::SeqCst);
    }
    shared.hub.wake();
    // One thread writes at a time, so that no line is cut by another.
    if problem.is_some() {
        let _ = stream.set_write_timeout(Some(Duration::from_secs(1)));
    } else {
        let _ = stream.shutdown(std::net::Shutdown::Both);
    }
    if let Some(sender) = sender {
        let _ = sender.join();
    }
    if let Some(problem) = problem {
        refuse(stream, &problem);
    }
}

/// The process at the other end; a sentence when it is another user's.
fn peer(stream: &UnixStream) -> Result<Option<i32>, String> {
    let credentials = rustix::net::sockopt::socket_peercred(stream)
        .map_err(|error| format!("the process at the other end is unknown: {error}"))?;
    let (theirs, mine) = (credentials.uid.as_raw(), rustix::process::geteuid().as_raw());
    if theirs != mine && theirs != 0 {
        return Err("this run belongs to another user; `facetui watch` needs only its journal".to_owned());
    }
    Ok(Some(credentials.pid.as_raw_nonzero().get()))
}

/// Starts the thread that sends a client the journal and what follows.
fn feed_beside(stream: &UnixStream, shared: &Arc<Shared>, gone: Arc<AtomicBool>) -> io::Result<thread::JoinHandle<()>> {
    let stream = stream.try_clone()?;
    let shared = Arc::clone(shared);
    thread::Builder::new().name("client-feed".to_owned()).spawn(move || {
        // A client that went away, or takes nothing for too long, is let go.
        let _ = feed(&stream, &shared, &gone);
        if !gone.load(Ordering::SeqCst) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    })
}

fn feed(mut stream: &UnixStream, shared: &Shared, gone: &AtomicBool) -> io::Result<()> {
    stream.write_all(&line(&ToClient::Welcome(shared.welcome.clone())))?;
    let (mut at, mut live) = (0, false);
    let mut text = Vec::new();
    while !gone.load(Ordering::SeqCst) {
        text.clear();
        match shared.hub.next(at, live) {
            Next::Lines(lines) => {
                for line in &lines {
                    record_line(line, &mut text);
                    at += line.len() as u64;
                }
                stream.write_all(&text)?;
            }
            Next::Journal(until) => {
                // A journal that is gone costs its part only: what follows is in memory.
                if let Err(Failed::Client(error)) = copy(&shared.journal, at..until, stream) {
                    return Err(error);
                }
                at = until;
            }
            Next::Nothing if !live => {
                live = true;
                stream.write_all(&line(&ToClient::Live))?;
            }
            Next::Nothing => {}
            Next::Ended => return Ok(()),
        }
    }
    Ok(())
}

enum Failed {
    Journal,
    Client(io::Error),
}

/// Sends a part of the journal, a record a line.
fn copy(journal: &Path, part: std::ops::Range<u64>, mut stream: &UnixStream) -> Result<(), Failed> {
    let read = |_error| Failed::Journal;
    let mut file = std::fs::File::open(journal).map_err(read)?;
    file.seek(SeekFrom::Start(part.start)).map_err(read)?;
    let mut left = part.end - part.start;
    let mut lines = Lines::new(super::protocol::LONGEST_RECORD);
    let mut bytes = vec![0; 1 << 16];
    while left > 0 {
        let most = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = file.read(&mut bytes[..most]).map_err(read)?;
        if count == 0 {
            break;
        }
        left -= count as u64;
        let mut text = Vec::with_capacity(count + count / 8);
        // A line that is not a record is left to the client, which skips it.
        lines.push(&bytes[..count], |line| {
            if let Ok(line) = line {
                record_line(line, &mut text);
            }
        });
        stream.write_all(&text).map_err(Failed::Client)?;
    }
    Ok(())
}
