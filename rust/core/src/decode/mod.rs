//! Calldata: by the callee's ABI, else by a table of well-known functions, else by word scan.

use crate::tx::PendingTransaction;
use alloy_primitives::Address;

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
#[derive(Debug, Clone, Default)]
pub struct Decoded {
    pub method: Method,
    /// Address arguments (typed) or words that can be addresses (scan), nested calls included; bounded, deduplicated.
    pub addresses: Vec<Address>,
    /// Selectors of the call itself and of calls embedded in `bytes` arguments, outermost first; bounded.
    pub selectors: Vec<[u8; 4]>,
    /// Nesting of embedded calls: 0 = none.
    pub depth: u8,
    /// An ABI address argument is zero; by word scan: any word is zero.
    pub zero_address: bool,
    /// Why the calldata cannot be what its function says, or what budget it exhausted.
    pub anomaly: Option<&'static str>,
}

/// Compiled once from the built-in table and the users' ABIs; shared read-only.
#[derive(Debug, Default)]
pub struct Decoder {}

/// For people: the function and its arguments as text, bounded in length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Description {
    pub function: Option<String>,
    /// (name or position, type, value)
    pub arguments: Vec<(String, String, String)>,
}

impl Decoder {
    /// `abis`: callee and its parsed ABI.
    pub fn new(_abis: &[(Address, alloy_json_abi::JsonAbi)]) -> Self {
        todo!()
    }
    /// Never fails: `out` holds a decode or says why not. Time and memory are bounded whatever the bytes.
    pub fn decode(&self, _tx: &PendingTransaction, _out: &mut Decoded) {
        todo!()
    }
    /// Slow path, for a detection's evidence.
    pub fn describe(&self, _tx: &PendingTransaction) -> Description {
        todo!()
    }
    /// Whether the callee's ABI (if one was given) declares this selector; `None` without an ABI.
    pub fn declares(&self, _callee: &Address, _selector: [u8; 4]) -> Option<bool> {
        todo!()
    }
}
