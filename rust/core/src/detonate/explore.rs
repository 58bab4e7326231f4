//! Which calls are made, in which order, until one is proof or the budget is used up.

use super::arguments::first;
use super::budget::Budget;
use super::call::tip;
use super::expand::expand;
use super::look::{Concern, Look, Looker, SEEDED};
use super::means::Means;
use super::net::is_net;
use super::stage::{Gas, Stage, Tier};
use super::subject::Subject;
use super::verdict::Sequence;
use crate::evidence::{Detonation, Grade, Guard, Proof, Simulation, Trial, Witness};
use crate::simulate::evm::StateError;
use crate::simulate::evm::environment::Environment;
use crate::simulate::evm::execute::{Checks, Exit, Sandbox};
use crate::simulate::evm::tracer::Bounds;
use crate::simulate::evm::transaction::from_pending;
use crate::simulate::judge::simulator::{Simulator, Unfinished};
use crate::thread::busy;
use alloy_primitives::{Address, Bytes, U256, keccak256};
use hashbrown::HashSet;
use revm::DatabaseRef;
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

/// Calls in a sequence, and with how many of each length it is gone on.
const LONGEST: usize = 3;
const BRANCHES: [usize; LONGEST] = [3, 1, 0];
/// Calls repeated on each head, and after each call that left something changed.
const REPEATED: usize = 32;
/// Selectors guessed where code shows none and takes any: those that it compares them with then show.
const GUESSED: usize = 8;
/// Calls that are still made where harm is likely, to see whether others prove it.
const MORE: usize = 128;
/// What is recorded of one call.
const FRAMES: usize = 4_096;
const BYTES: usize = 1 << 20;
const ACCESSES: usize = 1 << 13;

/// What a detonation came to, and where it is proof, what that read.
#[derive(Debug)]
pub struct Detonated {
    pub detonation: Detonation,
    pub witness: Option<Witness>,
}

/// Calls the contract on a state, in the block of `environment`: what is cheap and promising first, until a sequence of up to
/// three calls is proof of harm or the budget is used up. What is learnt stays in `subject`.
///
/// # Errors
/// [`StateError`]: the head moved on, or what the contract is could not be read. Calls that lack a part of the state are
/// counted instead.
pub fn detonate<S: DatabaseRef<Error = StateError>>(
    subject: &mut Subject,
    state: &S,
    environment: &Environment,
    simulator: &mut Simulator,
    budget: Budget,
) -> Result<Detonated, StateError> {
    let begun = Instant::now();
    let bounds = Bounds {
        deadline: begun + budget.patience,
        frames: FRAMES,
        bytes: BYTES,
        accesses: ACCESSES,
    };
    let mut detonation = Detonation {
        block: environment.block.number.saturating_to(),
        ..Detonation::default()
    };
    let mut sandbox = Sandbox::new(state, environment);
    let created = create(&mut sandbox, subject, bounds, &mut detonation)?;
    let code = if created {
        code(&sandbox, subject)?
    } else {
        Bytes::new()
    };
    if code.is_empty() {
        detonation.took_us = begun.elapsed().as_nanos() as f64 / 1_000.0;
        return Ok(Detonated {
            detonation,
            witness: None,
        });
    }
    subject.learnt.of(keccak256(&code), &code);
    let dispatcher = &subject.learnt.dispatcher;
    detonation.entries = dispatcher.entries.len() + usize::from(dispatcher.fallback);
    let (monitored, tokens) = (simulator.monitored(), simulator.tokens());
    let means = Means::of(
        (&subject.deployment, subject.orphan),
        &code,
        monitored,
        &tokens,
    );
    let monitored = monitored.iter().copied().collect();
    let mut explorer = Explorer {
        state,
        environment,
        tip: tip(
            subject.creation.as_ref().map(|creation| &*creation.tx),
            environment,
        ),
        subject,
        simulator,
        monitored,
        means,
        budget,
        begun: busy(),
        bounds,
        detonation,
        witness: None,
        guards: [0; 3],
        judged: 0,
        unanswered: Vec::new(),
    };
    explorer.run(sandbox)?;
    for effect in &explorer.unanswered {
        explorer.subject.learnt.judged.remove(effect);
    }
    let mut detonation = explorer.detonation;
    detonation.guards = ranked(explorer.guards);
    detonation.took_us = begun.elapsed().as_nanos() as f64 / 1_000.0;
    Ok(Detonated {
        detonation,
        witness: explorer.witness,
    })
}

