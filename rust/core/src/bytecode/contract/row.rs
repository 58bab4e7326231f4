//! An anatomy as numbers.

use super::anatomy::Anatomy;
use super::sequences::bucket;
use super::{CALLED, HASHED, NAMES, SEQUENCES, WIDTH};
use crate::bytecode::op;
use crate::bytecode::roles::{ADDRESS_BOOK, Roles};
use crate::decode::{KnownSelectors, Verb};
use std::sync::Arc;

/// Makes rows of contracts. One instance serves any number of threads.
#[derive(Debug, Clone)]
pub struct Extractor {
    known: Arc<KnownSelectors>,
}

impl Extractor {
    /// `known`: the functions that public collections know, as the models were trained with.
    pub fn new(known: Arc<KnownSelectors>) -> Self {
        Self { known }
    }

    /// Appends a row of [`WIDTH`] to `out`.
    pub fn extract(&self, anatomy: &Anatomy, out: &mut Vec<f32>) {
        let start = out.len();
        out.reserve(WIDTH);
        for counts in [&anatomy.grams, &anatomy.effects, &anatomy.steps] {
            out.extend(counts.iter().map(|count| log(u32::from(*count))));
        }
        out.resize(start + HASHED, 0.0);
        let (called, offered) = out[start + SEQUENCES..].split_at_mut(CALLED);
        for (selectors, buckets) in [(&anatomy.called, called), (&anatomy.offered, offered)] {
            for selector in selectors {
                let value = u32::from_be_bytes(*selector);
                buckets[bucket(value.into(), buckets.len())] = 1.0;
            }
        }
        let named = Named {
            anatomy,
            known: &self.known,
        };
        named.write(out);
        debug_assert_eq!(out.len(), start + WIDTH);
    }
}

/// ln(1 + n)
#[inline]
fn log(n: u32) -> f32 {
    // Most buckets have nothing.
    if n == 0 { 0.0 } else { (n as f32).ln_1p() }
}

struct Named<'a> {
    anatomy: &'a Anatomy,
    known: &'a KnownSelectors,
}

impl Named<'_> {
    /// In the order of [`NAMES`].
    fn write(&self, out: &mut Vec<f32>) {
        let before = out.len();
        self.shape(out);
        self.rates(out);
        self.against_calls(out);
        self.constants(out);
        self.roles(out);
        self.verbs(out);
        self.functions(out);
        debug_assert_eq!(out.len() - before, NAMES.len());
    }

    fn count(&self, opcodes: &[u8]) -> u32 {
        opcodes
            .iter()
            .map(|opcode| self.anatomy.count(*opcode))
            .sum()
    }

    fn shape(&self, out: &mut Vec<f32>) {
        let Anatomy {
            offered,
            called,
            addresses,
            amounts,
            ..
        } = self.anatomy;
        let unknown = |selectors: &[[u8; 4]]| {
            let missing = selectors.iter().filter(|s| !self.known.contains(**s));
            missing.count() as u32
        };
        let (functions, callees) = (offered.len() as u32, called.len() as u32);
        let instructions: u32 = self.anatomy.opcodes.iter().sum();
        let of_stack: u32 = (0..=u8::MAX)
            .filter(|opcode| op::is_of_stack(*opcode))
            .map(|opcode| self.anatomy.count(opcode))
            .sum();
        out.extend([
            log(instructions),
            log(instructions - of_stack),
            f32::from(u8::from(!self.anatomy.metadata)),
            log(functions),
            log(unknown(offered)),
            log(callees),
            log(unknown(called)),
            log(self.anatomy.call_sites),
        ]);
        let each = [
            callees,
            self.anatomy.count(op::CALL),
            self.anatomy.count(op::STATICCALL),
            addresses.len() as u32,
            self.anatomy.error_sites,
            instructions,
            amounts.whole + amounts.thousandths,
        ];
        out.extend(each.map(|n| log(n) - log(functions)));
    }

    fn rates(&self, out: &mut Vec<f32>) {
        let instructions: u32 = self.anatomy.opcodes.iter().sum();
        let unassigned = self.count(UNASSIGNED);
        let rate = |n: u32| (n as f32 * 1000.0 / instructions.max(1) as f32).ln_1p();
        out.extend(RATES.iter().map(|opcodes| match opcodes {
            [] => rate(unassigned),
            opcodes => rate(self.count(opcodes)),
        }));
    }

    fn against_calls(&self, out: &mut Vec<f32>) {
        let calls = log(self.count(&[op::CALL, op::STATICCALL, op::DELEGATECALL, op::CALLCODE]));
        let counted: [&[u8]; 8] = [
            &[op::SSTORE],
            &[op::SLOAD],
            &[0xa0, 0xa1, 0xa2, 0xa3, 0xa4],
            &[op::EQ],
            &[op::REVERT],
            &[op::STATICCALL],
            &[op::DELEGATECALL],
            &[op::KECCAK256],
        ];
        out.extend(counted.map(|opcodes| log(self.count(opcodes)) - calls));
        out.push(log(self.anatomy.addresses.len() as u32) - calls);
    }

    fn constants(&self, out: &mut Vec<f32>) {
        let Anatomy {
            addresses,
            amounts,
            gates,
            ..
        } = self.anatomy;
        let of = |kinds: &[&str]| {
            let kind = |address| ADDRESS_BOOK.get(address).copied().unwrap_or_default();
            let known = addresses
                .iter()
                .filter(|address| kinds.contains(&kind(*address)));
            log(known.count() as u32)
        };
        out.extend([
            log(self.anatomy.error_sites),
            log(self.anatomy.panic_sites),
            log(addresses.len() as u32),
            of(&[""]),
            of(&["flash_loan"]),
            of(&["router"]),
            of(&["token"]),
            of(&["pool"]),
            of(&["lending"]),
            log(amounts.one),
            log(amounts.whole),
            log(amounts.thousandths),
            log(amounts.odd),
            log(amounts.most),
            log(gates.fixed),
            log(gates.stored),
            log(gates.signer),
            log(gates.other),
        ]);
    }

    fn roles(&self, out: &mut Vec<f32>) {
        const ROLES: [Roles; 6] = [
            Roles::WITHDRAWAL,
            Roles::TOKEN_CALLBACK,
            Roles::FLASH_LOAN,
            Roles::FLASH_CALLBACK,
            Roles::MARKET,
            Roles::CREDIT,
        ];
        for selectors in [&self.anatomy.called, &self.anatomy.offered] {
            let mut counts = [0; ROLES.len()];
            for roles in selectors.iter().map(|selector| Roles::of(*selector)) {
                for (count, role) in counts.iter_mut().zip(ROLES) {
                    *count += u32::from(roles.has(role));
                }
            }
            out.extend(counts.map(log));
        }
    }

    fn verbs(&self, out: &mut Vec<f32>) {
        for (selectors, verbs) in [
            (&self.anatomy.called, CALLED_VERBS),
            (&self.anatomy.offered, OFFERED_VERBS),
        ] {
            let mut counts = vec![0; verbs.len()];
            for verb in selectors.iter().filter_map(|selector| Verb::of(*selector)) {
                if let Some(place) = verbs.iter().position(|other| *other == verb) {
                    counts[place] += 1;
                }
            }
            out.extend(counts.into_iter().map(log));
        }
    }

    fn functions(&self, out: &mut Vec<f32>) {
        let offered = &self.anatomy.offered;
        let callbacks = offered.iter().filter(|s| {
            Verb::of(**s) == Some(Verb::Callback) || Roles::of(**s).has(Roles::FLASH_CALLBACK)
        });
        let told = |yes: bool| f32::from(u8::from(yes));
        out.extend([
            told(offered.is_empty()),
            told((1..=3).contains(&offered.len())),
            callbacks.count() as f32 / offered.len().max(1) as f32,
            told(offered.is_empty() && self.anatomy.count(op::CALL) > 0),
        ]);
    }
}

