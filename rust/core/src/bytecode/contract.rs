//! The features of a contract's code, by which the early models score it. Order is the schema.
//!
//! One row: hashed opcode 5-grams without stack operations, hashed selectors of what it calls and of what it offers, and the
//! named features of [`NAMES`]. Nothing of them is computed anywhere else: training takes its matrix from here.

mod anatomy;
mod constants;
mod gates;
mod names;
mod row;
#[cfg(test)]
mod tests;

pub use anatomy::Anatomy;
pub use names::NAMES;
pub use row::Extractor;

/// Raise it whenever a formula, the order or a table behind a feature changes.
pub const SCHEMA_VERSION: u32 = 2;
/// Bytes of code that are read; the rest is cut, and the anatomy says so. Twice what init code may have (EIP-3860: 48 KiB)
/// is not needed: what runs has 24 KiB.
pub const MOST_BYTES: usize = 64 << 10;
/// Buckets of the opcode 5-grams: ln(1 + how often).
pub const GRAMS: usize = 4096;
/// Buckets of the selectors that it calls, and of those that it offers: 1 where one is there.
pub const CALLED: usize = 1024;
pub const OFFERED: usize = 512;
/// The hashed ones, in order; the named ones follow.
pub const BLOCKS: [(&str, usize); 3] = [("grams", GRAMS), ("called", CALLED), ("offered", OFFERED)];
/// Width of a row.
pub const WIDTH: usize = GRAMS + CALLED + OFFERED + NAMES.len();
