//! A suspect on its way through the pool.

use super::fetched::Answer;
use super::suspect::{Suspect, credible};
use crate::evidence::Identity;
use crate::simulate::evm::StateError;
use crate::simulate::judge::simulator::Step;
use crate::simulate::state::Snapshot;
use crate::tx::Extras;
use crate::wire::Original;
use alloy_primitives::{Address, B256};
use revm::DatabaseRef;
use std::sync::Arc;
use std::time::Instant;

/// A suspect, until when it must be done, and what was fetched for it.
pub struct Job {
    pub suspect: Suspect,
    /// As it was told: whose quota it takes.
    pub sender: Address,
    pub identity: Identity,
    /// Of the transactions before it and its own, read at the first attempt.
    pub extras: Option<Vec<Extras>>,
    pub since: Instant,
    pub deadline: Instant,
    /// Its state has been asked for: the head it was asked of, and what a node answered.
    pub fetched: Option<(B256, Option<Answer>)>,
    /// The node told all that it reads on this head.
    pub foreseen: Option<B256>,
    /// What the node told has a monitored contract in it.
    pub touches: bool,
    pub attempts: u32,
}

impl Job {
    pub fn new(suspect: Suspect, since: Instant, deadline: Instant) -> Self {
        Self {
            sender: suspect.tx.from,
            identity: Identity::default(),
            suspect,
            extras: None,
            since,
            deadline,
            fetched: None,
            foreseen: None,
            touches: false,
            attempts: 0,
        }
    }

    /// Reads what is in the JSON of the suspect and of what comes before it, once: also whether it is what its hash says.
    pub fn read_originals(&mut self) -> Result<(), String> {
        if self.extras.is_some() {
            return Ok(());
        }
        let suspect = &mut self.suspect;
        suspect.before = credible(std::mem::take(&mut suspect.before));
        self.identity = Identity::of(&suspect.tx, suspect.original.as_ref());
        // Who lies about the sender alone would make an attack fail here.
        if let Some(signer) = self
            .identity
            .signer
            .filter(|signer| *signer != suspect.tx.from)
        {
            Arc::make_mut(&mut suspect.tx).from = signer;
        }
        // A legacy transaction has none, whatever its JSON says.
        let read = |tx_type: u8, original: Option<Original>| match original {
            Some(original) if tx_type > 0 => original.extras(),
            _ => Ok(Extras::default()),
        };
        let earlier = suspect.before.iter_mut();
        let earlier = earlier.map(|one| (one.tx.tx_type, one.original.take()));
        let own = (suspect.tx.tx_type, suspect.original.take());
        let all = earlier
            .chain([own])
            .map(|(tx_type, json)| read(tx_type, json));
        self.extras = Some(all.collect::<Result<_, _>>()?);
        Ok(())
    }

    /// What is executed: of the transactions before it those that no block has yet, and the suspect.
    pub fn sequence(&self, state: &Snapshot) -> Result<Vec<Step<'_>>, StateError> {
        let extras = self.extras.as_deref().unwrap_or_default();
        let before = self.suspect.before.iter().map(|earlier| &earlier.tx);
        let all = before.chain([&self.suspect.tx]).zip(extras);
        let mut steps: Vec<_> = all.map(|(tx, extras)| Step { tx, extras }).collect();
        let Some(suspect) = steps.pop() else {
            return Ok(steps);
        };
        let mut pending = Vec::with_capacity(steps.len() + 1);
        for step in steps {
            let sender = state.basic_ref(step.tx.from)?;
            if step.tx.nonce >= sender.map_or(0, |sender| sender.nonce) {
                pending.push(step);
            }
        }
        pending.push(suspect);
        Ok(pending)
    }
}
