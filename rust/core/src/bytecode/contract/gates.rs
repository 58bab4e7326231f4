//! Places where code looks at who calls: what its creator alone may enter.

use crate::bytecode::op;

/// Instructions from the question who calls to the comparison.
const SPAN: usize = 12;

/// Comparisons with who calls, or who signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gates {
    /// The caller with an address that is a constant.
    pub fixed: u32,
    /// The caller with one that is stored.
    pub stored: u32,
    /// Whoever signed, with anything.
    pub signer: u32,
    /// The caller with something else: an argument, itself.
    pub other: u32,
    caller: usize,
    origin: usize,
    address: usize,
    load: usize,
}

impl Gates {
    /// The instruction with this number, from 1 on.
    #[inline]
    pub fn step(&mut self, number: usize, opcode: u8) {
        match opcode {
            op::CALLER => self.caller = number,
            op::ORIGIN => self.origin = number,
            op::PUSH20 | op::PUSH32 => self.address = number,
            op::SLOAD => self.load = number,
            op::EQ | op::SUB | op::XOR => self.compared(number),
            _ => {}
        }
    }

    fn compared(&mut self, number: usize) {
        let near = |at: usize| at > 0 && number - at <= SPAN;
        if near(self.origin) {
            self.signer += 1;
            self.origin = 0;
        } else if near(self.caller) {
            match () {
                () if near(self.address) && self.address > self.load => self.fixed += 1,
                () if near(self.load) => self.stored += 1,
                () => self.other += 1,
            }
            self.caller = 0;
        }
    }
}
