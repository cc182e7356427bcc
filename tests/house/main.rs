//! The order of the house: which room may name which, and that what the documents name exists.

mod docs;
mod rooms;