/// Executes the creation, where no block has it. Answers whether the contract is there then.
fn create<S: DatabaseRef<Error = StateError>>(
    sandbox: &mut Sandbox<S>,
    subject: &Subject,
    bounds: Bounds,
    detonation: &mut Detonation,
) -> Result<bool, StateError> {
    let Some(creation) = &subject.creation else {
        return Ok(true);
    };
    let tx = from_pending(&creation.tx, creation.extras.clone());
    let execution = sandbox.execute(tx, Checks::Pending, bounds);
    detonation.calls += 1;
    detonation.gas += execution.gas_spent;
    match execution.exit {
        Exit::Succeeded => Ok(true),
        Exit::NoState(error) => Err(error),
        _ => Ok(false),
    }
}

/// What the contract runs: its implementation's code, where it has one.
fn code<S: DatabaseRef<Error = StateError>>(
    sandbox: &Sandbox<S>,
    subject: &Subject,
) -> Result<Bytes, StateError> {
    let deployment = &subject.deployment;
    let runs = deployment
        .runs
        .as_ref()
        .map_or(deployment.address, |runs| runs.address);
    let state = sandbox.state();
    let Some(info) = state
        .basic_ref(runs)?
        .filter(|info| !info.is_empty_code_hash())
    else {
        return Ok(Bytes::new());
    };
    let code = match info.code {
        Some(code) => code,
        None => state.code_by_hash_ref(info.code_hash)?,
    };
    Ok(code.original_bytes())
}

struct Explorer<'e, S> {
    state: &'e S,
    environment: &'e Environment,
    tip: u128,
    subject: &'e mut Subject,
    simulator: &'e mut Simulator,
    monitored: HashSet<Address>,
    means: Means,
    budget: Budget,
    /// Processor time when it began.
    begun: Duration,
    bounds: Bounds,
    detonation: Detonation,
    witness: Option<Witness>,
    /// How often of each kind: caller, time, secret.
    guards: [usize; 3],
    judged: usize,
    /// Effects of which it is not known what they break.
    unanswered: Vec<u64>,
}

impl<'e, S: DatabaseRef<Error = StateError>> Explorer<'e, S> {
    /// First calls alone, then after those that left something changed.
    fn run(&mut self, sandbox: Sandbox<'e, S>) -> Result<(), StateError> {
        let mut stages = vec![Stage::new(Vec::new(), sandbox)];
        for branches in BRANCHES {
            let mut next = Vec::new();
            let count = stages.len();
            for (at, mut stage) in stages.into_iter().enumerate() {
                self.seed(&mut stage);
                self.explore(&mut stage, count - at)?;
                if self.is_proved() {
                    return Ok(());
                }
                for trial in stage.arming(branches, &mut self.subject.learnt.armed) {
                    next.extend(self.after(&stage, trial)?);
                }
            }
            stages = next;
        }
        Ok(())
    }

