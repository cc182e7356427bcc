//! The engine: it trains a schedule's stages on its own thread, takes [`Command`](crate::event::Command)s and says what
//! happens as [`Event`](crate::event::Event)s. It draws nothing and knows no terminal.

pub mod loss;
pub mod optimizer;
