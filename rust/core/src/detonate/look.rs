//! One call, made for a look: whether it comes to anything, and what it hangs on.

use super::call::{gas_money, transaction};
use super::probe::{Kinds, Probe, Seen};
use crate::evidence::transfers::{Asset, Transfer};
use crate::evidence::{Guard, Trial};
use crate::simulate::evm::StateError;
use crate::simulate::evm::environment::Environment;
use crate::simulate::evm::execute::{Checks, Execution, Exit, Sandbox};
use crate::simulate::evm::tracer::Bounds;
use crate::simulate::evm::transaction::from_pending;
use crate::tx::Extras;
use alloy_primitives::{Address, U256};
use hashbrown::HashSet;
use revm::DatabaseRef;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

/// Contracts noted that one call calls.
const CALLED: usize = 16;
/// Less than what a call is given before it says that it lacks gas: transfers' stipends are not meant to last.
const STIPEND: u64 = 10_000;
/// Seeded: nobody can have an effect that looks like another.
pub(super) static SEEDED: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// How a call concerns monitored contracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Concern {
    /// It calls none, and moves nothing of them.
    None,
    /// It reads one, and all stays as it was.
    Touches,
    /// It changes one, or moves something where one takes part, as deposits do.
    Changes,
    /// Something leaves one, or somebody else; or one is another afterwards and got nothing for it.
    Takes,
}

/// What a call came to.
#[derive(Debug)]
pub struct Look {
    pub succeeded: bool,
    /// It did something: succeeded, and called, wrote or moved.
    pub entered: bool,
    /// It, or what it called, lacked gas.
    pub ran_out: bool,
    /// It was ended from outside.
    pub stopped: bool,
    pub gas: u64,
    pub guard: Option<Guard>,
    pub concern: Concern,
    /// Of all that it did to monitored contracts and moved: the same for calls that do the same.
    pub effect: u64,
    /// What it left changed beside its caller; nothing where all is as before.
    pub left: Option<u64>,
    /// It wrote into its own storage, or a monitored contract is another one.
    pub wrote: bool,
    /// Contracts that it called, others than its own.
    pub called: Vec<Address>,
    pub seen: Seen,
}

/// Who looks, and at what.
#[derive(Debug, Clone, Copy)]
pub struct Looker<'a> {
    pub environment: &'a Environment,
    pub monitored: &'a HashSet<Address>,
    pub tip: u128,
    pub bounds: Bounds,
}

