//! The pipeline's inbox: what sources and simulations hand to it, in one bounded queue.
//!
//! It stands before them and not in the pipeline, since all of them fill it and none may know who empties it.

pub mod queue;

use crate::chain::{BlockChanges, BlockContents, CodeAnswer, Head, Reorg};
use crate::evidence::{
    Anomaly, Breakdown, ContractScore, Detonation, FoundContract, RecordedDetonation,
    RecordedSimulation, SimulationResult,
};
use crate::tx::PendingTransaction;
use alloy_primitives::{Address, B256};
use bytes::Bytes;
use std::time::Instant;

/// Raw JSON as received, with its arrival.
#[derive(Debug, Clone)]
pub struct Raw {
    pub bytes: Bytes,
    /// Index of the endpoint (live); 0 in a replay.
    pub endpoint: u16,
    /// When the read that completed it returned.
    pub at: Instant,
    /// Unix milliseconds of the same moment (or as recorded).
    pub unix_ms: u64,
}

/// What a source hands to the pipeline, in order.
#[derive(Debug, Clone)]
pub enum Item {
    /// A whole `eth_subscription` notification whose `params.result` is a transaction object.
    Notification(Raw),
    /// One transaction object: from a response, or a line of a JSON lines file.
    Object(Raw),
    /// A transaction that was asked for by name: it is handed on even where it was seen before.
    Fetched(Raw),
    /// A node announced a hash alone, for its figures; the contents come as an [`Object`](Self::Object) when they have been
    /// asked for.
    Announced {
        hash: B256,
        endpoint: u16,
        at: Instant,
    },
    /// Already decoded (Parquet).
    Transaction {
        tx: Box<PendingTransaction>,
        at: Instant,
    },
    Head(Head),
    Block(BlockContents),
    Changes(Box<BlockChanges>),
    Reorg(Reorg),
    Code(CodeAnswer),
    /// The state of a new head is there to be simulated on.
    State,
    /// A suspect's simulation is over.
    Simulated(Box<SimulationResult>),
    /// The same, as a capture has it.
    Recorded(Box<RecordedSimulation>),
    /// A contract that is new, with its score; without one as a capture has it.
    Deployed(Box<FoundContract>, Option<Box<ContractScore>>),
    /// What calling one showed, with what a capture wants of it.
    Detonated(Box<Detonated>),
    /// The same, as a capture has it.
    DetonatedThen(Box<RecordedDetonation>),
    Anomaly(Anomaly),
    /// The source failed in our own code: nothing follows.
    Broken(Breakdown),
    /// Live: every reachable endpoint is subscribed. Replay: the capture is open.
    Ready,
    /// Nothing follows.
    End,
}

/// What calling a new contract showed.
#[derive(Debug, Clone)]
pub struct Detonated {
    pub address: Address,
    pub detonation: Detonation,
    pub record: Option<RecordedDetonation>,
}

impl Item {
    /// Bytes that it holds beside its place in the queue, at the most: what the queue's bound is about.
    pub fn footprint(&self) -> usize {
        match self {
            Self::Notification(raw) | Self::Object(raw) | Self::Fetched(raw) => raw.bytes.len(),
            Self::Transaction { tx, .. } => size_of_val(&**tx) + tx.input.capacity(),
            Self::Block(block) => block.footprint(),
            Self::Changes(changes) => size_of_val(&**changes) + changes.footprint(),
            Self::Code(answer) => answer.code.len() + answer.inside.len(),
            Self::Simulated(simulated) => size_of_val(&**simulated) + simulated.footprint(),
            Self::Recorded(record) => size_of_val(&**record) + record.footprint(),
            Self::Deployed(found, score) => {
                let score = score.as_ref();
                let score = score.map_or(0, |score| size_of_val(&**score) + score.footprint());
                size_of_val(&**found) + found.footprint() + score
            }
            Self::Detonated(done) => {
                let record = done
                    .record
                    .as_ref()
                    .map_or(0, RecordedDetonation::footprint);
                size_of_val(&**done) + done.detonation.footprint() + record
            }
            Self::DetonatedThen(record) => size_of_val(&**record) + record.footprint(),
            Self::Anomaly(anomaly) => anomaly.footprint(),
            Self::Broken(broken) => broken.reason.len(),
            Self::Announced { .. } | Self::Head(_) | Self::Reorg(_) => 0,
            Self::State | Self::Ready | Self::End => 0,
        }
    }
}
