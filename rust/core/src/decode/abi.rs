//! Argument types compiled to a flat table that the walker reads: no strings, no boxes, no allocation per transaction.

use crate::error::{Error, Result};
use alloy_dyn_abi::{DynSolType, Specifier};
use alloy_json_abi::{Function, JsonAbi};

/// Types nested deeper than this are not compiled; their functions are read by word scan.
const MAX_TYPE_DEPTH: usize = 16;
/// A static head longer than this many words fits no transaction.
const MAX_HEAD_WORDS: u64 = 1 << 16;
/// Bound of the table: an ABI file is the user's, yet a broken one must not take the memory.
const MAX_TYPES: usize = 1 << 20;

/// Index of a [`Type`] in [`Types`].
pub(super) type TypeId = u32;

/// What one head slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Any 32 bytes: uint256, int256, bytes32.
    Word,
    Address,
    Bool,
    /// Unsigned, of fewer than 256 bits.
    Uint(u16),
    /// Signed, of fewer than 256 bits.
    Int(u16),
    /// bytes1 to bytes31, left-aligned.
    FixedBytes(u8),
    Bytes,
    String,
    Array(TypeId),
    FixedArray(TypeId, u32),
    /// First element and count in [`Types::members`].
    Tuple(u32, u32),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Type {
    pub kind: Kind,
    /// Words it occupies in the head of what holds it; 1 (the offset) if dynamic.
    pub head: u32,
    pub dynamic: bool,
}

/// All compiled types of all functions.
#[derive(Debug, Default)]
pub(super) struct Types {
    types: Vec<Type>,
    members: Vec<TypeId>,
}

impl Types {
    #[inline]
    pub fn get(&self, id: TypeId) -> Type {
        self.types[id as usize]
    }

    #[inline]
    pub fn member(&self, index: u32) -> TypeId {
        self.members[index as usize]
    }

    /// The function's arguments as one tuple; `None` where they are too deep, too large or of an unknown type.
    pub fn compile(&mut self, function: &Function) -> Option<TypeId> {
        let arguments: Option<Vec<DynSolType>> =
            function.inputs.iter().map(|p| p.resolve().ok()).collect();
        self.add(&DynSolType::Tuple(arguments?), 0)
    }

    fn add(&mut self, ty: &DynSolType, depth: usize) -> Option<TypeId> {
        if depth > MAX_TYPE_DEPTH || self.types.len() >= MAX_TYPES {
            return None;
        }
        let (kind, head, dynamic) = match ty {
            DynSolType::Address => (Kind::Address, 1, false),
            DynSolType::Bool => (Kind::Bool, 1, false),
            DynSolType::Uint(256) | DynSolType::Int(256) | DynSolType::FixedBytes(32) => {
                (Kind::Word, 1, false)
            }
            DynSolType::Uint(bits) => (Kind::Uint(u16::try_from(*bits).ok()?), 1, false),
            DynSolType::Int(bits) => (Kind::Int(u16::try_from(*bits).ok()?), 1, false),
            DynSolType::FixedBytes(n) => (Kind::FixedBytes(u8::try_from(*n).ok()?), 1, false),
            DynSolType::Function => (Kind::FixedBytes(24), 1, false),
            DynSolType::Bytes => (Kind::Bytes, 1, true),
            DynSolType::String => (Kind::String, 1, true),
            DynSolType::Array(element) => (Kind::Array(self.add(element, depth + 1)?), 1, true),
            DynSolType::FixedArray(element, n) => {
                let id = self.add(element, depth + 1)?;
                let element = self.get(id);
                let n = u32::try_from(*n).ok()?;
                let head = if element.dynamic {
                    1
                } else {
                    u64::from(element.head) * u64::from(n)
                };
                (Kind::FixedArray(id, n), head, element.dynamic)
            }
            DynSolType::Tuple(elements) => {
                let ids: Option<Vec<TypeId>> =
                    elements.iter().map(|e| self.add(e, depth + 1)).collect();
                let ids = ids?;
                let dynamic = ids.iter().any(|id| self.get(*id).dynamic);
                let head = if dynamic {
                    1
                } else {
                    ids.iter().map(|id| u64::from(self.get(*id).head)).sum()
                };
                let first = u32::try_from(self.members.len()).ok()?;
                let count = u32::try_from(ids.len()).ok()?;
                self.members.extend(ids);
                (Kind::Tuple(first, count), head, dynamic)
            }
        };
        if head > MAX_HEAD_WORDS {
            return None;
        }
        self.types.push(Type {
            kind,
            head: head as u32,
            dynamic,
        });
        u32::try_from(self.types.len() - 1).ok()
    }
}

/// Parses an ABI's JSON text: a bare array, or an artifact (solc, foundry, hardhat) with an `abi` field.
///
/// # Errors
/// [`Error::Abi`] that names the contract where the text is neither.
pub fn parse_abi(contract: &str, text: &str) -> Result<JsonAbi> {
    let failed = |reason: String| Error::Abi {
        contract: contract.to_owned(),
        reason,
    };
    let json: serde_json::Value =
        serde_json::from_str(text).map_err(|e| failed(format!("not JSON: {e}")))?;
    let items = match &json {
        serde_json::Value::Object(artifact) => artifact
            .get("abi")
            .ok_or_else(|| failed("an object without an `abi` field".to_owned()))?,
        other => other,
    };
    if !items.is_array() {
        return Err(failed(
            "neither an array of ABI items nor an artifact with an `abi` array".to_owned(),
        ));
    }
    // From text again: ABI items are an internally tagged enum that wants borrowed strings.
    serde_json::from_str(&items.to_string()).map_err(|e| failed(e.to_string()))
}
