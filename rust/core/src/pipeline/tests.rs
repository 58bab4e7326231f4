use super::clock::Now;
use super::codes::{AwaitsCode, Codes, Lookup};
use super::contact::Contacts;
use super::dedup::Dedup;
use super::follow::Tracker;
use crate::chain::{BlockContents, ChainSpec, CodeAnswer, Head, MinedTransaction};
use crate::config::MonitoredContract;
use crate::evidence::{FEATURES, Fate, Outcome};
use crate::stats::Stats;
use crate::tx::PendingTransaction;
use alloy_primitives::{Address, B256};
use std::sync::Arc;
use std::time::Instant;

fn hash(n: u64) -> B256 {
    B256::from(alloy_primitives::U256::from(n))
}

fn tx(n: u64, from: u8, nonce: u64) -> PendingTransaction {
    PendingTransaction {
        hash: hash(n),
        from: Address::repeat_byte(from),
        nonce,
        seen_ms: n,
        ..Default::default()
    }
}

#[test]
fn what_was_known_first_of_a_hash_is_remembered() {
    let mut dedup = Dedup::new(8);
    assert_eq!(dedup.insert(hash(1), 3), None);
    assert_eq!(dedup.insert(hash(1), 4), Some(3));
    assert_eq!(dedup.insert(hash(1), 5), Some(3));
}

#[test]
fn what_is_known_of_a_hash_can_be_replaced() {
    let mut dedup = Dedup::new(2);
    dedup.insert(hash(1), 10);
    dedup.replace(hash(1), 11);
    dedup.replace(hash(2), 20);
    assert_eq!(
        (dedup.get(&hash(1)), dedup.get(&hash(2))),
        (Some(11), Some(20))
    );
    dedup.insert(hash(3), 30);
    assert_eq!(
        dedup.get(&hash(1)),
        None,
        "its turn to be forgotten is the same"
    );
}

#[test]
fn a_hash_is_remembered_for_at_least_the_capacity_and_memory_is_bounded() {
    let mut dedup = Dedup::new(100);
    for n in 0..10_000 {
        assert!(dedup.insert(hash(n), ()).is_none(), "{n} is new");
        let oldest = n.saturating_sub(99);
        assert!(
            dedup.insert(hash(oldest), ()).is_some(),
            "{oldest} forgotten at {n}"
        );
    }
    assert!(
        dedup.insert(hash(0), ()).is_none(),
        "ancient hashes are forgotten"
    );
}

/// Both clocks at once.
fn at(ms: u64) -> Now {
    Now {
        elapsed_ms: ms,
        unix_ms: ms,
    }
}

struct Following {
    tracker: Tracker,
    stats: Arc<Stats>,
    outcomes: Vec<Outcome>,
}

impl Following {
    fn new(capacity: usize, drop_after_ms: u64) -> Self {
        let stats = Arc::new(Stats::default());
        Self {
            tracker: Tracker::new(capacity, drop_after_ms, stats.clone()),
            stats,
            outcomes: Vec::new(),
        }
    }

    fn detected(&mut self, tx: &PendingTransaction) {
        self.tracker.pending(tx, tx.seen_ms, &mut self.outcomes);
        self.tracker.follow(&tx.hash, 0, &mut self.outcomes);
    }

    fn mine(&mut self, number: u64, txs: &[&PendingTransaction]) {
        let transactions = txs
            .iter()
            .map(|t| MinedTransaction {
                hash: t.hash,
                from: t.from,
                nonce: t.nonce,
                to: t.to,
                creates: false,
            })
            .collect();
        let block = BlockContents {
            number,
            hash: hash(1_000_000 + number),
            transactions,
        };
        self.tracker.block(&block, 0, &mut self.outcomes);
    }

    fn fates(&mut self) -> Vec<Fate> {
        self.outcomes
            .drain(..)
            .map(|outcome| outcome.fate)
            .collect()
    }
}

#[test]
fn a_mined_transaction_ends_and_only_detected_ones_are_reported() {
    let mut f = Following::new(10, 1000);
    let (watched, other) = (tx(1, 1, 0), tx(2, 2, 0));
    f.detected(&watched);
    f.tracker.pending(&other, other.seen_ms, &mut f.outcomes);
    f.mine(7, &[&watched, &other]);
    assert_eq!(f.fates(), [Fate::Mined { block: 7 }]);
    assert_eq!((f.stats.mined.get(), f.tracker.len()), (2, 0));
}

