//! What an execution hashed: compilers derive the slots of mappings so.

use alloy_primitives::{Address, U256, keccak256};
use std::sync::OnceLock;

/// The longest input that is kept: the key of a mapping with its place, and structures of four words.
pub const LONGEST: usize = 128;

/// Inputs of KECCAK256, one after the other, each with the account whose code hashed it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preimages {
    bytes: Vec<u8>,
    ends: Vec<(u32, Address)>,
    /// Worked out once, whichever contracts are judged: nobody needs them while it executes.
    hashes: OnceLock<Vec<U256>>,
}

impl Preimages {
    pub fn push(&mut self, by: Address, input: &[u8]) {
        self.hashes.take();
        self.bytes.extend_from_slice(input);
        self.ends.push((self.bytes.len() as u32, by));
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Each hash, whose code made it, and what of.
    pub fn iter(&self) -> impl Iterator<Item = (U256, Address, &[u8])> {
        let hashed = || self.inputs().map(|(_, input)| keccak256(input).into());
        let hashes = self.hashes.get_or_init(|| hashed().collect());
        let each = hashes.iter().zip(self.inputs());
        each.map(|(hash, (by, input))| (*hash, by, input))
    }

    fn inputs(&self) -> impl Iterator<Item = (Address, &[u8])> {
        let mut start = 0;
        self.ends.iter().map(move |(end, by)| {
            let input = &self.bytes[start..*end as usize];
            start = *end as usize;
            (*by, input)
        })
    }
}
