//! The chain's state at its head as far as it is known: shared by all simulations, carried on from block to block.

use crate::chain::forks::is_precompile;
use crate::simulate::evm::environment::Environment;
use crate::simulate::evm::told::{ToldAccount, ToldDiff};
use alloy_primitives::map::{AddressMap, AddressSet, B256Map, HashMap};
use alloy_primitives::{Address, B256, U256, address};
use revm::bytecode::Bytecode;
use revm::primitives::KECCAK_EMPTY;
use revm::state::AccountInfo;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// EIP-4788.
pub const BEACON_ROOTS: Address = address!("000f3df6d732807ef1319fb7b8bb8522d0beac02");
/// EIP-2935.
pub const HISTORY: Address = address!("0000f90827f1c53a10cb7a02335b175320002935");
/// Contracts that a block writes to outside of its transactions: these two, EIP-7002, EIP-7251.
const SYSTEM: [Address; 4] = [
    BEACON_ROOTS,
    HISTORY,
    address!("00000961ef480eb55e80d19ad83579a64c007002"),
    address!("0000bbddc7ce488642fb579f8b00f3a590007251"),
];
/// Bytes of code kept at the most.
const CODE_BYTES: usize = 64 << 20;
/// Blocks after which what nobody has read since may go.
const UNUSED_BLOCKS: u64 = 64;

/// A head, and the block that comes after it.
#[derive(Debug, Clone)]
pub struct HeadBlock {
    pub number: u64,
    pub hash: B256,
    pub parent: B256,
    pub timestamp: u64,
    /// Of the block after it.
    pub next: Environment,
}

/// Grows by what simulations read, and forgets the longest unread above its bound.
#[derive(Debug)]
pub struct HeadState {
    known: RwLock<Knowledge>,
    /// Accounts and slots kept at the most.
    capacity: usize,
    /// Number of the newest head that was announced: its state may not be here yet.
    announced: AtomicU64,
}

#[derive(Debug, Default)]
struct Knowledge {
    block: Option<Arc<HeadBlock>>,
    accounts: AddressMap<KnownAccount>,
    codes: B256Map<Bytecode>,
    code_bytes: usize,
    slots: usize,
}

#[derive(Debug, Default)]
struct KnownAccount {
    /// Not known where only slots are.
    info: Option<AccountInfo>,
    slots: HashMap<U256, U256>,
    /// The head when it was last learnt of.
    used: u64,
}

/// What is known of something; reading it for another head than the current one is [`Moved`].
pub type MaybeKnown<T> = Result<Option<T>, Moved>;

/// The head is another one meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved;

/// What a new head changed.
pub enum Changes {
    /// By its transactions in order, and whose balances grew without one.
    Told(Vec<ToldDiff>, Vec<Address>),
    /// Nobody could tell, or it is no child of the former head.
    Unknown,
}

impl HeadState {
    /// `capacity`: accounts and slots that are kept at the most.
    pub fn new(capacity: usize) -> Self {
        Self {
            known: RwLock::default(),
            capacity: capacity.max(1),
            announced: AtomicU64::new(0),
        }
    }

    /// A head is there, whose state is to follow.
    pub fn announce(&self, number: u64) {
        self.announced.store(number, Relaxed);
    }

    /// How many blocks the chain has come further than this one.
    pub fn behind(&self, block: &HeadBlock) -> u64 {
        self.announced.load(Relaxed).saturating_sub(block.number)
    }

    /// The current head, where there is one.
    pub fn block(&self) -> Option<Arc<HeadBlock>> {
        self.read().block.clone()
    }