#[test]
fn the_same_sender_and_nonce_replaces_whether_pending_or_mined() {
    let mut f = Following::new(10, 1000);
    let (first, second, third) = (tx(1, 1, 5), tx(2, 1, 5), tx(3, 1, 5));
    f.detected(&first);
    f.detected(&second);
    assert_eq!(f.fates(), [Fate::Replaced { by: second.hash }]);
    f.mine(1, &[&third]);
    assert_eq!(f.fates(), [Fate::Replaced { by: third.hash }]);
    assert_eq!(f.stats.replaced.get(), 2);
}

#[test]
fn the_one_that_is_mined_counts_though_another_was_announced_in_its_place() {
    let mut f = Following::new(10, 1000);
    let (first, second) = (tx(1, 1, 5), tx(2, 1, 5));
    f.detected(&first);
    f.detected(&second);
    assert_eq!(f.fates(), [Fate::Replaced { by: second.hash }]);
    f.mine(1, &[&first]);
    let ends = [Fate::Mined { block: 1 }, Fate::Replaced { by: first.hash }];
    assert_eq!(f.fates(), ends);
    f.tracker.reorg(0, at(0), &mut f.outcomes);
    assert_eq!(f.fates(), [Fate::Reorged, Fate::Reorged]);
    f.mine(1, &[&second]);
    assert!(f.fates().contains(&Fate::Mined { block: 1 }));
}

#[test]
fn what_was_replaced_before_it_was_detected_is_told_its_end() {
    let mut f = Following::new(10, 1000);
    let (first, second) = (tx(1, 1, 5), tx(2, 1, 5));
    f.tracker.pending(&first, first.seen_ms, &mut f.outcomes);
    f.tracker.pending(&second, second.seen_ms, &mut f.outcomes);
    f.tracker.follow(&first.hash, 0, &mut f.outcomes);
    assert_eq!(f.fates(), [Fate::Replaced { by: second.hash }]);
}

#[test]
fn a_reorg_returns_what_the_lost_blocks_held_and_it_can_be_mined_again() {
    let mut f = Following::new(10, 1000);
    let (kept, undone) = (tx(1, 1, 0), tx(2, 2, 0));
    f.detected(&kept);
    f.detected(&undone);
    f.mine(1, &[&kept]);
    f.mine(2, &[&undone]);
    f.fates();
    f.tracker.reorg(1, at(0), &mut f.outcomes);
    assert_eq!(f.fates(), [Fate::Reorged]);
    f.mine(2, &[&undone]);
    assert_eq!(f.fates(), [Fate::Mined { block: 2 }]);
}

#[test]
fn a_clock_that_is_set_forward_drops_nobody() {
    let mut f = Following::new(10, 1000);
    let watched = tx(1, 1, 0);
    f.detected(&watched);
    let stepped = Now {
        elapsed_ms: 500,
        unix_ms: u64::MAX,
    };
    f.tracker.expire(stepped, &mut f.outcomes);
    assert_eq!((f.fates(), f.tracker.len()), (vec![], 1));
}

#[test]
fn what_is_not_heard_of_for_the_tracking_time_is_dropped() {
    let mut f = Following::new(10, 1000);
    let old = tx(1, 1, 0);
    f.detected(&old);
    f.tracker.expire(at(1000), &mut f.outcomes);
    assert!(f.fates().is_empty());
    f.tracker.expire(at(1001), &mut f.outcomes);
    assert_eq!(f.fates(), [Fate::Dropped]);
}

#[test]
fn what_was_given_up_is_told_to_be_mined_after_all() {
    let mut f = Following::new(10, 1000);
    let (detected, other) = (tx(1, 1, 0), tx(2, 2, 0));
    f.detected(&detected);
    f.tracker.pending(&other, other.seen_ms, &mut f.outcomes);
    f.tracker.expire(at(1002), &mut f.outcomes);
    assert_eq!((f.fates(), f.tracker.len()), (vec![Fate::Dropped], 0));
    f.mine(3, &[&detected, &other]);
    assert_eq!(f.fates(), [Fate::Mined { block: 3 }]);
    f.tracker.expire(at(u64::MAX), &mut f.outcomes);
    assert!(f.fates().is_empty(), "ended");
}

