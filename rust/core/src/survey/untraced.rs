//! What a block did where no trace tells: by receipts, diffs of the state, and code.

use super::Method;
use super::block::{Block, Sent};
use super::method::Failed;
use super::questions::Questions;
use super::reading::Reading;
use super::receipts::{self, Receipt};
use crate::evidence::Deployment;
use crate::simulate::creations::first_slots;
use crate::simulate::evm::question::at;
use crate::simulate::evm::told::{ToldAccount, ToldDiff, block_diffs};
use alloy_primitives::{Address, B256, U256};
use hashbrown::{HashMap, HashSet};
use std::time::Instant;

/// Accounts of one block whose age is looked up.
const TOUCHED: usize = 64;
/// Contracts of one block whose code is asked for.
const CREATED: usize = 1_024;
/// Blocks that a contract is young for: nodes keep the state of the last 128.
const YOUNG: u64 = 100;
/// Contracts that are remembered.
const MET: usize = 1 << 16;

type Slots = Vec<(U256, U256)>;

/// Contracts that were touched before.
#[derive(Debug, Default)]
pub struct Met(HashSet<Address>);

/// A contract that a transaction created, with what it stored where that is told.
struct Created<'a> {
    sent: &'a Sent,
    account: Address,
    stored: Slots,
}

/// Reads by receipts what is untold; what factories created by diffs, where `method` is that.
pub fn read(
    method: Method,
    reading: &mut Reading,
    questions: &Questions,
    met: &mut Met,
    deadline: Instant,
) -> Result<(), Failed> {
    let block = reading.block;
    let diffs = match method {
        Method::Diffs => Some(diffs(block, questions, deadline)?),
        _ => None,
    };
    let receipts = receipts(reading, questions, deadline)?;
    let (mut created, mut touched) = (Vec::new(), Vec::new());
    let mut seen: HashSet<_> = block.delegations.iter().map(|one| one.account).collect();
    for (index, sent) in block.transactions.iter().enumerate() {
        let untold = sent.as_ref().filter(|_| !reading.told[index]);
        let Some((sent, receipt)) = untold.and_then(|sent| Some((sent, receipts.get(&sent.hash)?)))
        else {
            continue;
        };
        reading.receipt(method, index, sent, receipt);
        if !receipt.succeeded() {
            continue;
        }
        let diff = diffs.as_ref().map(|diffs| &diffs[index]);
        for (account, stored) in created_by(sent, diff) {
            if seen.insert(account) {
                created.push(Created {
                    sent,
                    account,
                    stored,
                });
            }
        }
        let loggers = sent.to.into_iter().chain(receipt.loggers());
        for account in loggers.filter(|_| diff.is_none()) {
            if !met.0.contains(&account) && seen.insert(account) {
                touched.push((sent, account));
            }
        }
    }
    let beyond = touched.len().saturating_sub(TOUCHED) + created.len().saturating_sub(CREATED);
    reading.creations.counts.left_out += beyond as u64;
    touched.truncate(TOUCHED);
    created.truncate(CREATED);
    add_created(reading, created, questions, deadline);
    met.add_young(reading, &touched, questions, deadline);
    Ok(())
}

/// The block's, one of each transaction.
fn diffs(block: &Block, questions: &Questions, deadline: Instant) -> Result<Vec<ToldDiff>, Failed> {
    // As the keeper of the state asks: a node may have it still.
    let config = r#"{"diffMode":true,"disableCode":true}"#;
    let params = format!(
        r#"["{}",{{"tracer":"prestateTracer","tracerConfig":{config}}}]"#,
        block.hash
    );
    let asked = questions.ask("debug_traceBlockByHash", params, deadline);
    let raw = asked.map_err(|error| Failed::from(&error))?;
    let diffs = block_diffs(&raw).map_err(|_| Failed::Otherwise)?;
    match diffs.len() == block.transactions.len() {
        true => Ok(diffs),
        false => Err(Failed::Otherwise),
    }
}

