//! The corpus as a node sends it.

use super::corpus;
use mempool_ids_core::tx::PendingTransaction;

/// JSON objects as `eth_getTransactionByHash` returns them, and a word for the report on what they are.
pub struct Samples {
    pub objects: Vec<String>,
    pub transactions: Vec<PendingTransaction>,
    pub origin: String,
}

pub fn load() -> Samples {
    let (origin, mut transactions) = corpus::load();
    // Each its own hash, in order.
    for (n, tx) in (1_u64..).zip(&mut transactions) {
        tx.hash = alloy_primitives::U256::from(n).into();
    }
    Samples {
        objects: transactions.iter().map(object).collect(),
        origin: format!("{} {origin} transactions", transactions.len()),
        transactions,
    }
}

/// Field order and the fields a sensor does not need are geth's.
fn object(tx: &PendingTransaction) -> String {
    let to = tx.to.map_or("null".into(), |to| format!("\"{to:#x}\""));
    format!(
        "{{\"blockHash\":null,\"blockNumber\":null,\"from\":\"{:#x}\",\"gas\":\"{:#x}\",\"gasPrice\":\"{:#x}\",\
         \"maxFeePerGas\":\"{:#x}\",\"maxPriorityFeePerGas\":\"{:#x}\",\"hash\":\"{:#x}\",\"input\":\"{}\",\
         \"nonce\":\"{:#x}\",\"to\":{to},\"transactionIndex\":null,\"value\":\"{:#x}\",\"type\":\"0x2\",\
         \"accessList\":[],\"chainId\":\"0x1\",\"v\":\"0x1\",\"r\":\"0x{:064x}\",\"s\":\"0x{:064x}\",\"yParity\":\"0x1\"}}",
        tx.from,
        tx.gas,
        tx.max_fee_per_gas,
        tx.max_fee_per_gas,
        tx.max_priority_fee_per_gas,
        tx.hash,
        alloy_primitives::hex::encode_prefixed(&tx.input),
        tx.nonce,
        tx.value,
        tx.hash,
        tx.hash,
    )
}
