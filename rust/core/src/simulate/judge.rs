//! From what a suspect did to what it amounts to: invariants, and a model of how it behaves, in several surroundings.

pub mod behaviour;
mod copy;
mod inclusion;
pub mod invariants;
pub mod model;
pub mod response;
pub mod simulator;
mod variations;
