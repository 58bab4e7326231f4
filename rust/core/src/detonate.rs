//! Calling a new contract on the current state, to see what it would do: what a malware sandbox does with a file.
//!
//! Its functions are those that its [dispatcher](crate::bytecode::dispatcher) has; it is called by its deployer and by whom it
//! compares its caller with, with arguments found by what it compares them with and by what they seem to be, alone and after
//! calls that left something changed. Each call is made for a [`look`] first, which costs microseconds; what concerns a
//! monitored contract is judged as an attack in the pool would be, with the same invariants.

mod arguments;
mod budget;
mod call;
mod expand;
mod explore;
mod funded;
mod look;
mod means;
mod net;
mod probe;
pub mod scheduler;
mod stage;
mod subject;
#[cfg(test)]
mod tests;
mod verdict;

pub use budget::Budget;
pub use explore::{Detonated, detonate};
pub use subject::{Creation, Subject};
pub use verdict::Sequence;
