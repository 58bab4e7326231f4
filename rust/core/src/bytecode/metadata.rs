//! What solc appends to code for people: CBOR metadata, which says nothing of what the code does.

use super::op;
use std::cell::OnceCell;
use std::ops::Range;

/// Bytes of the longest metadata that is believed, its length included; solc's own are about 50.
const LONGEST: usize = 128;
/// Bytes of the shortest: a map, a key, and the length.
const SHORTEST: usize = 8;

/// Where a code's metadata is. A region that looks like metadata but holds a place where the code jumps to is code: somebody
/// hides it there. Only what is pushed is looked at: a target that is computed stays unseen.
#[derive(Debug, Clone)]
pub struct Metadata<'c> {
    code: &'c [u8],
    /// By place, whether the code pushes its number: worked out once, and only where it is asked for.
    pushed: OnceCell<Vec<u64>>,
}

impl<'c> Metadata<'c> {
    pub fn of(code: &'c [u8]) -> Self {
        Self {
            code,
            pushed: OnceCell::new(),
        }
    }

    /// Where the code ends and the metadata begins that it ends with.
    pub fn begins(&self) -> usize {
        let length = self.code.len();
        let Some((body, told)) = self.code.split_last_chunk::<2>() else {
            return length;
        };
        let told = usize::from(u16::from_be_bytes(*told));
        match body.len().checked_sub(told) {
            Some(start)
                if told + 2 <= LONGEST
                    && looks_so(&self.code[start..])
                    && !self.entered(start..length) =>
            {
                start
            }
            _ => length,
        }
    }

    /// Metadata inside the code (of a contract that it creates): its length, the two bytes of the length included.
    #[inline]
    pub fn inside(&self, at: usize) -> Option<usize> {
        let bytes = &self.code[at..];
        if !looks_so(bytes) {
            return None;
        }
        let longest = bytes.len().min(LONGEST).saturating_sub(1);
        let length = (SHORTEST - 2..longest)
            .find(|end| usize::from(u16::from_be_bytes([bytes[*end], bytes[end + 1]])) == *end)?
            + 2;
        (!self.entered(at..at + length)).then_some(length)
    }

    /// Whether the code has a place in `region` that can be jumped to, and pushes it.
    fn entered(&self, region: Range<usize>) -> bool {
        let mut doors = region.filter(|at| self.code[*at] == op::JUMPDEST);
        doors.any(|at| {
            let pushed = self.pushed.get_or_init(|| pushed(self.code));
            pushed
                .get(at / 64)
                .is_some_and(|word| word >> (at % 64) & 1 == 1)
        })
    }
}

/// A CBOR map whose first key is one that solc writes.
#[inline]
fn looks_so(bytes: &[u8]) -> bool {
    const KEYS: [&[u8]; 5] = [
        b"\x64ipfs",
        b"\x65bzzr0",
        b"\x65bzzr1",
        b"\x64solc",
        b"\x6cexperimental",
    ];
    bytes.split_first().is_some_and(|(map, rest)| {
        (0xa1..=0xa4).contains(map) && KEYS.iter().any(|key| rest.starts_with(key))
    })
}

/// A bit for each place of the code, set where a PUSH1 to PUSH4 has its number.
fn pushed(code: &[u8]) -> Vec<u64> {
    let mut places = vec![0_u64; code.len().div_ceil(64)];
    let mut at = 0;
    while let Some(&opcode) = code.get(at) {
        let size = match opcode {
            op::PUSH1..=op::PUSH32 => usize::from(opcode - op::PUSH0),
            _ => 0,
        };
        let end = (at + 1 + size).min(code.len());
        if (1..=4).contains(&size) {
            let place = code[at + 1..end]
                .iter()
                .fold(0, |place, byte| place << 8 | usize::from(*byte));
            if let Some(word) = places.get_mut(place / 64) {
                *word |= 1 << (place % 64);
            }
        }
        at = end;
    }
    places
}
