//! From init code to the code that runs: by its constructor, on a state; where it cannot run, by what it has embedded.

use super::creations::SMALL;
use super::evm::StateError;
use super::evm::environment::Environment;
use super::evm::execute::{Checks, Execution, Exit, Sandbox};
use super::evm::tracer::Bounds;
use crate::bytecode::disassembly::disassemble;
use crate::bytecode::embedded::{embedded, is_init_code};
use crate::evidence::trace::CallKind;
use alloy_primitives::{Address, Bytes, TxKind, U256};
use revm::DatabaseRef;
use revm::context::TxEnv;
use revm::database_interface::EmptyDBTyped;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Gas of a constructor without a state: what a transaction may have (EIP-7825). Some 0.1 s of work.
const GAS: u64 = 1 << 24;
/// For machines on which it takes longer: an answer that hangs on the clock differs from run to run.
const PATIENCE: Duration = Duration::from_secs(5);
const FRAMES: usize = 4_096;
const BYTES: usize = 1 << 20;
const ACCESSES: usize = 16_384;
/// Addresses below are precompiles, and are no contracts.
const PRECOMPILES: U256 = U256::from_limbs([0x200, 0, 0, 0]);

/// Which code stands for a contract that is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// What its constructor left when it was executed.
    Executed,
    /// The constructor could not run; this is what it would return, without what it works out.
    Embedded,
    /// The init code itself: it leaves next to nothing, or what it leaves cannot be had.
    Constructor,
}

impl Origin {
    pub fn name(self) -> &'static str {
        match self {
            Self::Executed => "executed",
            Self::Embedded => "embedded",
            Self::Constructor => "constructor",
        }
    }
}

/// What a code is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Runtime,
    Creation,
}

/// The code that stands for a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    pub code: Bytes,
    /// Nothing where it was given as it runs.
    pub origin: Option<Origin>,
}

/// What runs of `code`, without a state. What is not said to be init code is looked at all the same: collections often have
/// it for runtime code, which no runtime code looks like.
pub fn running_code(code: &[u8], kind: Option<Kind>) -> Running {
    if kind != Some(Kind::Creation) && !is_init_code(code) {
        return Running {
            code: Bytes::copy_from_slice(code),
            origin: None,
        };
    }
    let constructed = construct_alone(code);
    Running {
        code: constructed.code,
        origin: Some(constructed.origin),
    }
}

/// What came of a creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constructed {
    pub code: Bytes,
    pub origin: Origin,
    /// How the constructor ended.
    pub exit: Exit,
    /// Of the contract, whether it was created or not.
    pub address: Address,
    /// What it wrote into its own storage: slot and value.
    pub stored: Vec<(U256, U256)>,
    /// Whom it called, precompiles and its own contracts left out, each once.
    pub called: Vec<Address>,
    /// Contracts that it created, with their code.
    pub created: Vec<(Address, Bytes)>,
    pub gas_used: u64,
}

/// Executes a creation on what the sandbox has, and leaves its outcome there. `bounds` hold for the constructor: its gas
/// is the transaction's.
pub fn construct<S: DatabaseRef<Error = StateError>>(
    sandbox: &mut Sandbox<S>,
    creation: TxEnv,
    checks: Checks,
    bounds: Bounds,
) -> Constructed {
    let init = creation.data.clone();
    let address = creation.caller.create(creation.nonce);
    let execution = sandbox.execute(creation, checks, bounds);
    Constructed::of(&init, address, execution)
}

/// The same on no state at all: every account that it asks for is empty. For training, and where there is no node.
pub fn construct_alone(init: &[u8]) -> Constructed {
    let (nothing, environment) = (EmptyDBTyped::<StateError>::new(), alone());
    let mut sandbox = Sandbox::new(&nothing, &environment);
    let creation = TxEnv {
        caller: Address::repeat_byte(0xde),
        kind: TxKind::Create,
        data: Bytes::copy_from_slice(init),
        gas_limit: GAS,
        chain_id: None,
        ..TxEnv::default()
    };
    let bounds = Bounds {
        deadline: Instant::now() + PATIENCE,
        frames: FRAMES,
        bytes: BYTES,
        accesses: ACCESSES,
    };
    construct(&mut sandbox, creation, Checks::View, bounds)
}

/// A block of late 2026: some constructors ask whether it is time.
fn alone() -> Environment {
    let mut environment = Environment::unknown(1);
    environment.block.number = U256::from(24_000_000);
    environment.block.timestamp = U256::from(1_795_000_000);
    environment.block.gas_limit = GAS;
    environment
}

impl Constructed {
    fn of(init: &Bytes, address: Address, execution: Execution) -> Self {
        let left = match execution.exit {
            Exit::Succeeded => Some((execution.output.clone(), Origin::Executed)),
            _ => embedded(init).map(|region| (init.slice(region), Origin::Embedded)),
        };
        // Without metadata, and unless the init code is short, too: solc's empty contract has 10 bytes, one that takes ether 16.
        let enough = SMALL.min(init.len() / 2);
        let (code, origin) = left
            .filter(|(code, _)| disassemble(code).size() >= enough)
            .unwrap_or_else(|| (init.clone(), Origin::Constructor));
        let after = |created: &Address| execution.diff.0.get(created)?.after.as_ref()?.code.clone();
        let stands = execution.trace.stands();
        let frames = execution.trace.frames.iter().zip(stands).skip(1);
        let mut created: Vec<(Address, Bytes)> = Vec::new();
        let mut called = Vec::new();
        for (frame, stands) in frames {
            let Some(to) = frame.to else { continue };
            if frame.kind.creates() {
                if let (true, Some(code)) = (stands, after(&to)) {
                    created.push((to, code.original_bytes()));
                }
            } else if frame.kind != CallKind::SelfDestruct
                && to != address
                && U256::from_be_slice(to.as_slice()) >= PRECOMPILES
                && !called.contains(&to)
            {
                called.push(to);
            }
        }
        called.retain(|to| created.iter().all(|(other, _)| other != to));
        let own = execution.diff.0.get(&address);
        let slots = own.iter().flat_map(|account| &account.storage);
        let stored = slots
            .filter(|(_, (before, after))| before != after)
            .map(|(slot, (_, after))| (*slot, *after))
            .collect();
        Self {
            code,
            origin,
            exit: execution.exit,
            address,
            stored,
            called,
            created,
            gas_used: execution.gas_used,
        }
    }
}

#[cfg(test)]
mod tests;
