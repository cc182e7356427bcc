//! The asking end of a run's socket.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::lines::Lines;
use super::protocol::{Hello, LONGEST_RECORD, ToClient, ToServer, Welcome, line, read_answer};
use crate::event::{Command, Event, Record};
use crate::run::lock::{self, LockState, PROCESS_FILE};

/// How long a run may take for its first line.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client that was cut off tries to connect again.
const RECONNECT_FOR: Duration = Duration::from_secs(10);

/// Why a run cannot be spoken to.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no process listens at `{}`: {source}", path.display())]
    Nobody {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The run does not want to.
    #[error("the run refused: {0}")]
    Refused(String),
    /// It says nothing that can be understood.
    #[error("what listens at `{}` is not a facetui run", .0.display())]
    NotFacetui(PathBuf),
}

/// A connection to a run.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    lines: Lines,
    bytes: Vec<u8>,
    waiting: std::collections::VecDeque<ToClient>,
    /// What the run said first.
    pub welcome: Welcome,
}

impl Connection {
    /// Connects to a socket and says hello.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn open(path: &Path) -> Result<Self, ClientError> {
        let nobody = |source| ClientError::Nobody { path: path.to_path_buf(), source };
        let stream = UnixStream::connect(path).map_err(nobody)?;
        stream.set_read_timeout(Some(HELLO_TIMEOUT)).map_err(nobody)?;
        stream.set_write_timeout(Some(HELLO_TIMEOUT)).map_err(nobody)?;
        let welcome = Welcome { protocol: 0, version: String::new(), run: String::new(), pid: 0 };
        let (lines, bytes) = (Lines::new(LONGEST_RECORD), vec![0; 1 << 16]);
        let mut connection = Self { stream, lines, bytes, waiting: std::collections::VecDeque::new(), welcome };
        // Its answer tells more than a failure to write would.
        let _ = connection.stream.write_all(&line(&ToServer::Hello(Hello::this())));
        match connection.receive() {
            Ok(Some(ToClient::Welcome(welcome))) => connection.welcome = welcome,
            Ok(Some(ToClient::Refused(reason))) => return Err(ClientError::Refused(reason)),
            Ok(_) => return Err(ClientError::NotFacetui(path.to_path_buf())),
            Err(error) => return Err(nobody(error)),
        }
        connection.stream.set_read_timeout(None).map_err(nobody)?;
        Ok(connection)
    }

    /// Waits for the next message of the run; none when it has hung up. Unknown messages are skipped.
    ///
    /// # Errors
    /// The connection broke, or [`Self::set_timeout`] ran out.
    pub fn receive(&mut self) -> io::Result<Option<ToClient>> {
        loop {
            if let Some(answer) = self.waiting.pop_front() {
                return Ok(Some(answer));
            }
            let count = match self.stream.read(&mut self.bytes) {
                Ok(0) => return Ok(None),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let waiting = &mut self.waiting;
            self.lines.push(&self.bytes[..count], |line| waiting.extend(line.ok().and_then(read_answer)));
        }
    }

    /// How long [`Self::receive`] waits at most.
    ///
    /// # Errors
    /// The system refuses.
    pub fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(timeout)
    }

    /// Sends a command.
    ///
    /// # Errors
    /// The connection broke.
    pub fn send(&mut self, command: Command) -> io::Result<()> {
        self.stream.write_all(&line(&ToServer::Command(command)))
    }
}

/// A run at the other end of a socket, as if it trained in this process.
#[derive(Debug)]
pub struct Attached {
    /// Its events, those of its journal first. Closed after the last one, or when its process is gone.
    pub events: UnboundedReceiver<Arc<Record>>,
    /// What it can be asked.
    pub commands: Sender<Command>,
}

/// Follows a run over its socket. A connection that breaks is made again while the run is alive.
///
/// # Errors
/// [`ClientError`], or no thread can be made.
pub fn attach(folder: &Path, socket: &Path) -> Result<Attached, ClientError> {
    let connection = Connection::open(socket)?;
    let failed = |source| ClientError::Nobody { path: socket.to_path_buf(), source };
    let writer = Arc::new(Mutex::new(connection.stream.try_clone().map_err(failed)?));
    let (sender, events) = unbounded_channel();
    let (commands, commands_to_send) = crossbeam_channel::unbounded::<Command>();
    let mut receiver =
        Receiver { folder: folder.to_path_buf(), writer: Arc::clone(&writer), sender, received: 0, ended: false };
    thread::Builder::new()
        .name("attached".to_owned())
        .spawn(move || {
            let mut connection = Some(connection);
            while let Some(open) = connection.take() {
                receiver.forward(open);
                connection = receiver.reconnect();
            }
        })
        .map_err(failed)?;
    let tell = move || {
        for command in commands_to_send {
            let mut stream = writer.lock().unwrap_or_else(PoisonError::into_inner);
            // Whether it was received is told by the run's events.
            let _ = stream.write_all(&line(&ToServer::Command(command)));
        }
    };
    thread::Builder::new().name("commands".to_owned()).spawn(tell).map_err(failed)?;
    Ok(Attached { events, commands })
}

struct Receiver {
    folder: PathBuf,
    writer: Arc<Mutex<UnixStream>>,
    sender: UnboundedSender<Arc<Record>>,
    /// Records that were handed on.
    received: u64,
    ended: bool,
}

impl Receiver {
    /// Hands records on until the connection ends. A run begins with all its records, so those known are left out.
    fn forward(&mut self, mut connection: Connection) {
        let mut known = self.received;
        while let Ok(Some(answer)) = connection.receive() {
            let ToClient::Record(record) = answer else { continue };
            if known > 0 {
                known -= 1;
                continue;
            }
            self.received += 1;
            self.ended |= matches!(record.event, Event::Finished { .. });
            if self.sender.send(Arc::from(record)).is_err() {
                self.ended = true;
            }
            if self.ended {
                return;
            }
        }
    }

    /// Another connection to a run that has not ended.
    fn reconnect(&self) -> Option<Connection> {
        let until = Instant::now() + RECONNECT_FOR;
        while !self.ended && Instant::now() < until {
            thread::sleep(Duration::from_millis(200));
            let Some(LockState::Held(owner)) = lock::probe(&self.folder.join(PROCESS_FILE)) else { return None };
            let socket = owner.and_then(|owner| owner.socket)?;
            if let Ok(connection) = Connection::open(&socket)
                && let Ok(stream) = connection.stream.try_clone()
            {
                *self.writer.lock().unwrap_or_else(PoisonError::into_inner) = stream;
                return Some(connection);
            }
        }
        None
    }
}
