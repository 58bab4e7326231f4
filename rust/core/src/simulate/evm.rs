//! Who executes, in which block, by which rules, and what is watched meanwhile.

pub mod backend;
pub mod diff;
pub mod environment;
mod error;
pub mod execute;
pub mod preimages;
pub mod question;
pub mod told;
pub mod tracer;
pub mod transaction;
pub mod views;
pub mod watch;

pub use error::StateError;
