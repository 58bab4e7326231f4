//! What the code of a contract tells before it runs.

pub mod contract;
pub mod disassembly;
pub mod dispatcher;
pub mod embedded;
mod facts;
mod metadata;
pub mod op;
pub mod roles;

pub use facts::CodeFacts;
pub use roles::Roles;
