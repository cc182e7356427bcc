//! facetui trains face-recognition models from a terminal.
//!
//! # The rooms
//! Data flows one way: config → data → engine → events → screen. A room may use the rooms below it, never those above
//! (`tests/house/rooms.rs` enforces it).
//!
//! | room | what it holds |
//! |---|---|
//! | `cli` | arguments → one `Action` → exit code |
//! | `tui` | the terminal front end: app loop, a file a pane, keymap, theme, charts |
//! | `report` | headless lines, tables, plots |
//! | [`run`] | journal, [`run::state::RunState`], run folder, history index |
//! | `train` | the engine: stage loop, losses, optimisers, evaluation, saver, states |
//! | `export` | a network as ONNX, TFLite or safetensors, checked against its own embeddings |
//! | `eval` | bins, embeddings, accuracy, thresholds, folds |
//! | `nn` | a `Graph` executed on libtorch: layers, flat parameters, initialisers |
//! | `data` | sources, decoding, augmentation, the prefetching loader |
//! | [`synth`] | the embedded demo data: faces drawn from a seed |
//! | `checkpoint` | Keras `.h5` read and write, atomic files, names |
//! | `graph` | layers, shapes, Keras config, backbones; no tensors |
//! | [`schedule`] | the YAML file, checked |
//! | [`event`] | what the engine says and hears |

pub mod checkpoint;
pub mod cli;
pub mod crash;
pub mod data;
pub mod disk_watch;
pub mod eval;
pub mod event;
pub mod export;
#[doc(hidden)]
pub mod fuzz;
pub mod graph;
pub mod nn;
pub mod report;
pub mod run;
pub mod schedule;
pub mod synth;
pub mod train;
pub mod tui;
