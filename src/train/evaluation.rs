//! Evaluation between epochs: the bins and their figures, and the details behind them.

pub mod bins;
pub mod details;
