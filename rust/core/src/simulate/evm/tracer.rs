//! Watches an execution: frames, logs, and which storage each frame touched, in bounded memory and time.

use super::preimages::{LONGEST, Preimages};
use crate::evidence::trace::{CallKind, Frame, FrameLog, Trace};
use alloy_primitives::{Address, Bytes, Log, U256};
use revm::Inspector;
use revm::bytecode::opcode;
use revm::context_interface::ContextTr;
use revm::context_interface::context::ContextError;
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_types::{InputsTr, Jumps, MemoryTr};
use revm::interpreter::{
    CallInputs, CallOutcome, CallScheme, CallValue, CreateInputs, CreateOutcome, CreateScheme,
    InstructionResult, Interpreter, InterpreterResult,
};
use std::borrow::Cow;
use std::time::Instant;

/// Kept of every input, output and log: a call of three arguments.
const BEGINNING: usize = 128;
/// Steps between two looks at the clock: some 10 µs of work.
const CLOCK_EVERY: u32 = 4_096;

/// One read or write of storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Index of the frame that did it.
    pub frame: u32,
    /// Whose storage.
    pub contract: Address,
    pub slot: U256,
    /// The new value, where it writes.
    pub writes: Option<U256>,
}

/// What an execution asked of where it runs: its outcome can hang on nothing else of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Surroundings {
    pub beneficiary: bool,
    /// The block's time, number, randomness or former hashes.
    pub time: bool,
    /// The base fee, or the price it pays.
    pub price: bool,
    pub gas_limit: bool,
}

impl Surroundings {
    fn note(&mut self, opcode: u8) {
        match opcode {
            opcode::COINBASE => self.beneficiary = true,
            opcode::TIMESTAMP | opcode::NUMBER | opcode::DIFFICULTY | opcode::BLOCKHASH => {
                self.time = true;
            }
            opcode::BASEFEE | opcode::GASPRICE | opcode::BLOBBASEFEE => self.price = true,
            opcode::GASLIMIT => self.gas_limit = true,
            _ => {}
        }
    }
}

/// What one execution may take.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// It ends then, wherever it is.
    pub deadline: Instant,
    /// Frames that are recorded; it ends where it makes more.
    pub frames: usize,
    /// Bytes of inputs, outputs and log data that are kept; what is beyond is cut.
    pub bytes: usize,
    /// Storage accesses that are kept, and as many inputs of hashes.
    pub accesses: usize,
}

/// Why an execution was ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    Deadline,
    Frames,
}

/// Records into a [`Trace`]; see [`Inspector`].
#[derive(Debug)]
pub struct Tracer {
    bounds: Bounds,
    pub trace: Trace,
    pub accesses: Vec<Access>,
    /// What it hashed, where it is short enough to be a mapping's key.
    pub hashed: Preimages,
    /// What it read of the block it is in and of its own price.
    pub surroundings: Surroundings,
    /// Something did not fit and was cut.
    pub cut: bool,
    pub stopped: Option<Stop>,
    open: Vec<Open>,
    bytes: usize,
    logs: u32,
    steps: u32,
}

/// A frame that has not ended.
#[derive(Debug)]
struct Open {
    index: u32,
    calls: u32,
    /// The last instruction it began.
    opcode: u8,
}

