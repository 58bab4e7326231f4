//! What influences features and outcomes beside the transactions: captured with its position among them, so that a replay
//! hands the pipeline the same items in the same order.

use crate::chain::{BlockChanges, BlockContents, CodeAnswer, Head, Reorg};
use crate::evidence::{FoundContract, RecordedDetonation, RecordedSimulation};
use crate::inbox::Item;
use serde::de::DeserializeOwned;

/// An item that is no transaction and has an effect.
#[derive(Debug, Clone, PartialEq)]
pub enum ContextEntry {
    Head(Head),
    Block(BlockContents),
    Changes(Box<BlockChanges>),
    Reorg(Reorg),
    Code(CodeAnswer),
    Simulation(Box<RecordedSimulation>),
    Deployment(Box<FoundContract>),
    Detonation(Box<RecordedDetonation>),
}

impl ContextEntry {
    /// `None` for transactions, which are captured as such, and for what a source says of itself.
    pub fn of(item: &Item) -> Option<Self> {
        Some(match item {
            Item::Head(head) => Self::Head(head.clone()),
            Item::Block(block) => Self::Block(block.clone()),
            Item::Changes(changes) => Self::Changes(changes.clone()),
            Item::Reorg(reorg) => Self::Reorg(reorg.clone()),
            Item::Code(code) => Self::Code(code.clone()),
            Item::Simulated(simulated) => Self::Simulation(simulated.record.clone()?),
            Item::Recorded(record) => Self::Simulation(record.clone()),
            Item::Deployed(found, _) => Self::Deployment(found.clone()),
            Item::Detonated(done) => Self::Detonation(Box::new(done.record.clone()?)),
            Item::DetonatedThen(record) => Self::Detonation(record.clone()),
            Item::Notification(_) | Item::Object(_) | Item::Fetched(_) => return None,
            Item::Transaction { .. } | Item::Announced { .. } => return None,
            Item::Broken(_) | Item::State | Item::Anomaly(_) | Item::Ready | Item::End => {
                return None;
            }
        })
    }

    /// Bytes that it holds beside its own fields, at the most.
    pub fn footprint(&self) -> usize {
        match self {
            Self::Head(_) | Self::Reorg(_) => 0,
            Self::Block(block) => block.footprint(),
            Self::Changes(changes) => size_of_val(&**changes) + changes.footprint(),
            Self::Code(answer) => answer.code.len() + answer.inside.len(),
            Self::Simulation(record) => size_of_val(&**record) + record.footprint(),
            Self::Deployment(found) => size_of_val(&**found) + found.footprint(),
            Self::Detonation(record) => size_of_val(&**record) + record.footprint(),
        }
    }

    /// The column `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Head(_) => "head",
            Self::Block(_) => "block",
            Self::Changes(_) => "changes",
            Self::Reorg(_) => "reorg",
            Self::Code(_) => "code",
            Self::Simulation(_) => "simulation",
            Self::Deployment(_) => "deployment",
            Self::Detonation(_) => "detonation",
        }
    }

    /// The column `body`: the entry's fields as one JSON object.
    pub fn body(&self) -> String {
        let json = match self {
            Self::Head(head) => serde_json::to_string(head),
            Self::Block(block) => serde_json::to_string(block),
            Self::Changes(changes) => serde_json::to_string(changes),
            Self::Reorg(reorg) => serde_json::to_string(reorg),
            Self::Code(code) => serde_json::to_string(code),
            Self::Simulation(record) => serde_json::to_string(record),
            Self::Deployment(found) => serde_json::to_string(found),
            Self::Detonation(record) => serde_json::to_string(record),
        };
        json.expect("plain structs always serialize")
    }

    /// The inverse of [`kind`](Self::kind) and [`body`](Self::body); an error is a reason for people.
    pub fn from_parts(kind: &str, body: &[u8]) -> Result<Self, String> {
        fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
            serde_json::from_slice(body).map_err(|e| format!("context: {e}"))
        }
        match kind {
            "head" => read(body).map(Self::Head),
            "block" => read(body).map(Self::Block),
            "changes" => read(body).map(|changes| Self::Changes(Box::new(changes))),
            "reorg" => read(body).map(Self::Reorg),
            "code" => read(body).map(Self::Code),
            "simulation" => read(body).map(Self::Simulation),
            "deployment" => read(body).map(Self::Deployment),
            "detonation" => read(body).map(Self::Detonation),
            _ => Err("context of an unknown kind".into()),
        }
    }
}

impl From<ContextEntry> for Item {
    fn from(entry: ContextEntry) -> Self {
        match entry {
            ContextEntry::Head(head) => Item::Head(head),
            ContextEntry::Block(block) => Item::Block(block),
            ContextEntry::Changes(changes) => Item::Changes(changes),
            ContextEntry::Reorg(reorg) => Item::Reorg(reorg),
            ContextEntry::Code(code) => Item::Code(code),
            ContextEntry::Simulation(record) => Item::Recorded(record),
            ContextEntry::Deployment(found) => Item::Deployed(found, None),
            ContextEntry::Detonation(record) => Item::DetonatedThen(record),
        }
    }
}

#[cfg(test)]
mod tests;
