//! Whole blocks of mainnet: each transaction on what the former left, with the gas, the logs and the receipts that the
//! network recorded.

use super::bounds;
use super::mainnet::{RecordedBlock, apply, blocks};
use alloy_consensus::proofs::calculate_receipt_root;
use alloy_consensus::{Eip658Value, Receipt, ReceiptEnvelope, ReceiptWithBloom, TxType};
use alloy_primitives::{Bloom, Log};
use mempool_ids_core::simulate::evm::StateError;
use mempool_ids_core::simulate::evm::execute::{Checks, Execution, Exit, Sandbox};
use revm::context::TxEnv;

/// Since then (EIP-658) receipts have a status where the state's root was, which no execution of transactions alone gives.
const BYZANTIUM: u64 = 4_370_000;

enum Verdict {
    AsRecorded,
    /// The transaction of this index asks for what was not recorded.
    NotRecorded(usize, StateError),
    Differs(String),
}

fn receipt(kind: TxType, execution: &Execution, cumulative_gas_used: u64) -> ReceiptEnvelope {
    let frames = execution.trace.frames.iter();
    let mut logs: Vec<_> = frames.flat_map(|frame| &frame.logs).collect();
    logs.sort_by_key(|log| log.index);
    let logs = logs
        .into_iter()
        .map(|log| Log::new_unchecked(log.address, log.topics.clone(), log.data.clone()));
    let receipt = Receipt {
        status: Eip658Value::Eip658(execution.exit == Exit::Succeeded),
        cumulative_gas_used,
        logs: logs.collect(),
    };
    ReceiptEnvelope::from_typed(kind, ReceiptWithBloom::from(receipt))
}

fn judge(block: &RecordedBlock, mut execute: impl FnMut(TxEnv) -> Execution) -> Verdict {
    let header = &block.header;
    let mut gas_used = 0;
    let mut receipts = Vec::new();
    for (index, (hash, envelope, transaction)) in block.transactions.iter().enumerate() {
        let execution = execute(transaction.clone());
        match execution.exit {
            Exit::Succeeded | Exit::Reverted | Exit::Halted(_) => {}
            Exit::NoState(reason) => return Verdict::NotRecorded(index, reason),
            exit => return Verdict::Differs(format!("{hash}: {exit:?}")),
        }
        gas_used += execution.gas_used;
        receipts.push(receipt(envelope.tx_type(), &execution, gas_used));
    }
    let recorded = header.gas_used.u64();
    if gas_used != recorded {
        return Verdict::Differs(format!("gas {gas_used}, recorded {recorded}"));
    }
    let add = |bloom: Bloom, receipt: &ReceiptEnvelope| bloom | *receipt.logs_bloom();
    if receipts.iter().fold(Bloom::ZERO, add) != header.logs_bloom {
        return Verdict::Differs("other logs".into());
    }
    let root = calculate_receipt_root(&receipts);
    if header.number.u64() >= BYZANTIUM && root != header.receipts_root {
        return Verdict::Differs("other receipts".into());
    }
    Verdict::AsRecorded
}

/// Judges every block, and says which are left out because the record is not whole.
fn judge_all(verdict: impl Fn(&RecordedBlock) -> Verdict) {
    let blocks = blocks();
    if blocks.is_empty() {
        return;
    }
    let (mut passed, mut transactions, mut wrong) = (0, 0, Vec::new());
    for block in &blocks {
        let number = block.header.number.u64();
        let count = block.transactions.len();
        match verdict(block) {
            Verdict::AsRecorded => {
                passed += 1;
                transactions += count;
            }
            Verdict::NotRecorded(index, reason) if block.lacks(&reason) => {
                let codes = block.without_code;
                eprintln!(
                    "left out: block {number}, at transaction {index} of {count}: {reason} ({codes} accounts without \
                     their code)"
                );
            }
            Verdict::NotRecorded(index, reason) => {
                wrong.push(format!("{number}/{index}: {reason}"))
            }
            Verdict::Differs(how) => wrong.push(format!("{number}: {how}")),
        }
    }
    eprintln!(
        "{passed} of {} blocks, {transactions} transactions",
        blocks.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(passed >= 60 && transactions >= 16_000);
}

#[test]
fn blocks_of_mainnet_have_the_recorded_gas_logs_and_receipts() {
    judge_all(|block| {
        let mut sandbox = Sandbox::new(&block.state, &block.environment);
        judge(block, |transaction| {
            sandbox.execute(transaction, Checks::Consensus, bounds())
        })
    });
}

#[test]
fn what_an_execution_says_it_changed_is_all_that_the_next_one_needs() {
    judge_all(|block| {
        let mut state = block.state.clone();
        judge(block, |transaction| {
            let mut sandbox = Sandbox::new(&state, &block.environment);
            let execution = sandbox.execute(transaction, Checks::Consensus, bounds());
            apply(&mut state, &execution.diff);
            execution
        })
    });
}
