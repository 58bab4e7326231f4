//! What waits to be looked at, and in which order: heads come before what is pending, which costs nothing.
//!
//! No clock, no threads: told of words, heads that failed, and what constructors took, it answers what is to be done.

use crate::evidence::Deployment;
use crate::tx::PendingTransaction;
use crate::wire::Original;
use alloy_primitives::{Address, B256};
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Pending creations, and of these one sender's.
const CREATIONS: usize = 1_024;
const OF_SENDER: usize = 8;
/// Constructors that did not come to their end at once.
const LATER: usize = 256;
/// What these may take on one head, by the clock.
const CONSTRUCTING: Duration = Duration::from_secs(2);
/// Contracts of blocks, and so many of them at once: a full block holds up nothing that is pending, and no flood of pending
/// ones holds up blocks.
const MINED: usize = 8_192;
const AT_ONCE: usize = 8;
/// What pending transactions create, and what blocks tell of accounts.
const OTHERS: usize = 1_024;
/// Heads that wait, and heads that no node told of.
const HEADS: usize = 64;
const UNSURVEYED: usize = 64;
/// How often a head is tried, and how many are tried again on each one.
const ATTEMPTS: u8 = 4;
const AGAIN: usize = 2;

/// What there is to look at.
#[derive(Debug)]
pub enum Word {
    /// `attempts`: that failed before.
    Head {
        hash: B256,
        attempts: u8,
    },
    Creation(Arc<PendingTransaction>, Option<Original>),
    /// One that takes long.
    Long(Arc<PendingTransaction>, Option<Original>),
    /// Some of those that blocks create.
    Mined(Vec<Deployment>),
    /// What pending transactions create when they are simulated.
    Simulated(Vec<Deployment>),
    /// Accounts that keep a monitored contract's address in storage since a block.
    Named(Vec<(Address, Address)>),
    /// A contract is gone: if it comes back, that is news.
    Gone(Address),
}

/// What nobody looks at, for want of room or of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use]
pub struct Lost {
    pub heads: u64,
    pub others: u64,
}

#[derive(Debug, Default)]
pub struct Backlog {
    heads: VecDeque<B256>,
    others: VecDeque<Word>,
    creations: VecDeque<(Arc<PendingTransaction>, Option<Original>)>,
    /// Creations that wait, by sender.
    senders: HashMap<Address, usize>,
    /// Constructors that take long.
    later: VecDeque<(Arc<PendingTransaction>, Option<Original>)>,
    mined: VecDeque<Deployment>,
    /// It is the turn of what is pending.
    pending: bool,
    /// Of this head's time for constructors that take long.
    left: Duration,
    /// Newest last.
    unsurveyed: VecDeque<Unsurveyed>,
    /// How many of these are still tried on this head.
    again: usize,
    /// Heads so far.
    head: u64,
}

#[derive(Debug)]
struct Unsurveyed {
    hash: B256,
    attempts: u8,
    /// The head that it was tried on last.
    tried: u64,
}

impl Backlog {
    pub fn new() -> Self {
        Self {
            left: CONSTRUCTING,
            ..Self::default()
        }
    }

    pub fn push(&mut self, word: Word) -> Lost {
        let lost = match word {
            Word::Head { hash, .. } => return self.head(hash),
            Word::Long(tx, original) => return self.later(tx, original),
            Word::Mined(deployments) => return self.mined(deployments),
            Word::Creation(tx, original) => {
                let own = self.senders.get(&tx.from).copied().unwrap_or_default();
                let room = self.creations.len() < CREATIONS && own < OF_SENDER;
                if room {
                    self.senders.insert(tx.from, own + 1);
                    self.creations.push_back((tx, original));
                }
                u64::from(!room)
            }
            word if self.others.len() < OTHERS => {
                self.others.push_back(word);
                0
            }
            Word::Simulated(deployments) => deployments.len() as u64,
            Word::Named(named) => named.len() as u64,
            Word::Gone(_) => 1,
        };
        Lost {
            heads: 0,
            others: lost,
        }
    }

    fn head(&mut self, hash: B256) -> Lost {
        self.head += 1;
        (self.left, self.again) = (CONSTRUCTING, AGAIN);
        self.heads.push_back(hash);
        let over = self.heads.len() > HEADS;
        let oldest = over.then(|| self.heads.pop_front()).flatten();
        oldest.map_or_else(Lost::default, |oldest| self.keep(oldest, 0))
    }

