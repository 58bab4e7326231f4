//! Transactions on a state, each on what the former left, without changing the state itself.

#[cfg(test)]
mod tests;

use super::diff::{AccountDiff, StateDiff};
use super::environment::Environment;
use super::preimages::Preimages;
use super::tracer::{Access, Bounds, Stop, Surroundings, Tracer};
use super::watch::{Watch, Watched};
use crate::evidence::trace::{CallKind, Frame, Trace};
use crate::simulate::evm::error::StateError;
use alloy_primitives::{Address, Bytes, TxKind, U256};
use revm::context::result::{EVMError, ExecutionResult, HaltReason, ResultAndState};
use revm::context::{CfgEnv, TxEnv};
use revm::database::{AccountState, CacheDB};
use revm::{Context, DatabaseCommit, DatabaseRef, InspectEvm, MainBuilder, MainContext};
use std::borrow::Cow;
use std::fmt;

/// Gas of a view: several are asked in one simulation, and hostile tokens answer them too.
const VIEW_GAS: u64 = 10_000_000;

/// Which transactions are executed though no block could hold them now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checks {
    /// None: all that consensus demands is checked.
    Consensus,
    /// Those whose nonce is not the next one, or whose fee is below the base fee: they may be included later.
    Pending,
    /// Views, too: what no block holds needs no block's room.
    View,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    Succeeded,
    Reverted,
    /// Out of gas, an invalid jump …: all its gas is used.
    Halted(Cow<'static, str>),
    /// No block can hold it.
    Invalid(String),
    /// Ended from outside before it was over.
    Stopped(Stop),
    /// The state it asked for could not be had.
    NoState(StateError),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Succeeded => f.write_str("succeeded"),
            Self::Reverted => f.write_str("reverted"),
            Self::Halted(reason) => write!(f, "halted: {reason}"),
            Self::Invalid(reason) => write!(f, "invalid: {reason}"),
            Self::Stopped(_) | Self::NoState(_) => f.write_str("unfinished"),
        }
    }
}

/// One executed transaction.
#[derive(Debug)]
pub struct Execution {
    pub exit: Exit,
    /// As the receipt says; 0 where it was not executed to its end.
    pub gas_used: u64,
    /// The same before refunds: what its gas limit has to cover at the least.
    pub gas_spent: u64,
    /// What it returned, or reverted with.
    pub output: Bytes,
    pub trace: Trace,
    pub accesses: Vec<Access>,
    /// What it hashed: mappings derive their slots so.
    pub hashed: Preimages,
    pub surroundings: Surroundings,
    /// Its trace has all calls, and not its logs and payments alone.
    pub has_calls: bool,
    /// Its storage and all accounts were watched: what it broke can be told.
    pub watched: bool,
    /// Something was beyond the bounds and is missing in the trace.
    pub cut: bool,
    /// Its nonce is not its sender's next one: what comes before it is not known.
    pub early: bool,
    /// What it changed; empty where it was not executed to its end.
    pub diff: StateDiff,
    /// Wei that the block's beneficiary gained: tips and bribes.
    pub coinbase_payment: U256,
}

impl Execution {
    fn unfinished(exit: Exit, tracer: Tracer) -> Self {
        Self {
            exit,
            gas_used: 0,
            gas_spent: 0,
            output: Bytes::new(),
            trace: tracer.trace,
            accesses: tracer.accesses,
            hashed: tracer.hashed,
            surroundings: tracer.surroundings,
            has_calls: true,
            watched: true,
            cut: tracer.cut,
            early: false,
            diff: StateDiff::default(),
            coinbase_payment: U256::ZERO,
        }
    }
}

/// A state that can be changed without changing the one behind it.
pub struct Sandbox<'a, S> {
    state: CacheDB<&'a S>,
    environment: &'a Environment,
}

