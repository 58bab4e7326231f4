//! From what a transaction created to deployments: what is too small to do harm is left out, twins are one.

mod executed;

pub use executed::in_execution;

use crate::chain::forks::is_precompile;
use crate::chain::{acts, implementation};
use crate::evidence::trace::{CallKind, Frame, Trace};
use crate::evidence::{Deployment, Sighting};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use hashbrown::{HashMap, HashSet};

/// Bytes of code below which a contract can do no harm, unless it calls another or runs its code.
pub const SMALL: usize = 60;
/// Deployments of one block: what a block of 60 million gas can create of different code is fewer.
pub const DEPLOYMENTS: usize = 4_096;
/// Twins that are told by address.
pub const TWINS: usize = 32;
/// Slots of one contract that are kept.
const SLOTS: usize = 64;
/// Accounts that one constructor called.
const CALLED: usize = 64;
/// Contracts of the same code from one transaction that are told of each by itself, since they were made with something else.
const VARIANTS: usize = 8;

/// Whose creations these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Who signed the transaction.
    pub deployer: Address,
    pub tx: B256,
    /// Whom it calls; nothing where it is a creation itself.
    pub to: Option<Address>,
    pub nonce: u64,
    /// Wei.
    pub value: U256,
    pub seen: Sighting,
}

/// What became of what a block held. All but the first two are what the sensor does not see of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub transactions: u64,
    /// Creations that stand, and accounts that were delegated (EIP-7702); twins too.
    pub created: u64,
    /// Creations that failed, or are inside of what failed.
    pub failed: u64,
    /// Of less code than can do harm, and no clone.
    pub small: u64,
    /// Created and destroyed in the same transaction.
    pub destroyed: u64,
    /// Deployments, delegations and payments above the bounds.
    pub left_out: u64,
    /// Transactions that no trace told of.
    pub untraced: u64,
    /// Transactions that nothing told of.
    pub untold: u64,
    /// Answers, or parts of them, that are not what was asked for.
    pub malformed: u64,
}

/// Collects the deployments of transaction after transaction.
#[derive(Debug, Default)]
pub struct Creations {
    pub deployments: Vec<Deployment>,
    pub counts: Counts,
    /// Of the last one's transaction: the first ones with this code, or with this implementation.
    firsts: HashMap<Bytes, Vec<usize>>,
    tx: B256,
}

impl Origin {
    /// Of a contract whose transaction nobody knows: its deployer stands for who it was.
    pub fn unknown(deployer: Address, seen: Sighting) -> Self {
        Self {
            deployer,
            tx: B256::ZERO,
            to: None,
            nonce: 0,
            value: U256::ZERO,
            seen,
        }
    }

    pub fn of(deployment: &Deployment) -> Self {
        Self {
            deployer: deployment.deployer,
            tx: deployment.tx,
            to: deployment.to,
            nonce: deployment.nonce,
            value: deployment.value,
            seen: deployment.seen,
        }
    }

    /// A deployment of this transaction of which nothing else is known.
    pub fn deployment(&self, address: Address, creator: Address) -> Deployment {
        Deployment {
            address,
            deployer: self.deployer,
            creator,
            tx: self.tx,
            to: self.to,
            nonce: self.nonce,
            value: self.value,
            seen: self.seen,
            init_code: Bytes::new(),
            code: Bytes::new(),
            runs: None,
            called: Vec::new(),
            stored: Vec::new(),
            twins: Vec::new(),
            more_twins: 0,
        }
    }
}

impl Creations {
    pub fn new(counts: Counts) -> Self {
        Self {
            counts,
            ..Self::default()
        }
    }

    /// Everything that one transaction's trace says was created; `complete` adds what else is known of it.
    pub fn of_trace(&mut self, origin: &Origin, trace: &Trace, complete: impl Fn(&mut Deployment)) {
        let (made, failed, nameless) = in_trace(origin, trace);
        self.counts.failed += failed;
        self.counts.malformed += nameless;
        let destroyed = destroyed(trace);
        for mut deployment in made {
            if destroyed.contains(&deployment.address) {
                self.counts.destroyed += 1;
                continue;
            }
            complete(&mut deployment);
            self.add(deployment);
        }
    }

    /// A creation that stands and whose code could not be had.
    pub fn add_unread(&mut self, deployment: Deployment) {
        self.counts.created += 1;
        match self.deployments.len() < DEPLOYMENTS {
            true => self.deployments.push(deployment),
            false => self.counts.left_out += 1,
        }
    }

