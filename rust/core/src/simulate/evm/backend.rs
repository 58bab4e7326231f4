//! Who executes: revm on a state, a node, or nobody because it was recorded.

mod local;
mod remote;
mod traced;

pub use local::Local;
pub use remote::Remote;
pub use traced::Traced;

use super::environment::Environment;
use super::execute::Execution;
use super::tracer::Bounds;
use crate::simulate::evm::error::StateError;
use crate::simulate::evm::views::Views;
use alloy_primitives::Address;
use revm::context::TxEnv;

/// Shown each transaction's execution in turn, with what views answer before and after it.
pub type Look<'a> = &'a mut dyn FnMut(Execution, &dyn Views);

/// Executes transactions, each on what the former left.
pub trait Backend {
    /// `endowed`: who can pay for what they send, whatever they have; nobody where it does not [endow](Self::endows).
    ///
    /// # Errors
    /// The state, or the node that has it, could not be had. What an execution did, if only that it was stopped, is no
    /// error.
    fn execute(
        &self,
        environment: &Environment,
        transactions: &[TxEnv],
        endowed: &[Address],
        bounds: Bounds,
        look: Look,
    ) -> Result<(), StateError>;

    /// Whether it follows the environment: what was recorded does not.
    fn varies(&self) -> bool;

    /// Whether it can have somebody pay who cannot.
    fn endows(&self) -> bool {
        false
    }
}
