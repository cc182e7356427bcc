//! Where the engine's events go, as everything in it knows it.

use std::sync::Arc;

use crate::event::Event;

/// Where the engine says what happens. It must not block.
pub type Emit = Arc<dyn Fn(Event) + Send + Sync>;

/// Makes sure that what was emitted so far is in the journal. May wait for the disk.
pub type Flush = Arc<dyn Fn() + Send + Sync>;