const CALLED_VERBS: &[Verb] = &[
    Verb::Swap,
    Verb::Flash,
    Verb::Liquidate,
    Verb::Borrow,
    Verb::Repay,
    Verb::Mint,
    Verb::Burn,
    Verb::Deposit,
    Verb::Withdraw,
    Verb::Sync,
    Verb::Claim,
    Verb::Approve,
    Verb::TransferFrom,
    Verb::Transfer,
    Verb::Price,
    Verb::Balance,
    Verb::Admin,
];

const OFFERED_VERBS: &[Verb] = &[
    Verb::Swap,
    Verb::Mint,
    Verb::Burn,
    Verb::Deposit,
    Verb::Withdraw,
    Verb::Claim,
    Verb::Approve,
    Verb::Transfer,
    Verb::Price,
    Verb::Balance,
    Verb::Admin,
    Verb::Callback,
];

/// Bytes that no fork has made an opcode of: data that a linear pass reads as code has them.
const UNASSIGNED: &[u8] = &[
    0x0c, 0x0d, 0x0e, 0x0f, 0x1f, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x2b,
    0x2c, 0x2d, 0x2e, 0x2f, 0x4c, 0x4d, 0x4e, 0x4f, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac,
    0xad, 0xae, 0xaf, 0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xbb, 0xbc,
    0xbd, 0xbe, 0xbf, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xcb, 0xcc,
    0xcd, 0xce, 0xcf,
];

/// In the order of the names; nothing stands for what is unassigned.
const RATES: [&[u8]; 56] = [
    &[0x01, 0x02, op::SUB],
    &[op::DIV, 0x05, 0x06, 0x07, 0x08, 0x09],
    &[op::EXP],
    &[op::LT, op::GT, 0x12, 0x13],
    &[op::EQ],
    &[op::ISZERO],
    &[op::AND, 0x17, op::XOR],
    &[0x19],
    &[0x1b, 0x1c, 0x1d],
    &[op::KECCAK256],
    &[0x30],
    &[op::BALANCE],
    &[op::ORIGIN],
    &[op::CALLER],
    &[op::CALLVALUE],
    &[op::CALLDATALOAD],
    &[0x36],
    &[op::CALLDATACOPY],
    &[op::CODECOPY],
    &[op::GASPRICE],
    &[op::EXTCODESIZE],
    &[op::EXTCODECOPY],
    &[op::RETURNDATASIZE],
    &[op::RETURNDATACOPY],
    &[0x3f],
    &[0x40],
    &[op::COINBASE],
    &[op::TIMESTAMP],
    &[op::NUMBER],
    &[op::CHAINID],
    &[op::SELFBALANCE],
    &[0x51],
    &[0x52],
    &[0x53],
    &[op::SLOAD],
    &[op::SSTORE],
    &[op::JUMP],
    &[op::JUMPI],
    &[op::GAS],
    &[op::JUMPDEST],
    &[0xa0, 0xa1, 0xa2, 0xa3, 0xa4],
    &[op::CREATE],
    &[op::CREATE2],
    &[op::CALL],
    &[op::CALLCODE],
    &[op::RETURN],
    &[op::DELEGATECALL],
    &[op::STATICCALL],
    &[op::REVERT],
    &[op::INVALID],
    &[op::SELFDESTRUCT],
    &[op::STOP],
    &[],
    &[op::PUSH20],
    &[op::PUSH32],
    &[op::PUSH4],
];