    /// A head of which no node told after so many attempts: it is tried again on later ones.
    pub fn failed(&mut self, hash: B256, attempts: u8) -> Lost {
        match attempts < ATTEMPTS {
            true => self.keep(hash, attempts),
            false => Lost {
                heads: 1,
                others: 0,
            },
        }
    }

    fn keep(&mut self, hash: B256, attempts: u8) -> Lost {
        self.unsurveyed.push_back(Unsurveyed {
            hash,
            attempts,
            tried: self.head,
        });
        let over = self.unsurveyed.len().saturating_sub(UNSURVEYED);
        self.unsurveyed.drain(..over);
        Lost {
            heads: over as u64,
            others: 0,
        }
    }

    /// A constructor did not come to its end at once: it is tried again when there is nothing else to do.
    fn later(&mut self, tx: Arc<PendingTransaction>, original: Option<Original>) -> Lost {
        let room = self.later.len() < LATER;
        if room {
            self.later.push_back((tx, original));
        }
        Lost {
            heads: 0,
            others: u64::from(!room),
        }
    }

    /// What a block creates.
    fn mined(&mut self, deployments: Vec<Deployment>) -> Lost {
        let room = MINED.saturating_sub(self.mined.len());
        let over = deployments.len().saturating_sub(room);
        self.mined.extend(deployments.into_iter().take(room));
        Lost {
            heads: 0,
            others: over as u64,
        }
    }

    /// A constructor that takes long took so much.
    pub fn took(&mut self, took: Duration) {
        self.left = self.left.saturating_sub(took);
    }

    /// What is to be looked at now.
    pub fn next(&mut self) -> Option<Word> {
        if let Some(hash) = self.heads.pop_front() {
            return Some(Word::Head { hash, attempts: 0 });
        }
        if let Some(word) = self.others.pop_front() {
            return Some(word);
        }
        if let Some(word) = self.once_more() {
            return Some(word);
        }
        self.pending = !self.pending;
        let word = match self.pending {
            true => self.creation().or_else(|| self.some_mined()),
            false => self.some_mined().or_else(|| self.creation()),
        };
        if word.is_some() {
            return word;
        }
        if self.left.is_zero() {
            return None;
        }
        let (tx, original) = self.later.pop_front()?;
        Some(Word::Long(tx, original))
    }

    /// Whose last constructor takes long waits behind others' at once.
    fn creation(&mut self) -> Option<Word> {
        loop {
            let (tx, original) = self.creations.pop_front()?;
            if let Some(own) = self.senders.get_mut(&tx.from) {
                *own -= 1;
                if *own == 0 {
                    self.senders.remove(&tx.from);
                }
            }
            let waits = self.later.iter().any(|(other, _)| other.from == tx.from);
            if !waits || self.later.len() >= LATER {
                return Some(Word::Creation(tx, original));
            }
            self.later.push_back((tx, original));
        }
    }

    fn some_mined(&mut self) -> Option<Word> {
        let count = self.mined.len().min(AT_ONCE);
        (count > 0).then(|| Word::Mined(self.mined.drain(..count).collect()))
    }

