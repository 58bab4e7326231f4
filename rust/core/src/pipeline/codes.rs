//! Callees' code as facts, and the transactions that arrived before it.

use super::contact::Contacts;
use crate::chain::CodeAnswer;
use crate::features::{CodeFacts, FeatureVector};
use crate::tx::PendingTransaction;
use alloy_primitives::Address;
use hashbrown::HashMap;
use std::collections::VecDeque;

/// Transactions that wait for code, over all callees and for one.
const WAITING: usize = 4_096;
const WAITING_PER_CALLEE: usize = 16;
/// Heads after which an account without code is asked again: a contract may have been created there.
const EMPTY_STALE_BLOCKS: u64 = 5;

#[derive(Debug)]
pub struct Code {
    pub facts: CodeFacts,
    /// Monitored contracts whose address stands in the code.
    pub contacts: Vec<u16>,
    asked_at: u64,
}

/// A transaction judged without its callee's code, to be judged again when that arrives.
#[derive(Debug)]
pub struct Waiting {
    pub tx: PendingTransaction,
    pub row: FeatureVector,
}

/// What the cache says of a callee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    Known,
    /// Known, but old enough to be asked again.
    Stale,
    Unknown,
}

/// Changed by code answers alone, so that a capture (which records them) replays it.
#[derive(Debug)]
pub struct Codes {
    codes: HashMap<Address, Code>,
    order: VecDeque<Address>,
    waiting: HashMap<Address, VecDeque<Waiting>>,
    waiting_order: VecDeque<Address>,
    waiting_count: usize,
    capacity: usize,
}

impl Codes {
    pub fn new(capacity: usize) -> Self {
        Self {
            codes: HashMap::new(),
            order: VecDeque::new(),
            waiting: HashMap::new(),
            waiting_order: VecDeque::new(),
            waiting_count: 0,
            capacity: capacity.max(1),
        }
    }

    #[inline]
    pub fn get(&self, callee: &Address) -> Option<&Code> {
        self.codes.get(callee)
    }

    pub fn lookup(&self, callee: &Address, block: u64) -> Lookup {
        match self.codes.get(callee) {
            None => Lookup::Unknown,
            Some(code) if code.facts.size == 0 && block >= code.asked_at + EMPTY_STALE_BLOCKS => {
                Lookup::Stale
            }
            Some(_) => Lookup::Known,
        }
    }

    /// Stores the answer, forgetting the oldest beyond the capacity, and hands out who waited for it.
    pub fn insert(
        &mut self,
        answer: &CodeAnswer,
        contacts: &Contacts,
        block: u64,
    ) -> VecDeque<Waiting> {
        let code = Code {
            facts: CodeFacts::scan(&answer.code, answer.created_at),
            contacts: contacts.in_bytes(&answer.code),
            asked_at: block,
        };
        if self.codes.insert(answer.address, code).is_none() {
            self.order.push_back(answer.address);
            if self.codes.len() > self.capacity
                && let Some(oldest) = self.order.pop_front()
            {
                self.codes.remove(&oldest);
            }
        }
        let waited = self.waiting.remove(&answer.address).unwrap_or_default();
        self.waiting_count -= waited.len();
        waited
    }

    /// Remembers a transaction to be judged again; answers how many older ones had to give way.
    pub fn wait(&mut self, callee: Address, waiting: Waiting) -> u64 {
        let mut gave_way = 0;
        if self.waiting_count >= WAITING
            && let Some(oldest) = self.waiting_order.pop_front()
        {
            // Not all need be there still: an answered callee leaves its place in the order behind.
            let lost = self.waiting.remove(&oldest).map_or(0, |queue| queue.len());
            self.waiting_count -= lost;
            gave_way += lost as u64;
        }
        let queue = self.waiting.entry(callee).or_default();
        if queue.is_empty() {
            self.waiting_order.push_back(callee);
        } else if queue.len() >= WAITING_PER_CALLEE {
            queue.pop_front();
            self.waiting_count -= 1;
            gave_way += 1;
        }
        queue.push_back(waiting);
        self.waiting_count += 1;
        if self.waiting_order.len() > 4 * WAITING {
            self.waiting_order
                .retain(|callee| self.waiting.contains_key(callee));
        }
        gave_way
    }
}
