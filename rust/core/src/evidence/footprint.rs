//! What a record takes in memory: what waits in a bounded queue counts with it.
//!
//! All are bounds from above, in bytes, of what a record holds beside its own fields. What it shares with others counts in
//! each: it may be the last one to hold it.

use super::{
    Anomaly, Assessment, Contained, ContractScore, Deployment, Detonation, DoneSimulation, Failure,
    FoundContract, Funding, RecordedDetonation, RecordedSimulation, Simulation, SimulationResult,
    SimulationStatus, ThreatDetection, Witness,
};
use super::{
    Answer, Flow, Loss, Response, SignatureMatch, TriedPause, Unasked, Variation, Victim,
    Violation, trace::Trace,
};
use std::borrow::Cow;

/// Of a vector, full or not.
fn vec<T>(values: &Vec<T>) -> usize {
    values.capacity() * size_of::<T>()
}

/// Of a B-tree: every node has room for 11 entries, all but the root have five at least, and the upper ones 12 pointers.
fn tree<K, V>(entries: usize) -> usize {
    let node = 11 * size_of::<(K, V)>() + 12 * size_of::<usize>() + 16;
    if entries == 0 {
        0
    } else {
        (entries / 5 + 1) * node
    }
}

/// Of words that may be written in the program.
#[expect(clippy::ptr_arg)] // Whose they are is the question.
fn words(text: &Cow<'static, str>) -> usize {
    match text {
        Cow::Borrowed(_) => 0,
        Cow::Owned(text) => text.capacity(),
    }
}

/// Of victims.
fn harmed(victims: &Vec<Victim>) -> usize {
    let names = victims.iter().map(|victim| {
        let names = &victim.invariants;
        vec(names) + names.iter().map(words).sum::<usize>()
    });
    vec(victims) + names.sum::<usize>()
}

impl Response {
    pub fn footprint(&self) -> usize {
        match self {
            Self::Unasked(Unasked { why, .. }) => words(why),
            Self::Answered(answer) => {
                let Answer {
                    targets, pauses, ..
                } = &**answer;
                let obstacle = answer.obstacle.as_ref().map_or(0, words);
                size_of::<Answer>() + vec(targets) + vec::<TriedPause>(pauses) + obstacle
            }
        }
    }
}

impl Anomaly {
    pub fn footprint(&self) -> usize {
        self.origin.capacity() + self.reason.capacity()
    }
}

impl Failure {
    pub fn footprint(&self) -> usize {
        self.reason.capacity()
    }
}

impl Witness {
    pub fn footprint(&self) -> usize {
        let accounts = self.accounts.values();
        let storage = accounts.map(|account| tree::<[u8; 32], [u8; 32]>(account.storage.len()));
        let codes = self.codes.values().map(|code| code.len());
        let before = self.before.iter().map(|one| one.extras.footprint());
        self.fork.capacity()
            + self.extras.footprint()
            + vec(&self.before)
            + before.sum::<usize>()
            + tree::<[u8; 20], super::witness::ReadAccount>(self.accounts.len())
            + storage.sum::<usize>()
            + tree::<[u8; 32], bytes::Bytes>(self.codes.len())
            + codes.sum::<usize>()
            + tree::<u64, [u8; 32]>(self.block_hashes.len())
    }
}

impl RecordedSimulation {
    pub fn footprint(&self) -> usize {
        self.failure.as_ref().map_or(0, Failure::footprint)
            + self.executed.as_ref().map_or(0, Witness::footprint)
            + self.unasked.as_ref().map_or(0, String::capacity)
    }
}

impl Trace {
    pub fn footprint(&self) -> usize {
        let frames = self.frames.iter().map(|frame| {
            let logs = frame.logs.iter();
            let logs = logs.map(|log| vec(&log.topics) + log.data.len());
            let error = frame.error.as_ref().map_or(0, words);
            vec(&frame.logs) + logs.sum::<usize>() + frame.input.len() + frame.output.len() + error
        });
        vec(&self.frames) + frames.sum::<usize>()
    }
}

