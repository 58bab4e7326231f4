//! Who executes, in which block, by which rules, and what is watched meanwhile.

mod again;
pub mod backend;
pub mod diff;
pub mod environment;
pub mod execute;
pub mod tracer;
pub mod transaction;
