//! New contracts: whether one is worth an alert before its first call.

pub mod alarm;