impl Tracer {
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            trace: Trace::default(),
            accesses: Vec::new(),
            hashed: Preimages::default(),
            surroundings: Surroundings::default(),
            cut: false,
            stopped: None,
            open: Vec::new(),
            bytes: 0,
            logs: 0,
            steps: 0,
        }
    }

    /// The trace, where what failed has left no logs.
    pub fn finish(mut self) -> Self {
        let stands = self.trace.stands();
        for (frame, stands) in self.trace.frames.iter_mut().zip(stands) {
            if !stands {
                frame.logs.clear();
            }
        }
        self
    }

    /// As much of `bytes` as there is room for, and the beginning in any case: selectors and amounts must not drown in noise.
    fn keep(&mut self, bytes: &[u8]) -> Bytes {
        let room = self.bounds.bytes.saturating_sub(self.bytes).max(BEGINNING);
        let kept = bytes.len().min(room);
        self.cut |= kept < bytes.len();
        self.bytes += kept;
        Bytes::copy_from_slice(&bytes[..kept])
    }

    fn enter(&mut self, mut frame: Frame) {
        let index = self.trace.frames.len() as u32;
        frame.depth = self.open.len() as u16;
        frame.parent = self.open.last().map_or(0, |parent| parent.index);
        if let Some(parent) = self.open.last_mut() {
            parent.calls += 1;
        }
        // A precompile may take long, and is one step.
        if self.stopped.is_none() && Instant::now() >= self.bounds.deadline {
            self.stopped = Some(Stop::Deadline);
        }
        self.trace.frames.push(frame);
        self.open.push(Open {
            index,
            calls: 0,
            opcode: opcode::STOP,
        });
    }

    fn leave(&mut self, result: &InterpreterResult, created: Option<Option<Address>>) {
        let Some(open) = self.open.pop() else { return };
        let failed = error(result.result, open.opcode, created.is_some());
        let reverted = result.result == InstructionResult::Revert;
        let output = if failed.is_none() || reverted {
            self.keep(&result.output)
        } else {
            Bytes::new()
        };
        let frame = &mut self.trace.frames[open.index as usize];
        // What fails otherwise than by reverting uses all it was given.
        frame.gas_used = match result.result.is_halt() {
            true => frame.gas,
            false => result.gas.total_gas_spent(),
        };
        frame.output = output;
        if let Some(address) = created {
            frame.to = address.filter(|_| failed.is_none());
        }
        frame.error = failed;
    }

    fn access(&mut self, contract: Address, slot: U256, writes: Option<U256>) {
        let Some(open) = self.open.last() else { return };
        if self.accesses.len() >= self.bounds.accesses {
            self.cut = true;
            return;
        }
        self.accesses.push(Access {
            frame: open.index,
            contract,
            slot,
            writes,
        });
    }

    /// Out of line: few instructions hash, and all pass by here.
    #[inline(never)]
    fn hash(&mut self, interp: &Interpreter<EthInterpreter>, offset: U256, length: U256) {
        self.hashed.forget_unhashed();
        if length > U256::from(LONGEST) {
            return;
        }
        let (offset, length) = (offset.saturating_to::<usize>(), length.to::<usize>());
        // Beyond what was written there are zeros: no compiler hashes those.
        if offset.saturating_add(length) > interp.memory.size() {
            return;
        }
        if self.hashed.len() >= self.bounds.accesses {
            self.cut = true;
            return;
        }
        let by = interp.input.target_address();
        self.hashed
            .push(by, &interp.memory.slice_len(offset, length));
    }

    /// Whether it goes on; else `stopped` says why not.
    fn goes_on(&mut self) -> bool {
        if self.stopped.is_none() && self.trace.frames.len() > self.bounds.frames {
            self.stopped = Some(Stop::Frames);
        }
        self.steps = self.steps.wrapping_add(1);
        if self.stopped.is_none()
            && self.steps.is_multiple_of(CLOCK_EVERY)
            && Instant::now() >= self.bounds.deadline
        {
            self.stopped = Some(Stop::Deadline);
        }
        self.stopped.is_none()
    }
}

impl<CTX: ContextTr> Inspector<CTX, EthInterpreter> for Tracer {
    #[inline]
    fn step(&mut self, interp: &mut Interpreter<EthInterpreter>, context: &mut CTX) {
        if !self.goes_on() {
            // The one error that ends every frame.
            *context.error() = Err(ContextError::Custom("stopped".into()));
            return interp.halt_fatal();
        }
        let opcode = interp.bytecode.opcode();
        let Some(open) = self.open.last_mut() else {
            return;
        };
        let before = std::mem::replace(&mut open.opcode, opcode);
        self.surroundings.note(opcode);
        let stack = interp.stack.data().as_slice();
        if let (opcode::KECCAK256, [.., hash]) = (before, stack) {
            self.hashed.came_out(*hash);
        }
        match (opcode, stack) {
            (opcode::SLOAD, [.., slot]) => {
                self.access(interp.input.target_address(), *slot, None);
            }
            (opcode::SSTORE, [.., value, slot]) => {
                self.access(interp.input.target_address(), *slot, Some(*value));
            }
            (opcode::KECCAK256, [.., length, offset]) => {
                self.hash(interp, *offset, *length);
            }
            _ => {}
        }
    }

    fn log(&mut self, _: &mut CTX, log: Log) {
        let data = self.keep(&log.data.data);
        let index = self.logs;
        self.logs += 1;
        let Some(open) = self.open.last() else { return };
        let frame = &mut self.trace.frames[open.index as usize];
        frame.logs.push(FrameLog {
            address: log.address,
            topics: log.data.topics().to_vec(),
            data,
            position: open.calls,
            index,
        });
    }

