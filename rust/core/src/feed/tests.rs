//! The source against real sockets: a node that misbehaves on demand, and a real one.

pub(crate) mod anvil;
mod ask;
mod chain;
pub(crate) mod node;
mod speed;
mod subscribe;
mod trouble;