    /// The newest of the heads that failed before this one.
    fn once_more(&mut self) -> Option<Word> {
        self.again.checked_sub(1)?;
        let may = |one: &Unsurveyed| one.tried < self.head;
        let at = self.unsurveyed.iter().rposition(may)?;
        let Unsurveyed { hash, attempts, .. } = self.unsurveyed.remove(at)?;
        self.again -= 1;
        Some(Word::Head { hash, attempts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Sighting;
    use crate::simulate::creations::Origin;

    fn head(n: u8) -> Word {
        Word::Head {
            hash: B256::repeat_byte(n),
            attempts: 0,
        }
    }

    fn creation(sender: u64) -> Word {
        let tx = PendingTransaction {
            from: Address::left_padding_from(&sender.to_be_bytes()),
            ..PendingTransaction::default()
        };
        Word::Creation(Arc::new(tx), None)
    }

    /// All that is to be looked at now: heads by number, creations as 0.
    fn all(backlog: &mut Backlog) -> Vec<u8> {
        let next = std::iter::from_fn(|| backlog.next());
        let told = next.map(|word| match word {
            Word::Head { hash, .. } => hash[0],
            _ => 0,
        });
        told.collect()
    }

    /// The only head that is tried fails.
    fn fails(backlog: &mut Backlog, n: u8) -> Lost {
        match backlog.next() {
            Some(Word::Head { hash, attempts }) if hash[0] == n => {
                backlog.failed(hash, attempts + 1)
            }
            other => panic!("{other:?}"),
        }
    }

    const NONE: Lost = Lost {
        heads: 0,
        others: 0,
    };

    #[test]
    fn heads_come_before_whatever_is_pending() {
        let mut backlog = Backlog::new();
        for sender in 0..2_000 {
            let lost = backlog.push(creation(sender));
            assert_eq!(lost.others, u64::from(sender >= CREATIONS as u64));
        }
        assert_eq!(backlog.push(head(1)), NONE);
        assert_eq!(backlog.push(Word::Gone(Address::ZERO)), NONE);
        assert!(matches!(backlog.next(), Some(Word::Head { .. })));
        assert!(matches!(backlog.next(), Some(Word::Gone(_))));
        assert_eq!(all(&mut backlog).len(), CREATIONS);
        assert!(backlog.senders.is_empty());
    }

    #[test]
    fn a_sender_has_a_share_and_constructors_a_time_on_each_head() {
        let mut backlog = Backlog::new();
        let lost = (0..10).map(|_| backlog.push(creation(1)).others);
        assert_eq!(lost.sum::<u64>(), 2);
        assert_eq!(backlog.push(creation(2)), NONE);
        assert!(backlog.next().is_some());
        assert_eq!(backlog.push(creation(1)), NONE, "one was looked at");
        assert_eq!(backlog.push(head(1)), NONE);
        assert_eq!(all(&mut backlog), [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn constructors_that_take_long_come_last_and_have_a_time_on_each_head() {
        let mut backlog = Backlog::new();
        let Word::Creation(long, _) = creation(1) else {
            panic!("it is one");
        };
        assert_eq!(backlog.push(Word::Long(long, None)), NONE);
        for sender in [1, 2, 1] {
            assert_eq!(backlog.push(creation(sender)), NONE);
        }
        // Its sender's others wait behind it.
        assert!(matches!(backlog.next(), Some(Word::Creation(tx, _)) if tx.from != Address::ZERO));
        assert!(matches!(backlog.next(), Some(Word::Long(..))));
        backlog.took(CONSTRUCTING);
        assert!(backlog.next().is_none());
        assert_eq!(backlog.push(head(1)), NONE);
        assert_eq!(all(&mut backlog), [1, 0, 0]);
    }

    #[test]
    fn a_full_block_and_what_is_pending_take_turns() {
        let mut backlog = Backlog::new();
        let deployment = Origin::unknown(Address::ZERO, Sighting::Pending)
            .deployment(Address::ZERO, Address::ZERO);
        let lost = backlog.push(Word::Mined(vec![deployment; MINED + 1]));
        assert_eq!(lost.others, 1);
        for sender in [1, 2] {
            assert_eq!(backlog.push(creation(sender)), NONE);
        }
        assert!(matches!(backlog.next(), Some(Word::Creation(..))));
        assert!(matches!(backlog.next(), Some(Word::Mined(some)) if some.len() == AT_ONCE));
        assert!(matches!(backlog.next(), Some(Word::Creation(..))));
        assert_eq!(all(&mut backlog).len(), MINED / AT_ONCE - 1);
    }

    #[test]
    fn a_head_that_failed_is_tried_again_on_later_ones_until_it_is_given_up() {
        let mut backlog = Backlog::new();
        assert_eq!(backlog.push(head(1)), NONE);
        assert_eq!(fails(&mut backlog, 1), NONE);
        assert!(backlog.next().is_none(), "not on the same one");
        for n in 2..=4 {
            assert_eq!(backlog.push(head(n)), NONE);
            assert!(matches!(
                backlog.next(),
                Some(Word::Head { attempts: 0, .. })
            ));
            let given_up = u64::from(n == 4);
            assert_eq!(fails(&mut backlog, 1).heads, given_up);
        }
        assert_eq!(backlog.push(head(5)), NONE);
        assert_eq!(all(&mut backlog), [5]);
    }

    #[test]
    fn of_heads_that_failed_the_newest_are_tried_first_and_the_oldest_given_up() {
        let mut backlog = Backlog::new();
        for n in 1..=70 {
            assert_eq!(backlog.push(head(n)), NONE);
        }
        // The first ones wait no longer, but are not lost.
        assert_eq!(all(&mut backlog)[..2], [7, 8]);
        assert_eq!(backlog.push(head(71)), NONE);
        assert_eq!(all(&mut backlog), [71, 6, 3]);
        for n in 1..=63 {
            let lost = backlog.failed(B256::repeat_byte(100 + n), 1);
            assert_eq!(lost.heads, u64::from(n == 63));
        }
    }
}
