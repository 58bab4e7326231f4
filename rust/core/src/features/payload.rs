//! Features of the calldata's bytes: 1 and 3 to 8.

use super::MISSING;
use crate::decode::words::{Limbs, word_at};
use std::sync::LazyLock;

/// Words after the selector that are looked at.
pub const MAX_WORDS: usize = MAX_BYTES / 32;
/// Bytes whose entropy is taken: geth's pool takes no larger transaction.
pub const MAX_BYTES: usize = 128 << 10;

/// c·log₂ c for the counts that short calldata can have.
static C_LOG_C: LazyLock<[f64; SHORT]> = LazyLock::new(|| {
    std::array::from_fn(|c| {
        if c == 0 {
            0.0
        } else {
            c as f64 * (c as f64).log2()
        }
    })
});
const SHORT: usize = 1024;

/// Shannon entropy in bits (0–3) of the selector's 8 nibbles.
#[inline]
pub(super) fn selector_entropy(selector: [u8; 4]) -> f32 {
    // c·log₂ c for c = 0..=8.
    const PART: [f32; 9] = [
        0.0, 0.0, 2.0, 4.754_888, 8.0, 11.609_64, 15.509_775, 19.651_484, 24.0,
    ];
    // 16 counters of 4 bits: a count is 8 at the most.
    let value = u32::from_be_bytes(selector);
    let counts = (0..8).fold(0_u64, |counts, i| {
        counts + (1 << (((value >> (i * 4)) & 15) * 4))
    });
    let sum: f32 = (0..16)
        .map(|i| PART[((counts >> (i * 4)) & 15) as usize])
        .sum();
    3.0 - sum / 8.0
}

/// Shannon entropy of the bytes, 0–8 bits; 0 for none. H = log₂ L − (Σ c·log₂ c)/L over the byte counts c.
pub(super) fn byte_entropy(bytes: &[u8]) -> f64 {
    let bytes = &bytes[..bytes.len().min(MAX_BYTES)];
    if bytes.is_empty() {
        return 0.0;
    }
    let mut counts = [0_u32; 256];
    let (chunks, rest) = bytes.as_chunks::<8>();
    let mut zeros = 0;
    for chunk in chunks {
        // Most calldata is zeros, and counting those one by one is a chain of dependent stores.
        if *chunk == [0; 8] {
            zeros += 8;
        } else {
            chunk.iter().for_each(|b| counts[usize::from(*b)] += 1);
        }
    }
    rest.iter().for_each(|b| counts[usize::from(*b)] += 1);
    counts[0] += zeros;
    let length = bytes.len() as f64;
    let sum = if bytes.len() < SHORT {
        short_sum(&counts)
    } else {
        long_sum(&counts)
    };
    // Rounding can leave a negative zero's worth for a single repeated byte.
    (length.log2() - sum / length).max(0.0)
}

/// Every count is below `SHORT`. Four sums, because one would wait for its own additions.
#[inline]
fn short_sum(counts: &[u32; 256]) -> f64 {
    let table = &*C_LOG_C;
    let mut sums = [0.0; 4];
    for four in counts.as_chunks::<4>().0 {
        for (sum, c) in sums.iter_mut().zip(four) {
            *sum += table[*c as usize & (SHORT - 1)];
        }
    }
    sums.iter().sum()
}

fn long_sum(counts: &[u32; 256]) -> f64 {
    counts
        .iter()
        .filter(|c| **c > 1)
        .map(|c| f64::from(*c) * f64::from(*c).log2())
        .sum()
}

/// What one pass over the words after the selector tells.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct WordFacts {
    pub count: usize,
    pub max_uint: bool,
    small: usize,
    large: usize,
    pub offsets: usize,
}

impl WordFacts {
    pub fn of(arguments: &[u8]) -> Self {
        let arguments = &arguments[..arguments.len().min(MAX_WORDS * 32)];
        let mut facts = Self::default();
        let (words, rest) = arguments.as_chunks::<32>();
        for (index, word) in words.iter().enumerate() {
            facts.add(Limbs::of(word), index, arguments);
        }
        if !rest.is_empty() {
            let mut last = [0; 32];
            last[..rest.len()].copy_from_slice(rest);
            facts.add(Limbs::of(&last), words.len(), arguments);
        }
        facts
    }

    /// Share of words in 1..=9.
    pub fn small_ratio(self) -> f32 {
        self.share(self.small)
    }

    /// Share of words longer than 160 bits, except maxima and left-aligned bytes.
    pub fn large_ratio(self) -> f32 {
        self.share(self.large)
    }

    fn share(self, part: usize) -> f32 {
        if self.count == 0 {
            MISSING
        } else {
            part as f32 / self.count as f32
        }
    }

    #[inline]
    fn add(&mut self, word: Limbs, index: usize, arguments: &[u8]) {
        self.count += 1;
        let max_uint = is_max_uint(word);
        self.max_uint |= max_uint;
        if !word.fits_address() {
            self.large += usize::from(!max_uint && !is_left_aligned(word));
        } else if let Some(value) = word.small() {
            self.small += usize::from((1..=9).contains(&value));
            self.offsets += usize::from(is_offset(value, index, arguments));
        }
    }
}

/// 2ᵏ − 1 for k ∈ {96, 112, 128, 160, 255, 256}: "unlimited" in the token and protocol types in use.
#[inline]
fn is_max_uint(w: Limbs) -> bool {
    const ALL: u64 = u64::MAX;
    if w.3 != ALL {
        return false;
    }
    match (w.0, w.1, w.2) {
        (0, 0, high) => high == u64::from(u32::MAX) || high == ALL >> 16 || high == ALL,
        (0, high, ALL) => high == u64::from(u32::MAX),
        (high, ALL, ALL) => high == ALL || high == ALL >> 1,
        _ => false,
    }
}

/// Text or bytesN, as against a number: the first byte is used and the last is not. A power of two is a number.
#[inline]
fn is_left_aligned(w: Limbs) -> bool {
    let bits = w.0.count_ones() + w.1.count_ones() + w.2.count_ones() + w.3.count_ones();
    w.0 >> 56 != 0 && w.3 & 0xff == 0 && bits > 1
}

/// Whether word `index` can be the offset of a dynamic argument: it points to a later word that can be a length.
#[inline]
fn is_offset(value: usize, index: usize, arguments: &[u8]) -> bool {
    if !value.is_multiple_of(32) || value / 32 <= index {
        return false;
    }
    let length = word_at(arguments, value).and_then(|w| Limbs::of(w).small());
    length.is_some_and(|length| length <= arguments.len() - value - 32)
}
