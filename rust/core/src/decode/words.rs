//! Calldata's 32-byte words, as the walker and the features read them.

use alloy_primitives::Address;

/// Reads the word at `at`; `None` where fewer than 32 bytes are left.
#[inline]
pub(crate) fn word_at(data: &[u8], at: usize) -> Option<&[u8; 32]> {
    data.get(at..)?.first_chunk()
}

/// A word as four big-endian 64-bit limbs, the most significant first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limbs(pub u64, pub u64, pub u64, pub u64);

impl Limbs {
    #[inline]
    pub fn of(word: &[u8; 32]) -> Self {
        let limb = |i: usize| {
            u64::from_be_bytes([
                word[i],
                word[i + 1],
                word[i + 2],
                word[i + 3],
                word[i + 4],
                word[i + 5],
                word[i + 6],
                word[i + 7],
            ])
        };
        Self(limb(0), limb(8), limb(16), limb(24))
    }

    #[inline]
    pub fn is_zero(self) -> bool {
        self.0 | self.1 | self.2 | self.3 == 0
    }

    /// The value where it is small enough to be an offset or a length of calldata.
    #[inline]
    pub fn small(self) -> Option<usize> {
        if self.0 | self.1 | self.2 != 0 || self.3 > u64::from(u32::MAX) {
            return None;
        }
        usize::try_from(self.3).ok()
    }

    /// Of 160 bits at the most.
    #[inline]
    pub fn fits_address(self) -> bool {
        self.0 == 0 && self.1 >> 32 == 0
    }

    /// Whether an untyped word is read as an address: at most 160 bits, at least 105 (amounts are shorter, and addresses
    /// with more than six leading zero bytes are not mined), not 2^k − 1, and not a round number (its last 8 bytes zero).
    #[inline]
    pub fn looks_like_address(self) -> bool {
        if !self.fits_address() || self.3 == 0 {
            return false;
        }
        let high = (self.1 as u32 as u128) << 64 | u128::from(self.2);
        // high is bits 64..160.
        high >> 40 != 0 && !(self.3 == u64::MAX && (high & (high + 1)) == 0)
    }
}

/// The low 20 bytes.
#[inline]
pub(crate) fn address_of(word: &[u8; 32]) -> Address {
    let mut bytes = [0; 20];
    bytes.copy_from_slice(&word[12..]);
    Address::new(bytes)
}
