//! The engine: it trains a schedule's stages on its own thread, takes [`Command`](crate::event::Command)s and says what
//! happens as [`Event`](crate::event::Event)s. It draws nothing and knows no terminal.

pub mod agreement;
pub mod auto_batch;
pub mod bench;
pub mod cadence;
pub mod center;
pub mod classes;
pub mod clip;
pub mod comparison;
pub mod control;
pub mod details;
pub mod engine;
pub mod error;
pub mod evaluate;
pub mod fault;
pub mod head;
pub mod leg;
pub mod line;
pub mod loss;
pub mod memory;
pub mod meter;
pub mod model;
pub mod optimizer;
pub mod outputs;
mod patience;
pub mod preflight;
pub mod pretrained;
pub mod resume;
pub mod rotation;
pub mod sample;
pub mod saver;
pub mod session;
pub mod shortage;
pub mod standing;
pub mod state;
pub mod step;
pub mod unfinished;