    fn call(&mut self, context: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        let input = self.keep(&inputs.input.as_bytes(context));
        let kind = match inputs.scheme {
            CallScheme::Call => CallKind::Call,
            CallScheme::CallCode => CallKind::CallCode,
            CallScheme::DelegateCall => CallKind::DelegateCall,
            CallScheme::StaticCall => CallKind::StaticCall,
        };
        let own_code = matches!(kind, CallKind::CallCode | CallKind::DelegateCall);
        let value = match inputs.value {
            CallValue::Transfer(value) | CallValue::Apparent(value) => value,
        };
        self.enter(Frame {
            kind,
            from: if own_code {
                inputs.target_address
            } else {
                inputs.caller
            },
            to: Some(if own_code {
                inputs.bytecode_address
            } else {
                inputs.target_address
            }),
            value: (kind != CallKind::StaticCall).then_some(value),
            gas: inputs.gas_limit,
            input,
            ..Frame::default()
        });
        None
    }

    fn call_end(&mut self, _: &mut CTX, _: &CallInputs, outcome: &mut CallOutcome) {
        self.leave(&outcome.result, None);
    }

    fn create(&mut self, _: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        let input = self.keep(inputs.init_code());
        self.enter(Frame {
            kind: match inputs.scheme() {
                CreateScheme::Create2 { .. } => CallKind::Create2,
                _ => CallKind::Create,
            },
            from: inputs.caller(),
            to: None,
            value: Some(inputs.value()),
            gas: inputs.gas_limit(),
            input,
            ..Frame::default()
        });
        None
    }

    fn create_end(&mut self, _: &mut CTX, _: &CreateInputs, outcome: &mut CreateOutcome) {
        self.leave(&outcome.result, Some(outcome.address));
    }

    fn selfdestruct(&mut self, contract: Address, target: Address, value: U256) {
        self.enter(Frame {
            kind: CallKind::SelfDestruct,
            from: contract,
            to: Some(target),
            value: Some(value),
            ..Frame::default()
        });
        self.open.pop();
    }
}

/// geth's words for how a frame failed; `opcode` is the last instruction it began.
fn error(result: InstructionResult, opcode: u8, creates: bool) -> Option<Cow<'static, str>> {
    use InstructionResult as R;
    Some(Cow::Borrowed(match result {
        R::Stop | R::Return | R::SelfDestruct | R::Suspend => return None,
        R::Revert => "execution reverted",
        R::CallTooDeep => "max call depth exceeded",
        R::OutOfFunds => "insufficient balance for transfer",
        // The init code ended well, and its result could not be paid for.
        R::OutOfGas if creates && opcode == opcode::RETURN => {
            "contract creation code storage out of gas"
        }
        R::OutOfGas | R::MemoryOOG | R::MemoryLimitOOG | R::PrecompileOOG => "out of gas",
        R::InvalidOperandOOG => "gas uint64 overflow",
        R::ReentrancySentryOOG => "out of gas: not enough gas for reentrancy sentry",
        R::InvalidFEOpcode => "invalid opcode: INVALID",
        R::OpcodeNotFound | R::NotActivated => {
            return Some(Cow::Owned(format!(
                "invalid opcode: opcode {opcode:#x} not defined"
            )));
        }
        R::CallNotAllowedInsideStatic | R::StateChangeDuringStaticCall => "write protection",
        R::InvalidJump => "invalid jump destination",
        R::StackUnderflow => "stack underflow",
        R::StackOverflow => "stack limit reached 1024 (1023)",
        R::OutOfOffset => "return data out of bounds",
        R::CreateCollision => "contract address collision",
        R::OverflowPayment => "insufficient balance for transfer",
        R::PrecompileError => "precompiled contract failed",
        R::NonceOverflow => "nonce uint64 overflow",
        R::CreateContractSizeLimit => "max code size exceeded",
        R::CreateContractStartingWithEF | R::CreateInitCodeStartingEF00 => {
            "invalid code: must not begin with 0xef"
        }
        R::CreateInitCodeSizeLimit => "max initcode size exceeded",
        R::InvalidEOFInitCode | R::InvalidExtDelegateCallTarget | R::InvalidImmediateEncoding => {
            "invalid code"
        }
        R::FatalExternalError => "stopped",
    }))
}