    /// Accounts and slots known now.
    pub fn len(&self) -> usize {
        let known = self.read();
        known.accounts.len() + known.slots
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An account at `head`; its code is asked for by hash.
    pub fn account(&self, head: &B256, address: &Address) -> MaybeKnown<AccountInfo> {
        let known = self.at(head)?;
        let account = known.accounts.get(address);
        Ok(account.and_then(|account| account.info.clone()))
    }

    pub fn slot(&self, head: &B256, address: &Address, slot: &U256) -> MaybeKnown<U256> {
        let known = self.at(head)?;
        let Some(account) = known.accounts.get(address) else {
            return Ok(None);
        };
        Ok(account.slots.get(slot).copied())
    }

    /// The same whatever the head is.
    pub fn code(&self, hash: &B256) -> Option<Bytecode> {
        self.read().codes.get(hash).cloned()
    }

    /// Adds an account as it is at `head`, with its code where it has one.
    pub fn learn(
        &self,
        head: &B256,
        address: Address,
        info: AccountInfo,
        code: Option<Bytecode>,
    ) -> Result<(), Moved> {
        let mut known = self.at_mut(head)?;
        known.bound(self.capacity);
        known.put_account(address, info, code);
        Ok(())
    }

    pub fn learn_slot(
        &self,
        head: &B256,
        address: Address,
        slot: U256,
        value: U256,
    ) -> Result<(), Moved> {
        let mut known = self.at_mut(head)?;
        known.bound(self.capacity);
        known.put_slots(address, [(slot, value)]);
        Ok(())
    }

    /// Adds all that a prestate trace tells of `head`.
    pub fn learn_all(
        &self,
        head: &B256,
        accounts: impl IntoIterator<Item = (Address, ToldAccount)>,
    ) -> Result<(), Moved> {
        // Hashed and analysed before anybody has to wait for it.
        let accounts = accounts.into_iter();
        let accounts = accounts.map(|(address, told)| (address, told.info(), told.storage));
        let accounts: Vec<_> = accounts.collect();
        let mut known = self.at_mut(head)?;
        known.bound(self.capacity);
        for (address, (info, code), storage) in accounts {
            known.put_account(address, info, code);
            let slots = storage.into_iter();
            known.put_slots(
                address,
                slots.map(|(slot, value)| (slot.into(), value.into())),
            );
        }
        Ok(())
    }

    /// Goes on to `block`. What holds there is kept; without word of the changes, code alone is.
    pub fn advance(&self, block: HeadBlock, changes: Changes) {
        let mut known = self.write();
        match changes {
            Changes::Told(diffs, paid) => {
                known.apply(diffs);
                known.forget_the_empty();
                for address in paid.iter().chain(&SYSTEM) {
                    known.forget(address);
                }
            }
            Changes::Unknown => {
                known.accounts.clear();
                known.slots = 0;
            }
        }
        let number = block.number;
        known.block = Some(Arc::new(block));
        known.make_room(self.capacity, number);
    }

    /// The slots known of these accounts, so that they can be asked for anew.
    pub fn slots_of(&self, addresses: &AddressSet, most: usize) -> Vec<(Address, Vec<U256>)> {
        let known = self.read();
        let slots = |address: &Address| {
            let account = known.accounts.get(address)?;
            Some((*address, account.slots.keys().take(most).copied().collect()))
        };
        addresses.iter().filter_map(slots).collect()
    }

    fn at(&self, head: &B256) -> Result<RwLockReadGuard<'_, Knowledge>, Moved> {
        let known = self.read();
        known.is_at(head).then_some(known).ok_or(Moved)
    }

