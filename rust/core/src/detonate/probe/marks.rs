//! Where items of a stack and of a memory come from.

use super::{Comparison, Role, Seen};
use alloy_primitives::U256;
use hashbrown::HashMap;
use revm::bytecode::opcode::{self as op, OPCODE_INFO};
use std::ops::{BitAnd, BitOr};

/// Words of memory that are followed, and of one copy or hash.
const CELLS: usize = 256;
const RUN: usize = 64;

/// What something comes from, or hangs on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    pub const CALLER: Self = Self(1);
    /// The block's time or number.
    pub const TIME: Self = Self(2);
    /// Wei that came with the call.
    pub const VALUE: Self = Self(4);
    /// A word of the calldata, behind the selector.
    pub const WORD: Self = Self(8);
    /// The calldata's first word.
    pub const SELECTOR: Self = Self(16);
    /// Length of the calldata.
    pub const SIZE: Self = Self(32);
    /// It went through a hash.
    pub const HASHED: Self = Self(64);
    /// It is whether two are the same, of which one is marked alone.
    pub const EQUAL: Self = Self(128);

    /// Whether it has any of these.
    pub fn has(self, kinds: Self) -> bool {
        (self & kinds).0 != 0
    }

    fn without(self, kinds: Self) -> Self {
        Self(self.0 & !kinds.0)
    }
}

impl BitOr for Kinds {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Kinds {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// Of one item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    kinds: Kinds,
    /// Of a word, where it stands in the calldata.
    at: u32,
}

impl Mark {
    fn of(kinds: Kinds) -> Self {
        Self { kinds, at: 0 }
    }

    fn is_none(self) -> bool {
        self.kinds == Kinds::default()
    }

    fn with(self, other: Self) -> Self {
        Self {
            kinds: self.kinds | other.kinds,
            at: if self.kinds.has(Kinds::WORD) {
                self.at
            } else {
                other.at
            },
        }
    }

    fn word(self) -> Option<usize> {
        let raw = self.kinds.has(Kinds::WORD) && !self.kinds.has(Kinds::HASHED);
        raw.then_some(self.at as usize)
    }
}

/// The marks of one frame.
#[derive(Debug, Default)]
pub struct Shadow {
    stack: Vec<Mark>,
    /// By 32 bytes.
    memory: HashMap<usize, Mark>,
}

impl Shadow {
    /// Follows one instruction, before it is executed on `stack`. Answers of a branch whether it is taken, and what that
    /// hangs on.
    pub fn step(&mut self, opcode: u8, stack: &[U256], seen: &mut Seen) -> Option<(bool, Kinds)> {
        // What was not followed carries no mark.
        self.stack.resize(stack.len(), Mark::default());
        match opcode {
            op::PUSH0..=op::PUSH32 => {
                self.stack.push(Mark::default());
                return None;
            }
            op::DUP1..=op::DUP16 => {
                let place = stack.len().checked_sub(usize::from(opcode - op::DUP1) + 1);
                let mark = place.map_or(Mark::default(), |place| self.stack[place]);
                self.stack.push(mark);
                return None;
            }
            op::SWAP1..=op::SWAP16 => {
                let top = stack.len().checked_sub(1)?;
                let other = top.checked_sub(usize::from(opcode - op::SWAP1) + 1)?;
                self.stack.swap(top, other);
                return None;
            }
            _ => {}
        }
        let info = OPCODE_INFO[usize::from(opcode)]?;
        let left = stack.len().checked_sub(usize::from(info.inputs()))?;
        let mut taken = [(Mark::default(), U256::ZERO); 7];
        let inputs = self.stack[left..].iter().zip(&stack[left..]).rev();
        for (place, (mark, value)) in taken.iter_mut().zip(inputs) {
            *place = (*mark, *value);
        }
        self.stack.truncate(left);
        let branched = (opcode == op::JUMPI).then_some((!taken[1].1.is_zero(), taken[1].0.kinds));
        let mark = self.comes_out(opcode, taken, seen);
        self.stack.extend((0..info.outputs()).map(|_| mark));
        branched
    }

