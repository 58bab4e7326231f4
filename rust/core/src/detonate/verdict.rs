//! Calls, judged as an attack in the pool would be.

use super::call::{gas_money, tip, transaction};
use super::funded::Funded;
use super::subject::Creation;
use crate::evidence::{Before, Simulation, Trial, Witness};
use crate::simulate::evm::StateError;
use crate::simulate::evm::backend::Local;
use crate::simulate::evm::environment::Environment;
use crate::simulate::judge::simulator::{Simulator, Step, Unfinished};
use crate::simulate::state::Recording;
use crate::tx::{Extras, PendingTransaction};
use alloy_primitives::Address;
use hashbrown::HashMap;
use revm::DatabaseRef;
use std::time::Instant;

/// Gas of each call that is judged, as far as a block allows.
pub const GAS: u64 = 16_000_000;

/// What is executed: the creation, where it is not mined, and calls, each on what the former left.
#[derive(Debug, Clone, Copy)]
pub struct Sequence<'a> {
    pub creation: Option<&'a Creation>,
    pub calls: &'a [Trial],
}

impl Sequence<'_> {
    /// Executes it and judges the last call, and tells all that was read: enough to do the same [again](Self::again). Callers
    /// are given what their gas costs, and nothing else.
    ///
    /// # Errors
    /// [`Unfinished`]: it did not come to an end.
    pub fn judge<S: DatabaseRef<Error = StateError>>(
        &self,
        state: &S,
        environment: &Environment,
        simulator: &mut Simulator,
        deadline: Instant,
    ) -> Result<(Simulation, Witness), Unfinished> {
        let calls = self
            .transactions(state, environment)
            .map_err(Unfinished::State)?;
        let mut funded = Funded::new(state);
        for tx in &calls {
            funded.give(tx.from, gas_money(tx));
        }
        let recording = Recording::new(funded);
        let simulation = self.simulate(&recording, environment, &calls, simulator, deadline)?;
        let before = self.creation.map(|creation| Before {
            hash: creation.tx.hash,
            extras: creation.extras.clone(),
        });
        let before = before.into_iter().collect();
        let read = recording.into_read();
        let witness = Witness::new(environment, read, Extras::default(), before);
        Ok((simulation, witness))
    }

    /// The same on what was read.
    ///
    /// # Errors
    /// [`Unfinished`]: the witness is of something else.
    pub fn again(
        &self,
        witness: &Witness,
        simulator: &mut Simulator,
        deadline: Instant,
    ) -> Result<Simulation, Unfinished> {
        let unknown = |why| Unfinished::State(StateError::Node(why));
        let (state, environment) = (witness.state(), witness.environment().map_err(unknown)?);
        let calls = self
            .transactions(&state, &environment)
            .map_err(Unfinished::State)?;
        self.simulate(&state, &environment, &calls, simulator, deadline)
    }

    fn simulate<S: DatabaseRef<Error = StateError>>(
        &self,
        state: &S,
        environment: &Environment,
        calls: &[PendingTransaction],
        simulator: &mut Simulator,
        deadline: Instant,
    ) -> Result<Simulation, Unfinished> {
        let none = Extras::default();
        let creation = self.creation.map(|creation| Step {
            tx: &creation.tx,
            extras: &creation.extras,
        });
        let steps = calls.iter().map(|tx| Step { tx, extras: &none });
        let steps: Vec<Step> = creation.into_iter().chain(steps).collect();
        let kept = std::mem::replace(&mut simulator.keeps, true);
        let taken = std::mem::take(&mut simulator.taken);
        // Judged is what calls do, whatever is known of the code that they create.
        let looks = simulator.looks.take();
        simulator.supposes = true;
        let done = simulator.simulate(&Local(state), environment, &steps, 0.0, deadline);
        simulator.supposes = false;
        (simulator.keeps, simulator.taken, simulator.looks) = (kept, taken, looks);
        done
    }

    /// Each with its caller's next nonce.
    fn transactions<S: DatabaseRef<Error = StateError>>(
        &self,
        state: &S,
        environment: &Environment,
    ) -> Result<Vec<PendingTransaction>, StateError> {
        let created = self.creation.map(|creation| &*creation.tx);
        let mut next: HashMap<Address, u64> = HashMap::new();
        next.extend(created.map(|tx| (tx.from, tx.nonce + 1)));
        let tip = tip(created, environment);
        let mut all = Vec::with_capacity(self.calls.len());
        for trial in self.calls {
            let nonce = match next.get(&trial.from) {
                Some(nonce) => *nonce,
                None => state
                    .basic_ref(trial.from)?
                    .map_or(0, |sender| sender.nonce),
            };
            next.insert(trial.from, nonce + 1);
            all.push(transaction(trial, nonce, GAS, tip, environment));
        }
        Ok(all)
    }
}
