//! What the sensor knows of the chain. Filled in the background, read in the hot path.

pub mod forks;
mod head;

pub use head::{BlockContents, CodeAnswer, Head, MinedTransaction, Reorg};
