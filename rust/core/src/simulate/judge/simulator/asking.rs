//! Which pauses are asked about, and what is told of the answer.

use super::{Run, Simulator, Step};
use crate::evidence::{Answer, Bid, Response, Simulation, Unasked};
use crate::simulate::evm::backend::{Backend, Local};
use crate::simulate::evm::environment::Environment;
use crate::simulate::evm::execute::{Execution, Exit};
use crate::simulate::evm::tracer::Bounds;
use crate::simulate::evm::views::Views;
use crate::simulate::judge::copy::{Copied, is_as_good, original_gains};
use crate::simulate::judge::inclusion::{ahead, obstacle};
use crate::simulate::judge::response::{Candidate, Question, ask};
use revm::context::TxEnv;
use std::collections::BTreeSet;
use std::sync::Arc;

/// One simulation, for the question what pauses would do to it.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub backend: &'a dyn Backend,
    pub sequence: &'a [Step<'a>],
    pub transactions: &'a [TxEnv],
    /// Of the answer.
    pub bounds: Bounds,
    /// What happens where the transaction is likely to land, and where it does most harm.
    pub likely: (&'a Environment, &'a Run),
    pub harmful: (&'a Environment, &'a Run),
}

impl Simulator {
    /// Asks where there is a pause that may help.
    pub(super) fn respond(
        &self,
        scene: &Scene,
        simulation: &Simulation,
        stage_one: f32,
    ) -> Option<Response> {
        let candidates = self.candidates(simulation, stage_one);
        if candidates.is_empty() {
            return None;
        }
        let question = Question {
            backend: scene.backend,
            environment: scene.harmful.0,
            sequence: scene.transactions,
            bounds: scene.bounds,
            victims: &simulation.victims,
            candidates: &candidates,
        };
        Some(match self.answer(scene, &question) {
            Ok(answer) => Response::Answered(Box::new(answer)),
            Err(unasked) => Response::Unasked(unasked),
        })
    }

    /// Whose pauses may help, narrowest first: victims, by the share that they lose; where none of them has a pause and the
    /// verdict is an alert, what it called.
    fn candidates(&self, simulation: &Simulation, stage_one: f32) -> Vec<Candidate<'_>> {
        let mut victims: Vec<_> = simulation.victims.iter().collect();
        victims.sort_by(|a, b| b.share().total_cmp(&a.share()));
        let harmed = self.pauses(victims.iter().map(|victim| &victim.contract));
        if !harmed.is_empty() {
            return harmed;
        }
        // A rule of full weight asks for no proof.
        let alert = stage_one >= 1.0 || simulation.verdict(stage_one) >= self.threshold;
        self.pauses(simulation.touched.iter().filter(|_| alert))
    }

    /// Of those that have one, each once.
    fn pauses<'n>(&self, names: impl Iterator<Item = &'n Arc<str>>) -> Vec<Candidate<'_>> {
        let mut seen = BTreeSet::new();
        let pause = |name: &Arc<str>| {
            let contract = self.contracts.iter().find(|one| one.name == *name)?;
            Some((&contract.name, contract.pause.as_ref()?))
        };
        names
            .filter(|name| seen.insert(*name))
            .filter_map(pause)
            .collect()
    }

    /// See [`Scene`].
    fn answer(&self, scene: &Scene, question: &Question) -> Result<Answer, Unasked> {
        if !scene.backend.endows() {
            return Err(Unasked::new("revm alone can be asked"));
        }
        let (Some(suspect), (likely, run)) = (scene.sequence.last(), scene.likely) else {
            return Err(Unasked::new("there is nothing to execute"));
        };
        let deadline = question.bounds.deadline;
        let judge = |execution: &Execution, views: &dyn Views| {
            let (transfers, stands) = (execution.trace.movements(), execution.trace.stands());
            self.check(execution, &transfers, &stands, run.sender, views, deadline)
                .map(|found| found.violations)
        };
        let paused = ask(question, &judge)?;
        let targets = || {
            let tried = paused.tried.iter();
            tried.filter(|pause| paused.targets.contains(&pause.contract))
        };
        let (tx, execution, base_fee) = (suspect.tx, &run.execution, likely.block.basefee);
        let sender = execution.diff.0.get(&tx.from);
        let sender = sender.and_then(|account| account.before.as_ref());
        let own = scene.sequence.iter().map(|step| step.tx);
        let own = own.filter(|earlier| earlier.from == tx.from && earlier.nonce < tx.nonce);
        let obstacle = match &execution.exit {
            Exit::Invalid(reason) => Some(reason.clone().into()),
            _ => obstacle(tx, suspect.extras, sender, execution.early, likely)
                .or_else(|| ahead(own, likely)),
        };
        Ok(Answer {
            pause_succeeds: paused.succeeds,
            already_paused: targets().all(|pause| pause.already_paused),
            harm_left: paused.harm_left,
            pause_gas: targets().map(|pause| pause.gas).sum(),
            copyable: self.copyable(question, scene.harmful.1),
            attack: Bid {
                payment: execution.coinbase_payment,
                gas: execution.gas_used,
                tip: tx.effective_tip(base_fee.into()),
                max_fee: tx.max_fee_per_gas,
            },
            base_fee,
            obstacle,
            targets: paused.targets.clone(),
            pauses: paused.tried,
        })
    }

    /// See [`Copied`]; what is not known in time is not.
    fn copyable(&self, question: &Question, run: &Run) -> bool {
        let copied = Copied::of(question.sequence, &run.read);
        let Some(copied) = copied.filter(|_| run.execution.exit == Exit::Succeeded) else {
            return false;
        };
        let Run {
            execution,
            transfers,
            stands,
            ..
        } = run;
        let original = original_gains(
            run.sender,
            &execution.trace,
            stands,
            transfers,
            &self.monitored,
        );
        let losses = question.victims.iter().filter_map(|victim| victim.loss);
        let lost: Vec<_> = losses.map(|loss| loss.asset).collect();
        let (mut left, mut good) = (copied.transactions.len(), false);
        let mut look = |execution: Execution, _: &dyn Views| {
            left -= 1;
            if left == 0 && execution.exit == Exit::Succeeded {
                good = is_as_good(&original, &copied.gains(&execution), &lost);
            }
        };
        let (environment, bounds) = (question.environment, question.bounds);
        let done =
            Local(&copied.state).execute(environment, &copied.transactions, &[], bounds, &mut look);
        good && done.is_ok()
    }
}
