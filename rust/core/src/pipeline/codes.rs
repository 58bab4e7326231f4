//! Callees' code as facts, and the transactions that arrived before it.

use super::contact::Contacts;
use super::slot::held;
use crate::bytecode::CodeFacts;
use crate::chain::CodeAnswer;
use crate::evidence::FeatureVector;
use crate::tx::PendingTransaction;
use crate::wire::Original;
use alloy_primitives::Address;
use hashbrown::{HashMap, HashSet};
use std::collections::VecDeque;
use std::time::Instant;

/// Bounds of the transactions that wait for code, over all callees.
const WAITING: usize = 4_096;
const WAITING_BYTES: usize = 16 << 20;
/// Waiting for one callee.
const WAITING_PER_CALLEE: usize = 16;
/// Blocks after which code that may have changed is asked for again.
const STALE_BLOCKS: u64 = 5;
/// EIP-7702: what stands in place of code where an account has delegated.
const DELEGATION: [u8; 3] = [0xef, 0x01, 0x00];

#[derive(Debug)]
pub struct Code {
    pub facts: CodeFacts,
    /// Monitored contracts whose address stands in the code, in whatever form.
    pub contacts: Vec<u16>,
    /// The same of what is inside: its first slots, and the code that it runs in place of its own.
    pub inside: Vec<u16>,
    /// Nothing there yet, or a delegation: it can change without a new address.
    changes: bool,
    asked_at: u64,
    dating: bool,
}

/// A transaction judged without its callee's code, to be judged again when that arrives.
#[derive(Debug, Clone)]
pub struct AwaitsCode {
    pub tx: PendingTransaction,
    pub row: FeatureVector,
    pub fingerprint: u64,
    pub original: Option<Original>,
    pub arrived: Instant,
}

impl AwaitsCode {
    fn bytes(&self) -> usize {
        held(&self.tx, self.original.as_ref())
    }
}

/// What the cache says of a callee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    Known,
    /// Known, and its age is looked for.
    Dating,
    /// Known, but it may have changed since.
    Stale,
    /// There was no code when it was asked for: a contract may be created there before the call lands.
    Empty,
    /// The same, and it was asked for on this very head: only the next one may have more.
    StillEmpty,
    Unknown,
}

/// Changed by code answers alone, so that a capture (which records them) replays it.
#[derive(Debug)]
pub struct Codes {
    codes: HashMap<Address, Code>,
    order: VecDeque<Address>,
    waiting: HashMap<Address, VecDeque<AwaitsCode>>,
    /// Callees in the order they began to be waited for.
    waiting_order: VecDeque<Address>,
    waiting_count: usize,
    waiting_bytes: usize,
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
            waiting_bytes: 0,
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
            Some(code) if code.facts.size == 0 && block > code.asked_at => Lookup::Empty,
            Some(code) if code.facts.size == 0 => Lookup::StillEmpty,
            Some(code) if code.changes && block.saturating_sub(code.asked_at) >= STALE_BLOCKS => {
                Lookup::Stale
            }
            Some(code) if code.dating => Lookup::Dating,
            Some(_) => Lookup::Known,
        }
    }

    /// Stores the answer, forgetting the oldest beyond the capacity, and hands out who waited for it. Where there is no
    /// code they go on waiting: it may be created before they land.
    pub fn insert(
        &mut self,
        answer: &CodeAnswer,
        contacts: &Contacts,
        block: u64,
    ) -> VecDeque<AwaitsCode> {
        let code = Code {
            facts: CodeFacts::scan(&answer.code, answer.created_at),
            contacts: contacts.in_bytes(&answer.code),
            inside: contacts.in_bytes(&answer.inside),
            changes: answer.code.is_empty() || answer.code.starts_with(&DELEGATION),
            asked_at: block,
            dating: answer.dating,
        };
        if self.codes.insert(answer.address, code).is_none() {
            self.order.push_back(answer.address);
            if self.codes.len() > self.capacity
                && let Some(oldest) = self.order.pop_front()
            {
                self.codes.remove(&oldest);
            }
        }
        if !answer.code.is_empty() {
            return match answer.dating {
                true => self.waiting_for(&answer.address).into(),
                false => self.take(&answer.address),
            };
        }
        // Ether sent to an account without code is no call, whatever comes there later.
        if let Some(queue) = self.waiting.get_mut(&answer.address) {
            let before = queue.len();
            queue.retain(|waiting| {
                let stays = !is_payment(&waiting.tx);
                if !stays {
                    self.waiting_bytes -= waiting.bytes();
                }
                stays
            });
            self.waiting_count -= before - queue.len();
            if queue.is_empty() {
                self.waiting.remove(&answer.address);
            }
        }
        VecDeque::new()
    }

    /// Remembers a transaction to be judged again; answers how many older ones had to give way.
    pub fn wait(&mut self, callee: Address, waiting: AwaitsCode) -> u64 {
        let mut gave_way = 0;
        if self.waiting_order.len() > 2 * WAITING {
            // Answered callees leave their place in the order behind; here it is taken from them.
            let mut seen = HashSet::new();
            self.waiting_order
                .retain(|callee| self.waiting.contains_key(callee) && seen.insert(*callee));
        }
        let queue = self.waiting.entry(callee).or_default();
        if queue.is_empty() {
            self.waiting_order.push_back(callee);
        } else if queue.len() >= WAITING_PER_CALLEE
            && let Some(oldest) = queue.pop_front()
        {
            self.waiting_count -= 1;
            self.waiting_bytes -= oldest.bytes();
            gave_way += 1;
        }
        self.waiting_count += 1;
        self.waiting_bytes += waiting.bytes();
        queue.push_back(waiting);
        while (self.waiting_count > WAITING || self.waiting_bytes > WAITING_BYTES)
            && let Some(oldest) = self.waiting_order.pop_front()
        {
            gave_way += self.take(&oldest).len() as u64;
        }
        gave_way
    }

    /// Copies of who waits for the code of a callee.
    pub fn waiting_for(&self, callee: &Address) -> Vec<AwaitsCode> {
        let waiting = self.waiting.get(callee).into_iter().flatten();
        waiting.cloned().collect()
    }

    /// Callees that are waited for, longest first: their code is to be asked for again.
    pub fn awaited(&self) -> impl Iterator<Item = &Address> {
        self.waiting_order
            .iter()
            .filter(|callee| self.waiting.contains_key(*callee))
            .filter(|callee| !self.codes.get(*callee).is_some_and(|code| code.dating))
    }

    /// Puts the longest-waiting callees behind the others, so that each is asked for in its turn.
    pub fn rotate_awaited(&mut self, count: usize) {
        let count = count.min(self.waiting_order.len());
        self.waiting_order.rotate_left(count);
    }

    fn take(&mut self, callee: &Address) -> VecDeque<AwaitsCode> {
        let taken = self.waiting.remove(callee).unwrap_or_default();
        self.waiting_count -= taken.len();
        self.waiting_bytes -= taken.iter().map(AwaitsCode::bytes).sum::<usize>();
        taken
    }
}

/// Without gas for more than the payment.
pub fn is_payment(tx: &PendingTransaction) -> bool {
    const PAYMENT: u64 = 21_000;
    tx.input.is_empty() && tx.gas <= PAYMENT
}
