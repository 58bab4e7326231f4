//! revm, on any state.

use super::{Backend, Look};
use crate::simulate::evm::environment::Environment;
use crate::simulate::evm::error::StateError;
use crate::simulate::evm::execute::{Checks, Exit, Sandbox};
use crate::simulate::evm::tracer::Bounds;
use crate::simulate::evm::views::SandboxViews;
use alloy_primitives::{Address, U256};
use revm::DatabaseRef;
use revm::context::TxEnv;

/// Views that the invariants of one execution may ask.
const VIEWS: usize = 256;

/// Executes on a state that stays as it is.
pub struct Local<'a, S>(pub &'a S);

impl<S: DatabaseRef<Error = StateError>> Backend for Local<'_, S> {
    fn execute(
        &self,
        environment: &Environment,
        transactions: &[TxEnv],
        endowed: &[Address],
        bounds: Bounds,
        look: Look,
    ) -> Result<(), StateError> {
        let mut sandbox = Sandbox::new(self.0, environment);
        for transaction in transactions {
            if endowed.contains(&transaction.caller) {
                let gas = U256::from(transaction.gas_limit) * U256::from(transaction.gas_price);
                sandbox.endow(transaction.caller, gas.saturating_add(transaction.value))?;
            }
        }
        for transaction in transactions {
            let before = sandbox.clone();
            let execution = sandbox.execute(transaction.clone(), Checks::Pending, bounds);
            if let Exit::NoState(error) = execution.exit {
                return Err(error);
            }
            let views = SandboxViews::new(&before, &sandbox, bounds, VIEWS);
            look(execution, &views);
            if let Some(error) = views.missing() {
                return Err(error);
            }
        }
        Ok(())
    }

    fn varies(&self) -> bool {
        true
    }

    fn endows(&self) -> bool {
        true
    }
}
