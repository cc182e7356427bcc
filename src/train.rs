//! The engine: it trains a schedule's stages on its own thread, takes [`Command`](crate::event::Command)s and says what
//! happens as [`Event`](crate::event::Event)s. It draws nothing and knows no terminal.
//!
//! Imports point downwards here too (`tests/house/rooms.rs`). From the top:
//!
//! | file or folder | what it does |
//! |---|---|
//! | `engine` | a schedule from its beginning to its end |
//! | `branches` | the branches, each from the state that the stages leave |
//! | `stage_loop` | stages, epochs and steps; recovery from a loss that is NaN or infinite |
//! | `session` | what is made once a run and shared by its stages |
//! | `check` | benchmark, device check, what is checked before a run, faults that tests ask for |
//! | `memory` | memory foretold, `batch_size: auto`, advice when memory runs out |
//! | `trial` | steps on synthetic images, outside a run |
//! | `class_names` | the names of the classes beside the checkpoints |
//! | `saver` | the thread that writes checkpoints, and when they are written |
//! | `state` | where training stands, in memory and in checkpoints; unfinished runs |
//! | `evaluation` | the bins between epochs, and the details behind their figures |
//! | `meter` | loss, accuracy and speed of an epoch |
//! | `step` | one optimiser step |
//! | `model` | the network a run starts from, and its head |
//! | `loss` | losses, the head by ranges of classes, sampled classes, centers |
//! | `optim` | optimisers, gradient clipping, optimiser state from Keras files |
//! | `paths` | names of the files of a run |
//! | `device` | where a run computes, and the memory there |
//! | `control` | requests of the user, between two steps |
//! | `emit`, `error` | events to whoever listens; errors |

pub mod branches;
pub mod check;
pub mod class_names;
pub mod control;
pub mod device;
pub mod emit;
pub mod engine;
pub mod error;
pub mod evaluation;
pub mod loss;
pub mod memory;
pub mod meter;
pub mod model;
pub mod optim;
pub mod paths;
pub mod saver;
pub mod session;
pub mod stage_loop;
pub mod state;
pub mod step;
pub mod trial;
