//! Which functions code has: the selectors that it compares the calldata with before it does anything, and where it goes then.
//!
//! Found by following the code from its beginning with a stack of which only what has to do with the selector is known:
//! solc's linear and binary search, Vyper's comparisons, hand-written ones, constants that are computed. Where the way is
//! lost (Vyper's jump tables) the comparisons that a linear pass finds stand in.

#[cfg(test)]
mod tests;

use super::disassembly::{Instruction, disassemble};
use super::op;
use super::op::arity;
use alloy_primitives::U256;
use hashbrown::{DefaultHashBuilder, HashMap, HashSet};
use std::hash::BuildHasher;

/// Bytes looked at: more than a contract's code has on any chain.
const MAX_CODE: usize = 64 << 10;
/// Functions kept.
pub const MAX_ENTRIES: usize = 1_024;
/// Instructions followed, on all ways together: twice what a linear search through 10,000 selectors takes.
const STEPS: usize = 1 << 17;
/// Ways that wait at once, and what is remembered of one.
const WAYS: usize = 256;
const STACK: usize = 48;
const MEMORY: usize = 8;
/// Bits right of the selector in the first word.
const BESIDE: usize = 224;

/// A function: its selector, and where its code begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub selector: [u8; 4],
    pub target: usize,
}

/// What calldata code takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dispatcher {
    /// In the order in which they are compared; the first [`MAX_ENTRIES`].
    pub entries: Vec<Entry>,
    /// Calldata whose selector is none of these is not simply refused, as far as could be followed.
    pub fallback: bool,
    /// Nor is empty calldata.
    pub receive: bool,
    /// There may be more than was followed or kept.
    pub cut: bool,
}

impl Dispatcher {
    /// Of runtime code. Every code has an answer, in bounded time.
    pub fn of(code: &[u8]) -> Self {
        let mut walk = Walk::new(&code[..code.len().min(MAX_CODE)]);
        walk.run();
        let mut found = walk.found;
        if walk.lost {
            (found.fallback, found.receive) = (true, true);
            found.cut |= found.entries.len() == MAX_ENTRIES;
            let known: HashSet<_> = found.entries.iter().map(|entry| entry.selector).collect();
            let more = compared(&walk.code).filter(|entry| !known.contains(&entry.selector));
            let room = MAX_ENTRIES - found.entries.len();
            found.entries.extend(more.take(room));
        }
        found
    }
}

/// What is known of an item of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Value {
    Unknown,
    Known(U256),
    /// The calldata's first word, as it is, without what is right of its selector, and the selector as a number.
    Word,
    Left,
    Selector,
    /// Length of the calldata.
    Size,
    /// Not zero where the selector is this one; with `not` where it is not.
    Is {
        selector: [u8; 4],
        not: bool,
    },
    /// Not zero where the calldata has less than four bytes; with `not` where it has not.
    Short {
        not: bool,
    },
}

use Value::{Is, Known, Left, Selector, Short, Size, Unknown, Word};

/// How much calldata there is, as far as a way has asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Length {
    Any,
    Short,
    Long,
}

/// One way through the code.
#[derive(Debug, Clone)]
struct Way {
    /// Index of the instruction.
    at: usize,
    stack: Vec<Value>,
    memory: Vec<(U256, Value)>,
    length: Length,
}

impl Way {
    fn pop(&mut self) -> Value {
        self.stack.pop().unwrap_or(Unknown)
    }

    fn pop_two(&mut self) -> (Value, Value) {
        (self.pop(), self.pop())
    }

    fn store(&mut self, offset: U256, value: Value) {
        self.memory.retain(|(at, _)| *at != offset);
        if self.memory.len() == MEMORY {
            self.memory.remove(0);
        }
        self.memory.push((offset, value));
    }

    fn load(&self, offset: U256) -> Value {
        let at = |offset: U256| self.memory.iter().find(|(at, _)| *at == offset);
        // Vyper stores the first word so that its selector ends where the next load does.
        let behind = offset.saturating_add(U256::from(BESIDE / 8));
        match (at(offset), at(behind)) {
            (Some((_, value)), _) => *value,
            (None, Some((_, Word))) => Selector,
            _ => Unknown,
        }
    }
}

struct Walk<'c> {
    code: Vec<Instruction<'c>>,
    /// From where a jump goes to the index of its instruction.
    destinations: HashMap<usize, usize>,
    seen: HashSet<u64>,
    hasher: DefaultHashBuilder,
    known: HashSet<[u8; 4]>,
    ways: Vec<Way>,
    steps: usize,
    /// It went where could not be told.
    lost: bool,
    found: Dispatcher,
}

impl<'c> Walk<'c> {
    fn new(code: &'c [u8]) -> Self {
        let code: Vec<_> = disassemble(code).collect();
        let jumps = code.iter().enumerate();
        let jumps = jumps.filter(|(_, one)| one.opcode == op::JUMPDEST);
        Self {
            destinations: jumps.map(|(index, one)| (one.at(), index)).collect(),
            code,
            seen: HashSet::new(),
            hasher: DefaultHashBuilder::default(),
            known: HashSet::new(),
            ways: Vec::new(),
            steps: 0,
            lost: false,
            found: Dispatcher::default(),
        }
    }

