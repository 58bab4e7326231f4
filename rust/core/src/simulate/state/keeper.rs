//! Carries the state on from head to head, on a thread of its own, and keeps warm what matters.

use super::Snapshot;
use super::head::{Changes, HeadBlock, HeadState};
use crate::chain::{BlockChanges, ChainSpec};
use crate::inbox::Item;
use crate::inbox::queue::ItemSender;
use crate::node::{Asked, Asker};
use crate::simulate::evm::environment::Header;
use crate::simulate::evm::question::at;
use crate::simulate::evm::told::{ToldDiff, block_diffs, named_in, read};
use crate::stats::Stats;
use crate::thread::give_way;
use alloy_primitives::map::AddressSet;
use alloy_primitives::{Address, B256, U256};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use revm::DatabaseRef;
use serde::Deserialize;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Heads that wait to be followed.
const WAITING: usize = 64;
const BEHIND: usize = 4;
/// How long a node may take to say what a block changed. Until then simulations go on with the head before.
const PATIENCE: Duration = Duration::from_secs(2);
/// A node that another one was faster than is asked again after this.
const RETRY: Duration = Duration::from_millis(50);
/// A head that no node gave is asked for again after this, and each time after twice as long, up to the most: on a chain that
/// stands still no next one follows.
const AGAIN: Duration = Duration::from_millis(250);
const AGAIN_AT_MOST: Duration = Duration::from_secs(8);
/// Accounts kept warm beside the monitored contracts.
const NEIGHBOURS: usize = 64;
/// Accounts of one block that keep the address of a monitored contract since: each costs a slot of storage.
const NAMED: usize = 4_096;
/// Slots of one account that are asked for anew.
const SLOTS: usize = 128;

/// Accounts that are asked for anew where their state is lost: the monitored contracts, and what they are read with.
#[derive(Debug, Default)]
pub struct Neighbourhood(Mutex<AddressSet>);

impl Neighbourhood {
    pub fn of(contracts: impl IntoIterator<Item = Address>) -> Self {
        Self(Mutex::new(contracts.into_iter().collect()))
    }

    /// Adds what a simulation that touched a monitored contract has read, as far as there is room.
    pub fn add(&self, addresses: impl IntoIterator<Item = Address>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for address in addresses {
            if known.len() >= NEIGHBOURS {
                return;
            }
            known.insert(address);
        }
    }

    fn all(&self) -> AddressSet {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }
}

/// The pipeline's end: tells of heads, never waits; the state of each arrives as `Item::State`. Its thread ends with it.
pub struct Keeper {
    heads: Sender<B256>,
    state: Arc<HeadState>,
}

impl Keeper {
    /// `monitored`: what blocks do to these is told. `followed`: who is to know of each state, and may miss some.
    #[allow(clippy::too_many_arguments)] // One caller, which owns them all.
    pub fn start(
        state: Arc<HeadState>,
        neighbourhood: Arc<Neighbourhood>,
        asker: Asker,
        chain: Arc<ChainSpec>,
        items: ItemSender,
        stats: Arc<Stats>,
        monitored: Arc<[Address]>,
        followed: Vec<Sender<()>>,
    ) -> std::io::Result<Self> {
        let (heads, announced) = bounded(WAITING);
        let follower = Follower {
            state: state.clone(),
            neighbourhood,
            asker,
            chain,
            items,
            stats,
            monitored,
            followed,
        };
        std::thread::Builder::new()
            .name("ids-state".into())
            .spawn(move || follower.run(&announced))?;
        Ok(Self { heads, state })
    }

    /// A new canonical head. Where too many wait it is left out: the next one that is followed is no child of the former,
    /// and nothing is believed to hold.
    pub fn head(&self, number: u64, hash: B256) {
        self.state.announce(number);
        self.heads.try_send(hash).ok();
    }
}

struct Follower {
    state: Arc<HeadState>,
    neighbourhood: Arc<Neighbourhood>,
    asker: Asker,
    chain: Arc<ChainSpec>,
    items: ItemSender,
    stats: Arc<Stats>,
    monitored: Arc<[Address]>,
    followed: Vec<Sender<()>>,
}

impl Follower {
    fn run(self, heads: &Receiver<B256>) {
        give_way();
        // The head to go on to, and after which time it is asked for again.
        let mut failed: Option<(B256, Duration)> = None;
        loop {
            let next = match failed {
                None => heads.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some((_, wait)) => heads.recv_timeout(wait),
            };
            let hash = match (next, failed) {
                // Far behind, the newest alone matters.
                (Ok(hash), _) if heads.len() > BEHIND => heads.try_iter().last().unwrap_or(hash),
                (Ok(hash), _) => hash,
                (Err(RecvTimeoutError::Timeout), Some((hash, _))) => hash,
                (Err(_), _) => return,
            };
            failed = match self.goes_on_to(hash) {
                true => None,
                false => Some((hash, self.after(failed, hash))),
            };
        }
    }

    fn goes_on_to(&self, hash: B256) -> bool {
        let follow = AssertUnwindSafe(|| self.follow(hash));
        let followed = matches!(std::panic::catch_unwind(follow), Ok(Ok(())));
        if followed {
            // A pipeline that is gone needs no state.
            self.items.send(Item::State).ok();
            self.followed.iter().for_each(|who| _ = who.try_send(()));
        }
        followed
    }

    /// When a head that failed is asked for again; each is counted once.
    fn after(&self, failed: Option<(B256, Duration)>, hash: B256) -> Duration {
        match failed.filter(|(before, _)| *before == hash) {
            Some((_, wait)) => (2 * wait).min(AGAIN_AT_MOST),
            None => {
                self.stats.state_failures.add(1);
                AGAIN
            }
        }
    }

