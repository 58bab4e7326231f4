//! A suspect on its way through the pool.

use super::fetched::Answer;
use super::suspect::Suspect;
use crate::simulate::evm::StateError;
use crate::simulate::judge::simulator::Step;
use crate::simulate::state::Snapshot;
use crate::tx::Extras;
use alloy_primitives::B256;
use bytes::Bytes;
use revm::DatabaseRef;
use std::time::Instant;

/// A suspect, until when it must be done, and what was fetched for it.
pub struct Job {
    pub suspect: Suspect,
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

    /// Reads what is in the JSON of the suspect and of what comes before it, once.
    pub fn read_extras(&mut self) -> Result<(), String> {
        if self.extras.is_some() {
            return Ok(());
        }
        let read = |raw: Option<(Bytes, bool)>| match raw {
            Some((json, is_notification)) => Extras::of_json(&json, is_notification),
            None => Ok(Extras::default()),
        };
        let raws = self.suspect.before.iter_mut();
        let raws = raws.map(|earlier| earlier.raw.take());
        let raws = raws.chain([self.suspect.raw.take()]);
        self.extras = Some(raws.map(read).collect::<Result<_, _>>()?);
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
