//! The per-transaction core of mempool-ids.
//!
//! Data flows one way: [`source`] ► [`decode`] ► [`features`] ► [`signatures`] ► [`classify`] ► [`detection`].
//! A stage imports the types of earlier stages only; [`pipeline`] alone knows all of them.

pub mod analyzer;
pub mod chain;
pub mod classify;
pub mod config;
pub mod decode;
pub mod detection;
pub mod error;
pub mod event;
pub mod features;
pub mod pipeline;
pub mod signatures;
pub mod simulate;
pub mod source;
pub mod stats;
mod thread;
pub mod tx;
