//! The code that init code leaves, found without running it: the longest constant region that it copies and returns.

use super::disassembly::{Instruction, disassemble};
use super::op;
use std::ops::Range;

/// Stack items that are followed.
const DEPTH: usize = 64;
const CALLDATASIZE: u8 = 0x36;

/// Where in `init` the code is that it returns: the longest region that a CODECOPY takes from after itself with a RETURN
/// before anything else ends; else what follows the first RETURN, INVALID, unless calldata was read before: then it is no
/// init code. `None` where there is neither.
pub fn embedded(init: &[u8]) -> Option<Range<usize>> {
    copied(init).or_else(|| {
        let mut ends = false;
        for Instruction { opcode, next, .. } in disassemble(init) {
            match opcode {
                op::INVALID if ends => return (next < init.len()).then_some(next..init.len()),
                CALLDATASIZE | op::CALLDATALOAD | op::CALLDATACOPY => return None,
                _ => ends = opcode == op::RETURN,
            }
        }
        None
    })
}

/// Whether it is init code: it returns a part of itself before it looks at calldata, which a creation has none of; or it asks
/// for its own size first, to read arguments behind it.
pub fn is_init_code(code: &[u8]) -> bool {
    let end = copied(code).map(|region| region.start);
    let mut own_size = false;
    for Instruction { opcode, next, .. } in disassemble(code) {
        match opcode {
            CALLDATASIZE | op::CALLDATALOAD | op::CALLDATACOPY => return false,
            CODESIZE => own_size = true,
            op::CODECOPY if own_size => return true,
            _ => {}
        }
        if end.is_some_and(|end| next >= end) {
            return true;
        }
    }
    false
}

const CODESIZE: u8 = 0x38;

fn copied(init: &[u8]) -> Option<Range<usize>> {
    let mut stack = Constants::default();
    let mut best: Option<Range<usize>> = None;
    let mut pending: Option<Range<usize>> = None;
    for Instruction {
        opcode,
        immediate,
        next,
    } in disassemble(init)
    {
        // What is returned is not read as what returns it.
        if best.as_ref().is_some_and(|best| next > best.start) {
            break;
        }
        match opcode {
            op::CODECOPY => {
                if let (Some(from), Some(length)) = (stack.item(1), stack.item(2))
                    && from >= next
                    && length > 0
                    && let Some(end) = from.checked_add(length)
                    && end <= init.len()
                    && pending.as_ref().is_none_or(|other| other.len() < length)
                {
                    pending = Some(from..end);
                }
            }
            op::RETURN => {
                let longer = |other: &Range<usize>| {
                    best.as_ref().is_none_or(|best| best.len() < other.len())
                };
                best = pending.take().filter(longer).or(best);
            }
            op::CREATE | op::CREATE2 => pending = None,
            _ => {}
        }
        stack.step(opcode, immediate);
    }
    best
}

/// The stack as far as its items are constants, in a linear pass: jumps are passed over.
#[derive(Default)]
struct Constants(Vec<Option<usize>>);

impl Constants {
    /// From the top, 0 first.
    fn item(&self, n: usize) -> Option<usize> {
        let place = self.0.len().checked_sub(n + 1)?;
        self.0[place]
    }

    fn push(&mut self, item: Option<usize>) {
        if self.0.len() == DEPTH {
            self.0.remove(0);
        }
        self.0.push(item);
    }

    fn step(&mut self, opcode: u8, immediate: &[u8]) {
        match opcode {
            op::PUSH0..=op::PUSH32 => {
                let value = |value: usize, byte: &u8| value << 8 | usize::from(*byte);
                let small = immediate.len() <= 4;
                self.push(small.then(|| immediate.iter().fold(0, value)));
            }
            op::DUP1..=op::DUP16 => self.push(self.item(usize::from(opcode - op::DUP1))),
            op::SWAP1..=op::SWAP16 => {
                let top = self.0.len().checked_sub(1);
                let other = self
                    .0
                    .len()
                    .checked_sub(usize::from(opcode - op::SWAP1) + 2);
                match (top, other) {
                    (Some(top), Some(other)) => self.0.swap(top, other),
                    (Some(top), None) => self.0[top] = None,
                    _ => {}
                }
            }
            _ => {
                let (takes, gives) = op::arity(opcode);
                let left = self.0.len().saturating_sub(takes as usize);
                self.0.truncate(left);
                (0..gives).for_each(|_| self.push(None));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// PUSH1 length, DUP1, PUSH1 offset, PUSH1 0, CODECOPY, PUSH1 0, RETURN, INVALID, and the code.
    fn init(code: &[u8]) -> Vec<u8> {
        let head = [
            0x60,
            code.len() as u8,
            0x80,
            0x60,
            13,
            0x60,
            0,
            0x39,
            0x60,
            0,
            0xf3,
            0xfe,
            0x00,
        ];
        [&head[..], code].concat()
    }

    #[test]
    fn the_region_that_is_copied_and_returned_is_the_code() {
        let code = [op::CALLDATALOAD, op::CODECOPY, op::RETURN, op::STOP];
        assert_eq!(embedded(&init(&code)), Some(13..17));
        assert!(is_init_code(&init(&code)));
        assert!(!is_init_code(&code));
    }

    #[test]
    fn without_constants_what_follows_the_return_is_taken() {
        let code = [op::CODECOPY, op::RETURN, op::INVALID, 1, 2, 3];
        assert_eq!(embedded(&code), Some(3..6));
        assert_eq!(embedded(&code[..3]), None);
        assert_eq!(embedded(&[]), None);
    }

    proptest! {
        #[test]
        fn every_code_has_an_answer(code in prop::collection::vec(any::<u8>(), 0..2048)) {
            if let Some(region) = embedded(&code) {
                prop_assert!(region.start < region.end && region.end <= code.len());
            }
            is_init_code(&code);
        }
    }
}
