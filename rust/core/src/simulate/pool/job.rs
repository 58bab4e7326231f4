//! A suspect on its way through the pool.

use super::fetched::Answer;
use super::suspect::{Suspect, credible};
use crate::evidence::{Failure, FailureKind, Identity, Simulation, Witness};
use crate::simulate::evm::StateError;
use crate::simulate::judge::simulator::{Deadlines, Step};
use crate::simulate::state::Snapshot;
use crate::simulate::state::head::HeadBlock;
use crate::tx::{Extras, PendingTransaction};
use crate::wire::Original;
use alloy_primitives::B256;
use revm::DatabaseRef;
use std::sync::Arc;
use std::time::Instant;

/// A suspect, until when it must be done, and what was fetched for it.
pub struct Job {
    pub suspect: Suspect,
    pub identity: Identity,
    /// Of the transactions before it and its own, read at the first attempt.
    pub extras: Option<Vec<Extras>>,
    pub since: Instant,
    pub deadline: Instant,
    /// Until when it is asked whether a pause would help.
    pub answered: Instant,
    /// Its state has been asked for: the head it was asked of, and what a node answered.
    pub fetched: Option<(B256, Option<Answer>)>,
    /// The node told all that it reads on this head.
    pub foreseen: Option<B256>,
    /// What the node told has a monitored contract in it.
    pub touches: bool,
    /// The head has it: the block before, on whose state it is looked at.
    pub met: Option<Arc<HeadBlock>>,
    pub attempts: u32,
    /// It has its verdict: what is left to find out is whether a pause would help.
    pub judged: Option<Box<Judged>>,
}

/// A simulation with what it read, where that is recorded.
pub type Judged = (Simulation, Option<Witness>);

impl Job {
    pub fn new(suspect: Suspect, since: Instant, deadline: Instant) -> Self {
        Self {
            identity: Identity::default(),
            suspect,
            extras: None,
            since,
            deadline,
            answered: deadline + deadline.saturating_duration_since(since),
            fetched: None,
            foreseen: None,
            touches: false,
            met: None,
            attempts: 0,
            judged: None,
        }
    }

    /// Until when it is worked on: once it has its verdict, the question has time of its own.
    pub fn deadlines(&self) -> Deadlines {
        Deadlines {
            verdict: match self.judged {
                Some(_) => self.answered,
                None => self.deadline,
            },
            answer: self.answered,
        }
    }

    /// Reads what is in the JSON of the suspect and of what comes before it, once: also whether it is what its hash says.
    pub fn read_originals(&mut self) -> Result<(), Failure> {
        if self.extras.is_some() {
            return Ok(());
        }
        let suspect = &mut self.suspect;
        self.identity = Identity::of(&suspect.tx, suspect.original.as_ref());
        if self.identity.other_than(suspect.tx.from).is_some() {
            return Err(Failure::signed_by_another());
        }
        suspect.before = credible(std::mem::take(&mut suspect.before));
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
        let all = all.collect::<Result<_, _>>();
        self.extras = Some(all.map_err(|reason| Failure::new(FailureKind::State, reason))?);
        Ok(())
    }

    /// Whether its nonce is used on a state, as far as that is known or can be asked for.
    pub fn is_used(&self, state: &Snapshot) -> bool {
        let tx = &self.suspect.tx;
        let sender = state.basic_ref(tx.from);
        sender.is_ok_and(|sender| sender.is_some_and(|sender| sender.nonce > tx.nonce))
    }

    /// What is executed: of the transactions before it those that no block has yet, and the suspect.
    pub fn sequence(&self, state: &Snapshot, base_fee: u64) -> Result<Vec<Step<'_>>, StateError> {
        let extras = self.extras.as_deref().unwrap_or_default();
        let before = self.suspect.before.iter().map(|earlier| &earlier.tx);
        let all = before.chain([&self.suspect.tx]).zip(extras);
        let mut steps: Vec<_> = all.map(|(tx, extras)| Step { tx, extras }).collect();
        let Some(suspect) = steps.pop() else {
            return Ok(steps);
        };
        let mut pending = Vec::with_capacity(steps.len() + 1);
        let too_cheap = |tx: &PendingTransaction| {
            let other = self.suspect.among_others && tx.from != suspect.tx.from;
            other && tx.max_fee_per_gas < u128::from(base_fee)
        };
        for step in steps {
            if too_cheap(step.tx) {
                continue;
            }
            let sender = state.basic_ref(step.tx.from)?;
            if step.tx.nonce >= sender.map_or(0, |sender| sender.nonce) {
                pending.push(step);
            }
        }
        pending.push(suspect);
        Ok(pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::samples::{Dice, signed};
    use crate::evidence::Authenticity;
    use crate::wire::parse_object;
    use std::sync::Arc;

    #[test]
    fn whose_sender_is_a_lie_is_not_executed_and_its_signer_is_told() {
        let sample = signed(&mut Dice(1), 2);
        let mut object = sample.object.clone();
        object["from"] = "0x00000000000000000000000000000000000000aa".into();
        for (told, lies) in [(sample.object, false), (object, true)] {
            let json = serde_json::to_vec(&told).unwrap();
            let suspect = Suspect {
                fingerprint: 0,
                tx: Arc::new(parse_object(&json, 1).unwrap()),
                original: Some(Original {
                    json: json.into(),
                    is_notification: false,
                }),
                before: Vec::new(),
                among_others: false,
                taken: Vec::new(),
                contact: true,
                score: 0.0,
            };
            let mut job = Job::new(suspect, Instant::now(), Instant::now());
            assert_eq!(job.identity.authenticity, Authenticity::Unproven);
            let read = job.read_originals();
            assert_eq!(
                read.map_err(|f| f.kind).err(),
                lies.then_some(FailureKind::NotReady)
            );
            assert_eq!(job.identity.authenticity, Authenticity::Proven);
            assert_eq!(job.identity.signer, Some(sample.from));
        }
    }
}
