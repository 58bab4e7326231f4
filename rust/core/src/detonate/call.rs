//! A call that is tried, as a transaction.

use crate::evidence::Trial;
use crate::simulate::evm::environment::Environment;
use crate::simulate::evm::transaction::most_gas;
use crate::tx::PendingTransaction;
use alloy_primitives::{B256, U256, keccak256};
use revm::primitives::hardfork::SpecId;

/// Wei per gas above the base fee, unless the creation that comes first pays less.
const TIP: u128 = 1_000_000_000;

/// What all calls of a detonation pay above the base fee: no more than the creation before them, which else they would come
/// before.
pub fn tip(creation: Option<&PendingTransaction>, environment: &Environment) -> u128 {
    let base_fee = u128::from(environment.block.basefee);
    creation.map_or(TIP, |creation| creation.effective_tip(base_fee).min(TIP))
}

/// The call as its caller would send it. Its hash is none of a real transaction.
pub fn transaction(
    trial: &Trial,
    nonce: u64,
    gas: u64,
    tip: u128,
    environment: &Environment,
) -> PendingTransaction {
    let fee = u128::from(environment.block.basefee) + tip;
    let dynamic = environment.fork >= SpecId::LONDON;
    PendingTransaction {
        hash: hash(trial, nonce),
        from: trial.from,
        to: Some(trial.to),
        value: trial.value,
        nonce,
        gas: gas.min(most_gas(environment)),
        tx_type: if dynamic { 2 } else { 0 },
        chain_id: Some(environment.chain_id),
        max_fee_per_gas: fee,
        max_priority_fee_per_gas: if dynamic { tip } else { fee },
        input: trial.input.to_vec(),
        seen_ms: 0,
    }
}

/// What it pays for its gas at the most.
pub fn gas_money(tx: &PendingTransaction) -> U256 {
    U256::from(tx.gas).saturating_mul(U256::from(tx.max_fee_per_gas))
}

fn hash(trial: &Trial, nonce: u64) -> B256 {
    let mut said = b"detonation".to_vec();
    said.extend(trial.from);
    said.extend(nonce.to_be_bytes());
    said.extend(trial.to);
    said.extend(trial.value.to_be_bytes::<32>());
    said.extend(&trial.input);
    keccak256(said)
}
