//! What was traced before, by whoever.

use super::{Backend, Look};
use crate::evidence::trace::Trace;
use crate::simulate::evm::diff::StateDiff;
use crate::simulate::evm::environment::Environment;
use crate::simulate::evm::error::StateError;
use crate::simulate::evm::execute::{Execution, Exit};
use crate::simulate::evm::preimages::Preimages;
use crate::simulate::evm::tracer::{Bounds, Surroundings};
use crate::simulate::evm::views::TracedViews;
use alloy_primitives::{Address, U256};
use revm::context::TxEnv;

/// One trace. What it does not have (storage, balances) is unknown.
pub struct Traced(pub Trace);

impl Backend for Traced {
    fn execute(
        &self,
        _: &Environment,
        _: &[TxEnv],
        _: &[Address],
        _: Bounds,
        look: Look,
    ) -> Result<(), StateError> {
        let trace = self.0.clone();
        look(
            of_trace(trace, StateDiff::default()),
            &TracedViews::new(&self.0),
        );
        Ok(())
    }

    fn varies(&self) -> bool {
        false
    }
}

/// An execution of which a call tree tells.
pub fn of_trace(trace: Trace, diff: StateDiff) -> Execution {
    let root = trace.root();
    let error = root.and_then(|root| root.error.clone());
    Execution {
        exit: match error {
            None => Exit::Succeeded,
            Some(error) if error == "execution reverted" => Exit::Reverted,
            Some(error) => Exit::Halted(error),
        },
        gas_used: root.map_or(0, |root| root.gas_used),
        gas_spent: root.map_or(0, |root| root.gas_used),
        output: root.map(|root| root.output.clone()).unwrap_or_default(),
        trace,
        accesses: Vec::new(),
        hashed: Preimages::default(),
        has_calls: true,
        watched: false,
        surroundings: Surroundings::default(),
        cut: false,
        early: false,
        diff,
        coinbase_payment: U256::ZERO,
    }
}
