//! What suspects take of monitored contracts that nothing accounts for, pending and in the last blocks: a little each is
//! much together.
//!
//! Each was looked at on the same state: what is pending may be after the same money. So a suspect is executed after what others
//! have pending, and only these and what a block has are summed up with what it takes then.

use super::Triage;
use super::predecessors::bytes;
use super::suspicion::Suspicion;
use crate::chain::MinedTransaction;
use crate::evidence::{Taken, Unaccounted};
use crate::simulate::pool::suspect::{Earlier, Key};
use crate::tx::PendingTransaction;
use alloy_primitives::B256;
use hashbrown::{HashMap, HashSet};
use std::collections::VecDeque;

/// Blocks after which what was taken no longer counts; so long, too, counts what no block takes in.
const BLOCKS: u64 = 32;
/// Transactions remembered, their bytes, and assets of one.
const MOST: usize = 1_024;
const BYTES: usize = 16 << 20;
const ASSETS: usize = 8;
/// Pending ones that are executed before a suspect.
pub const TAKERS: usize = 8;
/// Transactions of the last blocks whose inclusion is remembered.
const MINED: usize = 1 << 16;

/// The last ones, oldest first.
#[derive(Debug, Default)]
pub struct Takings {
    all: VecDeque<Taking>,
    bytes: usize,
    /// In which of the last blocks a transaction is: a simulation may end after its inclusion.
    mined: HashMap<B256, u64>,
    /// The newest block's number.
    head: u64,
}

#[derive(Debug)]
struct Taking {
    tx: Earlier,
    took: Vec<Unaccounted>,
    /// The head when it was last looked at; of what was mined, its block.
    at: u64,
    mined: bool,
}

impl Takings {
    /// What a suspect takes by what is known now; nothing, where it turned out to be harmless.
    pub fn record(&mut self, suspect: &Suspicion) {
        let (key, took) = (suspect.slot.key(), &suspect.took);
        self.retain(|one| one.tx.key() != key);
        let mined = self.mined.get(&key.0).copied();
        // A block has another one in its place.
        let replaced = suspect.mined && mined.is_none();
        if took.is_empty() || replaced {
            return;
        }
        self.all.push_back(Taking {
            tx: suspect.earlier(),
            took: took.clone(),
            at: mined.unwrap_or(self.head),
            mined: mined.is_some(),
        });
        self.bytes += suspect.held();
        while (self.all.len() > MOST || self.bytes > BYTES)
            && let Some(oldest) = self.all.pop_front()
        {
            self.bytes -= oldest.bytes();
        }
    }

    /// What all others take of what it takes of; of those with one sender and nonce the last one, and not what stands in the
    /// suspect's own place.
    pub fn of_others(&self, suspect: &Suspicion) -> Vec<Taken> {
        sum(suspect, self.others(suspect))
    }

    /// The same of what a block has, and of these pending ones.
    pub fn of_these(&self, suspect: &Suspicion, executed: &[Earlier]) -> Vec<Taken> {
        let is_executed = |key: Key| executed.iter().any(|other| other.key() == key);
        let others = self.others(suspect).into_iter();
        sum(
            suspect,
            others.filter(|one| one.mined || is_executed(one.tx.key())),
        )
    }

    /// Pending ones that take of the same, the newest.
    pub fn pending(&self, suspect: &Suspicion) -> Vec<Earlier> {
        let others = self.others(suspect).into_iter();
        let pending = others.filter(|one| !one.mined && one.takes_of(suspect));
        pending.take(TAKERS).map(|one| one.tx.clone()).collect()
    }

    fn others(&self, suspect: &Suspicion) -> Vec<&Taking> {
        let place = |tx: &PendingTransaction| (tx.from, tx.nonce);
        let mut places = HashSet::new();
        places.insert(place(&suspect.slot.tx));
        // Most take nothing.
        let newest = self.all.iter().rev().filter(|_| !suspect.took.is_empty());
        newest
            .filter(|one| places.insert(place(&one.tx.tx)))
            .collect()
    }

    fn retain(&mut self, stays: impl Fn(&Taking) -> bool) {
        self.all.retain(|one| {
            let stays = stays(one);
            if !stays {
                self.bytes -= one.bytes();
            }
            stays
        });
    }

