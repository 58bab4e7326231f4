//! Calldata: by the callee's ABI, else by a table of well-known functions, else by word scan.

mod abi;
mod calldata;
mod describe;
mod known;
mod selectors;
#[cfg(test)]
mod tests;
mod verbs;
pub(crate) mod words;

pub use abi::parse_abi;
pub use describe::Description;
pub use known::KnownSelectors;
pub use verbs::Verb;

use crate::config::MonitoredContract;
use crate::error::Result;
use crate::tx::PendingTransaction;
use abi::Types;
use alloy_json_abi::JsonAbi;
use alloy_primitives::Address;
use calldata::Walker;
use hashbrown::HashMap;
use selectors::{FunctionTable, KnownFunction};

/// Addresses recorded of one transaction, at the most.
pub const MAX_ADDRESSES: usize = 64;
/// Embedded calls entered of one transaction, at the most.
pub const MAX_NESTED: usize = 64;
/// Nesting of embedded calls that is followed.
pub const MAX_DEPTH: usize = 16;

/// How the calldata was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// No calldata: a plain transfer.
    #[default]
    Empty,
    /// Init code of a creation.
    Creation,
    /// By the ABI the user gave for the callee.
    Abi,
    /// By the built-in table.
    Builtin,
    /// Unknown selector, or arguments that do not fit it: words only.
    WordScan,
}

/// What the hot path needs of one transaction's calldata. Reused between transactions: no allocation once warm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decoded {
    pub method: Method,
    /// Address arguments (typed) or words that can be addresses (scan), nested calls included; without zero, in order of
    /// appearance, deduplicated, [`MAX_ADDRESSES`] at the most.
    pub addresses: Vec<Address>,
    /// Selector of the call itself, then of the calls embedded in `bytes` arguments, each before those it embeds;
    /// 1 + [`MAX_NESTED`] at the most.
    pub selectors: Vec<[u8; 4]>,
    /// Nesting of embedded calls: 0 = none, [`MAX_DEPTH`] at the most.
    pub depth: u8,
    /// An ABI address argument is zero, embedded calls of known functions included; by word scan: any of the call's words is zero.
    pub zero_address: bool,
    /// Why the calldata cannot be what its function says, or what budget it exhausted.
    pub anomaly: Option<&'static str>,
}

impl Decoded {
    fn reset(&mut self, method: Method) {
        self.method = method;
        self.addresses.clear();
        self.selectors.clear();
        self.addresses.reserve(MAX_ADDRESSES);
        self.selectors.reserve(1 + MAX_NESTED);
        self.depth = 0;
        self.zero_address = false;
        self.anomaly = None;
    }
}

/// Compiled once from the built-in table and the users' ABIs; shared read-only.
#[derive(Debug, Default)]
pub struct Decoder {
    types: Types,
    builtin: FunctionTable,
    abis: HashMap<Address, FunctionTable>,
}

impl Decoder {
    /// `abis`: callee and its parsed ABI. The last one given for an address holds.
    pub fn new(abis: &[(Address, JsonAbi)]) -> Self {
        let mut types = Types::default();
        let builtin = selectors::builtin(&mut types);
        let abis = abis
            .iter()
            .map(|(callee, abi)| {
                (
                    *callee,
                    selectors::table(abi.functions().cloned(), &mut types),
                )
            })
            .collect();
        Self {
            types,
            builtin,
            abis,
        }
    }

    /// With the ABIs of those contracts that have one.
    ///
    /// # Errors
    /// [`crate::error::Error::Abi`] where one does not parse.
    pub fn for_contracts(contracts: &[MonitoredContract]) -> Result<Self> {
        let abis: Result<Vec<_>> = contracts
            .iter()
            .filter_map(|c| {
                c.abi
                    .as_ref()
                    .map(|text| Ok((c.address, parse_abi(&c.name, text)?)))
            })
            .collect();
        Ok(Self::new(&abis?))
    }

    /// Never fails: `out` holds a decode or says why not. Time and memory are bounded whatever the bytes.
    pub fn decode(&self, tx: &PendingTransaction, out: &mut Decoded) {
        self.decode_within(tx, out);
    }

    /// Returns the words left of the budget, for the tests of its bound.
    fn decode_within(&self, tx: &PendingTransaction, out: &mut Decoded) -> usize {
        let Some(callee) = &tx.to else {
            out.reset(Method::Creation);
            return calldata::STEPS_AT_MOST;
        };
        let Some((selector, arguments)) = tx.input.split_first_chunk::<4>() else {
            out.reset(if tx.input.is_empty() {
                Method::Empty
            } else {
                Method::WordScan
            });
            return calldata::STEPS_AT_MOST;
        };
        out.reset(Method::WordScan);
        out.selectors.push(*selector);
        let mut walker = Walker::new(&self.types, &self.builtin, out, tx.input.len());
        let mut reason = None;
        if let Some((function, method)) = self.function(callee, *selector) {
            let mark = walker.mark();
            match walker.typed(function, arguments, 0) {
                Ok(()) => {
                    let left = walker.steps_left();
                    out.method = method;
                    return left;
                }
                Err(cause) => {
                    reason = Some(cause);
                    walker.back_to(mark);
                    walker.refill(tx.input.len());
                }
            }
        }
        walker.scan(arguments, 0);
        let left = walker.steps_left();
        out.anomaly = reason.or(out.anomaly);
        out.zero_address = has_zero_word(arguments);
        left
    }

    /// Whether the callee's ABI (if one was given) declares this selector; `None` without an ABI.
    pub fn declares(&self, callee: &Address, selector: [u8; 4]) -> Option<bool> {
        if self.abis.is_empty() {
            return None;
        }
        self.abis
            .get(callee)
            .map(|functions| functions.contains_key(&selector))
    }

    /// Whether the built-in table has this selector.
    pub fn is_builtin(&self, selector: [u8; 4]) -> bool {
        self.builtin.contains_key(&selector)
    }

    /// The callee's own ABI goes first; a selector that it lacks may be its proxy's or its fallback's.
    fn function(&self, callee: &Address, selector: [u8; 4]) -> Option<(&KnownFunction, Method)> {
        let own = if self.abis.is_empty() {
            None
        } else {
            self.abis.get(callee)
        };
        own.and_then(|functions| functions.get(&selector))
            .map(|f| (f, Method::Abi))
            .or_else(|| self.builtin.get(&selector).map(|f| (f, Method::Builtin)))
    }
}

fn has_zero_word(arguments: &[u8]) -> bool {
    let (words, rest) = arguments.as_chunks::<32>();
    words.contains(&[0; 32]) || (!rest.is_empty() && rest.iter().all(|b| *b == 0))
}
