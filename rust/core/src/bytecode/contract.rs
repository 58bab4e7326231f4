//! The features of a contract's code, by which the early models score it. Order is the schema.
//!
//! One row: hashed opcode 5-grams without stack operations, hashed 3-grams of what has an effect, hashed pairs of steps, hashed
//! selectors of what it calls and of what it offers, and the named features of [`NAMES`]. Nothing of them is computed anywhere
//! else: training takes its matrix from here.

mod anatomy;
mod constants;
mod gates;
mod names;
mod row;
mod sequences;
#[cfg(test)]
mod tests;

pub use anatomy::Anatomy;
pub use names::NAMES;
pub use row::Extractor;

/// Raise it whenever a formula, the order or a table behind a feature changes.
pub const SCHEMA_VERSION: u32 = 3;
/// Bytes of code that are read; the rest is cut, and the anatomy says so. Twice what init code may have (EIP-3860: 48 KiB)
/// is not needed: what runs has 24 KiB.
pub const MOST_BYTES: usize = 64 << 10;
/// Buckets of the opcode 5-grams: ln(1 + how often).
pub const GRAMS: usize = 4096;
/// Buckets of the 3-grams of effects: the same.
pub const EFFECTS: usize = 4096;
/// Buckets of the pairs of steps: the same.
pub const STEPS: usize = 4096;
/// Buckets of the selectors that it calls, and of those that it offers: 1 where one is there.
pub const CALLED: usize = 1024;
pub const OFFERED: usize = 512;
/// The hashed ones, in order; the named ones follow.
pub const BLOCKS: [(&str, usize); 5] = [
    ("grams", GRAMS),
    ("effects", EFFECTS),
    ("steps", STEPS),
    ("called", CALLED),
    ("offered", OFFERED),
];
/// Width of a row.
pub const WIDTH: usize = HASHED + NAMES.len();
/// Of sequences of every kind.
pub const SEQUENCES: usize = GRAMS + EFFECTS + STEPS;
/// The hashed ones.
pub const HASHED: usize = SEQUENCES + CALLED + OFFERED;
