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
use revm::context::TxEnv;

/// Shown each transaction's execution in turn, with what views answer before and after it.
pub type Look<'a> = &'a mut dyn FnMut(Execution, &dyn Views);

/// Executes transactions, each on what the former left.
pub trait Backend {
    /// # Errors
    /// The state, or the node that has it, could not be had. What an execution did, if only that it was stopped, is no
    /// error.
    fn execute(
        &self,
        environment: &Environment,
        transactions: &[TxEnv],
        bounds: Bounds,
        look: Look,
    ) -> Result<(), StateError>;

    /// Whether it follows the environment: what was recorded does not.
    fn varies(&self) -> bool;
}
