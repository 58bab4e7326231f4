//! What a pending creation would create, by executing it on the current state.

use super::Shared;
use super::backlog::Word;
use super::search::{CONSTRUCTED, Looked, Search};
use crate::detonate::Creation;
use crate::evidence::{Deployment, Identity, Sighting};
use crate::simulate::constructor::{self, Kind, running_code};
use crate::simulate::creations::{Origin, in_execution};
use crate::simulate::evm::StateError;
use crate::simulate::evm::execute::{Checks, Execution, Exit, Sandbox};
use crate::simulate::evm::tracer::{Bounds, Stop};
use crate::simulate::evm::transaction::from_pending;
use crate::simulate::state::Snapshot;
use crate::tx::PendingTransaction;
use crate::wire::Original;
use alloy_primitives::Bytes;
use revm::DatabaseRef;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Attempts on heads that moved on meanwhile.
const ATTEMPTS: usize = 4;
/// What is recorded of a constructor.
const FRAMES: usize = 4_096;
const BYTES: usize = 1 << 20;
const ACCESSES: usize = 1 << 13;

/// What a pending creation does on the current state.
enum Constructed {
    /// A block has it, whose trace tells.
    Mined,
    Creates(Vec<Deployment>),
    Fails,
    /// It takes longer than it had.
    Unfinished,
}

impl Search {
    /// Where it cannot be executed, its code is what it has embedded.
    pub(super) fn construct(
        &mut self,
        mut tx: Arc<PendingTransaction>,
        original: Option<Original>,
        within: Duration,
    ) -> Looked {
        let identity = Identity::of(&tx, original.as_ref());
        // Who lies about the sender has it created elsewhere, by nobody who is known.
        if let Some(signer) = identity.other_than(tx.from) {
            Arc::make_mut(&mut tx).from = signer;
        }
        let typed = original.as_ref().filter(|_| tx.tx_type > 0);
        let extras = typed.map(Original::extras);
        let mut creation = Creation {
            tx,
            extras: extras.transpose().unwrap_or_default().unwrap_or_default(),
            fails: false,
        };
        let tx = &creation.tx;
        let origin = Origin {
            deployer: tx.from,
            tx: tx.hash,
            nonce: tx.nonce,
            to: None,
            value: tx.value,
            seen: Sighting::Pending,
        };
        let deadline = Instant::now() + within;
        let mut deployments = match constructed(&self.shared, &creation, &origin, deadline) {
            Constructed::Mined => return Looked::Done,
            Constructed::Creates(deployments) => deployments,
            Constructed::Unfinished if within < CONSTRUCTED => {
                return Looked::More(Word::Long(creation.tx, original));
            }
            Constructed::Unfinished | Constructed::Fails => {
                self.shared.stats.early.deployments_unexecuted.add(1);
                creation.fails = true;
                Vec::new()
            }
        };
        if deployments.is_empty() {
            deployments.push(alone(&creation, &origin));
        }
        self.lead(&mut deployments);
        self.found(deployments, Some(&creation));
        Looked::Done
    }
}

/// What it creates, as far as it can be executed.
fn constructed(
    shared: &Shared,
    creation: &Creation,
    origin: &Origin,
    deadline: Instant,
) -> Constructed {
    for _ in 0..ATTEMPTS {
        match execute(shared, creation, deadline) {
            Err(StateError::Moved) => {}
            Err(_) if Instant::now() >= deadline => return Constructed::Unfinished,
            Err(_) => break,
            Ok(None) => return Constructed::Mined,
            Ok(Some(execution)) => {
                return match execution.exit {
                    Exit::Succeeded => {
                        Constructed::Creates(in_execution(&execution, origin).deployments)
                    }
                    Exit::Stopped(Stop::Deadline) => Constructed::Unfinished,
                    _ => Constructed::Fails,
                };
            }
        }
    }
    Constructed::Fails
}

/// On the current state; nothing where its nonce is used there.
fn execute(
    shared: &Shared,
    creation: &Creation,
    deadline: Instant,
) -> Result<Option<Execution>, StateError> {
    let bounds = Bounds {
        deadline,
        frames: FRAMES,
        bytes: BYTES,
        accesses: ACCESSES,
    };
    let Shared { state, asker, .. } = shared;
    let block = state.block().ok_or(StateError::Unknown)?;
    let view = Snapshot::new(state, &block, Some((asker, deadline)));
    let sender = view.basic_ref(creation.tx.from)?;
    if sender.is_some_and(|sender| sender.nonce > creation.tx.nonce) {
        return Ok(None);
    }
    let mut sandbox = Sandbox::new(&view, &block.next);
    let transaction = from_pending(&creation.tx, creation.extras.clone());
    let execution = sandbox.execute(transaction, Checks::Pending, bounds);
    match execution.exit {
        Exit::NoState(error) => Err(error),
        _ => Ok(Some(execution)),
    }
}

/// What its init code tells by itself.
fn alone(creation: &Creation, origin: &Origin) -> Deployment {
    let tx = &creation.tx;
    let running = running_code(&tx.input, Some(Kind::Creation));
    let left = running
        .origin
        .filter(|of| *of != constructor::Origin::Constructor);
    Deployment {
        init_code: Bytes::from(tx.input.clone()),
        // Of one that leaves next to nothing its constructor is what acts.
        code: left.map(|_| running.code).unwrap_or_default(),
        ..origin.deployment(tx.from.create(tx.nonce), tx.from)
    }
}