    fn run(&mut self) {
        self.ways.push(Way {
            at: 0,
            stack: Vec::new(),
            memory: Vec::new(),
            length: Length::Any,
        });
        while let Some(way) = self.ways.pop() {
            self.follow(way);
            if self.found.cut {
                return;
            }
        }
    }

    /// To its end; ways that part from it are put aside.
    fn follow(&mut self, mut way: Way) {
        while let Some(one) = self.code.get(way.at).copied() {
            self.steps += 1;
            if self.steps > STEPS {
                self.found.cut = true;
                return;
            }
            way.at += 1;
            match one.opcode {
                op::JUMP => {
                    let target = way.pop();
                    if !self.jump(&mut way, target) {
                        return;
                    }
                }
                op::JUMPI => {
                    if !self.branch(&mut way, one.next) {
                        return;
                    }
                }
                op::REVERT | op::INVALID => return,
                op::STOP | op::RETURN => return self.accept(way.length),
                opcode if acts(opcode) => return self.accept(way.length),
                _ if way.stack.len() > STACK => {
                    self.lost = true;
                    return;
                }
                _ => step(&mut way, one),
            }
        }
        self.accept(way.length);
    }

    fn accept(&mut self, length: Length) {
        self.found.fallback |= length != Length::Short;
        self.found.receive |= length != Length::Long;
    }

    /// Whether the way goes on there.
    fn jump(&mut self, way: &mut Way, target: Value) -> bool {
        let Known(target) = target else {
            self.lost = true;
            return false;
        };
        match self.destinations.get(&target.saturating_to::<usize>()) {
            Some(index) => way.at = *index,
            None => return false,
        }
        let state = (way.at, &way.stack, &way.memory, way.length);
        self.seen.insert(self.hasher.hash_one(state))
    }

    /// Whether the way goes on, behind the branch or where it leads to.
    fn branch(&mut self, way: &mut Way, next: usize) -> bool {
        let (target, condition) = way.pop_two();
        match condition {
            Known(zero) if zero.is_zero() => true,
            Known(_) => self.jump(way, target),
            Is { selector, not } => {
                let there = match target {
                    Known(target) => target.saturating_to(),
                    _ => next,
                };
                self.enter(selector, if not { next } else { there });
                !not || self.jump(way, target)
            }
            other => {
                let mut there = way.clone();
                (there.length, way.length) = lengths(other, way.length);
                if self.jump(&mut there, target) && self.ways.len() < WAYS {
                    self.ways.push(there);
                }
                true
            }
        }
    }

    fn enter(&mut self, selector: [u8; 4], target: usize) {
        if !self.known.insert(selector) {
            return;
        }
        match self.found.entries.len() < MAX_ENTRIES {
            true => self.found.entries.push(Entry { selector, target }),
            false => self.found.cut = true,
        }
    }
}

/// What is known of the calldata's length where the condition holds, and where it does not.
fn lengths(condition: Value, length: Length) -> (Length, Length) {
    match condition {
        Short { not: false } => (Length::Short, Length::Long),
        Short { not: true } | Size => (Length::Long, Length::Short),
        _ => (length, length),
    }
}

/// Whether it changes anything, or leaves it to others.
fn acts(opcode: u8) -> bool {
    const CREATE: u8 = 0xf0;
    const CREATE2: u8 = 0xf5;
    const LOGS: std::ops::RangeInclusive<u8> = 0xa0..=0xa4;
    let calls = [op::CALL, op::DELEGATECALL, CREATE, CREATE2];
    let ends = [op::SSTORE, op::SELFDESTRUCT];
    calls.contains(&opcode) || ends.contains(&opcode) || LOGS.contains(&opcode)
}

