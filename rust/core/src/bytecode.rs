//! What the code of a contract tells before it runs.

mod facts;
pub mod roles;

pub use facts::CodeFacts;
pub use roles::Roles;