    fn comes_out(&mut self, opcode: u8, taken: [(Mark, U256); 7], seen: &mut Seen) -> Mark {
        let [(first, a), (second, b), (third, c), ..] = taken;
        match opcode {
            op::CALLER | op::ORIGIN => Mark::of(Kinds::CALLER),
            op::TIMESTAMP | op::NUMBER | op::BLOCKHASH => Mark::of(Kinds::TIME),
            op::CALLVALUE => Mark::of(Kinds::VALUE),
            op::CALLDATASIZE => Mark::of(Kinds::SIZE),
            op::CALLDATALOAD => {
                if let Some(at) = first.word() {
                    seen.read(at, Role::Offset);
                }
                loaded(a, seen)
            }
            op::EQ | op::SUB | op::XOR => {
                // The length without the selector is looked at next.
                let rest = opcode == op::SUB && first.kinds.has(Kinds::SIZE);
                if !rest {
                    compare(taken, true, seen);
                }
                let alone = first.is_none() != second.is_none();
                let both = first.with(second);
                let kinds = both.kinds.without(Kinds::EQUAL);
                let equal = if alone {
                    Kinds::EQUAL
                } else {
                    Kinds::default()
                };
                Mark {
                    kinds: kinds | equal,
                    ..both
                }
            }
            op::LT | op::GT | op::SLT | op::SGT => {
                compare(taken, false, seen);
                calculated(first.with(second))
            }
            op::ISZERO => first,
            op::AND => {
                as_address(first, b, seen);
                as_address(second, a, seen);
                first.with(second)
            }
            op::OR => first.with(second),
            op::SHL | op::SHR | op::SAR => {
                if a == U256::from(96) || a == U256::from(160) {
                    used_as_address(second, seen);
                }
                calculated(first.with(second))
            }
            op::ADD..=op::SIGNEXTEND | op::NOT | op::BYTE => {
                calculated(first.with(second).with(third))
            }
            op::KECCAK256 => self.hashed(a, b),
            op::MLOAD => self.cells(a, U256::from(32)),
            op::MSTORE => {
                self.keep(a, second);
                Mark::default()
            }
            op::CALLDATACOPY => {
                self.copied(a, b, c, seen);
                Mark::default()
            }
            // Of a mapping by the caller: who may call.
            op::SLOAD => Mark::of(first.kinds & Kinds::CALLER),
            op::BALANCE | op::EXTCODESIZE | op::EXTCODEHASH => {
                used_as_address(first, seen);
                Mark::of(first.kinds & Kinds::CALLER)
            }
            op::CALL | op::CALLCODE | op::DELEGATECALL | op::STATICCALL => {
                used_as_address(second, seen);
                Mark::default()
            }
            _ => Mark::default(),
        }
    }

    fn keep(&mut self, offset: U256, mark: Mark) {
        let offset = offset.saturating_to::<usize>();
        let cell = offset / 32;
        let cells = [cell, cell.saturating_add(1)];
        let straddles = !offset.is_multiple_of(32);
        for cell in &cells[..1 + usize::from(straddles)] {
            let room = self.memory.len() < CELLS;
            match self.memory.get_mut(cell) {
                Some(known) if straddles => *known = known.with(mark),
                Some(known) => *known = mark,
                None if room && !mark.is_none() => {
                    self.memory.insert(*cell, mark);
                }
                None => {}
            }
        }
    }

    fn cells(&self, offset: U256, length: U256) -> Mark {
        let (offset, length) = (
            offset.saturating_to::<usize>(),
            length.saturating_to::<usize>(),
        );
        let end = offset.saturating_add(length).div_ceil(32);
        let cells = (offset / 32..end).take(RUN);
        let marks = cells.filter_map(|cell| self.memory.get(&cell));
        marks.fold(Mark::default(), |all, mark| all.with(*mark))
    }

    fn hashed(&self, offset: U256, length: U256) -> Mark {
        let mark = self.cells(offset, length);
        match mark.is_none() {
            true => mark,
            false => calculated(mark.with(Mark::of(Kinds::HASHED))),
        }
    }

    fn copied(&mut self, to: U256, from: U256, length: U256, seen: &mut Seen) {
        let words = length.saturating_to::<usize>().div_ceil(32).min(RUN);
        for n in 0..words {
            let beside = U256::from(n * 32);
            let mark = loaded(from.saturating_add(beside), seen);
            self.keep(to.saturating_add(beside), mark);
        }
    }
}

/// A word of the calldata.
fn loaded(at: U256, seen: &mut Seen) -> Mark {
    /// Longer calldata is not guessed.
    const FAR: usize = 4_096;
    let at = at.saturating_to::<usize>();
    if at < 4 {
        return Mark::of(Kinds::SELECTOR);
    }
    if at > FAR {
        return Mark::default();
    }
    seen.read(at, Role::Number);
    Mark {
        kinds: Kinds::WORD,
        at: at as u32,
    }
}

/// A number made of others is no longer whether two are the same.
fn calculated(mark: Mark) -> Mark {
    Mark {
        kinds: mark.kinds.without(Kinds::EQUAL),
        ..mark
    }
}

fn as_address(mark: Mark, mask: U256, seen: &mut Seen) {
    if mask == U256::MAX >> 96 {
        used_as_address(mark, seen);
    }
}

fn used_as_address(mark: Mark, seen: &mut Seen) {
    if let Some(at) = mark.word() {
        seen.read(at, Role::Address);
    }
}

/// Notes a comparison of what the caller chose with what it did not.
fn compare(taken: [(Mark, U256); 7], equal: bool, seen: &mut Seen) {
    let [(first, a), (second, b), ..] = taken;
    // Of two that the caller has a say in it is the argument that can be any.
    let argument = |mark: Mark| mark.kinds.has(Kinds::WORD);
    let (mark, ours, theirs) = match (first.is_none(), second.is_none()) {
        (false, true) => (first, a, b),
        (true, false) => (second, b, a),
        (false, false) if argument(first) && !argument(second) => (first, a, b),
        (false, false) if argument(second) && !argument(first) => (second, b, a),
        _ => return,
    };
    let selector = |number: U256| u32::try_from(number).ok().map(u32::to_be_bytes);
    if mark.kinds.has(Kinds::SELECTOR)
        && let (Some(_), Some(theirs)) = (selector(ours), selector(theirs))
    {
        return seen.asked_for(theirs);
    }
    if ours != theirs && !mark.kinds.has(Kinds::HASHED) {
        seen.compared(Comparison {
            kinds: mark.kinds,
            at: mark.at as usize,
            ours,
            theirs,
            equal,
        });
    }
}