#[test]
fn what_stays_dropped_is_forgotten_after_as_long_again() {
    let mut f = Following::new(10, 1000);
    let lost = tx(1, 1, 0);
    f.detected(&lost);
    f.tracker.expire(at(1001), &mut f.outcomes);
    f.tracker.expire(at(2001), &mut f.outcomes);
    assert_eq!(f.fates(), [Fate::Dropped]);
    f.mine(3, &[&lost]);
    assert!(f.fates().is_empty());
    assert_eq!(f.stats.dropped.get(), 1);
}

#[test]
fn a_flood_of_pending_transactions_forgets_the_oldest_and_counts_it() {
    let mut f = Following::new(100, u64::MAX);
    for n in 0..1_000 {
        f.tracker
            .pending(&tx(n, 1, n), tx(n, 1, n).seen_ms, &mut f.outcomes);
    }
    assert_eq!((f.tracker.len(), f.stats.untracked.get()), (100, 900));
}

fn contract(name: &str, byte: u8) -> MonitoredContract {
    MonitoredContract {
        name: name.into(),
        address: Address::repeat_byte(byte),
        abi: None,
        ..MonitoredContract::default()
    }
}

#[test]
fn contact_is_found_as_callee_anywhere_in_calldata_and_in_code() {
    let contacts = Contacts::new(&[
        contract("a", 0xaa),
        contract("b", 0xbb),
        contract("c", 0xcc),
    ])
    .unwrap();
    let mut input = vec![1, 2, 3];
    input.extend([0xbb; 20]);
    let tx = PendingTransaction {
        to: Some(Address::repeat_byte(0xaa)),
        input,
        ..Default::default()
    };
    let in_code = contacts.in_bytes(&[&[0x73][..], &[0xcc; 20], &[0x00]].concat());
    let mut touches = Vec::new();
    contacts.of(&tx, in_code.iter().copied(), &mut touches);
    assert_eq!(touches, [0, 1, 2]);
    contacts.of(&PendingTransaction::default(), [], &mut touches);
    assert!(touches.is_empty());
}

#[test]
fn a_contract_listed_twice_is_refused() {
    assert!(
        Contacts::new(&[contract("a", 1), contract("b", 1)])
            .unwrap_err()
            .to_string()
            .contains("listed twice")
    );
}

fn head(gas_used: u64, gas_limit: u64, base_fee: u128) -> Head {
    Head {
        number: 1,
        hash: B256::ZERO,
        parent: B256::ZERO,
        timestamp: 0,
        base_fee: Some(base_fee),
        gas_used,
        gas_limit,
        seen_ms: 0,
    }
}

/// By hand from the formula of EIP-1559 (elasticity 2, denominator 8).
#[test]
fn the_next_base_fee_follows_eip_1559() {
    assert_eq!(
        head(15_000_000, 30_000_000, 1_000_000_000).next_base_fee(&ChainSpec::of(1)),
        1_000_000_000
    );
    assert_eq!(
        head(30_000_000, 30_000_000, 1_000_000_000).next_base_fee(&ChainSpec::of(1)),
        1_125_000_000
    );
    assert_eq!(
        head(0, 30_000_000, 1_000_000_000).next_base_fee(&ChainSpec::of(1)),
        875_000_000
    );
    assert_eq!(
        head(15_000_001, 30_000_000, 7).next_base_fee(&ChainSpec::of(1)),
        8,
        "rises by one wei at least"
    );
    assert_eq!(
        Head {
            base_fee: None,
            ..head(0, 0, 0)
        }
        .next_base_fee(&ChainSpec::of(1)),
        0
    );
}

#[test]
fn a_transaction_announced_after_its_block_is_mined_and_not_pending() {
    let mut f = Following::new(10, 1000);
    let late = tx(1, 1, 0);
    f.mine(7, &[&late]);
    f.detected(&late);
    assert_eq!(f.fates(), [Fate::Mined { block: 7 }]);
    assert_eq!(f.tracker.len(), 0);
}

#[test]
fn contents_of_a_block_that_left_the_chain_change_nothing() {
    let mut f = Following::new(10, 1000);
    let pending = tx(1, 1, 0);
    f.detected(&pending);
    f.tracker.head(7, hash(5));
    f.mine(7, &[&pending]);
    assert!(f.fates().is_empty());
    assert_eq!(f.tracker.len(), 1);
}

fn answer(callee: u8, code: &[u8]) -> CodeAnswer {
    CodeAnswer {
        address: Address::repeat_byte(callee),
        code: code.to_vec().into(),
        inside: Default::default(),
        created_at: None,
        dating: false,
    }
}

