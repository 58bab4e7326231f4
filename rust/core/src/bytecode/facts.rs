//! What one linear pass over a contract's code tells.

use super::disassembly::{Instruction, disassemble};
use super::op;
use super::roles::{Roles, is_flash_provider};
use crate::decode::words::{Limbs, address_of};
use alloy_primitives::{Address, B256, U256, keccak256};
use hashbrown::HashSet;
use std::sync::LazyLock;

/// Bytes scanned: above init code's limit (EIP-3860), and about 0.2 ms.
const MAX_CODE: usize = 64 << 10;
/// Selectors and addresses kept.
const MAX_SELECTORS: usize = 512;
const MAX_ADDRESSES: usize = 128;
/// Instructions between a call and a store that may still be of one function.
const FUNCTION_SPAN: usize = 512;

/// What one scan of a contract's code tells. Push data is never read as opcodes, and solc's metadata is left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CodeFacts {
    pub size: u32,
    pub delegatecall: bool,
    /// EIP-1167 and other minimal proxies, EIP-1967, EIP-1822, OpenZeppelin's first slot, EIP-2535, Safe, EIP-7702.
    pub known_proxy: bool,
    /// CALL and STATICCALL.
    pub call_sites: u32,
    pub sload_sites: u32,
    pub sstore_sites: u32,
    /// A CALL whose value is not the constant 0 is followed by an SSTORE before its function ends.
    pub value_call_before_sstore: bool,
    /// PUSH4 constants, PUSH3 ones that are compared, and left-aligned PUSH32 ones; sorted, the first 512.
    pub selectors: Vec<[u8; 4]>,
    /// PUSH20 constants (and PUSH32 ones that look like addresses), sorted, the first 128.
    pub addresses: Vec<Address>,
    /// Union over `selectors` and `addresses`.
    pub roles: Roles,
    /// First block with this code.
    pub created_at: Option<u64>,
}

impl CodeFacts {
    /// `code`: runtime code, or a creation's init code. At most 64 KiB of it are read.
    pub fn scan(code: &[u8], created_at: Option<u64>) -> Self {
        let size = u32::try_from(code.len()).unwrap_or(u32::MAX);
        let mut facts = Self {
            size,
            created_at,
            ..Self::default()
        };
        if let Some(delegate) = delegation(code) {
            facts.known_proxy = true;
            facts.addresses.push(delegate);
        } else {
            let mut scan = Scan::new(&mut facts);
            scan.run(&code[..code.len().min(MAX_CODE)]);
            facts.known_proxy |= is_minimal_proxy(code);
        }
        facts.selectors.sort_unstable();
        facts.addresses.sort_unstable();
        facts.roles = facts
            .selectors
            .iter()
            .fold(Roles::default(), |all, s| all.with(Roles::of(*s)));
        if facts.addresses.iter().any(is_flash_provider) {
            facts.roles = facts.roles.with(Roles::FLASH_ADDRESS);
        }
        facts
    }
}

/// EIP-7702: 0xef0100 and the address whose code runs.
fn delegation(code: &[u8]) -> Option<Address> {
    let target = code.strip_prefix(&[0xef, 0x01, 0x00])?;
    (target.len() == 20).then(|| Address::from_slice(target))
}

/// EIP-1167 and its shorter kin: they copy the calldata, push one address and delegate, in less than 100 bytes.
fn is_minimal_proxy(code: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 5] = [
        // EIP-1167, and the same with a shortened address.
        &[0x36, 0x3d, 0x3d, 0x37, 0x3d, 0x3d, 0x3d, 0x36, 0x3d],
        // 0age's, Solady's, and PUSH0's.
        &[0x3d, 0x3d, 0x3d, 0x3d, 0x36, 0x3d, 0x3d, 0x37],
        &[0x36, 0x5f, 0x5f, 0x37, 0x5f, 0x5f, 0x36, 0x5f],
        &[0x36, 0x5f, 0x5f, 0x37, 0x5f, 0x5f, 0x5f, 0x36],
        // Vyper's create_minimal_proxy_to before 0.3.
        &[0x36, 0x60, 0x00, 0x60, 0x00, 0x37],
    ];
    code.len() < 100
        && BEGINNINGS.iter().any(|b| code.starts_with(b))
        && code.contains(&op::DELEGATECALL)
}

/// PUSH32 constants by which a proxy is known: storage slots of its implementation, and Safe's masterCopy() selector.
static PROXY_CONSTANTS: LazyLock<[B256; 7]> = LazyLock::new(|| {
    let minus_one = |text: &str| B256::from(U256::from_be_bytes(keccak256(text).0) - U256::from(1));
    let mut master_copy = B256::ZERO;
    master_copy[..4].copy_from_slice(&[0xa6, 0x19, 0x48, 0x6e]);
    [
        minus_one("eip1967.proxy.implementation"),
        minus_one("eip1967.proxy.beacon"),
        minus_one("eip1967.proxy.admin"),
        keccak256("PROXIABLE"),
        keccak256("org.zeppelinos.proxy.implementation"),
        keccak256("diamond.standard.diamond.storage"),
        master_copy,
    ]
});

