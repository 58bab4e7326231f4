//! What a transaction did, call by call: the tree that geth calls `callTracer`.

#[cfg(test)]
#[path = "../../tests/support/call_tracer.rs"]
pub(crate) mod call_tracer;
#[cfg(test)]
mod tests;

use alloy_primitives::{Address, B256, Bytes, U256};
use std::borrow::Cow;

/// How a frame was entered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum CallKind {
    #[default]
    Call,
    CallCode,
    DelegateCall,
    StaticCall,
    Create,
    Create2,
    SelfDestruct,
}

impl CallKind {
    pub const ALL: [Self; 7] = [
        Self::Call,
        Self::CallCode,
        Self::DelegateCall,
        Self::StaticCall,
        Self::Create,
        Self::Create2,
        Self::SelfDestruct,
    ];

    /// The opcode's name, as geth writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Call => "CALL",
            Self::CallCode => "CALLCODE",
            Self::DelegateCall => "DELEGATECALL",
            Self::StaticCall => "STATICCALL",
            Self::Create => "CREATE",
            Self::Create2 => "CREATE2",
            Self::SelfDestruct => "SELFDESTRUCT",
        }
    }

    pub fn creates(self) -> bool {
        matches!(self, Self::Create | Self::Create2)
    }
}

/// A log, with its place among the frame's calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameLog {
    pub address: Address,
    pub topics: Vec<B256>,
    pub data: Bytes,
    /// Calls that its frame had made before it.
    pub position: u32,
    /// Its number in the transaction.
    pub index: u32,
}

/// One call, creation or self-destruction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    pub kind: CallKind,
    /// 0 for the transaction itself.
    pub depth: u16,
    /// Index of the frame that made it; the first one's is its own.
    pub parent: u32,
    pub from: Address,
    /// `None` where a creation failed.
    pub to: Option<Address>,
    /// Wei. `None` for a static call, which has none.
    pub value: Option<U256>,
    /// Given to it, and used of it. Of the transaction: its limit, and what its receipt says.
    pub gas: u64,
    pub gas_used: u64,
    pub input: Bytes,
    pub output: Bytes,
    /// In geth's words.
    pub error: Option<Cow<'static, str>>,
    /// None where the frame, or one it is inside of, failed.
    pub logs: Vec<FrameLog>,
}

/// Frames in the order they were entered, each before the ones it made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    pub frames: Vec<Frame>,
}

impl Trace {
    /// The transaction's own frame.
    pub fn root(&self) -> Option<&Frame> {
        self.frames.first()
    }

    /// Whether the frame and all it is inside of succeeded: whether what it did stands.
    pub fn stands(&self) -> Vec<bool> {
        let mut stands = Vec::with_capacity(self.frames.len());
        for frame in &self.frames {
            let outer = stands.get(frame.parent as usize).copied().unwrap_or(true);
            stands.push(outer && frame.error.is_none());
        }
        stands
    }
}
