//! Numbers in storage: a slot holds one, or several packed.

use crate::simulate::evm::diff::AccountDiff;
use alloy_primitives::{Address, U256};
use memchr::memmem;

/// Where a number lies in a slot: compilers pack small ones.
struct Lane {
    from: usize,
    bits: usize,
}

/// The whole slot, its halves, and two reserves beside a timestamp.
const LANES: [Lane; 5] = [
    Lane { from: 0, bits: 256 },
    Lane { from: 0, bits: 128 },
    Lane {
        from: 128,
        bits: 128,
    },
    Lane { from: 0, bits: 112 },
    Lane {
        from: 112,
        bits: 112,
    },
];

impl Lane {
    fn of(&self, slot: U256) -> U256 {
        let above = 256 - self.bits;
        (slot >> self.from) << above >> above
    }
}

/// The numbers that a slot may hold.
pub(super) fn numbers(slot: U256) -> impl Iterator<Item = U256> {
    LANES.iter().map(move |lane| lane.of(slot))
}

/// The numbers of a slot before and after.
pub(super) fn pairs(before: U256, after: U256) -> impl Iterator<Item = (U256, U256)> {
    numbers(before).zip(numbers(after))
}

/// Whether an account is anywhere in calldata, code, or what was hashed.
pub fn says(bytes: &[u8], account: Address) -> bool {
    memmem::find(bytes, account.as_slice()).is_some()
}

/// Whether a slot holds an account, alone or packed with smaller things.
pub(super) fn holds(slot: U256, account: Address) -> bool {
    says(&slot.to_be_bytes::<32>(), account)
}

/// The slots that held an account before, and still do.
pub(super) fn kept(account: Option<&AccountDiff>, held: Address) -> impl Iterator<Item = U256> {
    let slots = account.into_iter().flat_map(|account| &account.storage);
    let kept = slots.filter(move |(_, (before, after))| before == after && holds(*before, held));
    kept.map(|(slot, _)| *slot)
}

/// Whether any does.
pub(super) fn keeps(account: Option<&AccountDiff>, held: Address) -> bool {
    kept(account, held).next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_numbers_and_accounts_are_found() {
        let reserves = (U256::from(7) << 112) | U256::from(5);
        let found: Vec<_> = numbers(reserves).collect();
        assert!(found.contains(&U256::from(7)) && found.contains(&U256::from(5)));
        let owner = Address::repeat_byte(0xad);
        let packed = (U256::from_be_slice(owner.as_slice()) << 8) | U256::ONE;
        assert!(holds(packed, owner) && !holds(reserves, owner));
        assert!(!holds(packed << 90, owner));
    }
}
