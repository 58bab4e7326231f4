//! What other accounts have pending that a suspect may build on: one account prepares, another one takes.
//!
//! A suspect that was found harmless by itself is executed once more after these: who calls what it calls, and other suspects
//! of the same monitored contract that write what it reads. Only more harm than it does by itself counts then.

use super::predecessors::bid;
use super::suspicion::{Phase, Suspicion};
use super::{Action, Triage};
use crate::evidence::{Accesses, Authenticity};
use crate::simulate::pool::suspect::{Earlier, Key};
use alloy_primitives::Address;
use hashbrown::HashMap;
use std::cmp::Reverse;
use std::sync::Arc;

/// Others before one suspect, and these with what comes before each of them.
const OTHERS: usize = 8;
const SEQUENCE: usize = 32;
/// Who has more callers pending than this is called all day: to follow each of them would cost more than it shows.
const RARE: usize = 8;
/// Suspects that are looked at again for one transaction, and with one state.
const WOKEN: usize = 4;
pub const WOKEN_PER_STATE: usize = 64;
/// How far back what prepares a preparation is looked for.
const STEPS: usize = 3;
/// Suspects that wait for callers of one contract, and of all.
const PER_CONTRACT: usize = 8;
const WAITING: usize = 1 << 16;

/// Harmless suspects by the contracts that they call.
#[derive(Debug, Default)]
pub struct Waiting {
    by_contract: HashMap<Address, Vec<Key>>,
    count: usize,
}

impl Waiting {
    /// `lives`: who is remembered still.
    pub fn add(&mut self, contract: Address, key: Key, lives: impl Fn(&Key) -> bool) {
        let keys = self.by_contract.entry(contract).or_default();
        if keys.contains(&key) {
            return;
        }
        if keys.len() >= PER_CONTRACT {
            keys.remove(0);
            self.count -= 1;
        }
        keys.push(key);
        self.count += 1;
        if self.count > WAITING {
            self.by_contract.retain(|_, keys| {
                keys.retain(&lives);
                !keys.is_empty()
            });
            self.count = self.by_contract.values().map(Vec::len).sum();
        }
    }

    /// Newest first.
    pub fn of(&self, contract: &Address) -> impl Iterator<Item = &Key> {
        self.by_contract.get(contract).into_iter().flatten().rev()
    }
}

impl Triage {
    /// What others have pending that is to be executed before it, in the order in which a block would have it; in a replay
    /// all that may have been.
    pub(super) fn others_before(&self, suspicion: &Suspicion) -> Vec<Earlier> {
        let Some(own) = &suspicion.accesses else {
            return Vec::new();
        };
        let (tx, most) = match self.policy.replay {
            true => (&suspicion.slot.tx, (usize::MAX, usize::MAX)),
            false => (&suspicion.slot.tx, (OTHERS, SEQUENCE)),
        };
        let (rare, popular) = self.callers_of(suspicion, own);
        let prepare = self.writers_for(suspicion, own);
        let mut chosen: Vec<Earlier> = Vec::new();
        let takers = self.takings.pending(suspicion);
        for one in takers.into_iter().chain(rare).chain(prepare).chain(popular) {
            if chosen.len() < most.0 && !chosen.iter().any(|other| other.key() == one.key()) {
                chosen.push(one);
            }
        }
        chosen.sort_by_key(|one| Reverse(bid(&one.tx)));
        let mut all: Vec<Earlier> = Vec::new();
        for one in chosen {
            let mut before = self.predecessors.before(&one.tx);
            before.push(one);
            before.retain(|one| {
                one.tx.from != tx.from && !all.iter().any(|other| other.key() == one.key())
            });
            if all.len().saturating_add(before.len()) <= most.1 {
                all.extend(before);
            }
        }
        all
    }

    /// Whether there is anything that others may have prepared for it.
    pub(super) fn is_prepared(&self, suspicion: &Suspicion) -> bool {
        !self.policy.one_at_a_time && !self.others_before(suspicion).is_empty()
    }

    /// Who calls what it calls, the least called first: of what few call; and of its callee, if that is called by many.
    fn callers_of(&self, suspicion: &Suspicion, own: &Accesses) -> (Vec<Earlier>, Vec<Earlier>) {
        let tx = &suspicion.slot.tx;
        let callee = tx.to.filter(|to| !self.policy.addresses.contains(to));
        let others = |contract: &Address| -> Vec<Earlier> {
            let callers = self.predecessors.callers(contract);
            callers
                .filter(|one| one.tx.from != tx.from)
                .cloned()
                .collect()
        };
        let more = own.contracts.iter().filter(|one| Some(**one) != callee);
        let mut called: Vec<_> = callee.iter().chain(more).map(others).collect();
        let popular = match called.first() {
            Some(first) if callee.is_some() && first.len() > RARE => called.swap_remove(0),
            _ => Vec::new(),
        };
        called.retain(|callers| callers.len() <= RARE);
        called.sort_by_key(Vec::len);
        (called.into_iter().flatten().collect(), popular)
    }

