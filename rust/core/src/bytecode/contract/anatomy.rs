//! What one pass over a contract's code finds.

use super::constants::Amounts;
use super::gates::Gates;
use super::sequences::Sequences;
use super::{EFFECTS, GRAMS, MOST_BYTES, STEPS};
use crate::bytecode::disassembly::{Instruction, disassemble};
use crate::bytecode::op;
use crate::decode::words::{Limbs, address_of};
use alloy_primitives::Address;
use hashbrown::HashSet;

/// Selectors and addresses that are kept of each kind; the rest is counted.
const MOST_SELECTORS: usize = 1024;
const MOST_ADDRESSES: usize = 256;
/// Instructions that a comparison of the dispatcher takes at the most, from the selector to the jump.
const COMPARISON: usize = 6;
/// `Error(string)`, `Panic(uint256)`: what failures are told with.
const ERROR: [u8; 4] = [0x08, 0xc3, 0x79, 0xa0];
const PANIC: [u8; 4] = [0x4e, 0x48, 0x7b, 0x71];

/// Of a contract's code, without metadata, and without what follows an end up to the next place that can be jumped to: nothing
/// reaches it, and anybody can put anything there.
#[derive(Debug, Clone)]
pub struct Anatomy {
    /// Bytes of instructions.
    pub size: usize,
    /// The code is longer than what is read.
    pub cut: bool,
    pub metadata: bool,
    /// Instructions by opcode.
    pub opcodes: [u32; 256],
    /// Buckets of opcode 5-grams, stack operations left out.
    pub grams: Vec<u16>,
    /// The same of 3-grams of what has an effect or decides: arithmetic, memory and plain jumps left out too.
    pub effects: Vec<u16>,
    /// The same of pairs of steps: a function that it calls, a call, a store, an event, each and the next in the code.
    pub steps: Vec<u16>,
    /// Selectors of its dispatcher, in order.
    pub offered: Vec<[u8; 4]>,
    /// Selectors that it has and does not offer: most are of functions that it calls.
    pub called: Vec<[u8; 4]>,
    /// Places where it has one of these.
    pub call_sites: u32,
    pub error_sites: u32,
    pub panic_sites: u32,
    /// Addresses that are constants, in order.
    pub addresses: Vec<Address>,
    pub amounts: Amounts,
    pub gates: Gates,
}

impl Anatomy {
    /// `code`: as it runs, or init code where there is no other. Every byte string has an anatomy.
    pub fn of(code: &[u8]) -> Self {
        let read = &code[..code.len().min(MOST_BYTES)];
        let instructions = disassemble(read);
        let anatomy = Self {
            size: instructions.size(),
            cut: read.len() < code.len(),
            metadata: instructions.size() < read.len(),
            opcodes: [0; 256],
            grams: Vec::new(),
            effects: Vec::new(),
            steps: Vec::new(),
            offered: Vec::new(),
            called: Vec::new(),
            call_sites: 0,
            error_sites: 0,
            panic_sites: 0,
            addresses: Vec::new(),
            amounts: Amounts::default(),
            gates: Gates::default(),
        };
        let mut pass = Pass::new(anatomy);
        instructions.for_each(|one| pass.step(one));
        pass.finish()
    }

    pub fn count(&self, opcode: u8) -> u32 {
        self.opcodes[usize::from(opcode)]
    }
}

/// A constant that may be a selector, and where it is.
#[derive(Clone, Copy)]
struct Pushed {
    selector: [u8; 4],
    at: usize,
    /// Three bytes are a selector only in a dispatcher: most are numbers.
    short: bool,
}

struct Pass {
    found: Anatomy,
    /// Number of this instruction.
    number: usize,
    /// Nothing goes on from the last instruction to the next.
    ended: bool,
    /// The last opcodes, the last one lowest.
    before: u64,
    grams: Sequences<5, 8>,
    effects: Sequences<3, 8>,
    /// Opcodes of what changes something, and where; at the end the selectors between them.
    steps: Vec<(usize, u32)>,
    /// The last constants: two branches of a dispatcher may be between a selector and its use.
    pushed: Option<Pushed>,
    /// A small constant that was the last instruction.
    small: Option<u8>,
    /// One that was the last instruction but one.
    shifted: Option<u32>,
    last: Option<u32>,
    sites: Vec<Pushed>,
    offered: HashSet<[u8; 4]>,
    called: HashSet<[u8; 4]>,
    addresses: HashSet<Address>,
}

impl Pass {
    fn new(found: Anatomy) -> Self {
        Self {
            found,
            number: 0,
            ended: false,
            before: 0,
            grams: Sequences::new(GRAMS),
            effects: Sequences::new(EFFECTS),
            steps: Vec::new(),
            pushed: None,
            small: None,
            shifted: None,
            last: None,
            sites: Vec::new(),
            offered: HashSet::new(),
            called: HashSet::new(),
            addresses: HashSet::new(),
        }
    }

