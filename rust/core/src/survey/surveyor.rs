//! Asks nodes what a block did, by the best method that they have.

use super::block::{Block, Sent};
use super::creations::Creations;
use super::method::{Failed, Methods};
use super::receipts::{self, Receipt};
use super::resolve::resolve;
use super::{Counts, Method, Payment, Survey, traced, wrapped};
use crate::chain::implementation;
use crate::evidence::Deployment;
use crate::evidence::trace::Trace;
use crate::evidence::transfers::Asset;
use crate::node::{Asked, Asker, RpcError};
use crate::simulate::evm::question::at;
use crate::wire::json;
use alloy_primitives::{Address, B256, Bytes};
use hashbrown::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// A node that has not got the block yet, or another one than gave it, is asked again after these.
const RETRY: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(250)];
/// Questions at once; the asker takes four times as many.
const AT_ONCE: usize = 256;
/// Payments of one block.
const PAYMENTS: usize = 1 << 16;
/// Accounts of one block that may be young contracts, where no trace tells.
const TOUCHED: usize = 64;
/// Blocks that a contract is young for, where no trace tells: nodes keep the state of the last 128.
const YOUNG: u64 = 100;
/// Accounts that are known not to be young.
const MET: usize = 1 << 16;

/// Why nothing is known of a block.
#[derive(Debug, thiserror::Error)]
#[error("no survey of block {}: {reason}", json::short(.block))]
pub struct SurveyError {
    pub block: B256,
    pub reason: String,
}

/// Asks what blocks did. Blocks its thread meanwhile.
pub struct Surveyor {
    asker: Asker,
    /// The wrapped native asset, where its transfers are of interest.
    wrapped: Option<Address>,
    methods: Methods,
    met: HashSet<Address>,
}

/// What is known of a block so far.
struct Reading<'a> {
    block: &'a Block,
    creations: Creations,
    payments: Vec<Payment>,
    /// By transaction.
    told: Vec<bool>,
    untraced: u64,
    method: Option<Method>,
}