    /// A creation that stands, or a delegation, with its code.
    pub fn add(&mut self, deployment: Deployment) {
        self.counts.created += 1;
        if self.tx != deployment.tx {
            (self.tx, self.firsts) = (deployment.tx, HashMap::new());
        }
        let code = match implementation(&deployment.code) {
            Some(runs) => Bytes::copy_from_slice(runs.as_slice()),
            None if deployment.code.len() < SMALL && !acts(&deployment.code) => {
                self.counts.small += 1;
                return;
            }
            None => deployment.code.clone(),
        };
        let firsts = self.firsts.entry(code).or_default();
        let same = |first: &&usize| is_made_as(&self.deployments[**first], &deployment);
        let twin = firsts.iter().find(same);
        // Of very many none is special: the first stands for those that are left.
        let twin = twin.or_else(|| firsts.first().filter(|_| firsts.len() >= VARIANTS));
        if let Some(first) = twin {
            let first = &mut self.deployments[*first];
            match first.twins.len() < TWINS {
                true => first.twins.push(deployment.address),
                false => first.more_twins += 1,
            }
        } else if self.deployments.len() < DEPLOYMENTS {
            firsts.push(self.deployments.len());
            self.deployments.push(deployment);
        } else {
            self.counts.left_out += 1;
        }
    }
}

/// Whether two contracts of the same code were made with the same, as far as that is known.
fn is_made_as(one: &Deployment, other: &Deployment) -> bool {
    one.init_code == other.init_code && one.stored == other.stored && one.called == other.called
}

/// Of what a contract has in storage, the first slots that hold something, by their number.
pub fn first_slots(slots: impl IntoIterator<Item = (U256, U256)>) -> Vec<(U256, U256)> {
    let slots = slots.into_iter().filter(|(_, value)| !value.is_zero());
    let mut slots: Vec<_> = slots.collect();
    slots.sort_unstable();
    slots.truncate(SLOTS);
    slots
}

/// An account that nobody has, to call a contract as where it is not known who would.
pub fn stand_in(contract: &Address) -> Address {
    let said = [b"nobody calls ".as_slice(), contract.as_slice()].concat();
    Address::from_word(keccak256(said))
}

/// What stands, how much does not, and how much has no address that is told.
fn in_trace(origin: &Origin, trace: &Trace) -> (Vec<Deployment>, u64, u64) {
    let (mut made, mut failed, mut nameless) = (Vec::new(), 0, 0);
    // Constructors that the frame is inside of: their depth, and which of `made` they make.
    let mut open: Vec<(u16, usize)> = Vec::new();
    for (frame, stands) in trace.frames.iter().zip(trace.stands()) {
        while open.last().is_some_and(|(depth, _)| *depth >= frame.depth) {
            open.pop();
        }
        if frame.kind.creates() {
            // The transaction's own is as certain as its nonce.
            let own = (frame.depth == 0).then(|| origin.deployer.create(origin.nonce));
            match frame.to.or(own) {
                _ if !stands => failed += 1,
                None => nameless += 1,
                Some(address) => {
                    open.push((frame.depth, made.len()));
                    made.push(Deployment {
                        init_code: frame.input.clone(),
                        code: frame.output.clone(),
                        ..origin.deployment(address, frame.from)
                    });
                }
            }
        } else if let Some((_, by)) = open.last() {
            called_by(&mut made[*by], frame);
        }
    }
    (made, failed, nameless)
}

/// While a contract is under construction nobody but its constructor acts in its name.
fn called_by(deployment: &mut Deployment, frame: &Frame) {
    let Some(to) = frame.to.filter(|_| frame.from == deployment.address) else {
        return;
    };
    let called = &mut deployment.called;
    let counts = frame.kind != CallKind::SelfDestruct && !is_precompile(&to);
    if counts && called.len() < CALLED && !called.contains(&to) {
        called.push(to);
    }
}

fn destroyed(trace: &Trace) -> HashSet<Address> {
    let frames = trace.frames.iter().zip(trace.stands());
    let destroyed =
        frames.filter(|(frame, stands)| *stands && frame.kind == CallKind::SelfDestruct);
    destroyed.map(|(frame, _)| frame.from).collect()
}

#[cfg(test)]
mod tests;