    /// Other suspects of the same monitored contracts that write what it reads, and those that write what these read.
    fn writers_for(&self, suspicion: &Suspicion, own: &Accesses) -> Vec<Earlier> {
        let mut left: Vec<_> = self.related(suspicion).collect();
        let (mut chosen, mut read) = (Vec::new(), own.clone());
        for _ in 0..STEPS {
            let before = chosen.len();
            let mut more = read.clone();
            left.retain(|(other, accesses)| {
                let writes = read.hangs_on(accesses);
                if writes {
                    more.reads_too(accesses);
                    chosen.push(other.earlier());
                }
                !writes
            });
            if chosen.len() == before {
                break;
            }
            read = more;
        }
        chosen
    }

    /// Suspects of other senders that touch a monitored contract which this one does.
    fn related<'a>(
        &'a self,
        to: &'a Suspicion,
    ) -> impl Iterator<Item = (&'a Suspicion, &'a Accesses)> {
        self.suspects.all.values().filter_map(|other| {
            let accesses = other.accesses.as_deref()?;
            is_related(other, to).then_some((other, accesses))
        })
    }

    /// Somebody else's call of a contract is known now: it may prepare what harmless suspects that call it wait for.
    pub(super) fn wake_callers(
        &mut self,
        sender: &Address,
        callee: Option<Address>,
        now_ms: u64,
        out: &mut Vec<Action>,
    ) {
        let Some(callee) = callee else { return };
        let mut waiting = self.waiting.of(&callee).peekable();
        if waiting.peek().is_none() || self.predecessors.callers(&callee).count() > RARE {
            return;
        }
        let suspects = &self.suspects.all;
        let waits = |key: &&Key| {
            let suspect = suspects.get(*key);
            suspect.is_some_and(|one| one.is_harmless() && one.slot.tx.from != *sender)
        };
        let woken: Vec<_> = waiting.filter(waits).take(WOKEN).copied().collect();
        self.wake(woken, now_ms, out);
    }

    /// It is known what a suspect writes, and it is more than before: harmless ones that read this may find something else
    /// after it.
    pub(super) fn wake_readers(
        &mut self,
        writer: Key,
        more: bool,
        now_ms: u64,
        out: &mut Vec<Action>,
    ) {
        let writer = self.suspects.all.get(&writer).filter(|_| more);
        let Some((writer, written)) = writer.and_then(|one| Some((one, one.accesses.as_ref()?)))
        else {
            return;
        };
        let reads = |key: &&Key| {
            let reader = self.suspects.all.get(*key);
            reader.is_some_and(|reader| {
                let own = reader.accesses.as_ref();
                let related = reader.is_harmless() && is_related(reader, writer);
                related && own.is_some_and(|own| own.hangs_on(written))
            })
        };
        let keys: Vec<_> = self.suspects.harmless.keys().collect();
        let newest = keys.into_iter().rev().filter(reads);
        let woken: Vec<_> = newest.take(WOKEN).copied().collect();
        self.wake(woken, now_ms, out);
    }

    fn wake(&mut self, woken: Vec<Key>, now_ms: u64, out: &mut Vec<Action>) {
        for key in woken {
            if self.woken == 0 || self.policy.one_at_a_time {
                return;
            }
            if let Some(suspicion) = self.suspects.unpark(&key) {
                self.woken -= 1;
                self.submit_after_others(suspicion, now_ms, out);
            }
        }
    }

    /// Looks at it once more, after what others have pending.
    pub(super) fn submit_after_others(
        &mut self,
        mut suspicion: Suspicion,
        now_ms: u64,
        out: &mut Vec<Action>,
    ) {
        suspicion.after_others = true;
        self.stats.simulated_after_others.add(1);
        self.submit_again(suspicion, now_ms, out);
    }

    /// Has callers of what it calls found by it.
    pub(super) fn awaits_callers(&mut self, suspicion: &Suspicion) {
        let Some(own) = &suspicion.accesses else {
            return;
        };
        let (key, all) = (suspicion.slot.key(), &self.suspects.all);
        let contracts = own.contracts.iter().chain(&suspicion.slot.tx.to);
        for contract in contracts.filter(|one| !self.policy.addresses.contains(one)) {
            let lives = |other: &Key| *other == key || all.contains_key(other);
            self.waiting.add(*contract, key, lives);
        }
    }
}

fn is_related(one: &Suspicion, other: &Suspicion) -> bool {
    let (one, other) = (&one.slot, &other.slot);
    one.tx.from != other.tx.from
        && one.authenticity != Authenticity::Contradicted
        && one.contacts.iter().any(|at| other.contacts.contains(at))
}

impl Suspicion {
    /// What it read and wrote; answers whether it writes more than was known. What it does after others is added: it may
    /// prepare the next one only then.
    pub(super) fn learn(&mut self, accesses: Accesses, after_others: bool) -> bool {
        match self.accesses.as_mut().filter(|_| after_others) {
            Some(known) => known.unite(&accesses),
            None => {
                let known = self.accesses.replace(Box::new(accesses));
                let (now, known) = (self.accesses.as_ref(), known.as_ref());
                now.is_some_and(|now| now.writes_beside(known.map(|known| &**known)))
            }
        }
    }

    fn is_harmless(&self) -> bool {
        matches!(self.phase, Phase::Harmless { .. })
    }

    /// As one that comes before another.
    pub(super) fn earlier(&self) -> Earlier {
        Earlier {
            fingerprint: self.slot.fingerprint,
            tx: Arc::new(self.slot.tx.clone()),
            original: self.slot.original.clone(),
        }
    }
}