    /// A block has these: what stands in their places is nobody's any more.
    pub fn mined(&mut self, number: u64, transactions: &[MinedTransaction]) {
        if self.head == 0 {
            // The first block that is known: what was pending before it is not old.
            self.all.iter_mut().for_each(|one| one.at = number);
        }
        self.head = self.head.max(number);
        let head = self.head;
        let is_recent = |at: u64| head.saturating_sub(at) < BLOCKS;
        self.mined.retain(|_, at| is_recent(*at));
        if self.mined.len() + transactions.len() > MINED {
            self.mined.clear();
        }
        self.mined
            .extend(transactions.iter().map(|one| (one.hash, number)));
        if self.all.is_empty() {
            return;
        }
        let last = super::last_nonces(transactions);
        for one in &mut self.all {
            if let Some(number) = self.mined.get(&one.tx.tx.hash) {
                (one.mined, one.at) = (true, *number);
            }
        }
        self.retain(|one| {
            let tx = &one.tx.tx;
            let replaced = last.get(&tx.from).is_some_and(|last| tx.nonce <= *last);
            (one.mined || !replaced) && is_recent(one.at)
        });
    }

    /// The blocks above this number left the chain: what they had is pending once more.
    pub fn reorged(&mut self, kept: u64) {
        for one in self.all.iter_mut().filter(|one| one.mined && one.at > kept) {
            (one.mined, one.at) = (false, kept);
        }
        self.mined.retain(|_, at| *at <= kept);
        self.head = self.head.min(kept);
    }
}

impl Taking {
    fn bytes(&self) -> usize {
        bytes(&self.tx)
    }

    fn takes_of(&self, suspect: &Suspicion) -> bool {
        self.took.iter().any(|took| is_of(suspect, took))
    }
}

fn is_of(suspect: &Suspicion, took: &Unaccounted) -> bool {
    suspect.took.iter().any(|own| own.counts(took))
}

fn sum<'a>(suspect: &Suspicion, others: impl IntoIterator<Item = &'a Taking>) -> Vec<Taken> {
    let mut sums = Vec::new();
    for took in others.into_iter().flat_map(|one| &one.took) {
        if is_of(suspect, took) {
            add(&mut sums, took);
        }
    }
    sums
}

fn add(sums: &mut Vec<Taken>, took: &Unaccounted) {
    let same = |sum: &&mut Taken| sum.contract == took.contract && sum.asset == took.asset;
    match sums.iter_mut().find(same) {
        Some(sum) => {
            sum.amount = sum.amount.saturating_add(took.amount);
            sum.before = sum.before.max(took.before);
            sum.count += 1;
        }
        None => sums.push(Taken {
            contract: took.contract.clone(),
            asset: took.asset,
            amount: took.amount,
            before: took.before,
            count: 1,
        }),
    }
}