    fn follow(&self, hash: B256) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        // Most of such an answer would be code that did not change.
        let config = r#"{"diffMode":true,"disableCode":true}"#;
        let diffs = format!(r#"["{hash}",{{"tracer":"prestateTracer","tracerConfig":{config}}}]"#);
        let questions = vec![
            ("eth_getBlockByHash", format!(r#"["{hash}",false]"#)),
            ("debug_traceBlockByHash", diffs),
        ];
        let mut answers = self.asker.wait(questions.clone(), deadline);
        if answers[0].is_err() {
            std::thread::sleep(RETRY);
            answers = self.asker.wait(questions, deadline);
        }
        let raw = answers[0].as_ref().map_err(ToString::to_string)?;
        let header: Header = read(raw)?;
        if header.hash != hash {
            return Err("the node gave another block".into());
        }
        let before = self.state.block();
        let parent = before.filter(|parent| parent.hash == header.parent_hash);
        let told_of = told_diffs(&answers[1], &header);
        let monitored = told_of.as_deref();
        let monitored = monitored.and_then(|diffs| of_monitored(diffs, &header, &self.monitored));
        let changes = match told_of.filter(|_| parent.is_some()) {
            Some(diffs) => Changes::Told(diffs, header.paid().collect()),
            None => Changes::Unknown,
        };
        let told = matches!(changes, Changes::Told(..));
        let warm = self.neighbourhood.all();
        let slots = self.state.slots_of(&warm, SLOTS);
        let block = HeadBlock {
            number: header.number(),
            hash,
            parent: header.parent_hash,
            timestamp: header.timestamp(),
            next: header.next(&self.chain, parent.map(|parent| parent.timestamp)),
        };
        self.state.advance(block.clone(), changes);
        if let Some(mut monitored) = monitored {
            let beyond = monitored.named.len().saturating_sub(NAMED);
            self.stats.early.deployments_dropped.add(beyond as u64);
            monitored.named.truncate(NAMED);
            // A pipeline that is gone needs to know nothing.
            self.items.send(Item::Changes(Box::new(monitored))).ok();
        }
        match told {
            true => {
                self.stats.state_carried.add(1);
                // Whoever made the block was paid, and every simulation reads what it has.
                let asks = Some((&self.asker, deadline));
                let beneficiary = block.next.block.beneficiary;
                Snapshot::new(&self.state, &block, asks)
                    .basic_ref(beneficiary)
                    .ok();
            }
            false => {
                self.stats.state_discarded.add(1);
                self.warm(&block, warm, slots);
            }
        }
        Ok(())
    }

    /// Asks for what was known of the neighbourhood as it is now. What cannot be had now is asked for when it is needed.
    fn warm(&self, block: &HeadBlock, warm: AddressSet, slots: Vec<(Address, Vec<U256>)>) {
        let deadline = Instant::now() + PATIENCE;
        let view = Snapshot::new(&self.state, block, Some((&self.asker, deadline)));
        let proofs = slots.iter().filter(|(_, slots)| !slots.is_empty());
        let proofs = proofs.map(|(address, slots)| {
            let quoted = |slot: &U256| format!(r#""{}""#, B256::from(*slot));
            let slots: Vec<_> = slots.iter().map(quoted).collect();
            let params = format!(r#"["{address}",[{}],{}]"#, slots.join(","), at(&block.hash));
            ("eth_getProof", params)
        });
        let proofs: Vec<_> = proofs.collect();
        for answer in self.asker.wait(proofs, deadline) {
            let proof = answer.ok().and_then(|raw| read::<Proof>(&raw).ok());
            for told in proof.iter().flat_map(|proof| &proof.storage_proof) {
                let address = proof
                    .as_ref()
                    .map(|proof| proof.address)
                    .unwrap_or_default();
                self.state
                    .learn_slot(&block.hash, address, told.key, told.value)
                    .ok();
            }
        }
        for address in warm {
            if view.basic_ref(address).is_err() {
                return;
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Proof {
    address: Address,
    storage_proof: Vec<ProvenSlot>,
}

#[derive(Deserialize)]
struct ProvenSlot {
    key: U256,
    value: U256,
}

/// What a block's transactions changed, where a node told of all of them.
fn told_diffs(answer: &Asked, header: &Header) -> Option<Vec<ToldDiff>> {
    let raw = answer.as_ref().ok()?;
    let diffs = block_diffs(raw).ok()?;
    (diffs.len() == header.transactions()).then_some(diffs)
}

/// What of that is about monitored contracts; nothing where none are.
fn of_monitored(diffs: &[ToldDiff], header: &Header, all: &[Address]) -> Option<BlockChanges> {
    if all.is_empty() {
        return None;
    }
    let mut changes = BlockChanges {
        number: header.number(),
        hash: header.hash,
        ..BlockChanges::default()
    };
    for (hash, ToldDiff { pre, post }) in header.hashes().zip(diffs) {
        let touches = |one: &&Address| pre.contains_key(*one) || post.contains_key(*one);
        let touched: Vec<_> = all.iter().filter(touches).copied().collect();
        if let Some(hash) = hash.filter(|_| !touched.is_empty()) {
            changes.touched.push((hash, touched));
        }
        for (account, after) in post.iter().filter(|(account, _)| !all.contains(account)) {
            for value in after.storage.values() {
                let named = named_in((*value).into(), all);
                changes
                    .named
                    .extend(named.map(|contract| (*account, contract)));
            }
        }
    }
    Some(changes)
}

#[cfg(test)]
mod tests;