    #[inline]
    fn step(
        &mut self,
        Instruction {
            opcode, immediate, ..
        }: Instruction,
    ) {
        if self.ended && opcode != op::JUMPDEST {
            return;
        }
        self.ended = op::ends(opcode);
        self.number += 1;
        self.found.opcodes[usize::from(opcode)] += 1;
        self.found.gates.step(self.number, opcode);
        if (op::PUSH0..=op::PUSH32).contains(&opcode) {
            self.constant(immediate);
        } else {
            match opcode {
                SHL => self.shift(),
                op::JUMPI => self.branch(),
                _ => {}
            }
            (self.shifted, self.last, self.small) = (None, None, None);
        }
        if !op::is_of_stack(opcode) {
            self.grams.push(opcode.into());
            if !op::is_of_calculation(opcode) {
                self.effects.push(opcode.into());
            }
            if op::is_of_steps(opcode) {
                self.steps.push((self.number, opcode.into()));
            }
        }
        self.before = self.before << 8 | u64::from(opcode);
    }

    fn constant(&mut self, data: &[u8]) {
        self.found.amounts.note(data);
        let short = |data: &[u8]| {
            data.iter()
                .fold(0, |value, byte| value << 8 | u32::from(*byte))
        };
        self.shifted = self.last.take();
        self.small = None;
        match data.len() {
            1 => self.small = data.first().copied(),
            2..=4 => {
                let value = short(data);
                self.last = Some(value);
                if data.len() > 2 {
                    self.site(value.to_be_bytes(), data.len() == 3);
                }
            }
            20 => self.address(Address::from_slice(data)),
            32 => self.word(data),
            _ => {}
        }
    }

    fn word(&mut self, data: &[u8]) {
        let Some(word) = data.first_chunk::<32>() else {
            return;
        };
        if Limbs::of(word).looks_like_address() {
            self.address(address_of(word));
        } else if let [a, b, c, d, rest @ ..] = word
            && *a != 0
            && rest.iter().all(|byte| *byte == 0)
        {
            self.site([*a, *b, *c, *d], false);
        }
    }

    /// A selector that ends with zeros is pushed without them, and shifted by more than 224 bits.
    fn shift(&mut self) {
        let (Some(value), Some(by)) = (self.shifted, self.small) else {
            return;
        };
        let more = u32::from(by).wrapping_sub(0xe0);
        if more < 32 && value.leading_zeros() >= more {
            let selector = (value << more).to_be_bytes();
            match self.sites.last_mut() {
                // What was taken for one as it was pushed.
                Some(site) if site.at + 1 == self.number - 1 => {
                    (site.selector, site.short) = (selector, false);
                }
                _ => self.site(selector, false),
            }
        }
    }

    fn site(&mut self, selector: [u8; 4], short: bool) {
        if selector != [0xff; 4] && selector != [0; 4] {
            let site = Pushed {
                selector,
                at: self.number,
                short,
            };
            self.pushed = Some(site);
            self.sites.push(site);
        }
    }

    /// Whether this jump is a dispatcher's: taken where the selector is the one that was just pushed.
    fn branch(&mut self) {
        let Some(pushed) = self.pushed.take() else {
            return;
        };
        let between = self.number - pushed.at - 1;
        if between > COMPARISON {
            return;
        }
        let steps = (0..between).map(|n| (self.before >> (8 * n)) as u8);
        let compared = steps
            .clone()
            .any(|opcode| matches!(opcode, op::EQ | op::XOR | op::SUB));
        let mut others = steps.filter(|opcode| {
            !op::is_of_stack(*opcode) && !matches!(*opcode, op::EQ | op::XOR | op::SUB | op::ISZERO)
        });
        // A search begins with halves: greater or less than a selector that comes again.
        let halved = others
            .clone()
            .any(|opcode| matches!(opcode, op::GT | op::LT));
        let dispatches = halved || compared && others.next().is_none();
        if dispatches
            && let Some(site) = self.sites.pop_if(|site| site.at == pushed.at)
            && !halved
            && self.found.offered.len() < MOST_SELECTORS
            && self.offered.insert(site.selector)
        {
            self.found.offered.push(site.selector);
        }
    }

    fn address(&mut self, address: Address) {
        let mask_or_small = address.0[..4] == [0xff; 4] || address.0[..8] == [0; 8];
        if !mask_or_small
            && self.found.addresses.len() < MOST_ADDRESSES
            && self.addresses.insert(address)
        {
            self.found.addresses.push(address);
        }
    }

    fn finish(mut self) -> Anatomy {
        for site in self.sites {
            match site.selector {
                ERROR => self.found.error_sites += 1,
                PANIC => self.found.panic_sites += 1,
                selector if !site.short && !self.offered.contains(&selector) => {
                    self.found.call_sites += 1;
                    self.steps.push((site.at, u32::from_be_bytes(selector)));
                    if self.found.called.len() < MOST_SELECTORS && self.called.insert(selector) {
                        self.found.called.push(selector);
                    }
                }
                _ => {}
            }
        }
        self.steps.sort_by_key(|(number, _)| *number);
        let mut steps = Sequences::<2, 32>::new(STEPS);
        self.steps
            .iter()
            .for_each(|(_, step)| steps.push(u64::from(*step)));
        self.found.steps = steps.counts;
        self.found.grams = self.grams.counts;
        self.found.effects = self.effects.counts;
        self.found
    }
}

const SHL: u8 = 0x1b;
