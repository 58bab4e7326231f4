//! A pending creation on the current state.

use super::Shared;
use crate::detonate::Creation;
use crate::evidence::Deployment;
use crate::simulate::constructor::{self, Kind, running_code};
use crate::simulate::creations::{Origin, in_execution};
use crate::simulate::evm::StateError;
use crate::simulate::evm::execute::{Checks, Execution, Exit, Sandbox};
use crate::simulate::evm::tracer::{Bounds, Stop};
use crate::simulate::evm::transaction::from_pending;
use crate::simulate::state::Snapshot;
use alloy_primitives::Bytes;
use revm::DatabaseRef;
use std::time::Instant;

/// Attempts on heads that moved on meanwhile.
const ATTEMPTS: usize = 4;
/// What is recorded of a constructor.
const FRAMES: usize = 4_096;
const BYTES: usize = 1 << 20;
const ACCESSES: usize = 1 << 13;

/// What a pending creation does on the current state.
pub enum Constructed {
    /// A block has it, whose trace tells.
    Mined,
    Creates(Vec<Deployment>),
    Fails,
    /// It takes longer than it had.
    Unfinished,
}

/// What it creates, as far as it can be executed.
pub fn constructed(
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
pub fn alone(creation: &Creation, origin: &Origin) -> Deployment {
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