/// State of the pass. The stack is followed only as far as "is this item the constant zero", one bit each, top first.
struct Scan<'a> {
    facts: &'a mut CodeFacts,
    seen_selectors: HashSet<[u8; 4]>,
    seen_addresses: HashSet<Address>,
    zeros: u64,
    /// The stack where the last conditional jump fell through: its target usually follows the branch that reverts.
    zeros_at_branch: u64,
    after_end: bool,
    after_push: bool,
    /// Instructions left in which an SSTORE belongs to the function of the last value call.
    span: usize,
}

impl<'a> Scan<'a> {
    fn new(facts: &'a mut CodeFacts) -> Self {
        Self {
            facts,
            seen_selectors: HashSet::new(),
            seen_addresses: HashSet::new(),
            zeros: 0,
            zeros_at_branch: 0,
            after_end: false,
            after_push: false,
            span: 0,
        }
    }

    fn run(&mut self, code: &[u8]) {
        for Instruction {
            opcode,
            immediate,
            next,
        } in disassemble(code)
        {
            self.span = self.span.saturating_sub(1);
            if (op::PUSH0..=op::PUSH32).contains(&opcode) {
                self.zeros = self.zeros << 1 | u64::from(immediate.iter().all(|b| *b == 0));
                self.constant(immediate, &code[next..]);
                self.after_push = true;
            } else {
                self.step(opcode);
                self.after_push = false;
            }
        }
    }

    fn step(&mut self, opcode: u8) {
        match opcode {
            op::CALL => {
                self.facts.call_sites += 1;
                // Gas, address, value.
                if self.zeros >> 2 & 1 == 0 {
                    self.span = FUNCTION_SPAN;
                }
            }
            op::STATICCALL => self.facts.call_sites += 1,
            op::DELEGATECALL => self.facts.delegatecall = true,
            op::SLOAD => self.facts.sload_sites += 1,
            op::SSTORE => {
                self.facts.sstore_sites += 1;
                self.facts.value_call_before_sstore |= self.span > 0;
            }
            // A jump to a constant stays in the function, or calls an inner one and comes back; any other returns.
            op::JUMP if !self.after_push => self.span = 0,
            op::STOP | op::RETURN | op::SELFDESTRUCT => self.span = 0,
            _ => {}
        }
        match opcode {
            op::DUP1..=op::DUP16 => {
                self.zeros = self.zeros << 1 | self.zeros >> (opcode - op::DUP1) & 1
            }
            op::SWAP1..=op::SWAP16 => {
                let n = opcode - op::SWAP1 + 1;
                let differ = (self.zeros ^ self.zeros >> n) & 1;
                self.zeros ^= differ | differ << n;
            }
            op::JUMPDEST if self.after_end => self.zeros = self.zeros_at_branch,
            _ => {
                let (takes, gives) = op::arity(opcode);
                self.zeros = self.zeros >> takes << gives;
            }
        }
        if opcode == op::JUMPI {
            self.zeros_at_branch = self.zeros;
        }
        self.after_end = match opcode {
            op::REVERT | op::INVALID => true,
            op::JUMPDEST => false,
            op::JUMP | op::STOP | op::RETURN | op::SELFDESTRUCT => {
                self.zeros_at_branch = 0;
                true
            }
            _ => self.after_end,
        };
    }

    /// `rest` is the code after the push.
    fn constant(&mut self, data: &[u8], rest: &[u8]) {
        match *data {
            [a, b, c, d] => self.selector([a, b, c, d]),
            // A selector with a leading zero; other three-byte constants are numbers.
            [b, c, d] if matches!(rest, [op::EQ, ..] | [op::DUP2, op::EQ, ..]) => {
                self.selector([0, b, c, d])
            }
            _ => match data.len() {
                20 => self.address(Address::from_slice(data)),
                32 => self.word(data),
                _ => {}
            },
        }
    }

    fn word(&mut self, data: &[u8]) {
        let Some(word) = data.first_chunk::<32>() else {
            return;
        };
        if Limbs::of(word).looks_like_address() {
            self.address(address_of(word));
        } else if let ([a, b, c, d, rest @ ..], true) = (word, word[0] != 0)
            && rest.iter().all(|b| *b == 0)
        {
            self.selector([*a, *b, *c, *d]);
        }
        self.facts.known_proxy |= PROXY_CONSTANTS.iter().any(|c| c == word);
    }

    fn selector(&mut self, selector: [u8; 4]) {
        let mask_or_zero = selector == [0xff; 4] || selector == [0; 4];
        if !mask_or_zero
            && self.facts.selectors.len() < MAX_SELECTORS
            && self.seen_selectors.insert(selector)
        {
            self.facts.selectors.push(selector);
        }
    }

    fn address(&mut self, address: Address) {
        let mask_or_zero = address == Address::repeat_byte(0xff) || address.is_zero();
        if !mask_or_zero
            && self.facts.addresses.len() < MAX_ADDRESSES
            && self.seen_addresses.insert(address)
        {
            self.facts.addresses.push(address);
        }
    }
}

#[cfg(test)]
mod tests;
