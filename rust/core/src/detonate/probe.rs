//! Watches what a contract makes of what it is called with: which words of the calldata it reads and as what, what it compares
//! them, its caller and its value with, and what its branches hang on.
//!
//! Each item of the stack of the contract's own frame carries a mark of where it comes from. What is compared is noted with
//! both numbers as they are at that moment, wherever they come from: constants, storage, what another contract answered
//! (input-to-state correspondence: Aschermann et al., "REDQUEEN", NDSS 2019).

mod marks;

use crate::simulate::evm::watch::Watch;
use alloy_primitives::{Address, U256};
use hashbrown::HashSet;
pub use marks::Kinds;
use marks::Shadow;
use revm::bytecode::opcode;
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_types::{InputsTr, Jumps};
use revm::interpreter::{CallInputs, CallScheme, Interpreter};

/// Comparisons, words and branches noted of one run.
const COMPARISONS: usize = 64;
const WORDS: usize = 64;
const EDGES: usize = 4_096;

/// What a comparison was of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    pub kinds: Kinds,
    /// Where in the calldata the word stands that is compared.
    pub at: usize,
    /// What became of what the caller chose, and what it is compared with.
    pub ours: U256,
    pub theirs: U256,
    /// Whether they are the same; else which is larger.
    pub equal: bool,
}

/// What a word of the calldata is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Number,
    Address,
    /// Where in the calldata something of no fixed length begins.
    Offset,
}

/// What one run showed.
#[derive(Debug, Default)]
pub struct Seen {
    /// Branches of the contract's own code, each with which way it went.
    pub edges: HashSet<u64>,
    pub comparisons: Vec<Comparison>,
    /// What the selector was compared with.
    pub selectors: Vec<[u8; 4]>,
    /// Words of the calldata that were read, by where they stand.
    pub words: Vec<(usize, Role)>,
    /// What the last branch of the called frame hung on.
    pub last: Kinds,
}

impl Seen {
    fn compared(&mut self, comparison: Comparison) {
        if self.comparisons.len() < COMPARISONS && !self.comparisons.contains(&comparison) {
            self.comparisons.push(comparison);
        }
    }

    fn asked_for(&mut self, selector: [u8; 4]) {
        if self.selectors.len() < COMPARISONS && !self.selectors.contains(&selector) {
            self.selectors.push(selector);
        }
    }

    fn read(&mut self, at: usize, role: Role) {
        if let Some((_, known)) = self.words.iter_mut().find(|(word, _)| *word == at) {
            *known = role.max(*known);
        } else if self.words.len() < WORDS {
            self.words.push((at, role));
        }
    }

    fn branched(&mut self, interp: &Interpreter<EthInterpreter>, taken: bool) {
        if self.edges.len() < EDGES {
            let code = interp.input.bytecode_address();
            let code = code.map_or(0, |code| {
                u32::from_be_bytes([code[0], code[1], code[2], code[3]])
            });
            let place = (interp.bytecode.pc() as u64) << 1 | u64::from(taken);
            self.edges.insert(u64::from(code) << 32 | place);
        }
    }
}

/// Whose code a frame runs.
enum Place {
    /// The contract's, called with the calldata that was sent.
    Called(Shadow),
    /// The contract's, called by others: a callback.
    CalledBack,
    Elsewhere,
}

pub struct Probe {
    contract: Address,
    /// Length of the calldata.
    length: usize,
    frames: Vec<Place>,
    pub seen: Seen,
}

impl Probe {
    /// Of a call of `contract` with so many bytes.
    pub fn new(contract: Address, length: usize) -> Self {
        Self {
            contract,
            length,
            frames: Vec::new(),
            seen: Seen::default(),
        }
    }
}

impl Watch for Probe {
    fn enter(&mut self, inputs: Option<&CallInputs>) {
        let of_contract = inputs.filter(|inputs| inputs.target_address == self.contract);
        let place = match (of_contract, self.frames.last()) {
            (Some(_), None) => Place::Called(Shadow::default()),
            // A proxy that passes on what it was sent.
            (Some(inputs), Some(Place::Called(_)))
                if inputs.scheme == CallScheme::DelegateCall
                    && inputs.input.len() == self.length =>
            {
                Place::Called(Shadow::default())
            }
            (Some(_), Some(_)) => Place::CalledBack,
            (None, _) => Place::Elsewhere,
        };
        self.frames.push(place);
    }

    fn leave(&mut self) {
        self.frames.pop();
    }

    #[inline]
    fn step(&mut self, interp: &Interpreter<EthInterpreter>) {
        let opcode = interp.bytecode.opcode();
        match self.frames.last_mut() {
            Some(Place::Called(shadow)) => {
                let stack = interp.stack.data().as_slice();
                let branched = shadow.step(opcode, stack, &mut self.seen);
                if let Some((taken, kinds)) = branched {
                    self.seen.branched(interp, taken);
                    self.seen.last = kinds;
                }
            }
            Some(Place::CalledBack) if opcode == opcode::JUMPI => {
                if let [.., condition, _] = interp.stack.data().as_slice() {
                    self.seen.branched(interp, !condition.is_zero());
                }
            }
            _ => {}
        }
    }
}
