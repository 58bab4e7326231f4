//! Executing a transaction on the current state, to see what it would do.

pub mod diff;
pub mod execute;
pub mod features;
pub mod flows;
pub mod model;
pub mod recorder;
pub mod rules;
pub mod state;
pub mod trace;
pub mod transaction;