// Not derived: that would ask the same of the state.
impl<S> Clone for Sandbox<'_, S> {
    fn clone(&self) -> Self {
        Self {
            state: self.state.clone(),
            environment: self.environment,
        }
    }
}

impl<'a, S: DatabaseRef<Error = StateError>> Sandbox<'a, S> {
    pub fn new(state: &'a S, environment: &'a Environment) -> Self {
        Self {
            state: CacheDB::new(state),
            environment,
        }
    }

    /// Executes a transaction on what the former ones left. One that is invalid, or not executed to its end, leaves
    /// nothing.
    pub fn execute(&mut self, transaction: TxEnv, checks: Checks, bounds: Bounds) -> Execution {
        self.execute_watched(transaction, checks, bounds, ()).0
    }

    /// As [`execute`](Self::execute), while somebody watches.
    pub fn execute_watched<W: Watch>(
        &mut self,
        transaction: TxEnv,
        checks: Checks,
        bounds: Bounds,
        watch: W,
    ) -> (Execution, W) {
        let early = match checks {
            Checks::Pending => self.catch_up(&transaction),
            Checks::Consensus | Checks::View => Ok(false),
        };
        match early {
            Ok(early) => {
                let (execution, watch) = self.run(transaction, checks, bounds, watch);
                (Execution { early, ..execution }, watch)
            }
            Err(error) => {
                let nothing = Execution::unfinished(Exit::NoState(error), Tracer::new(bounds));
                (nothing, watch)
            }
        }
    }

    /// What the transactions so far have left.
    pub fn state(&self) -> &CacheDB<&'a S> {
        &self.state
    }

    /// Gives an account so much ether more than it has, for what it is to pay.
    ///
    /// # Errors
    /// The account could not be had.
    pub fn endow(&mut self, account: Address, wei: U256) -> Result<(), StateError> {
        let account = self.state.load_account(account)?;
        account.info.balance = account.info.balance.saturating_add(wei);
        if account.account_state == AccountState::NotExisting {
            account.account_state = AccountState::None;
        }
        Ok(())
    }

    /// The reverse, as far as it has it.
    pub fn take(&mut self, account: Address, wei: U256) -> Result<(), StateError> {
        let account = self.state.load_account(account)?;
        account.info.balance = account.info.balance.saturating_sub(wei);
        Ok(())
    }

    /// Gives the sender the transaction's nonce where it is ahead: an address that is created hangs on it. Answers whether
    /// it was.
    fn catch_up(&mut self, transaction: &TxEnv) -> Result<bool, StateError> {
        let sender = self.state.load_account(transaction.caller)?;
        let early = sender.info.nonce < transaction.nonce;
        if early {
            sender.info.nonce = transaction.nonce;
            if sender.account_state == AccountState::NotExisting {
                sender.account_state = AccountState::None;
            }
        }
        Ok(early)
    }

    fn run<W: Watch>(
        &mut self,
        transaction: TxEnv,
        checks: Checks,
        bounds: Bounds,
        watch: W,
    ) -> (Execution, W) {
        let Self { state, environment } = self;
        let tracer = Tracer::new(bounds);
        let first = first_frame(&transaction);
        let mut evm = Context::mainnet()
            .with_db(&mut *state)
            .with_cfg(rules(environment, checks))
            .with_block(environment.block.clone())
            .build_mainnet_with_inspector(Watched { tracer, watch });
        let done = evm.inspect_tx(transaction);
        let Watched { tracer, watch } = evm.into_inspector();
        let tracer = tracer.finish();
        let ResultAndState {
            result,
            state: changes,
        } = match done {
            Ok(done) => done,
            Err(error) => {
                let exit = unfinished(error, &tracer);
                return (Execution::unfinished(exit, tracer), watch);
            }
        };
        let diff = match StateDiff::between(&*state, &changes) {
            Ok(diff) => diff,
            Err(error) => {
                let exit = Exit::NoState(error);
                return (Execution::unfinished(exit, tracer), watch);
            }
        };
        let beneficiary = diff.0.get(&environment.block.beneficiary);
        let coinbase_payment = beneficiary.map_or(U256::ZERO, AccountDiff::gain);
        state.commit(changes);
        let execution = finished(first, result, tracer, diff, coinbase_payment);
        (execution, watch)
    }

    /// What a call answers now: nobody pays for it, and it changes nothing.
    ///
    /// # Errors
    /// How it ended, where it did not succeed.
    pub fn view(&self, contract: Address, data: Bytes, bounds: Bounds) -> Result<Bytes, Exit> {
        let call = TxEnv {
            kind: TxKind::Call(contract),
            data,
            gas_limit: VIEW_GAS.min(self.environment.block.gas_limit),
            chain_id: None,
            ..TxEnv::default()
        };
        let mut sandbox = Sandbox {
            state: CacheDB::new(&self.state),
            environment: self.environment,
        };
        let execution = sandbox.execute(call, Checks::View, bounds);
        match execution.exit {
            Exit::Succeeded => Ok(execution.output),
            exit => Err(exit),
        }
    }
}

