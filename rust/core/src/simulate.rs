//! Executing a transaction on the current state, to see what it would do.
//!
//! [`pool`] takes suspects and has a [`judge`] look at each on the chain's [`state`], which a keeper carries on from head to
//! head. The [`evm`] executes; the judge tells by [`judge::invariants`] and a model what it amounts to.

pub mod constructor;
pub mod creations;
pub mod evm;
pub mod judge;
pub mod pool;
pub mod rehearsal;
pub mod state;
