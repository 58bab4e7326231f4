//! The state that an execution reads: the chain's at its head as far as it is known, or as it was recorded.

mod executed;
pub mod head;
pub mod keeper;
pub mod prefetch;
mod recorded;
mod recording;
mod snapshot;

pub use recorded::{RecordedAccount, RecordedState};
pub use recording::Recording;
pub use snapshot::Snapshot;
