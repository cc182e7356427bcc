//! A live run's socket: others on the machine follow the run and ask it for things.
//!
//! A Unix domain socket in the run's folder, for the owner of the process alone. Both sides send JSON, a value a line, of
//! bounded length ([`protocol`]):
//!
//! ```text
//! client                                server
//! {"hello":{"protocol":1,...}}    →
//!                                 ←     {"welcome":{"protocol":1,"run":"demo-20261125-070000",...}}
//!                                 ←     {"record":{"at":...,"event":...}}       the journal so far
//!                                 ←     "live"
//!                                 ←     {"record":{...}}                        what happens from now on
//! {"command":"pause"}             →
//! {"command":{"stop":"now"}}      →     answered by records, which all clients get
//! ```
//!
//! The journal is the queue: a client that is slow is given what it missed from there, so that it holds up neither the
//! recorder nor the others ([`hub`]); one that takes nothing for half a minute is dropped. A line that is not of this
//! protocol is answered with `{"refused":"..."}` and the end of the connection.

pub mod client;
pub mod hub;
pub mod lines;
pub mod path;
pub mod protocol;
pub mod server;
