//! What travels over a run's socket: JSON values, one a line, no line longer than its side's limit.
//!
//! Version 1. Fields are only ever added; a client skips lines it does not know, a server answers them with
//! [`ToClient::Refused`] and hangs up. Another version of the protocol is refused with words.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde::{Deserialize, Serialize};

use super::lines::Lines;
use crate::event::{Command, Record};

/// The version that is spoken.
pub const VERSION: u32 = 1;

/// Longest line that a server takes, in bytes.
pub const LONGEST_REQUEST: usize = 16 << 10;

/// Longest line that a client takes, in bytes; a record of hundreds of branches stays far below.
pub const LONGEST_RECORD: usize = 16 << 20;

/// What a client says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToServer {
    /// The first line.
    Hello(Hello),
    /// A request.
    Command(Command),
}

/// A client's first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of the protocol it speaks.
    pub protocol: u32,
    /// Its facetui's version.
    #[serde(default)]
    pub version: String,
}

impl Hello {
    /// This facetui's.
    pub fn this() -> Self {
        Self { protocol: VERSION, version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// What a server says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToClient {
    /// Its first line.
    Welcome(Welcome),
    /// A record of the run: first those of the journal, then new ones as they come.
    Record(Box<Record>),
    /// The client has all that has happened so far.
    Live,
    /// The connection ends, and why.
    Refused(String),
}

/// A server's first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version of the protocol it speaks.
    pub protocol: u32,
    /// Its facetui's version.
    pub version: String,
    /// Identifies the run.
    pub run: String,
    /// The process that trains.
    pub pid: u32,
}

/// A value as its line.
pub fn line(value: &impl Serialize) -> Vec<u8> {
    // Plain data without maps of strange keys cannot fail to be written.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

/// A journal's line, with or without its end, as that of [`ToClient::Record`], not read.
pub fn record_line(journal: &[u8], into: &mut Vec<u8>) {
    into.extend_from_slice(br#"{"record":"#);
    into.extend_from_slice(journal.trim_ascii_end());
    into.extend_from_slice(b"}\n");
}

/// A client's line.
///
/// # Errors
/// A sentence on what is wrong with it.
pub fn read_request(line: &[u8]) -> Result<ToServer, String> {
    serde_json::from_slice(line).map_err(|error| {
        let shown: String =
            String::from_utf8_lossy(line).chars().take(60).filter(|letter| !letter.is_control()).collect();
        format!("`{shown}` is not a line of protocol {VERSION}: {error}")
    })
}

/// A server's line; none for one that this version does not know.
pub fn read_answer(line: &[u8]) -> Option<ToClient> {
    serde_json::from_slice(line).ok()
}

/// Lines that are no requests, of those that [`decode_any`] reads: a server hangs up at the first.
const MAX_WRONG: usize = 10_000;

/// Takes any bytes as both sides would, in pieces: for the fuzzer and the tests. What comes in pieces must give the same as
/// what comes at once, and never more than the limit may be held.
pub fn decode_any(bytes: &[u8]) {
    let size = bytes.first().map_or(1, |first| usize::from(*first).max(1));
    let decode = |size: usize| {
        let mut requests = Lines::new(64);
        let mut answers = Lines::new(256);
        // A line a byte, each with a sentence on what is wrong, would be large: their sum says as much.
        let (mut said, mut wrong) = (DefaultHasher::new(), 0);
        for piece in bytes.chunks(size) {
            requests.push(piece, |line| {
                if wrong < MAX_WRONG {
                    let request = line.map(read_request);
                    wrong += usize::from(!matches!(request, Ok(Ok(_))));
                    format!("{request:?}").hash(&mut said);
                }
            });
            answers.push(piece, |line| drop(line.map(read_answer)));
            assert!(requests.unfinished() <= 64 && answers.unfinished() <= 256);
        }
        said.finish()
    };
    assert_eq!(decode(size), decode(bytes.len().max(1)), "pieces of {size} bytes make a difference");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{Event, Level, StopKind};

    #[test]
    fn the_lines_are_as_documented() {
        let text = |value: &ToServer| String::from_utf8(line(value)).expect("text");
        assert_eq!(text(&ToServer::Command(Command::Pause)), "{\"command\":\"pause\"}\n");
        assert_eq!(text(&ToServer::Command(Command::Stop(StopKind::Now))), "{\"command\":{\"stop\":\"now\"}}\n");
        assert_eq!(line(&ToClient::Live), b"\"live\"\n");
        assert!(read_request(br#"{"hello":{"protocol":1,"from":"the future"}}"#).is_ok());
        assert!(read_request(b"rm -rf /").expect_err("no request").contains("`rm -rf /` is not a line of protocol 1"));
        assert_eq!(read_answer(br#"{"teleported":1}"#), None);
    }

    #[test]
    fn no_request_names_a_file() {
        for request in [
            r#"{"command":{"save":"/tmp/x.h5"}}"#,
            r#"{"command":{"save":{"path":"../x.h5"}}}"#,
            r#"{"command":"save","path":"../x.h5"}"#,
            r#"{"command":{"evaluate":"/etc/passwd"}}"#,
            r#"{"command":{"stop":"../../x"}}"#,
        ] {
            assert!(read_request(request.as_bytes()).is_err(), "{request}");
        }
        assert_eq!(read_request(br#"{"command":"save"}"#), Ok(ToServer::Command(Command::Save)));
    }

    #[test]
    fn a_journals_line_goes_through_unread() {
        let record = Record { at: 1.5, event: Event::Log { level: Level::Info, message: "a \"b\" \n c".into() } };
        let mut sent = Vec::new();
        record_line(&line(&record), &mut sent);
        assert_eq!(sent, line(&ToClient::Record(Box::new(record.clone()))));
        assert_eq!(read_answer(&sent), Some(ToClient::Record(Box::new(record))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            decode_any(&bytes);
        }

        #[test]
        fn lines_with_wounds_are_taken_without_a_panic(
            at in 0_usize..60,
            with in any::<u8>(),
            size in 1_u8..40,
        ) {
            let mut bytes = vec![size];
            bytes.extend(line(&ToServer::Hello(Hello::this())));
            bytes.extend(line(&ToServer::Command(Command::Stop(StopKind::AfterEpoch))));
            bytes.extend(line(&ToClient::Refused("no".into())));
            if let Some(byte) = bytes.get_mut(at + 1) {
                *byte = with;
            }
            decode_any(&bytes);
        }
    }
}