    /// The stage in which this was called, too.
    fn after(
        &mut self,
        stage: &Stage<'e, S>,
        trial: Trial,
    ) -> Result<Option<Stage<'e, S>>, StateError> {
        if self.is_used_up() {
            self.detonation.cut = true;
            return Ok(None);
        }
        let mut sandbox = stage.sandbox.clone();
        self.detonation.calls += 1;
        let looked = self
            .looker()
            .look(&mut sandbox, &trial, self.budget.most_gas)?;
        self.detonation.gas += looked.map_or(0, |look| look.gas);
        let mut before = stage.before.clone();
        before.push(trial);
        Ok(Some(Stage::new(before, sandbox)))
    }

    /// Each function with zeros, and what was worth something.
    fn seed(&self, stage: &mut Stage<S>) {
        let learnt = &self.subject.learnt;
        let dispatcher = &learnt.dispatcher;
        for entry in &dispatcher.entries {
            // What others used up the time for has its turn now.
            let tier = match learnt.tried.contains(&entry.selector) {
                true => Tier::First,
                false => Tier::Untried,
            };
            stage.push(tier, 0, self.call(first(entry.selector)));
        }
        if dispatcher.fallback || dispatcher.receive {
            stage.push(Tier::First, 1, self.call(Bytes::new()));
        }
        if dispatcher.fallback {
            let seed = self.subject.deployment.address;
            let guessed = if dispatcher.entries.is_empty() {
                GUESSED
            } else {
                1
            };
            for n in 0..guessed {
                let hash = keccak256([seed.as_slice(), &[n as u8]].concat());
                stage.push(
                    Tier::First,
                    2 + n,
                    self.call(first([hash[0], hash[1], hash[2], hash[3]])),
                );
            }
        }
        for (turn, trial) in learnt
            .repeated(self.detonation.block)
            .take(REPEATED)
            .enumerate()
        {
            stage.push(Tier::Repeated, turn, trial.clone());
        }
    }

    /// By its deployer.
    fn call(&self, input: Bytes) -> Trial {
        let deployment = &self.subject.deployment;
        Trial {
            from: deployment.deployer,
            to: deployment.address,
            value: U256::ZERO,
            input,
        }
    }

    /// Tries what waits in the stage, with its part of what is left of the budget: of so many stages, half for what comes
    /// after them.
    fn explore(&mut self, stage: &mut Stage<S>, stages: usize) -> Result<(), StateError> {
        let parts = match stage.before.is_empty() {
            true => 2,
            false => stages + 1,
        };
        let most = self.part(parts);
        while let Some((tier, trial, gas)) = stage.pop() {
            if self.is_used_up() || self.exceeds(&most) {
                self.detonation.cut = true;
                break;
            }
            self.attempt(stage, tier, trial, gas)?;
            if self.is_proved() {
                return Ok(());
            }
        }
        self.detonation.cut |= stage.dropped;
        for (effect, trial) in std::mem::take(&mut stage.doubtful) {
            self.judge(stage, effect, trial)?;
            if self.is_proved() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn attempt(
        &mut self,
        stage: &mut Stage<S>,
        tier: Tier,
        trial: Trial,
        gas: Gas,
    ) -> Result<(), StateError> {
        let limit = match gas {
            Gas::Little => self.budget.call_gas,
            Gas::Most => self.budget.most_gas,
        };
        let mut sandbox = stage.sandbox.clone();
        let look = match self.looker().look(&mut sandbox, &trial, limit) {
            Ok(Some(look)) => look,
            Ok(None) => return Ok(()),
            Err(error @ (StateError::Moved | StateError::Unknown)) => return Err(error),
            Err(_) => {
                self.detonation.calls += 1;
                self.detonation.missing += 1;
                return Ok(());
            }
        };
        self.count(&look);
        if let (true, Some(selector)) = (stage.before.is_empty(), trial.input.first_chunk()) {
            self.subject.learnt.tries(*selector);
        }
        let is_new = self.subject.learnt.is_new(&look.seen.edges);
        // What burns its gas for nothing would do so on each head.
        let burns = look.ran_out && look.concern == Concern::None;
        if (is_new && !burns) || look.concern > Concern::None {
            self.subject.learnt.keep(&trial, worth(&look));
        }
        // What recurs fails where its gas ends, and no call of it says so.
        let starved = look.ran_out || (!look.succeeded && look.concern > Concern::None);
        if starved && gas == Gas::Little {
            let tier = if look.concern > Concern::None {
                Tier::Near
            } else {
                Tier::Costly
            };
            stage.push_costly(tier, trial.clone());
        }
        for selector in &look.seen.selectors {
            stage.push(Tier::First, 3, self.call(first(*selector)));
        }
        look.called
            .iter()
            .for_each(|called| self.means.add(*called));
        // What it did with zeros it may do now with what there is now.
        let again = matches!(tier, Tier::Untried | Tier::First) && look.concern > Concern::None;
        if is_new || again {
            expand(stage, &trial, &look, &mut self.means, self.bounds);
        }
        stage.may_arm(&trial, &look);
        stage.doubts(&trial, &look);
        // What is too much to be looked at to its end may hide in that.
        if look.stopped && look.concern > Concern::None {
            self.judge(stage, SEEDED.hash_one(&trial), trial)?;
        } else if look.concern == Concern::Takes {
            self.judge(stage, look.effect, trial)?;
        }
        Ok(())
    }

    fn count(&mut self, look: &Look) {
        let detonation = &mut self.detonation;
        detonation.calls += 1;
        detonation.gas += look.gas;
        detonation.entered += usize::from(look.entered);
        detonation.guarded += usize::from(look.guard.is_some());
        detonation.cut |= look.stopped;
        detonation.touched += usize::from(look.concern > Concern::None);
        if let Some(guard) = look.guard {
            self.guards[guard as usize] += 1;
        }
    }

    /// Judges the call after what was called before it in this stage, unless the like has been judged.
    fn judge(&mut self, stage: &Stage<S>, effect: u64, trial: Trial) -> Result<(), StateError> {
        let deadline = self.bounds.deadline + self.budget.judging;
        if self.judged >= self.budget.judged || Instant::now() >= deadline {
            self.detonation.cut = true;
            return Ok(());
        }
        if !self.subject.learnt.judges(effect) {
            return Ok(());
        }
        self.judged += 1;
        let calls = [&stage.before[..], &[trial]].concat();
        let sequence = Sequence {
            creation: self.subject.creation.as_ref(),
            calls: &calls,
        };
        let done = sequence.judge(self.state, self.environment, self.simulator, deadline);
        match done {
            Ok((simulation, _)) if simulation.cut && !simulation.touched.is_empty() => {
                self.detonation.hides = true;
            }
            Ok((simulation, witness)) if self.is_proof(stage, &calls, &simulation)? => {
                // On the next head it is judged again.
                self.subject.learnt.judged.remove(&effect);
                let most = self.detonation.calls + MORE;
                self.budget.calls = self.budget.calls.min(most);
                self.detonation.proof = Some(Box::new(Proof { calls, simulation }));
                self.witness = Some(witness);
            }
            // What had no answer may have one on another head.
            Ok((simulation, _)) if simulation.exhausted => self.unanswered.push(effect),
            Ok(_) => {}
            Err(Unfinished::Failed(failure)) if failure.hides() => self.detonation.hides = true,
            Err(Unfinished::State(error @ (StateError::Moved | StateError::Unknown))) => {
                return Err(error);
            }
            // It may come to an end on another head.
            Err(_) => {
                self.subject.learnt.judged.remove(&effect);
                self.detonation.cut = true;
            }
        }
        Ok(())
    }

    /// Whether it shows an alarming harm, all calls together, and more surely than what is known of it so far.
    fn is_proof(
        &self,
        stage: &Stage<S>,
        calls: &[Trial],
        simulation: &Simulation,
    ) -> Result<bool, StateError> {
        let known = self.detonation.proof.as_ref();
        let known = known.map(|proof| proof.simulation.grade());
        let better = known.is_none_or(|known| simulation.grade() < known);
        if !better || !simulation.shows() || !self.simulator.alarms(simulation) {
            return Ok(false);
        }
        let alone = calls.len() == 1 && self.subject.creation.is_none();
        let Some(last) = calls.last().filter(|_| !alone) else {
            return Ok(true);
        };
        // As long as judging may take: out of time nothing would be seen of what the calls do together.
        let bounds = Bounds {
            deadline: self.bounds.deadline + self.budget.judging,
            ..self.bounds
        };
        let looker = Looker {
            bounds,
            ..self.looker()
        };
        let before = Sandbox::new(self.state, self.environment);
        let mut after = stage.sandbox.clone();
        looker.look(&mut after, last, self.budget.most_gas)?;
        Ok(is_net(simulation, self.simulator, &before, &after, bounds))
    }

    /// It cannot be shown more surely.
    fn is_proved(&self) -> bool {
        let proof = self.detonation.proof.as_ref();
        proof.is_some_and(|proof| proof.simulation.grade() == Grade::Proved)
    }

    fn looker(&self) -> Looker<'_> {
        Looker {
            environment: self.environment,
            monitored: &self.monitored,
            tip: self.tip,
            bounds: self.bounds,
        }
    }

    fn is_used_up(&self) -> bool {
        self.exceeds(&self.budget) || Instant::now() >= self.bounds.deadline
    }

    /// The budget as it is once one of so many parts of what is left is used.
    fn part(&self, parts: usize) -> Budget {
        let (all, used) = (&self.budget, &self.detonation);
        let time = busy() - self.begun;
        Budget {
            calls: used.calls + (all.calls.saturating_sub(used.calls) / parts).max(1),
            gas: used.gas + all.gas.saturating_sub(used.gas) / parts as u64,
            time: time + all.time.saturating_sub(time) / parts as u32,
            ..*all
        }
    }

    fn exceeds(&self, budget: &Budget) -> bool {
        let used = &self.detonation;
        used.calls >= budget.calls || used.gas >= budget.gas || busy() - self.begun >= budget.time
    }
}

fn worth(look: &Look) -> u8 {
    match (look.concern, look.entered) {
        (Concern::Takes, _) => 4,
        (Concern::Changes, _) => 3,
        (Concern::Touches, _) => 2,
        (Concern::None, true) => 1,
        (Concern::None, false) => 0,
    }
}

/// Those that there were, the most frequent first.
fn ranked(counts: [usize; 3]) -> Vec<Guard> {
    let mut guards: Vec<_> = [Guard::Caller, Guard::Time, Guard::Secret]
        .into_iter()
        .zip(counts)
        .collect();
    guards.retain(|(_, count)| *count > 0);
    guards.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    guards.into_iter().map(|(guard, _)| guard).collect()
}