    fn at_mut(&self, head: &B256) -> Result<RwLockWriteGuard<'_, Knowledge>, Moved> {
        let known = self.write();
        known.is_at(head).then_some(known).ok_or(Moved)
    }

    fn read(&self) -> RwLockReadGuard<'_, Knowledge> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Knowledge> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Knowledge {
    fn is_at(&self, head: &B256) -> bool {
        self.block.as_ref().is_some_and(|block| block.hash == *head)
    }

    fn number(&self) -> u64 {
        self.block.as_ref().map_or(0, |block| block.number)
    }

    fn put_account(&mut self, address: Address, info: AccountInfo, code: Option<Bytecode>) {
        let used = self.number();
        if let Some(code) = code {
            self.put_code(info.code_hash, code);
        }
        let account = self.accounts.entry(address).or_default();
        (account.info, account.used) = (Some(info), used);
    }

    fn put_code(&mut self, hash: B256, code: Bytecode) {
        let bytes = code.len();
        if self.codes.insert(hash, code).is_none() {
            self.code_bytes += bytes;
        }
    }

    /// Between two heads, too, nothing grows without a bound: who floods has everyone ask anew.
    fn bound(&mut self, capacity: usize) {
        if self.accounts.len() + self.slots > 2 * capacity || self.code_bytes > 2 * CODE_BYTES {
            *self = Self {
                block: self.block.take(),
                ..Self::default()
            };
        }
    }

    fn put_slots(&mut self, address: Address, slots: impl IntoIterator<Item = (U256, U256)>) {
        let used = self.number();
        let account = self.accounts.entry(address).or_default();
        account.used = used;
        let before = account.slots.len();
        account.slots.extend(slots);
        self.slots += account.slots.len() - before;
    }

    fn forget(&mut self, address: &Address) {
        if let Some(account) = self.accounts.remove(address) {
            self.slots -= account.slots.len();
        }
    }

    /// Where nothing was there may be code now. Of a contract that was created, and that asked to be destroyed in a call that
    /// was reverted, geth's diff says nothing.
    fn forget_the_empty(&mut self) {
        for (address, account) in &mut self.accounts {
            let empty = |info: &mut AccountInfo| info.nonce == 0 && info.is_empty_code_hash();
            if !is_precompile(address) {
                account.info.take_if(empty);
            }
        }
    }

    /// What is not known is left unknown: a part of an account is not the account.
    fn apply(&mut self, diffs: Vec<ToldDiff>) {
        for ToldDiff { pre, post } in diffs {
            for (address, before) in &pre {
                match post.get(address) {
                    Some(after) => self.change(*address, before, after),
                    // Destroyed.
                    None => self.forget(address),
                }
            }
            for (address, after) in post {
                if !pre.contains_key(&address) {
                    // Created: nothing of what was there before, if anything was, holds.
                    self.forget(&address);
                    if after.code.is_none() {
                        // With code or without: nodes that leave code out do not say.
                        continue;
                    }
                    let (info, code) = after.info();
                    self.put_account(address, info, code);
                    let slots = after.storage.into_iter();
                    self.put_slots(
                        address,
                        slots.map(|(slot, value)| (slot.into(), value.into())),
                    );
                }
            }
        }
    }

    fn change(&mut self, address: Address, before: &ToldAccount, after: &ToldAccount) {
        let code = after.code.as_ref().map(|_| after.info());
        if let Some((info, Some(code))) = &code {
            self.put_code(info.code_hash, code.clone());
        }
        let Some(account) = self.accounts.get_mut(&address) else {
            return;
        };
        if let Some(info) = &mut account.info {
            info.balance = after.balance.unwrap_or(info.balance);
            info.nonce = after.nonce.unwrap_or(info.nonce);
            if let Some((changed, _)) = &code {
                info.code_hash = changed.code_hash;
            }
        }
        // EIP-7702: who delegates, or no longer does, counts up, and nodes do not always tell of the code.
        let counted = after.nonce.is_some() && after.nonce != before.nonce;
        if counted && code.is_none() {
            let is_contract = |info: &AccountInfo| {
                let code = self.codes.get(&info.code_hash);
                code.is_some_and(|code| !code.is_empty() && !code.is_eip7702())
            };
            account.info.take_if(|info| !is_contract(info));
        }
        let count = account.slots.len();
        // A slot that became zero is told of as it was, and not as it is.
        for slot in before.storage.keys() {
            let value = after.storage.get(slot).copied().unwrap_or_default();
            account.slots.insert((*slot).into(), value.into());
        }
        for (slot, value) in &after.storage {
            account.slots.insert((*slot).into(), (*value).into());
        }
        self.slots += account.slots.len() - count;
    }

    /// Forgets what was not learnt of lately, and where that does not do, everything.
    fn make_room(&mut self, capacity: usize, number: u64) {
        if self.code_bytes > CODE_BYTES {
            // An account without its code is none.
            (self.codes, self.code_bytes) = (B256Map::default(), 0);
            (self.accounts, self.slots) = (AddressMap::default(), 0);
        }
        if self.accounts.len() + self.slots <= capacity {
            return;
        }
        self.accounts
            .retain(|_, account| number.saturating_sub(account.used) < UNUSED_BLOCKS);
        self.slots = self
            .accounts
            .values()
            .map(|account| account.slots.len())
            .sum();
        if self.accounts.len() + self.slots > capacity {
            self.accounts.clear();
            self.slots = 0;
        }
        let used: alloy_primitives::map::B256Set = self
            .accounts
            .values()
            .filter_map(|account| account.info.as_ref())
            .map(|info| info.code_hash)
            .filter(|hash| *hash != KECCAK_EMPTY)
            .collect();
        self.codes.retain(|hash, _| used.contains(hash));
        self.code_bytes = self.codes.values().map(Bytecode::len).sum();
    }
}

#[cfg(test)]
mod tests;
