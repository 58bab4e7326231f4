//! Executing a transaction on the current state, to see what it would do.
//!
//! [`pool`] takes suspects and has a [`simulator`] judge each on the chain's state ([`state`], which [`keeper`] carries on
//! from head to head). A [`simulation`] is the evidence: what [`execute`] did, as [`trace`], [`diff`] and [`flows`].

pub mod backend;
pub mod diff;
pub mod environment;
pub mod evasion;
pub mod execute;
pub mod flows;
pub mod invariants;
pub mod keeper;
pub mod pool;
pub mod prefetch;
pub mod record;
pub mod recorder;
pub mod rules;
pub mod simulation;
pub mod simulator;
pub mod state;
pub mod suspect;
pub mod trace;
pub mod transaction;
