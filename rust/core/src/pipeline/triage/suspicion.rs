//! One suspect, and how far it has come.

use super::predecessors::unite;
use super::{Action, Emission, Verdict};
use crate::evidence::{Accesses, Authenticity, Factor, SimulationStatus, Taken, Unaccounted};
use crate::pipeline::slot::{Slot, held};
use crate::simulate::pool::suspect::Earlier;

/// A transaction that is worth a simulation.
#[derive(Debug)]
pub struct Suspicion {
    /// As it was judged.
    pub slot: Slot,
    pub probability: f32,
    pub score: f32,
    /// What moved `probability`, where that was asked ahead of the verdict.
    pub factors: Option<Vec<Factor>>,
    pub retries: u32,
    /// Without what comes before it, which may be there to use up its time.
    pub alone: bool,
    /// A block has it, or another one in its place.
    pub mined: bool,
    pub said: Said,
    /// After what others have pending, too: it was found harmless by itself.
    pub after_others: bool,
    /// What it does by itself: the harm, and what it reads and writes, where that is known.
    pub harm: f32,
    pub accesses: Option<Box<Accesses>>,
    /// What it takes of monitored contracts that nothing accounts for.
    pub took: Vec<Unaccounted>,
    /// What others took of the same when it was passed on; and of these what a block had, or was executed before it.
    pub heard: Vec<Taken>,
    pub taken: Vec<Taken>,
    /// How many transactions were known to come before it when it was passed on.
    pub known: usize,
    pub phase: Phase,
}

/// What its alert said, where one is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    Nothing,
    /// That its simulation failed: the next that proves something goes out, too.
    NoVerdict,
    /// That it is an attack: what the next block could not have then is asked anew.
    Attack,
}

#[derive(Debug)]
pub enum Phase {
    /// A result is awaited.
    Running {
        due_ms: u64,
        /// The state that was the newest when it was passed on.
        state: u64,
        /// In a replay: what came before it then.
        before: Vec<Earlier>,
    },
    /// It had no verdict.
    PutOff { due_ms: u64 },
    /// Nothing speaks against it on this state.
    Harmless { state: u64 },
    /// An attack, as its alert says, and no block could have it on this state.
    Obstructed { state: u64 },
}

impl Suspicion {
    /// Nothing is awaited yet: it is about to be submitted.
    pub fn new(slot: Slot, probability: f32, score: f32) -> Self {
        Self {
            slot,
            probability,
            score,
            factors: None,
            retries: 0,
            alone: false,
            mined: false,
            said: Said::Nothing,
            after_others: false,
            harm: 0.0,
            accesses: None,
            took: Vec::new(),
            heard: Vec::new(),
            taken: Vec::new(),
            known: 0,
            phase: Phase::PutOff { due_ms: 0 },
        }
    }

    pub fn runs(&self) -> bool {
        matches!(self.phase, Phase::Running { .. })
    }

    pub fn is_due_at(&self, at_ms: u64) -> bool {
        matches!(self.phase, Phase::Running { due_ms, .. } if due_ms == at_ms)
    }

    pub fn is_older_than(&self, newest: u64) -> bool {
        match self.phase {
            Phase::Harmless { state } | Phase::Obstructed { state } => state != newest,
            _ => false,
        }
    }

    /// A second judgement of the first stage is only remembered while a result is awaited.
    pub fn judged_again(&mut self, slot: &Slot, probability: f32, score: f32, created: bool) {
        // What was told first is a lie: what is told now has its turn when it is looked at again.
        if self.slot.authenticity == Authenticity::Contradicted {
            self.slot.original = slot.kept_original();
        }
        let known = self.slot.contacts.len();
        unite(&mut self.slot.contacts, &slot.contacts);
        // It is being executed without the creation that was announced meanwhile.
        self.alone |= created && self.slot.contacts.len() > known;
        if score > self.score {
            (self.probability, self.score) = (probability, score);
            self.factors = None;
            self.slot.row = slot.row;
            self.slot.matched.clone_from(&slot.matched);
            self.slot.signature_score = slot.signature_score;
        }
    }

    pub fn bytes(&self) -> usize {
        let accesses = self.accesses.as_ref();
        self.held() + accesses.map_or(0, |accesses| accesses.footprint())
    }

    /// Bytes of the transaction.
    pub fn held(&self) -> usize {
        held(&self.slot.tx, self.slot.original.as_ref())
    }

    pub fn emission(&self, score: f32, simulation: SimulationStatus) -> Action {
        Action::Emit(Box::new(Emission {
            slot: self.slot.clone(),
            verdict: Verdict {
                probability: self.probability,
                score,
                factors: self.factors.clone(),
                simulation,
            },
            said: self.said,
        }))
    }
}