fn unfinished(error: EVMError<StateError>, tracer: &Tracer) -> Exit {
    match (tracer.stopped, error) {
        (Some(stop), _) => Exit::Stopped(stop),
        (None, EVMError::Database(error)) => Exit::NoState(error),
        (None, error) => Exit::Invalid(error.to_string()),
    }
}

fn rules(environment: &Environment, checks: Checks) -> CfgEnv {
    let mut rules = CfgEnv::new_with_spec(environment.fork).with_chain_id(environment.chain_id);
    rules.blob_base_fee_update_fraction = environment.blob_base_fee_update_fraction;
    // What the network does not relay is not pending.
    rules.tx_chain_id_check = true;
    rules.disable_nonce_check = checks != Checks::Consensus;
    rules.disable_base_fee = checks != Checks::Consensus;
    if checks == Checks::View {
        // EIP-7825 is for transactions.
        rules.tx_gas_limit_cap = Some(u64::MAX);
    }
    rules
}

/// A transaction's own frame as it is where its gas does not last to its first instruction.
pub(super) fn first_frame(transaction: &TxEnv) -> Frame {
    Frame {
        kind: match transaction.kind {
            TxKind::Call(_) => CallKind::Call,
            TxKind::Create => CallKind::Create,
        },
        from: transaction.caller,
        to: transaction.kind.to().copied(),
        value: Some(transaction.value),
        gas: transaction.gas_limit,
        input: transaction.data.clone(),
        error: Some("out of gas".into()),
        ..Frame::default()
    }
}

fn finished(
    first: Frame,
    result: ExecutionResult,
    mut tracer: Tracer,
    diff: StateDiff,
    coinbase_payment: U256,
) -> Execution {
    let (gas_used, gas) = (result.tx_gas_used(), result.gas());
    let gas_spent = gas.total_gas_spent().max(gas.floor_gas());
    let trace = &mut tracer.trace;
    let limit = first.gas;
    if trace.frames.is_empty() {
        trace.frames.push(first);
    }
    (trace.frames[0].gas, trace.frames[0].gas_used) = (limit, gas_used);
    let exit = match &result {
        ExecutionResult::Success { .. } => Exit::Succeeded,
        ExecutionResult::Revert { .. } => Exit::Reverted,
        ExecutionResult::Halt { reason, .. } => Exit::Halted(halted(trace, reason)),
    };
    Execution {
        gas_used,
        gas_spent,
        output: result.into_output().unwrap_or_default(),
        diff,
        coinbase_payment,
        ..Execution::unfinished(exit, tracer)
    }
}

fn halted(trace: &Trace, reason: &HaltReason) -> Cow<'static, str> {
    let said = trace.root().and_then(|root| root.error.clone());
    said.unwrap_or_else(|| format!("{reason:?}").into())
}
