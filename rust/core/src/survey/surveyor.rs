//! Asks nodes what a block did, by the best method that they have.

use super::block::{Block, Sent};
use super::method::{Failed, Methods};
use super::questions::Questions;
use super::reading::Reading;
use super::resolve::resolve;
use super::untraced::{self, Met};
use super::{Method, Survey, traced, wrapped};
use crate::chain::implementation;
use crate::evidence::Deployment;
use crate::evidence::trace::Trace;
use crate::node::{Asker, RpcError};
use crate::simulate::evm::question::at;
use crate::wire::json;
use alloy_primitives::{Address, B256, Bytes};
use hashbrown::{HashMap, HashSet};
use std::time::Instant;

/// Why nothing is known of a block.
#[derive(Debug, thiserror::Error)]
#[error("no survey of block {}: {reason}", json::short(.block))]
pub struct SurveyError {
    pub block: B256,
    pub reason: String,
}

/// Asks what blocks did. Blocks its thread meanwhile.
pub struct Surveyor {
    questions: Questions,
    /// The wrapped native asset, where its transfers are of interest.
    wrapped: Option<Address>,
    methods: Methods,
    met: Met,
}

impl Surveyor {
    pub fn new(asker: Asker, wrapped: Option<Address>) -> Self {
        Self {
            questions: Questions(asker),
            wrapped,
            methods: Methods::default(),
            met: Met::default(),
        }
    }

    /// What the block did, as far as nodes tell before the deadline; what they do not is counted.
    ///
    /// # Errors
    /// [`SurveyError`]: no node gave the block itself.
    pub fn survey(&mut self, hash: B256, deadline: Instant) -> Result<Survey, SurveyError> {
        let failed = |reason: String| SurveyError {
            block: hash,
            reason,
        };
        let raw = self
            .questions
            .ask(
                "eth_getBlockByHash",
                format!(r#"["{hash}",true]"#),
                deadline,
            )
            .map_err(|error| failed(error.to_string()))?;
        let block = Block::read(&raw, &hash).map_err(failed)?;
        drop(raw);
        let mut reading = Reading::of(&block);
        let methods = match reading.is_complete() {
            true => Vec::new(),
            false => self.methods.next(),
        };
        for method in methods {
            let asked = self.read(method, &mut reading, share(method, deadline));
            match asked {
                Ok(()) => self.methods.worked(method),
                Err(failed) => self.methods.failed(method, failed),
            }
            if reading.is_complete() {
                break;
            }
        }
        self.add_delegations(&mut reading, deadline);
        self.add_wrapped(&mut reading, deadline);
        let mut survey = reading.survey();
        let codes = |accounts: &[Address]| self.questions.codes(accounts, &at(&hash), deadline);
        survey.counts.malformed += resolve(&mut survey.deployments, codes);
        Ok(survey)
    }

    fn read(
        &mut self,
        method: Method,
        reading: &mut Reading,
        deadline: Instant,
    ) -> Result<(), Failed> {
        let block = reading.block;
        let failed = |error: RpcError| Failed::from(&error);
        let mut count = 0;
        let mut each = |index: usize, sent: &Sent, trace: &Trace| {
            count += 1;
            reading.trace(method, index, sent, trace);
        };
        let readable = match method {
            Method::CallTracer => {
                let params = format!(r#"["{}",{{"tracer":"callTracer"}}]"#, block.hash);
                let raw = self
                    .questions
                    .ask("debug_traceBlockByHash", params, deadline);
                traced::by_call_tracer(&raw.map_err(failed)?, block, &mut each)
            }
            Method::TraceBlock => {
                let params = format!(r#"["{:#x}"]"#, block.number);
                let raw = self.questions.ask("trace_block", params, deadline);
                traced::by_trace_block(&raw.map_err(failed)?, block, &mut each)
            }
            Method::Diffs | Method::Receipts => {
                let (questions, met) = (&self.questions, &mut self.met);
                return untraced::read(method, reading, questions, met, deadline);
            }
        };
        match readable {
            Ok(()) if count > 0 => Ok(()),
            _ => {
                reading.creations.counts.malformed += 1;
                Err(Failed::Otherwise)
            }
        }
    }

    /// Accounts that run now what they were to run: whether an authorization held is seen in nothing else.
    fn add_delegations(&self, reading: &mut Reading, deadline: Instant) {
        let block = reading.block;
        let delegations = &block.delegations;
        let accounts: HashSet<_> = delegations.iter().map(|one| one.account).collect();
        let accounts: Vec<_> = accounts.into_iter().collect();
        let codes = self.questions.codes(&accounts, &at(&block.hash), deadline);
        let mut codes: HashMap<_, _> = accounts.into_iter().zip(codes).collect();
        let unread = codes.values().filter(|code| code.is_none()).count();
        reading.creations.counts.malformed += unread as u64;
        for one in delegations {
            let sent = block
                .transactions
                .get(one.transaction)
                .and_then(Option::as_ref);
            let runs = |code: &Bytes| implementation(code) == Some(one.runs);
            let code = codes.get(&one.account).and_then(Option::clone).filter(runs);
            if let (Some(sent), Some(code)) = (sent, code) {
                codes.remove(&one.account);
                let deployment = block.origin(sent).deployment(one.account, one.account);
                reading.creations.add(Deployment { code, ..deployment });
            }
        }
    }

    fn add_wrapped(&self, reading: &mut Reading, deadline: Instant) {
        let Some(token) = self.wrapped.filter(|_| !reading.told.is_empty()) else {
            return;
        };
        let asked = self.questions.ask(
            "eth_getLogs",
            wrapped::question(&reading.block.hash, token),
            deadline,
        );
        let read = asked.ok();
        let read = read.and_then(|raw| wrapped::payments(&raw, token, &reading.payments));
        match read {
            Some((payments, malformed)) => {
                reading.creations.counts.malformed += malformed;
                reading.pay(payments);
            }
            None => reading.creations.counts.malformed += 1,
        }
    }
}

/// All but the last have half the time that is left.
fn share(method: Method, deadline: Instant) -> Instant {
    let left = deadline.saturating_duration_since(Instant::now());
    match method {
        Method::Receipts => deadline,
        _ => Instant::now() + left / 2,
    }
}

#[cfg(test)]
mod tests;
