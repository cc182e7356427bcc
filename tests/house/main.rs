//! The order of the house: which room may name which, no rings of files, and that what the documents name exists.

mod docs;
mod guide;
mod imports;
mod rooms;