/// The transaction's own contract, and those that its diff shows: accounts with a nonce that had none (EIP-161), and sent nothing.
fn created_by<'a>(
    sent: &'a Sent,
    diff: Option<&'a ToldDiff>,
) -> impl Iterator<Item = (Address, Slots)> + 'a {
    let nonce = |account: Option<&ToldAccount>| account.and_then(|one| one.nonce).unwrap_or(0);
    let shown = diff.into_iter().flat_map(move |diff| {
        let post = diff.post.iter();
        let begins = post.filter(move |(address, account)| {
            nonce(Some(account)) > 0 && nonce(diff.pre.get(*address)) == 0
        });
        begins.map(|(address, _)| *address)
    });
    let created = sent.creates().into_iter().chain(shown);
    let created = created.filter(|account| *account != sent.from);
    created.map(move |account| {
        let after = diff.and_then(|diff| diff.post.get(&account));
        let slots = after.into_iter().flat_map(|after| &after.storage);
        let slots = slots.map(|(slot, value)| ((*slot).into(), (*value).into()));
        (account, first_slots(slots))
    })
}

/// By transaction.
fn receipts(
    reading: &Reading,
    questions: &Questions,
    deadline: Instant,
) -> Result<HashMap<B256, Receipt>, Failed> {
    let of = |hash: B256| format!(r#"["{hash}"]"#);
    let whole = questions.ask("eth_getBlockReceipts", of(reading.block.hash), deadline);
    let whole = whole.ok().and_then(|raw| receipts::list(&raw));
    let receipts = whole.unwrap_or_else(|| {
        let asked = reading.untold().map(|sent| receipts::question(sent.hash));
        let answers = questions.all(asked, deadline);
        let answers = answers.into_iter();
        answers
            .filter_map(|answer| receipts::one(&answer.ok()?))
            .collect()
    });
    if receipts.is_empty() {
        return Err(Failed::Otherwise);
    }
    let receipts = receipts.into_iter();
    Ok(receipts
        .map(|receipt| (receipt.transaction_hash, receipt))
        .collect())
}

fn add_created(
    reading: &mut Reading,
    created: Vec<Created>,
    questions: &Questions,
    deadline: Instant,
) {
    let accounts: Vec<_> = created.iter().map(|one| one.account).collect();
    let codes = questions.codes(&accounts, &at(&reading.block.hash), deadline);
    for (one, code) in created.into_iter().zip(codes) {
        let origin = reading.block.origin(one.sent);
        let deployment = Deployment {
            stored: one.stored,
            ..origin.deployment(one.account, one.sent.from)
        };
        match code {
            Some(code) => reading.creations.add(Deployment { code, ..deployment }),
            None => reading.creations.add_unread(deployment),
        }
    }
}

impl Met {
    /// Adds those that were not there a while ago.
    fn add_young(
        &mut self,
        reading: &mut Reading,
        touched: &[(&Sent, Address)],
        questions: &Questions,
        deadline: Instant,
    ) {
        let block = reading.block;
        let accounts: Vec<_> = touched.iter().map(|(_, account)| *account).collect();
        let then = format!(r#""{:#x}""#, block.number.saturating_sub(YOUNG));
        let before = questions.codes(&accounts, &then, deadline);
        let now = questions.codes(&accounts, &at(&block.hash), deadline);
        for ((sent, account), codes) in touched.iter().zip(before.into_iter().zip(now)) {
            let (Some(before), Some(code)) = codes else {
                reading.creations.counts.malformed += 1;
                continue;
            };
            // An account without code may have some the next time.
            if code.is_empty() {
                continue;
            }
            if self.0.len() >= MET {
                self.0.clear();
            }
            self.0.insert(*account);
            if before.is_empty() {
                let deployment = block.origin(sent).deployment(*account, sent.from);
                reading.creations.add(Deployment { code, ..deployment });
            }
        }
    }
}
