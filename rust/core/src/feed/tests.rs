//! The source against real sockets: a node that misbehaves on demand, and a real one.

mod anvil;
mod ask;
mod chain;
pub(crate) mod node;
pub(crate) mod real;
mod speed;
mod subscribe;
mod trouble;
