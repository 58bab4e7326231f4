//! The per-transaction core of mempool-ids.
//!
//! Data flows one way: [`feed`] or [`capture`] ► [`inbox`] ► [`decode`] ► [`features`] ► [`signatures`] ► [`classify`] ►
//! [`simulate`] ► [`event`]. Of what is new, blocks and simulations tell by [`survey`]; it is called by [`detonate`], and whose money
//! made it is known by [`funding`]. What a detection is made of is [`evidence`]. No stage imports a later one (`ORDER` in
//! `tools/check_layers.py` is the list that `make lint` goes by), and [`pipeline`] alone knows them all.

#[cfg(test)]
extern crate self as mempool_ids_core; // As the tests outside call it, which share files with those inside.

// What everybody speaks of.
pub mod chain;
pub mod config;
pub mod error;
pub mod event;
pub mod evidence;
pub mod stats;
mod thread;
pub mod tx;
// From a node, or a file, to the pipeline.
pub mod capture;
pub mod feed;
pub mod inbox;
pub mod node;
pub mod wire;
// The stages.
pub mod bytecode;
pub mod classify;
pub mod decode;
pub mod detonate;
pub mod features;
pub mod funding;
pub mod signatures;
pub mod simulate;
pub mod survey;
// All together, and what people look into it with.
pub mod pipeline;
pub mod tools;
