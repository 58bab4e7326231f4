//! Asking contracts before and after an execution.

use crate::evidence::trace::Trace;
use crate::simulate::evm::error::StateError;
use crate::simulate::evm::execute::{Exit, Sandbox};
use crate::simulate::evm::tracer::Bounds;
use alloy_primitives::map::HashMap;
use alloy_primitives::{Address, Bytes, U256};
use revm::DatabaseRef;
use std::cell::{Cell, RefCell};
use std::time::Instant;

/// Which state a view is asked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum When {
    Before,
    After,
}

/// Answers view calls on the state before and after an execution.
pub trait Views {
    /// `None` where it fails, is not known, or would take too much.
    fn ask(&self, when: When, contract: Address, data: &Bytes) -> Option<Bytes>;

    /// Whether there was code at an account before. `None` where that is not known.
    fn has_code(&self, _: Address) -> Option<bool> {
        None
    }

    /// Whether a question had no answer because all together took too much.
    fn exhausted(&self) -> bool {
        false
    }

    /// The first word of the answer.
    fn number(&self, when: When, contract: Address, data: &Bytes) -> Option<U256> {
        let answer = self.ask(when, contract, data)?;
        answer.get(..32).map(U256::from_be_slice)
    }

    /// `balanceOf(holder)`: of ERC-20 in smallest units, of ERC-721 a count.
    fn balance(&self, when: When, token: Address, holder: Address) -> Option<U256> {
        self.number(when, token, &balance_of(holder))
    }
}

/// `balanceOf(address)`
pub const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];

fn balance_of(holder: Address) -> Bytes {
    [&BALANCE_OF[..], holder.into_word().as_slice()]
        .concat()
        .into()
}

/// Answers nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoViews;

impl Views for NoViews {
    fn ask(&self, _: When, _: Address, _: &Bytes) -> Option<Bytes> {
        None
    }
}

/// Executes views in two sandboxes: one as it was, one that the execution was made in. Bounded: what is asked after
/// `calls` different questions, or after the bounds' deadline, has no answer; and a single one takes at most a quarter of
/// the time that is left, so that a slow view of a hostile token does not silence the others.
pub struct SandboxViews<'s, 'a, S> {
    before: &'s Sandbox<'a, S>,
    after: &'s Sandbox<'a, S>,
    bounds: Bounds,
    calls: usize,
    asked: RefCell<HashMap<(When, Address, Bytes), Option<Bytes>>>,
    missing: RefCell<Option<StateError>>,
    exhausted: Cell<bool>,
}

impl<'s, 'a, S> SandboxViews<'s, 'a, S> {
    /// `bounds` hold for each call, their deadline for all together.
    pub fn new(
        before: &'s Sandbox<'a, S>,
        after: &'s Sandbox<'a, S>,
        bounds: Bounds,
        calls: usize,
    ) -> Self {
        Self {
            before,
            after,
            bounds,
            calls,
            asked: RefCell::default(),
            missing: RefCell::default(),
            exhausted: Cell::default(),
        }
    }

    /// What a record does not have nobody asked when it was made, and nobody can be asked now: that view has no answer.
    fn lacks(&self, error: StateError) {
        if !error.is_unrecorded() {
            self.missing.borrow_mut().get_or_insert(error);
        }
    }

    /// The first part of the state that a view asked for in vain: what was concluded from the views holds only without.
    pub fn missing(self) -> Option<StateError> {
        self.missing.into_inner()
    }
}

impl<S: DatabaseRef<Error = StateError>> Views for SandboxViews<'_, '_, S> {
    fn ask(&self, when: When, contract: Address, data: &Bytes) -> Option<Bytes> {
        let mut asked = self.asked.borrow_mut();
        let question = (when, contract, data.clone());
        if let Some(answer) = asked.get(&question) {
            return answer.clone();
        }
        if asked.len() >= self.calls {
            self.exhausted.set(true);
            return None;
        }
        let now = Instant::now();
        let left = self.bounds.deadline.saturating_duration_since(now);
        let bounds = Bounds {
            deadline: now + left / 4,
            ..self.bounds
        };
        let sandbox = match when {
            When::Before => self.before,
            When::After => self.after,
        };
        let answer = sandbox.view(contract, data.clone(), bounds);
        match &answer {
            Err(Exit::NoState(error)) => self.lacks(error.clone()),
            Err(Exit::Stopped(_)) => self.exhausted.set(true),
            _ => {}
        }
        let answer = answer.ok();
        asked.insert(question, answer.clone());
        answer
    }

    fn has_code(&self, account: Address) -> Option<bool> {
        match self.before.state().basic_ref(account) {
            Ok(info) => Some(info.is_some_and(|info| !info.is_empty_code_hash())),
            Err(error) => {
                self.lacks(error);
                None
            }
        }
    }

    fn exhausted(&self) -> bool {
        self.exhausted.get()
    }
}

/// What a recorded trace heard itself: the first answer to a call is what holds before, the last what holds after.
pub struct TracedViews<'t>(HashMap<(Address, &'t Bytes), (&'t Bytes, &'t Bytes)>);

impl<'t> TracedViews<'t> {
    pub fn new(trace: &'t Trace) -> Self {
        let mut answers = HashMap::default();
        for frame in &trace.frames {
            if let (Some(to), None, false) = (frame.to, &frame.error, frame.output.is_empty()) {
                let heard = (&frame.output, &frame.output);
                let (_, last) = answers.entry((to, &frame.input)).or_insert(heard);
                *last = &frame.output;
            }
        }
        Self(answers)
    }
}

impl Views for TracedViews<'_> {
    fn ask(&self, when: When, contract: Address, data: &Bytes) -> Option<Bytes> {
        let (first, last) = self.0.get(&(contract, data))?;
        Some(match when {
            When::Before => Bytes::clone(first),
            When::After => Bytes::clone(last),
        })
    }
}
