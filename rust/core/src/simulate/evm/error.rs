//! Why an execution cannot go on.

use crate::evidence::{Failure, FailureKind};
use alloy_primitives::{Address, B256, U256};
use revm::database_interface::DBErrorMarker;

/// Why a part of the state could not be had. The execution that asked for it ends, without a verdict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    #[error("account {0} is not in the recorded state")]
    NoAccount(Address),
    #[error("slot {1:#x} of {0} is not in the recorded state")]
    NoSlot(Address, U256),
    #[error("code {0} is not in the recorded state")]
    NoCode(B256),
    #[error("hash of block {0} is not in the recorded state")]
    NoBlockHash(u64),
    /// A node did not answer in time, or not with what was asked.
    #[error("{0}")]
    Node(String),
    /// It is not known here, and nobody was to be asked.
    #[error("not known yet")]
    Unknown,
    /// A node told what the transaction reads, and it reads much else.
    #[error("it reads more that its node did not foresee than may be asked for")]
    Unforeseen,
    /// The chain went on while it was read.
    #[error("the chain's head moved")]
    Moved,
}

impl DBErrorMarker for StateError {}

impl StateError {
    /// Whether it is of a record of what was read, which does not have it.
    pub fn is_unrecorded(&self) -> bool {
        matches!(
            self,
            Self::NoAccount(_) | Self::NoSlot(..) | Self::NoCode(_) | Self::NoBlockHash(_)
        )
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Self::new(FailureKind::State, error.to_string())
    }
}
