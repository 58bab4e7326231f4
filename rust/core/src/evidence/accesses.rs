//! What a transaction read and wrote of the chain's storage: whose order matters is told by that.

use alloy_primitives::{Address, U256};
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

/// Slots kept of each kind, and accounts.
const SLOTS: usize = 1_024;
const ACCOUNTS: usize = 64;
/// Seeded: nobody can have slots that look like others'.
static SEEDED: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The read set and the write set of one execution, slots as hashes, and whose code ran or whose storage was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accesses {
    /// Sorted.
    reads: Vec<u64>,
    /// Sorted.
    writes: Vec<u64>,
    /// In the order in which they were called.
    pub contracts: Vec<Address>,
    /// There were more than are kept.
    more: bool,
}

/// An account's code counts as one more slot of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    Slot(U256),
    Code,
}

impl Accesses {
    /// Adds a part that was read; `written`: it is another one afterwards.
    pub fn add(&mut self, account: Address, part: Part, written: bool) {
        let hash = SEEDED.hash_one((account, part));
        let kept = [Some(&mut self.reads), written.then_some(&mut self.writes)];
        for slots in kept.into_iter().flatten() {
            match slots.len() < SLOTS {
                true => insert(slots, hash),
                false => self.more = true,
            }
        }
    }

    pub fn called(&mut self, contract: Address) {
        if self.contracts.len() < ACCOUNTS && !self.contracts.contains(&contract) {
            self.contracts.push(contract);
        }
    }

    /// Also what the other one read: what prepares that prepares this.
    pub fn reads_too(&mut self, other: &Self) {
        for hash in &other.reads {
            match self.reads.len() < SLOTS {
                true => insert(&mut self.reads, *hash),
                false => self.more = true,
            }
        }
        self.more |= other.more;
    }

    /// Adds what the other one read, wrote and called; answers whether it wrote something new.
    pub fn unite(&mut self, other: &Self) -> bool {
        self.reads_too(other);
        let before = self.writes.len();
        for hash in &other.writes {
            match self.writes.len() < SLOTS {
                true => insert(&mut self.writes, *hash),
                false => self.more = true,
            }
        }
        for contract in &other.contracts {
            self.called(*contract);
        }
        self.writes.len() > before
    }

    /// Whether it writes anything that the other one, where there is one, does not.
    pub fn writes_beside(&self, other: Option<&Self>) -> bool {
        let known = |hash| other.is_some_and(|other| other.writes.binary_search(hash).is_ok());
        !self.writes.iter().all(known)
    }

    /// Whether it read what the other one writes, as far as that is known: where not all could be kept, it may have.
    pub fn hangs_on(&self, other: &Self) -> bool {
        let writes = |hash: &u64| other.writes.binary_search(hash).is_ok();
        (self.more && !other.writes.is_empty()) || other.more || self.reads.iter().any(writes)
    }

    /// Bytes that it holds beside its own fields.
    pub fn footprint(&self) -> usize {
        let slots = self.reads.capacity() + self.writes.capacity();
        slots * size_of::<u64>() + self.contracts.capacity() * size_of::<Address>()
    }
}

fn insert(slots: &mut Vec<u64>, hash: u64) {
    if let Err(place) = slots.binary_search(&hash) {
        slots.insert(place, hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELPER: Address = Address::repeat_byte(7);

    fn slot(n: u64) -> Part {
        Part::Slot(U256::from(n))
    }

    fn of(slots: impl IntoIterator<Item = (u64, bool)>) -> Accesses {
        let mut all = Accesses::default();
        let slots = slots.into_iter();
        slots.for_each(|(n, written)| all.add(HELPER, slot(n), written));
        all
    }

    #[test]
    fn one_hangs_on_another_where_it_reads_what_that_writes() {
        let (reads, writes) = (of([(1, false), (2, false)]), of([(2, true)]));
        assert!(reads.hangs_on(&writes));
        assert!(
            !writes.hangs_on(&reads),
            "what is only read is the same for both"
        );
        assert!(!of([(3, false)]).hangs_on(&writes));
        let mut elsewhere = Accesses::default();
        elsewhere.add(Address::ZERO, slot(2), false);
        assert!(!elsewhere.hangs_on(&writes), "another account's");
    }

    #[test]
    fn who_does_too_much_to_be_remembered_is_not_out_of_it() {
        let (one, many) = (of([(9_999, true)]), of((0..2_000).map(|n| (n, true))));
        assert!(one.hangs_on(&many) && many.hangs_on(&one));
        assert!(many.footprint() < 64_000, "{}", many.footprint());
    }

    #[test]
    fn what_prepares_who_prepares_it_counts_too() {
        let (first, second) = (of([(1, true)]), of([(1, false), (2, true)]));
        let mut last = of([(2, false)]);
        assert!(!last.hangs_on(&first));
        last.reads_too(&second);
        assert!(last.hangs_on(&first));
    }
}