impl Triage {
    /// Remembers what a suspect takes. Answers whether that may be too much together with what others take, of which its
    /// simulation did not know.
    pub(super) fn takes(&mut self, suspicion: &mut Suspicion, mut took: Vec<Unaccounted>) -> bool {
        took.truncate(ASSETS);
        suspicion.took = took;
        self.takings.record(suspicion);
        let others = self.takings.of_others(suspicion);
        let unheard = |others: &&Taken| !suspicion.heard.contains(others);
        let mut unheard = others.iter().filter(unheard);
        unheard.any(|others| suspicion.took.iter().any(|own| own.may_exceed(others)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::transfers::Asset;
    use crate::pipeline::slot::Slot;
    use alloy_primitives::Address;
    use alloy_primitives::U256;

    fn suspect(n: u8) -> Suspicion {
        let mut slot = Slot::default();
        slot.tx.hash = B256::repeat_byte(n);
        slot.tx.from = Address::repeat_byte(n);
        Suspicion::new(slot, 0.0, 0.0)
    }

    fn that(n: u8, took: Vec<Unaccounted>) -> Suspicion {
        Suspicion { took, ..suspect(n) }
    }

    fn took(amount: u64) -> Vec<Unaccounted> {
        vec![Unaccounted {
            contract: "Vault".into(),
            asset: Asset::Native,
            amount: U256::from(amount),
            before: U256::from(1_000 - amount),
            large: false,
            limit: 0.05,
        }]
    }

    fn mined(n: u8, by: u8) -> MinedTransaction {
        MinedTransaction {
            hash: B256::repeat_byte(by),
            from: Address::repeat_byte(n),
            nonce: 0,
            to: None,
            creates: false,
        }
    }

    /// How much all but the last one take, and how many they are.
    fn summed(all: &Takings) -> Option<(u64, usize)> {
        let sums = all.of_others(&that(0xff, took(1)));
        assert!(sums.len() <= 1);
        sums.first().map(|sum| (sum.amount.to(), sum.count))
    }

    fn of(amounts: &[u64]) -> Takings {
        let mut all = Takings::default();
        for (n, amount) in (1..).zip(amounts) {
            all.record(&that(n, took(*amount)));
        }
        all
    }

    #[test]
    fn what_all_take_is_summed_up_and_ones_own_left_out() {
        let all = of(&[40, 30]);
        assert_eq!(summed(&all), Some((70, 2)));
        let before = all.of_others(&that(0xff, took(1)))[0].before;
        assert_eq!(before, U256::from(970), "the most that there was");
        assert_eq!(all.of_others(&that(1, took(40)))[0].amount, U256::from(30));
    }

    #[test]
    fn what_is_large_by_itself_makes_nothing_small_an_alert() {
        let mut large = took(200);
        large[0].large = true;
        let mut all = of(&[40]);
        all.record(&that(2, large.clone()));
        assert_eq!(summed(&all), Some((40, 1)));
        assert_eq!(all.of_others(&that(3, large))[0].amount, U256::from(240));
    }

    #[test]
    fn what_is_looked_at_again_counts_as_it_is_now() {
        let mut all = of(&[40, 30]);
        all.record(&that(1, took(10)));
        assert_eq!(summed(&all), Some((40, 2)));
        all.record(&suspect(2));
        assert_eq!(summed(&all), Some((10, 1)));
    }

    #[test]
    fn of_several_in_one_place_one_counts() {
        let mut all = of(&[40]);
        let mut other = that(1, took(30));
        other.slot.tx.hash = B256::repeat_byte(9);
        all.record(&other);
        assert_eq!(summed(&all), Some((30, 1)));
        assert!(
            all.of_others(&that(1, took(40))).is_empty(),
            "nor beside who stands there"
        );
    }

    #[test]
    fn what_a_block_has_counts_for_some_blocks_and_what_it_replaced_no_longer() {
        let mut all = of(&[40, 30]);
        all.mined(100, &[mined(1, 1), mined(2, 9)]);
        assert_eq!(summed(&all), Some((40, 1)));
        all.mined(100 + BLOCKS - 1, &[]);
        assert_eq!(summed(&all), Some((40, 1)));
        all.mined(100 + BLOCKS, &[]);
        assert_eq!(summed(&all), None);
    }

    #[test]
    fn what_no_block_takes_in_does_not_count_for_ever() {
        let mut all = Takings::default();
        all.mined(100, &[]);
        all.record(&that(1, took(40)));
        all.mined(100 + BLOCKS, &[]);
        assert_eq!(summed(&all), None);
    }

    #[test]
    fn what_a_reorg_undid_is_pending_again_and_can_be_replaced() {
        let mut all = of(&[40]);
        all.mined(100, &[mined(1, 1)]);
        all.mined(101, &[mined(1, 9)]);
        assert_eq!(summed(&all), Some((40, 1)), "a block has it");
        all.reorged(99);
        assert_eq!(summed(&all), Some((40, 1)));
        all.mined(100, &[mined(1, 9)]);
        assert_eq!(summed(&all), None);
    }

    #[test]
    fn what_a_block_had_when_its_simulation_ended_counts_and_what_it_replaced_does_not() {
        let mut all = Takings::default();
        all.mined(100, &[mined(1, 1), mined(2, 9)]);
        for n in [1, 2] {
            let mut late = that(n, took(40));
            late.mined = true;
            all.record(&late);
        }
        assert_eq!(summed(&all), Some((40, 1)));
        all.mined(100 + BLOCKS, &[]);
        assert_eq!(summed(&all), None);
    }

    #[test]
    fn of_what_is_pending_only_what_was_executed_before_it_is_summed_up() {
        let mut all = of(&[40, 30, 20]);
        all.mined(100, &[mined(1, 1)]);
        let last = that(0xff, took(1));
        let pending = all.pending(&last);
        let hashes: Vec<_> = pending.iter().map(|one| one.tx.hash[0]).collect();
        assert_eq!(hashes, [3, 2]);
        let sum = |executed: &[Earlier]| all.of_these(&last, executed)[0].amount.to::<u64>();
        assert_eq!((sum(&[]), sum(&pending[1..]), sum(&pending)), (40, 70, 90));
    }

    #[test]
    fn memory_is_bounded() {
        let mut all = Takings::default();
        for n in 0..2 * MOST as u64 {
            let mut one = that(1, took(1));
            one.slot.tx.input = vec![0; 100_000];
            (one.slot.tx.nonce, one.slot.tx.hash) = (n, U256::from(n).into());
            all.record(&one);
            let hash = B256::from(U256::from(n));
            all.mined(
                n,
                &vec![
                    MinedTransaction {
                        hash,
                        ..mined(2, 0)
                    };
                    100
                ],
            );
        }
        let bytes = all.all.iter().map(Taking::bytes).sum::<usize>();
        assert!(all.all.len() <= MOST && all.mined.len() <= MINED);
        assert!(all.bytes == bytes && bytes <= BYTES);
    }
}
