//! What an execution hashed: compilers derive the slots of mappings so.

use alloy_primitives::{Address, U256};

/// The longest input that is kept: the key of a mapping with its place, and structures of four words.
pub const LONGEST: usize = 128;

/// Inputs of KECCAK256, one after the other, each with the account whose code hashed it and what came out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preimages {
    bytes: Vec<u8>,
    ends: Vec<(u32, Address)>,
    /// As the execution worked them out, which is not done again. The last input may still lack its own.
    hashes: Vec<U256>,
}

impl Preimages {
    /// An input that is about to be hashed.
    pub fn push(&mut self, by: Address, input: &[u8]) {
        self.bytes.extend_from_slice(input);
        self.ends.push((self.bytes.len() as u32, by));
    }

    /// An input that never was hashed (the gas ran out) is dropped: what comes out next is another's.
    pub fn forget_unhashed(&mut self) {
        self.ends.truncate(self.hashes.len());
        let end = self.ends.last().map_or(0, |(end, _)| *end as usize);
        self.bytes.truncate(end);
    }

    /// What came out, if the last input still lacks it.
    pub fn came_out(&mut self, hash: U256) {
        if self.hashes.len() < self.ends.len() {
            self.hashes.push(hash);
        }
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Each hash, whose code made it, and what of.
    pub fn iter(&self) -> impl Iterator<Item = (U256, Address, &[u8])> {
        let mut start = 0;
        let each = self.hashes.iter().zip(&self.ends);
        each.map(move |(hash, (end, by))| {
            let input = &self.bytes[start..*end as usize];
            start = *end as usize;
            (*hash, *by, input)
        })
    }
}
