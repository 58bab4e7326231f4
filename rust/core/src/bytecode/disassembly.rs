//! One linear pass over code: what is pushed is never read as instructions, and metadata is left out.

use super::metadata::Metadata;
use super::op;

/// One instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction<'c> {
    pub opcode: u8,
    /// What comes with it: the data of a push (cut where the code ends), a byte of EIP-8024's three, else nothing.
    pub immediate: &'c [u8],
    /// Where the next one begins.
    pub next: usize,
}

impl Instruction<'_> {
    /// Where it stands.
    pub fn at(&self) -> usize {
        self.next - self.immediate.len() - 1
    }
}

/// The instructions of runtime code, or of init code, in order.
pub fn disassemble(code: &[u8]) -> Disassembly<'_> {
    let metadata = Metadata::of(code);
    Disassembly {
        code: &code[..metadata.begins()],
        metadata,
        at: 0,
    }
}

#[derive(Debug, Clone)]
pub struct Disassembly<'c> {
    code: &'c [u8],
    metadata: Metadata<'c>,
    at: usize,
}

impl Disassembly<'_> {
    /// Bytes without the metadata that the code ends with.
    pub fn size(&self) -> usize {
        self.code.len()
    }
}

impl<'c> Iterator for Disassembly<'c> {
    type Item = Instruction<'c>;

    #[inline]
    fn next(&mut self) -> Option<Instruction<'c>> {
        let opcode = loop {
            let opcode = *self.code.get(self.at)?;
            // Of a contract that it creates.
            match self.metadata.inside(self.at) {
                Some(length) => self.at = (self.at + length).min(self.code.len()),
                None => break opcode,
            }
        };
        let begin = (self.at + 1).min(self.code.len());
        let following = self.code.get(begin).copied();
        let end = (begin + immediate(opcode, following)).min(self.code.len());
        self.at = end;
        Some(Instruction {
            opcode,
            immediate: &self.code[begin..end],
            next: end,
        })
    }
}

/// Bytes that belong to an instruction, which `following` is the first of. EIP-8024 leaves out those that would hide a
/// jump destination or a push from who does not know it: such an instruction is invalid, and the byte one of its own.
fn immediate(opcode: u8, following: Option<u8>) -> usize {
    match (opcode, following) {
        (op::PUSH0..=op::PUSH32, _) => usize::from(opcode - op::PUSH0),
        (op::DUPN | op::SWAPN, Some(0..=90 | 128..)) => 1,
        (op::EXCHANGE, Some(0..=81 | 128..)) => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn opcodes(code: &[u8]) -> Vec<u8> {
        disassemble(code).map(|one| one.opcode).collect()
    }

    #[test]
    fn what_is_pushed_is_no_instruction() {
        assert_eq!(opcodes(&[0x61, 0x5b, 0x5b, 0x5b]), [0x61, 0x5b]);
        // The code ends in the middle of the push.
        let last = disassemble(&[0x7f, 1, 2]).last().unwrap();
        assert_eq!((last.immediate, last.at(), last.next), (&[1, 2][..], 0, 3));
    }

    #[test]
    fn the_immediates_of_eip_8024_hide_no_jump_destination() {
        assert_eq!(opcodes(&[op::DUPN, 0x80, 0x00]), [op::DUPN, 0x00]);
        assert_eq!(opcodes(&[op::DUPN, 0x5b, 0x00]), [op::DUPN, 0x5b, 0x00]);
        assert_eq!(opcodes(&[op::EXCHANGE, 0x52]), [op::EXCHANGE, 0x52]);
        assert_eq!(opcodes(&[op::SWAPN]), [op::SWAPN]);
    }

    #[test]
    fn metadata_is_left_out_at_the_end_and_inside() {
        let mut metadata = vec![0xa2, 0x64];
        metadata.extend(b"ipfs");
        metadata.extend([0x58, 0x02, 0x5b, 0x5b]);
        let length = metadata.len() as u16;
        metadata.extend(length.to_be_bytes());
        let once = [&[0x00][..], &metadata].concat();
        assert_eq!(opcodes(&once), [0x00]);
        assert_eq!(
            opcodes(&[&once[..], &[0x01], &once].concat()),
            [0x00, 0x01, 0x00]
        );
    }

    #[test]
    fn what_looks_like_metadata_and_is_jumped_into_is_code() {
        // PUSH1 13, JUMP; then a map whose key is followed by JUMPDEST, SELFDESTRUCT.
        let hidden = |target: u8| {
            let mut code = vec![0x60, target, op::JUMP, 0xa1, 0x64];
            code.extend(b"ipfs");
            code.extend([0x61, 0, 0, 0x00, op::JUMPDEST, op::SELFDESTRUCT, 0, 12]);
            code
        };
        assert!(opcodes(&hidden(13)).contains(&op::SELFDESTRUCT));
        assert_eq!(opcodes(&hidden(14)), [0x60, op::JUMP]);
        let within = [&hidden(13)[..], &[0x00]].concat();
        assert!(opcodes(&within).contains(&op::SELFDESTRUCT));
    }

    proptest! {
        #[test]
        fn every_code_has_an_end(code in prop::collection::vec(any::<u8>(), 0..4096)) {
            let mut at = 0;
            for one in disassemble(&code) {
                prop_assert!(one.at() >= at && one.next > at && one.next <= code.len());
                at = one.next;
            }
        }
    }
}