fn step(way: &mut Way, one: Instruction) {
    const ADD: u8 = 0x01;
    const MUL: u8 = 0x02;
    const SUB: u8 = 0x03;
    const DIV: u8 = 0x04;
    const LT: u8 = 0x10;
    const GT: u8 = 0x11;
    const ISZERO: u8 = 0x15;
    const AND: u8 = 0x16;
    const OR: u8 = 0x17;
    const XOR: u8 = 0x18;
    const NOT: u8 = 0x19;
    const SHL: u8 = 0x1b;
    const SHR: u8 = 0x1c;
    const CALLDATALOAD: u8 = 0x35;
    const CALLDATASIZE: u8 = 0x36;
    const MLOAD: u8 = 0x51;
    const MSTORE: u8 = 0x52;
    let value = match one.opcode {
        op::PUSH0..=op::PUSH32 => Known(U256::from_be_slice(one.immediate)),
        op::DUP1..=op::DUP16 => {
            let depth = usize::from(one.opcode - op::DUP1);
            let place = way.stack.len().checked_sub(depth + 1);
            place.map_or(Unknown, |place| way.stack[place])
        }
        op::SWAP1..=op::SWAP16 => {
            let depth = usize::from(one.opcode - op::SWAP1) + 1;
            let top = way.stack.len().saturating_sub(1);
            if let Some(other) = top.checked_sub(depth) {
                way.stack.swap(top, other);
            }
            return;
        }
        CALLDATALOAD => match way.pop() {
            Known(zero) if zero.is_zero() => Word,
            _ => Unknown,
        },
        CALLDATASIZE => Size,
        SHR => match way.pop_two() {
            (Known(bits), Word | Left) if bits == U256::from(BESIDE) => Selector,
            (Known(bits), Known(value)) => Known(value >> bits.saturating_to::<usize>()),
            // Without the last two bits nothing is left of less than four bytes.
            (Known(bits), Size) if bits == U256::from(2) => Short { not: true },
            _ => Unknown,
        },
        SHL => match way.pop_two() {
            (Known(bits), Known(value)) => Known(value << bits.saturating_to::<usize>()),
            (Known(bits), Selector) if bits == U256::from(BESIDE) => Left,
            _ => Unknown,
        },
        DIV => match way.pop_two() {
            (Word | Left, Known(by)) if by == U256::ONE << BESIDE => Selector,
            (Known(value), Known(by)) => Known(value.checked_div(by).unwrap_or_default()),
            _ => Unknown,
        },
        AND => match way.pop_two() {
            (Known(a), Known(b)) => Known(a & b),
            (Known(mask), Selector) | (Selector, Known(mask)) if mask == U256::from(u32::MAX) => {
                Selector
            }
            (Known(mask), Word | Left) | (Word | Left, Known(mask))
                if mask == U256::from(u32::MAX) << BESIDE =>
            {
                Left
            }
            _ => Unknown,
        },
        op::EQ => equal(way.pop_two(), false),
        SUB => match way.pop_two() {
            (Known(a), Known(b)) => Known(a.wrapping_sub(b)),
            both => equal(both, true),
        },
        XOR => match way.pop_two() {
            (Known(a), Known(b)) => Known(a ^ b),
            both => equal(both, true),
        },
        LT => match way.pop_two() {
            (Size, Known(least)) if !least.is_zero() => Short { not: false },
            (Known(least), Size) if !least.is_zero() => Short { not: true },
            _ => Unknown,
        },
        GT => match way.pop_two() {
            (Known(least), Size) if !least.is_zero() => Short { not: false },
            (Size, Known(least)) if !least.is_zero() => Short { not: true },
            _ => Unknown,
        },
        ISZERO => match way.pop() {
            Known(value) => Known(U256::from(value.is_zero())),
            Is { selector, not } => Is {
                selector,
                not: !not,
            },
            Short { not } => Short { not: !not },
            Size => Short { not: false },
            _ => Unknown,
        },
        ADD | MUL | OR => match (one.opcode, way.pop_two()) {
            (ADD, (Known(a), Known(b))) => Known(a.wrapping_add(b)),
            (MUL, (Known(a), Known(b))) => Known(a.wrapping_mul(b)),
            (OR, (Known(a), Known(b))) => Known(a | b),
            _ => Unknown,
        },
        NOT => match way.pop() {
            Known(value) => Known(!value),
            _ => Unknown,
        },
        MSTORE => {
            if let (Known(offset), value) = way.pop_two() {
                way.store(offset, value);
            }
            return;
        }
        MLOAD => match way.pop() {
            Known(offset) => way.load(offset),
            _ => Unknown,
        },
        other => {
            let (takes, gives) = arity(other);
            let left = way.stack.len().saturating_sub(takes as usize);
            way.stack.truncate(left);
            let after = left + gives as usize;
            return way.stack.resize(after, Unknown);
        }
    };
    way.stack.push(value);
}

fn equal(both: (Value, Value), not: bool) -> Value {
    let (what, constant) = match both {
        (Known(constant), what) | (what, Known(constant)) => (what, constant),
        _ => return Unknown,
    };
    let number = match what {
        Selector => constant,
        Left => constant >> BESIDE,
        _ => return Unknown,
    };
    match u32::try_from(number) {
        Ok(number) => Is {
            selector: number.to_be_bytes(),
            not,
        },
        // No selector is that.
        Err(_) => Known(U256::from(not)),
    }
}

/// Comparisons with a constant of three or four bytes that a branch hangs on, wherever they stand.
fn compared<'a>(code: &'a [Instruction]) -> impl Iterator<Item = Entry> + 'a {
    const SUB: u8 = 0x03;
    const XOR: u8 = 0x18;
    let mut seen = HashSet::new();
    code.iter().enumerate().filter_map(move |(index, push)| {
        let selector = match *push.immediate {
            [a, b, c, d] => [a, b, c, d],
            [b, c, d] => [0, b, c, d],
            _ => return None,
        };
        let mut following = code[index + 1..].iter().take(6);
        let near = following.by_ref().take(2);
        let mut near = near.map(|one| one.opcode);
        near.find(|opcode| [op::EQ, XOR, SUB].contains(opcode))?;
        let branch = following.find(|one| one.opcode == op::JUMPI)?;
        let target = branch.next;
        (selector != [0xff; 4] && seen.insert(selector)).then_some(Entry { selector, target })
    })
}
