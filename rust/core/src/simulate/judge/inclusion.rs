//! Whether the next block can have a transaction.

use crate::evidence::nonce_used;
use crate::simulate::evm::environment::Environment;
use crate::simulate::evm::transaction::most_gas;
use crate::tx::{Extras, PendingTransaction};
use alloy_primitives::U256;
use revm::state::AccountInfo;
use std::borrow::Cow;

/// Gas of a blob (EIP-4844).
const BLOB_GAS: u64 = 131_072;

/// Why the block cannot have it; nothing where it can. `sender`: as it is after what comes before it; `early`: its nonce is
/// not the next one.
pub fn obstacle(
    tx: &PendingTransaction,
    extras: &Extras,
    sender: Option<&AccountInfo>,
    early: bool,
    environment: &Environment,
) -> Option<Cow<'static, str>> {
    let (nonce, balance) = sender.map_or((0, U256::ZERO), |info| (info.nonce, info.balance));
    let (base_fee, most) = (environment.block.basefee, most_gas(environment));
    let blob_fee = environment.block.blob_excess_gas_and_price;
    let blob_fee = blob_fee.map_or(0, |blobs| blobs.blob_gasprice);
    let blobs = extras.blob_versioned_hashes.as_ref().map_or(0, Vec::len);
    let blob_cap: u128 = extras.max_fee_per_blob_gas.unwrap_or_default().to();
    let gas = U256::from(tx.gas) * U256::from(tx.max_fee_per_gas);
    let blob_gas = U256::from(blobs) * U256::from(BLOB_GAS) * U256::from(blob_cap);
    let needed = tx.value.saturating_add(gas).saturating_add(blob_gas);
    Some(match () {
        () if early => "nonce gap".into(),
        () if tx.nonce < nonce => nonce_used(tx.nonce),
        () if tx.max_fee_per_gas < u128::from(base_fee) => format!(
            "fee cap {} below the next base fee {base_fee}",
            tx.max_fee_per_gas
        )
        .into(),
        () if tx.max_priority_fee_per_gas > tx.max_fee_per_gas => {
            "priority fee above the fee cap".into()
        }
        () if tx.gas > most => format!("gas limit {} above {most}", tx.gas).into(),
        () if blobs > 0 && blob_cap < blob_fee => {
            format!("blob fee cap {blob_cap} below the next blob fee {blob_fee}").into()
        }
        () if balance < needed => {
            format!("balance {balance} below value + gas × fee cap, {needed}").into()
        }
        () => return None,
    })
}

/// Why the block cannot have one of those that a transaction's own sender sends before it, and so not the transaction either.
pub fn ahead<'a>(
    mut before: impl Iterator<Item = &'a PendingTransaction>,
    environment: &Environment,
) -> Option<Cow<'static, str>> {
    let base_fee = u128::from(environment.block.basefee);
    let tx = before.find(|tx| tx.max_fee_per_gas < base_fee)?;
    let (nonce, cap) = (tx.nonce, tx.max_fee_per_gas);
    Some(
        format!("nonce {nonce} before it: fee cap {cap} below the next base fee {base_fee}").into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{B256, U128};
    use revm::primitives::hardfork::SpecId;

    fn environment() -> Environment {
        let mut environment = Environment::unknown(1);
        environment.fork = SpecId::OSAKA;
        environment.block.basefee = 10;
        environment.block.gas_limit = 60_000_000;
        environment
            .block
            .set_blob_excess_gas_and_price(0, 5_007_716);
        environment
    }

    fn tx() -> PendingTransaction {
        PendingTransaction {
            nonce: 7,
            gas: 100_000,
            value: U256::from(1),
            max_fee_per_gas: 20,
            max_priority_fee_per_gas: 2,
            ..PendingTransaction::default()
        }
    }

    fn why(tx: &PendingTransaction, extras: &Extras, balance: u64, early: bool) -> String {
        let sender = AccountInfo {
            nonce: 7,
            balance: U256::from(balance),
            ..AccountInfo::default()
        };
        let found = obstacle(tx, extras, Some(&sender), early, &environment());
        found.unwrap_or_default().into_owned()
    }

    #[test]
    fn what_the_next_block_can_have_has_no_obstacle() {
        assert_eq!(why(&tx(), &Extras::default(), 2_000_001, false), "");
    }

    #[test]
    fn each_obstacle_is_told() {
        type Change = fn(&mut PendingTransaction);
        let nothing: Change = |_| {};
        let changes: [(Change, u64, bool, &str); 7] = [
            (nothing, 2_000_001, true, "nonce gap"),
            (|tx| tx.nonce = 6, 2_000_001, false, "nonce 6 is used"),
            (
                nothing,
                2_000_000,
                false,
                "balance 2000000 below value + gas × fee cap, 2000001",
            ),
            (
                |tx| tx.max_fee_per_gas = 9,
                9_000_000,
                false,
                "fee cap 9 below the next base fee 10",
            ),
            (
                |tx| tx.max_priority_fee_per_gas = 21,
                9_000_000,
                false,
                "priority fee above the fee cap",
            ),
            (
                |tx| tx.gas = 16_777_217,
                u64::MAX,
                false,
                "gas limit 16777217 above 16777216",
            ),
            (
                |tx| tx.gas = u64::MAX,
                0,
                false,
                "gas limit 18446744073709551615 above 16777216",
            ),
        ];
        for (change, balance, early, said) in changes {
            let mut tx = tx();
            change(&mut tx);
            assert_eq!(why(&tx, &Extras::default(), balance, early), said);
        }
    }

    #[test]
    fn what_its_sender_sends_before_it_must_find_a_place_too() {
        let cheap = PendingTransaction {
            max_fee_per_gas: 9,
            ..tx()
        };
        let why = |before: &[PendingTransaction]| ahead(before.iter(), &environment());
        assert_eq!(why(&[tx()]), None);
        let said = "nonce 7 before it: fee cap 9 below the next base fee 10";
        assert_eq!(why(&[tx(), cheap]).as_deref(), Some(said));
    }

    #[test]
    fn blobs_are_paid_for_too() {
        let blob = |fee: u64| Extras {
            blob_versioned_hashes: Some(vec![B256::ZERO]),
            max_fee_per_blob_gas: Some(U128::from(fee)),
            ..Extras::default()
        };
        let needed = 2_000_001 + 131_072;
        assert_eq!(why(&tx(), &blob(1), needed, false), "");
        assert!(why(&tx(), &blob(1), needed - 1, false).contains("balance"));
        assert!(why(&tx(), &blob(0), needed, false).contains("blob fee cap 0"));
    }

    #[test]
    fn the_most_absurd_transaction_is_an_obstacle_and_no_overflow() {
        let tx = PendingTransaction {
            value: U256::MAX,
            gas: 16_777_216,
            max_fee_per_gas: u128::MAX,
            ..PendingTransaction::default()
        };
        assert!(obstacle(&tx, &Extras::default(), None, false, &environment()).is_some());
    }
}
