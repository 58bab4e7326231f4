//! Sequences of opcodes or selectors, counted by bucket.

/// How often each bucket's sequences of `N` symbols of `BITS` come, of 64 bits at the most.
pub(super) struct Sequences<const N: usize, const BITS: usize> {
    pub counts: Vec<u16>,
    /// The last `N`, the last one lowest.
    last: u64,
    seen: usize,
}

impl<const N: usize, const BITS: usize> Sequences<N, BITS> {
    const LAST: u64 = u64::MAX >> (64 - N * BITS);

    pub fn new(buckets: usize) -> Self {
        Self {
            counts: vec![0; buckets],
            last: 0,
            seen: 0,
        }
    }

    #[inline]
    pub fn push(&mut self, symbol: u64) {
        self.last = (self.last << BITS | symbol) & Self::LAST;
        self.seen += 1;
        if self.seen >= N {
            let place = bucket(self.last, self.counts.len());
            self.counts[place] = self.counts[place].saturating_add(1);
        }
    }
}

/// The upper bits of a product with an odd number (Knuth's multiplicative hashing): the same everywhere and always.
#[inline]
pub(super) fn bucket(value: u64, buckets: usize) -> usize {
    let hash = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((u128::from(hash) * buckets as u128) >> 64) as usize
}
