//! From what a transaction created to deployments: what is too small to do harm is left out, twins are one.

use super::Counts;
use crate::chain::forks::is_precompile;
use crate::chain::implementation;
use crate::evidence::trace::{CallKind, Frame, Trace};
use crate::evidence::{Deployment, Sighting};
use alloy_primitives::{Address, B256, Bytes};
use hashbrown::{HashMap, HashSet};

/// Bytes of code below which a contract can do no harm, unless it runs another's.
pub const SMALL: usize = 60;
/// Deployments of one block: what a block of 60 million gas can create of different code is fewer.
pub const DEPLOYMENTS: usize = 4_096;
/// Twins that are told by address.
pub const TWINS: usize = 32;
/// Accounts that one constructor called.
const CALLED: usize = 64;

/// Whose creations these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Who signed the transaction.
    pub deployer: Address,
    pub tx: B256,
    pub nonce: u64,
    pub seen: Sighting,
}

/// Collects the deployments of transaction after transaction.
#[derive(Debug, Default)]
pub struct Creations {
    pub deployments: Vec<Deployment>,
    pub counts: Counts,
    /// Of the last one's transaction: the first with this code, or with this implementation.
    pub(super) firsts: HashMap<Bytes, usize>,
    pub(super) tx: B256,
}

impl Origin {
    /// A deployment of this transaction of which nothing else is known.
    pub fn deployment(&self, address: Address, creator: Address) -> Deployment {
        Deployment {
            address,
            deployer: self.deployer,
            creator,
            tx: self.tx,
            nonce: self.nonce,
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
        self.push(deployment);
    }

    fn push(&mut self, deployment: Deployment) -> bool {
        let room = self.deployments.len() < DEPLOYMENTS;
        match room {
            true => self.deployments.push(deployment),
            false => self.counts.left_out += 1,
        }
        room
    }

    /// A creation that stands, or a delegation, with its code.
    pub fn add(&mut self, deployment: Deployment) {
        self.counts.created += 1;
        if self.tx != deployment.tx {
            (self.tx, self.firsts) = (deployment.tx, HashMap::new());
        }
        let code = match implementation(&deployment.code) {
            Some(runs) => Bytes::copy_from_slice(runs.as_slice()),
            None if deployment.code.len() < SMALL => {
                self.counts.small += 1;
                return;
            }
            None => deployment.code.clone(),
        };
        if let Some(first) = self.firsts.get(&code) {
            let first = &mut self.deployments[*first];
            match first.twins.len() < TWINS {
                true => first.twins.push(deployment.address),
                false => first.more_twins += 1,
            }
        } else if self.push(deployment) {
            self.firsts.insert(code, self.deployments.len() - 1);
        }
    }
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
