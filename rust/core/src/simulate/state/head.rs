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
    parent: Option<Parent>,
    accounts: AddressMap<KnownAccount>,
    codes: B256Map<Bytecode>,
    code_bytes: usize,
    slots: usize,
}

/// The block before the head: what was mined while it was looked at is judged on the state that it met.
#[derive(Debug)]
struct Parent {
    block: Arc<HeadBlock>,
    /// Whom the head changed: of all others what is known of the head holds there, too.
    changed: AddressSet,
    /// What was learnt of it since.
    accounts: AddressMap<KnownAccount>,
}

/// Where something is read or learnt: at the head, or at the block before it. Where it is neither any more, that is
/// [`Moved`].
#[derive(Debug, Clone, Copy)]
pub struct Place<'h> {
    pub hash: &'h B256,
    pub is_parent: bool,
}

impl<'h> From<&'h B256> for Place<'h> {
    fn from(hash: &'h B256) -> Self {
        Self {
            hash,
            is_parent: false,
        }
    }
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

    /// The block before `head`, where that is the current one and what it changed is known.
    pub fn parent(&self, head: &B256) -> Option<Arc<HeadBlock>> {
        let known = self.at(head.into()).ok()?;
        known.parent.as_ref().map(|parent| parent.block.clone())
    }

    /// Accounts and slots known now.
    pub fn len(&self) -> usize {
        let known = self.read();
        known.accounts.len() + known.slots
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An account as it is there; its code is asked for by hash.
    pub fn account<'h>(
        &self,
        place: impl Into<Place<'h>>,
        address: &Address,
    ) -> MaybeKnown<AccountInfo> {
        let place = place.into();
        let known = self.at(place)?;
        let mut accounts = known.accounts(place, address);
        Ok(accounts.find_map(|account| account.info.clone()))
    }

    pub fn slot<'h>(
        &self,
        place: impl Into<Place<'h>>,
        address: &Address,
        slot: &U256,
    ) -> MaybeKnown<U256> {
        let place = place.into();
        let known = self.at(place)?;
        let mut accounts = known.accounts(place, address);
        Ok(accounts.find_map(|account| account.slots.get(slot).copied()))
    }

    /// The same whatever the head is.
    pub fn code(&self, hash: &B256) -> Option<Bytecode> {
        self.read().codes.get(hash).cloned()
    }

    /// Adds an account as it is there, with its code where it has one.
    pub fn learn<'h>(
        &self,
        place: impl Into<Place<'h>>,
        address: Address,
        info: AccountInfo,
        code: Option<Bytecode>,
    ) -> Result<(), Moved> {
        let place = place.into();
        let mut known = self.at_mut(place)?;
        known.bound(self.capacity);
        known.put_account(place.is_parent, address, info, code);
        Ok(())
    }

    pub fn learn_slot<'h>(
        &self,
        place: impl Into<Place<'h>>,
        address: Address,
        slot: U256,
        value: U256,
    ) -> Result<(), Moved> {
        let place = place.into();
        let mut known = self.at_mut(place)?;
        known.bound(self.capacity);
        known.put_slots(place.is_parent, address, [(slot, value)]);
        Ok(())
    }

    /// Adds all that a prestate trace tells of a place.
    pub fn learn_all<'h>(
        &self,
        place: impl Into<Place<'h>>,
        accounts: impl IntoIterator<Item = (Address, ToldAccount)>,
    ) -> Result<(), Moved> {
        let place = place.into();
        // Hashed and analysed before anybody has to wait for it.
        let accounts = accounts.into_iter();
        let accounts = accounts.map(|(address, told)| (address, told.info(), told.storage));
        let accounts: Vec<_> = accounts.collect();
        let mut known = self.at_mut(place)?;
        known.bound(self.capacity);
        for (address, (info, code), storage) in accounts {
            known.put_account(place.is_parent, address, info, code);
            let slots = storage.into_iter();
            known.put_slots(
                place.is_parent,
                address,
                slots.map(|(slot, value)| (slot.into(), value.into())),
            );
        }
        Ok(())
    }

    /// Goes on to `block`. What holds there is kept; without word of the changes, code alone is.
    pub fn advance(&self, block: HeadBlock, changes: Changes) {
        let mut known = self.write();
        let parent = known.before(&changes);
        known.forget_parent();
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
        (known.block, known.parent) = (Some(Arc::new(block)), parent);
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

    fn at(&self, place: Place) -> Result<RwLockReadGuard<'_, Knowledge>, Moved> {
        let known = self.read();
        known.is_at(place).then_some(known).ok_or(Moved)
    }

    fn at_mut(&self, place: Place) -> Result<RwLockWriteGuard<'_, Knowledge>, Moved> {
        let known = self.write();
        known.is_at(place).then_some(known).ok_or(Moved)
    }

    fn read(&self) -> RwLockReadGuard<'_, Knowledge> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Knowledge> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Knowledge {
    fn is_at(&self, place: Place) -> bool {
        let block = match place.is_parent {
            true => self.parent.as_ref().map(|parent| &parent.block),
            false => self.block.as_ref(),
        };
        block.is_some_and(|block| block.hash == *place.hash)
    }

    /// What is known of an account there.
    fn accounts(&self, place: Place, address: &Address) -> impl Iterator<Item = &KnownAccount> {
        let parent = self.parent.as_ref().filter(|_| place.is_parent);
        let changed = parent.is_some_and(|parent| parent.changed.contains(address));
        let of_parent = parent.and_then(|parent| parent.accounts.get(address));
        let of_head = self.accounts.get(address).filter(|_| !changed);
        of_parent.into_iter().chain(of_head)
    }

    fn account_mut(&mut self, of_parent: bool, address: Address) -> &mut KnownAccount {
        let parent = self.parent.as_mut().filter(|_| of_parent);
        let accounts = parent.map_or(&mut self.accounts, |parent| &mut parent.accounts);
        accounts.entry(address).or_default()
    }

    fn forget_parent(&mut self) {
        let accounts = self.parent.take().map(|parent| parent.accounts);
        let accounts = accounts.iter().flat_map(AddressMap::values);
        self.slots -= accounts.map(|account| account.slots.len()).sum::<usize>();
    }

    /// The current block as the parent of one that changes this.
    fn before(&self, changes: &Changes) -> Option<Parent> {
        let Changes::Told(diffs, paid) = changes else {
            return None;
        };
        let told = diffs
            .iter()
            .flat_map(|diff| diff.pre.keys().chain(diff.post.keys()));
        Some(Parent {
            block: self.block.clone()?,
            changed: told.chain(paid).chain(&SYSTEM).copied().collect(),
            accounts: AddressMap::default(),
        })
    }

    fn number(&self) -> u64 {
        self.block.as_ref().map_or(0, |block| block.number)
    }

    fn put_account(
        &mut self,
        of_parent: bool,
        address: Address,
        info: AccountInfo,
        code: Option<Bytecode>,
    ) {
        let used = self.number();
        if let Some(code) = code {
            self.put_code(info.code_hash, code);
        }
        let account = self.account_mut(of_parent, address);
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
        let of_parent = self
            .parent
            .as_ref()
            .map_or(0, |parent| parent.accounts.len());
        let accounts = self.accounts.len() + of_parent;
        if accounts + self.slots > 2 * capacity || self.code_bytes > 2 * CODE_BYTES {
            *self = Self {
                block: self.block.take(),
                ..Self::default()
            };
        }
    }

    fn put_slots(
        &mut self,
        of_parent: bool,
        address: Address,
        slots: impl IntoIterator<Item = (U256, U256)>,
    ) {
        let used = self.number();
        let account = self.account_mut(of_parent, address);
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
                    self.put_account(false, address, info, code);
                    let slots = after.storage.into_iter();
                    self.put_slots(
                        false,
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
