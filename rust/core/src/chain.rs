//! What the sensor knows of the chain: what it is, and what its nodes tell of it. The latter is filled in the background and
//! read in the hot path.

mod fees;
pub mod forks;
mod head;
mod implementation;
mod spec;

pub use head::{BlockChanges, BlockContents, CodeAnswer, Head, MinedTransaction, Reorg};
pub use implementation::{acts, implementation};
pub use spec::ChainSpec;
