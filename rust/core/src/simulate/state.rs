//! The state that an execution reads: the chain's at its head as far as it is known, or as it was recorded.

pub mod head;
pub mod keeper;
pub mod prefetch;
mod recorded;
mod recording;
mod snapshot;
mod witness;

pub use recorded::{RecordedAccount, RecordedState};
pub use recording::Recording;
pub use snapshot::Snapshot;