impl Looker<'_> {
    /// Makes the call on `sandbox`, which keeps what it left. Nothing where it cannot be sent: its caller has code, or lacks
    /// the value.
    ///
    /// # Errors
    /// The state that it asks for could not be had.
    pub fn look<S: DatabaseRef<Error = StateError>>(
        &self,
        sandbox: &mut Sandbox<S>,
        trial: &Trial,
        gas: u64,
    ) -> Result<Option<Look>, StateError> {
        let sender = sandbox.state().basic_ref(trial.from)?;
        let nonce = sender.map_or(0, |sender| sender.nonce);
        let tx = transaction(trial, nonce, gas, self.tip, self.environment);
        sandbox.endow(trial.from, gas_money(&tx))?;
        let probe = Probe::new(trial.to, trial.input.len());
        let tx = from_pending(&tx, Extras::default());
        let (price, gas) = (tx.gas_price, tx.gas_limit);
        let (execution, probe) = sandbox.execute_watched(tx, Checks::Pending, self.bounds, probe);
        // It was there for gas, and is nobody's means.
        let unused = gas.saturating_sub(execution.gas_used);
        sandbox.take(trial.from, U256::from(unused) * U256::from(price))?;
        match execution.exit {
            Exit::NoState(error) => Err(error),
            Exit::Invalid(_) => Ok(None),
            _ => Ok(Some(self.told(trial, &execution, probe.seen))),
        }
    }

    fn told(&self, trial: &Trial, execution: &Execution, seen: Seen) -> Look {
        let succeeded = execution.exit == Exit::Succeeded;
        let mut transfers = match succeeded {
            true => execution.trace.movements(),
            false => Vec::new(),
        };
        // It may say of itself what it likes.
        transfers.retain(|moved| moved.asset != Asset::Token(trial.to));
        let left = succeeded.then(|| self.left(trial, execution)).flatten();
        let frames = &execution.trace.frames;
        let lacks = |error: &str| error.starts_with("out of gas");
        let starved = frames.iter().filter(|frame| frame.gas > STIPEND);
        let mut starved = starved.filter_map(|frame| frame.error.as_deref());
        let stopped = matches!(execution.exit, Exit::Stopped(_));
        let entered = succeeded && (left.is_some() || frames.len() > 1);
        let mut called: Vec<Address> = Vec::new();
        for to in frames.iter().skip(1).filter_map(|frame| frame.to) {
            if called.len() < CALLED && to != trial.to && !called.contains(&to) {
                called.push(to);
            }
        }
        Look {
            guard: (!entered && frames.len() <= 1)
                .then(|| guard(seen.last))
                .flatten(),
            concern: self.concern(trial, execution, &transfers),
            effect: self.effect(execution, &transfers),
            gas: execution.gas_spent,
            ran_out: !stopped && starved.any(lacks),
            stopped,
            succeeded,
            entered,
            left,
            wrote: succeeded && self.wrote(trial, execution),
            called,
            seen,
        }
    }

    fn wrote(&self, trial: &Trial, execution: &Execution) -> bool {
        let mut accounts = execution.diff.0.iter();
        accounts.any(|(address, account)| match *address == trial.to {
            true => account
                .storage
                .values()
                .any(|(before, after)| before != after),
            false => self.monitored.contains(address) && account.changed(),
        })
    }

    fn concern(&self, trial: &Trial, execution: &Execution, transfers: &[Transfer]) -> Concern {
        let of = |address: &Address| self.monitored.contains(address);
        let called = execution.trace.frames.iter().filter_map(|frame| frame.to);
        let ran: HashSet<Address> = called.collect();
        let touches = ran.iter().any(of);
        let accounts = execution.diff.0.iter();
        let mut monitored = accounts.filter(|(address, _)| of(address));
        let changes = monitored.any(|(_, account)| account.changed());
        let gets = transfers.iter().any(|moved| of(&moved.to));
        let gives = transfers.iter().any(|moved| of(&moved.from));
        let own = [trial.from, trial.to, Address::ZERO];
        // Of somebody whose own code did not run: an account that trusted.
        let mut others = transfers.iter().map(|moved| moved.from);
        let robs = others.any(|from| !own.contains(&from) && !ran.contains(&from));
        match execution.exit == Exit::Succeeded {
            true if gives || (touches && robs) || (changes && !gets) => Concern::Takes,
            true if changes || gets || (touches && !transfers.is_empty()) => Concern::Changes,
            _ if touches => Concern::Touches,
            _ => Concern::None,
        }
    }

    fn effect(&self, execution: &Execution, transfers: &[Transfer]) -> u64 {
        let moved = transfers.iter();
        let moved = moved.map(|one| (one.asset, one.from, one.to, one.amount));
        let moved: Vec<_> = moved.collect();
        let accounts = execution.diff.0.iter();
        let monitored = accounts.filter(|(address, _)| self.monitored.contains(*address));
        let changed = monitored.map(|(address, account)| {
            let balances = (account.balance_before(), account.balance_after());
            SEEDED.hash_one((address, balances, &account.storage))
        });
        SEEDED.hash_one((moved, changed.collect::<Vec<_>>()))
    }

    /// What it left changed of others than its caller and the block's beneficiary.
    fn left(&self, trial: &Trial, execution: &Execution) -> Option<u64> {
        let paid = [trial.from, self.environment.block.beneficiary];
        let accounts = execution.diff.0.iter();
        let changed =
            accounts.filter(|(address, account)| !paid.contains(address) && account.changed());
        let changed = changed.map(|(address, account)| {
            let code = account.after.as_ref().map(|after| after.code_hash);
            SEEDED.hash_one((address, code, account.balance_after(), &account.storage))
        });
        let changed: Vec<u64> = changed.collect();
        (!changed.is_empty()).then(|| SEEDED.hash_one(changed))
    }
}

/// What a call that came to nothing was refused for, by what its last branch hung on; where that was an argument, too, another
/// one may do.
fn guard(last: Kinds) -> Option<Guard> {
    match (last.has(Kinds::WORD), last.has(Kinds::EQUAL)) {
        (true, true) => Some(Guard::Secret),
        (true, false) => None,
        (false, _) if last.has(Kinds::CALLER) => Some(Guard::Caller),
        (false, _) if last.has(Kinds::TIME) => Some(Guard::Time),
        (false, _) => None,
    }
}