impl Surveyor {
    pub fn new(asker: Asker, wrapped: Option<Address>) -> Self {
        Self {
            asker,
            wrapped,
            methods: Methods::default(),
            met: HashSet::new(),
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
        let codes = |accounts: &[Address]| self.codes(accounts, &at(&hash), deadline);
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
        let mut count = 0;
        let mut each = |index: usize, sent: &Sent, trace: &Trace| {
            count += 1;
            reading.trace(method, index, sent, trace);
        };
        let readable = match method {
            Method::CallTracer => {
                let params = format!(r#"["{}",{{"tracer":"callTracer"}}]"#, block.hash);
                let raw = self.ask("debug_traceBlockByHash", params, deadline);
                traced::by_call_tracer(&raw.map_err(failed)?, block, &mut each)
            }
            Method::TraceBlock => {
                let params = format!(r#"["{:#x}"]"#, block.number);
                let raw = self.ask("trace_block", params, deadline);
                traced::by_trace_block(&raw.map_err(failed)?, block, &mut each)
            }
            Method::Receipts => return self.read_receipts(reading, deadline),
        };
        match readable {
            Ok(()) if count > 0 => Ok(()),
            _ => {
                reading.creations.counts.malformed += 1;
                Err(Failed::Otherwise)
            }
        }
    }

    fn read_receipts(&mut self, reading: &mut Reading, deadline: Instant) -> Result<(), Failed> {
        let block = reading.block;
        let receipts = self.receipts(reading, deadline)?;
        let mut created = Vec::new();
        let mut touched = Vec::new();
        let mut seen = HashSet::new();
        for (index, sent) in block.transactions.iter().enumerate() {
            let Some((sent, receipt)) = sent
                .as_ref()
                .filter(|_| !reading.told[index])
                .and_then(|sent| Some((sent, receipts.get(&sent.hash)?)))
            else {
                continue;
            };
            reading.receipt(index, sent, receipt);
            if !receipt.succeeded() {
                continue;
            }
            if let Some(contract) = sent.creates() {
                seen.insert(contract);
                created.push((sent, contract));
            }
            for account in sent.to.into_iter().chain(receipt.loggers()) {
                if !self.met.contains(&account) && seen.insert(account) {
                    touched.push((sent, account));
                }
            }
        }
        reading.creations.counts.left_out += touched.len().saturating_sub(TOUCHED) as u64;
        touched.truncate(TOUCHED);
        self.add_created(reading, &created, deadline);
        self.add_young(reading, &touched, deadline);
        Ok(())
    }

    /// By transaction.
    fn receipts(
        &self,
        reading: &mut Reading,
        deadline: Instant,
    ) -> Result<HashMap<B256, Receipt>, Failed> {
        let whole = self.asker.wait(
            vec![(
                "eth_getBlockReceipts",
                format!(r#"["{}"]"#, reading.block.hash),
            )],
            deadline,
        );
        let whole = whole[0].as_ref().ok().and_then(|raw| receipts::list(raw));
        let receipts = match whole {
            Some(receipts) => receipts,
            None => {
                let untold = reading.untold();
                let questions: Vec<_> = untold
                    .map(|sent| ("eth_getTransactionReceipt", format!(r#"["{}"]"#, sent.hash)))
                    .collect();
                let answers = questions
                    .chunks(AT_ONCE)
                    .flat_map(|questions| self.asker.wait(questions.to_vec(), deadline));
                answers
                    .filter_map(|answer| receipts::one(&answer.ok()?))
                    .collect()
            }
        };
        if receipts.is_empty() {
            return Err(Failed::Otherwise);
        }
        let receipts = receipts.into_iter();
        Ok(receipts
            .map(|receipt| (receipt.transaction_hash, receipt))
            .collect())
    }

    fn add_created(&self, reading: &mut Reading, created: &[(&Sent, Address)], deadline: Instant) {
        let accounts: Vec<_> = created.iter().map(|(_, account)| *account).collect();
        let codes = self.codes(&accounts, &at(&reading.block.hash), deadline);
        for ((sent, account), code) in created.iter().zip(codes) {
            let deployment = reading.block.origin(sent).deployment(*account, sent.from);
            match code {
                Some(code) => reading.creations.add(Deployment { code, ..deployment }),
                None => reading.creations.add_unread(deployment),
            }
        }
    }

    /// Contracts among what is touched that were not there a while ago.
    fn add_young(
        &mut self,
        reading: &mut Reading,
        touched: &[(&Sent, Address)],
        deadline: Instant,
    ) {
        let accounts: Vec<_> = touched.iter().map(|(_, account)| *account).collect();
        let then = format!(r#""{:#x}""#, reading.block.number.saturating_sub(YOUNG));
        let before = self.codes(&accounts, &then, deadline);
        let now = self.codes(&accounts, &at(&reading.block.hash), deadline);
        for ((sent, account), codes) in touched.iter().zip(before.into_iter().zip(now)) {
            let (Some(before), Some(code)) = codes else {
                reading.creations.counts.malformed += 1;
                continue;
            };
            if self.met.len() >= MET {
                self.met.clear();
            }
            // An account without code may have some the next time.
            if !code.is_empty() {
                self.met.insert(*account);
            }
            if before.is_empty() && !code.is_empty() {
                let deployment = reading.block.origin(sent).deployment(*account, sent.from);
                reading.creations.add(Deployment { code, ..deployment });
            }
        }
    }

    /// Accounts that run now what they were to run: whether an authorization held is seen in nothing else.
    fn add_delegations(&self, reading: &mut Reading, deadline: Instant) {
        let block = reading.block;
        let delegations = &block.delegations;
        let accounts: HashSet<_> = delegations.iter().map(|one| one.account).collect();
        let accounts: Vec<_> = accounts.into_iter().collect();
        let codes = self.codes(&accounts, &at(&block.hash), deadline);
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
        let asked = self.ask(
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

    fn codes(&self, accounts: &[Address], at: &str, deadline: Instant) -> Vec<Option<Bytes>> {
        let question = |account: &Address| ("eth_getCode", format!(r#"["{account}",{at}]"#));
        let answers = accounts.chunks(AT_ONCE).flat_map(|accounts| {
            let questions = accounts.iter().map(question).collect();
            self.asker.wait(questions, deadline)
        });
        let code = |raw: bytes::Bytes| json::code(std::str::from_utf8(&raw).ok()?);
        answers.map(|answer| code(answer.ok()?)).collect()
    }

    /// One question, again where a node may know more in a moment.
    fn ask(&self, method: &'static str, params: String, deadline: Instant) -> Asked {
        let mut waits = RETRY.iter();
        loop {
            let asked = self.asker.wait(vec![(method, params.clone())], deadline);
            let asked = asked
                .into_iter()
                .next()
                .unwrap_or(Err(RpcError::Unconnected));
            let again = match &asked {
                Ok(_) => false,
                Err(error) => failed(error.clone()) != Failed::NotThere,
            };
            match waits
                .next()
                .filter(|wait| again && Instant::now() + **wait < deadline)
            {
                Some(wait) => std::thread::sleep(*wait),
                None => return asked,
            }
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

fn failed(error: RpcError) -> Failed {
    match error {
        RpcError::Refused { code, .. } => Failed::of(Some(code)),
        _ => Failed::Otherwise,
    }
}

impl<'a> Reading<'a> {
    fn of(block: &'a Block) -> Self {
        let sent = block.transactions.iter();
        let unreadable = sent.clone().filter(|sent| sent.is_none()).count() as u64;
        let counts = Counts {
            transactions: block.transactions.len() as u64,
            malformed: unreadable,
            untold: unreadable,
            left_out: block.left_out,
            ..Counts::default()
        };
        Self {
            block,
            creations: Creations {
                counts,
                ..Creations::default()
            },
            payments: Vec::new(),
            // What cannot be read cannot be told of either.
            told: sent.map(Option::is_none).collect(),
            untraced: 0,
            method: None,
        }
    }

    fn is_complete(&self) -> bool {
        self.told.iter().all(|told| *told)
    }

    fn untold(&self) -> impl Iterator<Item = &'a Sent> {
        let sent = self.block.transactions.iter().zip(&self.told);
        sent.filter_map(|(sent, told)| sent.as_ref().filter(|_| !told))
    }

    fn trace(&mut self, method: Method, index: usize, sent: &Sent, trace: &Trace) {
        if std::mem::replace(&mut self.told[index], true) {
            return;
        }
        self.method = self.method.max(Some(method));
        let origin = self.block.origin(sent);
        self.creations.of_trace(&origin, trace, |_| ());
        let native = trace.transfers().into_iter();
        let native = native.filter(|moved| moved.asset == Asset::Native && moved.from != moved.to);
        self.pay(native.map(|moved| Payment {
            tx: sent.hash,
            token: None,
            from: moved.from,
            to: moved.to,
            amount: moved.amount,
        }));
    }

    fn receipt(&mut self, index: usize, sent: &Sent, receipt: &Receipt) {
        self.told[index] = true;
        self.untraced += 1;
        self.method = Some(Method::Receipts);
        if !receipt.succeeded() {
            self.creations.counts.failed += u64::from(sent.to.is_none());
            return;
        }
        let to = sent.to.or_else(|| sent.creates());
        let to = to.filter(|to| *to != sent.from && !sent.value.is_zero());
        self.pay(to.map(|to| Payment {
            tx: sent.hash,
            token: None,
            from: sent.from,
            to,
            amount: sent.value,
        }));
    }

    fn pay(&mut self, payments: impl IntoIterator<Item = Payment>) {
        for payment in payments {
            match self.payments.len() < PAYMENTS {
                true => self.payments.push(payment),
                false => self.creations.counts.left_out += 1,
            }
        }
    }

    fn survey(self) -> Survey {
        let untold = self.untold().count() as u64;
        let Creations {
            deployments,
            mut counts,
            ..
        } = self.creations;
        counts.untold += untold;
        counts.untraced += self.untraced + counts.untold;
        Survey {
            number: self.block.number,
            hash: self.block.hash,
            timestamp: self.block.timestamp,
            method: self.method,
            deployments,
            payments: self.payments,
            counts,
        }
    }
}

#[cfg(test)]
mod tests;
