//! Images on their way to the network: where they come from, in which order, how they are decoded and varied.
//!
//! ```text
//! folder (or any other Source) ─┐
//! sampler ── EpochPlan ─────────┴→ loader: worker threads decode ahead ─→ Batch (u8 NHWC) ─→ augment (tensor, device)
//! bin: pickled evaluation pairs, decoded once by the room `eval`
//! ```
//!
//! Everything random is drawn from `(seed, epoch, image)` by [`random`], never from a shared generator: neither the
//! number of threads nor a restart in the middle of a run changes what an epoch consists of.

pub mod augment;
pub mod bin;
pub mod decode;
pub mod folder;
pub mod loader;
pub mod random;
pub mod sampler;
pub mod source;
