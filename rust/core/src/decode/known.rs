//! The set of selectors that public signature collections know.

use crate::error::{Error, Result};

/// Four-byte selectors seen in public signature collections: part of the model's artifacts.
///
/// A sorted list under an index by the upper 16 bits: a look-up touches one bucket of a few entries.
#[derive(Debug, Default)]
pub struct KnownSelectors {
    /// Lower 16 bits, grouped by the upper 16.
    low: Vec<u16>,
    /// Bucket b is `low[starts[b]..starts[b + 1]]`; empty where there are no selectors.
    starts: Vec<u32>,
}

const BUCKETS: usize = 1 << 16;

impl KnownSelectors {
    /// Sorted, unique selectors, 4 big-endian bytes each; may be empty.
    ///
    /// # Errors
    /// [`Error::Model`] where the bytes are no whole number of selectors or not strictly ascending.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (chunks, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(Error::Model(format!(
                "known selectors: {} bytes are no multiple of 4",
                bytes.len()
            )));
        }
        let mut set = Self {
            low: Vec::with_capacity(chunks.len()),
            starts: vec![0; BUCKETS + 1],
        };
        let mut last = None;
        for (position, chunk) in chunks.iter().enumerate() {
            let selector = u32::from_be_bytes(*chunk);
            if last.is_some_and(|last| last >= selector) {
                let reason = format!(
                    "known selectors: entry {position} (0x{selector:08x}) is not above the one before it"
                );
                return Err(Error::Model(reason));
            }
            last = Some(selector);
            set.low.push(selector as u16);
            set.starts[(selector >> 16) as usize + 1] += 1;
        }
        for bucket in 0..BUCKETS {
            set.starts[bucket + 1] += set.starts[bucket];
        }
        Ok(set)
    }

    #[inline]
    pub fn contains(&self, selector: [u8; 4]) -> bool {
        let [a, b, c, d] = selector;
        let bucket = usize::from(u16::from_be_bytes([a, b]));
        let (Some(start), Some(end)) = (self.starts.get(bucket), self.starts.get(bucket + 1))
        else {
            return false;
        };
        self.low[*start as usize..*end as usize].contains(&u16::from_be_bytes([c, d]))
    }

    pub fn len(&self) -> usize {
        self.low.len()
    }

    pub fn is_empty(&self) -> bool {
        self.low.is_empty()
    }
}