fn waiting(input: usize) -> AwaitsCode {
    AwaitsCode {
        tx: PendingTransaction {
            input: vec![0; input],
            ..Default::default()
        },
        row: [0.0; FEATURES],
        fingerprint: 0,
        original: None,
        arrived: Instant::now(),
    }
}

#[test]
fn whoever_waits_goes_on_waiting_until_there_is_code() {
    let contacts = Contacts::new(&[]).unwrap();
    let mut codes = Codes::new(10);
    let callee = Address::repeat_byte(1);
    assert_eq!(codes.lookup(&callee, 0), Lookup::Unknown);
    codes.wait(callee, waiting(4));
    assert!(codes.insert(&answer(1, &[]), &contacts, 1).is_empty());
    assert_eq!(
        codes.lookup(&callee, 1),
        Lookup::StillEmpty,
        "asked on this head"
    );
    assert_eq!(codes.lookup(&callee, 2), Lookup::Empty);
    assert_eq!(codes.awaited().collect::<Vec<_>>(), [&callee]);
    assert_eq!(
        codes.insert(&answer(1, &[0x60, 0x00]), &contacts, 2).len(),
        1
    );
    assert_eq!(codes.lookup(&callee, 100), Lookup::Known);
    assert_eq!(codes.awaited().count(), 0);
}

#[test]
fn who_waits_is_judged_by_the_code_and_again_by_its_age() {
    let contacts = Contacts::new(&[]).unwrap();
    let mut codes = Codes::new(10);
    let callee = Address::repeat_byte(1);
    codes.wait(callee, waiting(1));
    let undated = CodeAnswer {
        dating: true,
        ..answer(1, &[0])
    };
    assert_eq!(codes.insert(&undated, &contacts, 0).len(), 1);
    assert_eq!(codes.lookup(&callee, 0), Lookup::Dating);
    assert_eq!(codes.awaited().count(), 0, "asked for already");
    codes.wait(callee, waiting(2));
    assert_eq!(codes.insert(&answer(1, &[0]), &contacts, 0).len(), 2);
    assert_eq!(codes.lookup(&callee, 0), Lookup::Known);
}

#[test]
fn a_delegation_is_asked_for_again_and_other_code_is_not() {
    let contacts = Contacts::new(&[]).unwrap();
    let mut codes = Codes::new(10);
    let delegation = [&[0xef, 0x01, 0x00][..], &[7; 20]].concat();
    codes.insert(&answer(1, &delegation), &contacts, 10);
    assert_eq!(codes.lookup(&Address::repeat_byte(1), 14), Lookup::Known);
    assert_eq!(codes.lookup(&Address::repeat_byte(1), 15), Lookup::Stale);
}

#[test]
fn what_waits_for_code_is_bounded_in_bytes_and_counted() {
    let mut codes = Codes::new(10);
    let mut gave_way = 0;
    for n in 0..200_u8 {
        gave_way += codes.wait(Address::repeat_byte(n), waiting(1 << 18));
    }
    // 16 MiB hold 64 of 256 KiB.
    assert_eq!((gave_way, codes.awaited().count()), (136, 64));
}

#[test]
fn an_absurd_block_number_does_no_harm() {
    let mut codes = Codes::new(10);
    let contacts = Contacts::new(&[]).unwrap();
    let delegated = answer(1, &[0xef, 0x01, 0x00, 7]);
    codes.insert(&delegated, &contacts, u64::MAX);
    let callee = Address::repeat_byte(1);
    assert_eq!(codes.lookup(&callee, u64::MAX), Lookup::Known);
    assert_eq!(codes.lookup(&callee, 3), Lookup::Known);
}

#[test]
fn two_transactions_under_one_hash_have_different_fingerprints() {
    let dedup = Dedup::<u64>::new(8);
    let real = tx(1, 1, 0);
    assert_eq!(dedup.fingerprint(&real), dedup.fingerprint(&real.clone()));
    let lies: [fn(&mut PendingTransaction); 6] = [
        |tx| tx.input = vec![1],
        |tx| tx.gas += 1,
        |tx| tx.max_fee_per_gas += 1,
        |tx| tx.max_priority_fee_per_gas += 1,
        |tx| tx.tx_type += 1,
        |tx| tx.chain_id = Some(999),
    ];
    for lie in lies {
        let mut forged = real.clone();
        lie(&mut forged);
        assert_ne!(dedup.fingerprint(&real), dedup.fingerprint(&forged));
    }
}