impl Simulation {
    pub fn footprint(&self) -> usize {
        let violations = self.violations.iter().map(|violation| {
            let Violation {
                invariant,
                explanation,
                losses,
                shares,
                ..
            } = violation;
            words(invariant) + explanation.capacity() + vec(losses) + vec(shares)
        });
        words(&self.outcome)
            + vec(&self.before)
            + self.before.iter().map(words).sum::<usize>()
            + vec(&self.before_hashes)
            + self.accesses.footprint()
            + vec(&self.unaccounted)
            + vec(&self.leads)
            + vec(&self.touched)
            + vec(&self.created)
            + vec(&self.deployments)
            + self
                .deployments
                .iter()
                .map(Deployment::footprint)
                .sum::<usize>()
            + vec::<Flow>(&self.flows)
            + vec(&self.violations)
            + violations.sum::<usize>()
            + vec::<Loss>(&self.losses)
            + harmed(&self.victims)
            + self.response.as_ref().map_or(0, Response::footprint)
            + vec(&self.factors)
            + vec::<Variation>(&self.variations)
            + self.trace.as_ref().map_or(0, |trace| trace.footprint())
    }
}

impl SimulationResult {
    pub fn footprint(&self) -> usize {
        let record = self.record.as_ref();
        let record = record.map_or(0, |record| size_of_val(&**record) + record.footprint());
        let result = match &self.result {
            Ok(simulation) => size_of_val(&**simulation) + simulation.footprint(),
            Err(failure) => failure.footprint(),
        };
        result + record
    }
}

impl Deployment {
    pub fn footprint(&self) -> usize {
        self.init_code.len()
            + self.code.len()
            + self.runs.as_ref().map_or(0, |runs| runs.code.len())
            + vec(&self.called)
            + vec(&self.stored)
            + vec(&self.twins)
    }
}

impl FoundContract {
    pub fn footprint(&self) -> usize {
        self.deployment.footprint() + vec::<Funding>(&self.funding)
    }
}

impl RecordedDetonation {
    pub fn footprint(&self) -> usize {
        let inputs = self.calls.iter().map(|call| call.input.len());
        self.detonation.footprint()
            + vec(&self.calls)
            + inputs.sum::<usize>()
            + self.executed.as_ref().map_or(0, Witness::footprint)
    }
}

impl Detonation {
    pub fn footprint(&self) -> usize {
        let proof = self.proof.as_ref().map_or(0, |proof| {
            let inputs = proof.calls.iter().map(|call| call.input.len());
            size_of_val(&**proof)
                + vec(&proof.calls)
                + inputs.sum::<usize>()
                + proof.simulation.footprint()
        });
        vec(&self.guards) + proof
    }
}

impl ContractScore {
    pub fn footprint(&self) -> usize {
        vec(&self.selectors) + vec(&self.addresses) + vec(&self.factors)
    }
}

impl Assessment {
    pub fn footprint(&self) -> usize {
        self.found.footprint()
            + self.score.as_ref().map_or(0, ContractScore::footprint)
            + vec::<Contained>(&self.contained)
            + self.detonation.as_ref().map_or(0, Detonation::footprint)
    }
}

impl ThreatDetection {
    pub fn footprint(&self) -> usize {
        let arguments = self.arguments.iter();
        let arguments = arguments
            .map(|(name, kind, value)| name.capacity() + kind.capacity() + value.capacity());
        let simulation = match &self.simulation {
            SimulationStatus::NotRun => 0,
            SimulationStatus::Failed(failure) => failure.footprint(),
            SimulationStatus::Done(done) => {
                size_of::<DoneSimulation>() + done.simulation.footprint()
            }
        };
        self.alert_id.capacity()
            + self.tx.input.capacity()
            + self.function.as_ref().map_or(0, String::capacity)
            + vec(&self.arguments)
            + arguments.sum::<usize>()
            + vec(&self.contracts)
            + vec(&self.classification.factors)
            + vec::<SignatureMatch>(&self.signatures)
            + harmed(&self.victims)
            + self.early.as_ref().map_or(0, |early| {
                size_of_val(&**early) + early.assessment.footprint()
            })
            + simulation
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::executed;

    #[test]
    fn a_record_takes_what_it_read() {
        let empty = executed(0, 0).footprint();
        assert!(empty < 4_096, "{empty}");
        // Slots: 64 bytes each, and not more than thrice that in a tree's nodes.
        let slots = executed(1_000, 0).footprint() - empty;
        assert!((64_000..192_000).contains(&slots), "{slots}");
        let codes = executed(0, 100).footprint() - empty;
        assert!((2_457_600..2_480_000).contains(&codes), "{codes}");
    }
}
