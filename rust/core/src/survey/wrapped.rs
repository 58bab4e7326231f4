//! Transfers of the wrapped native asset, of its logs.

use super::Payment;
use crate::evidence::transfers::{DEPOSIT, TRANSFER, WITHDRAWAL};
use alloy_primitives::{Address, B256, Bytes, U256};
use hashbrown::HashMap;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Parameters of `eth_getLogs` for what [`payments`] reads.
pub fn question(block: &B256, token: Address) -> String {
    format!(
        r#"[{{"blockHash":"{block}","address":"{token}","topics":[["{TRANSFER}","{DEPOSIT}","{WITHDRAWAL}"]]}}]"#
    )
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Log {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
    transaction_hash: B256,
}

/// Who paid whom in `token`, and how many logs could not be read. `native`: of the same block. Wrapping moves something between
/// accounts where another has the wrapped asset than who paid for it (`depositTo`), and so does unwrapping: as much moved as native,
/// to the token or from it, in the same transaction.
///
/// Nothing where it is no list.
pub fn payments(raw: &[u8], token: Address, native: &[Payment]) -> Option<(Vec<Payment>, u64)> {
    let list: Vec<&RawValue> = serde_json::from_slice(raw).ok()?;
    let side = |of: fn(&Payment) -> (Address, Address)| -> HashMap<(B256, U256), Address> {
        let sides = native.iter().map(|payment| (payment, of(payment)));
        let of_token = sides.filter(|(_, (mine, _))| *mine == token);
        of_token
            .map(|(payment, (_, other))| ((payment.tx, payment.amount), other))
            .collect()
    };
    let payers = side(|payment| (payment.to, payment.from));
    let payees = side(|payment| (payment.from, payment.to));
    let (mut payments, mut malformed) = (Vec::new(), 0);
    for raw in list {
        let log = serde_json::from_str(raw.get()).ok();
        let Some(log) = log.filter(|log: &Log| log.address == token && log.data.len() == 32) else {
            malformed += 1;
            continue;
        };
        let (tx, amount) = (log.transaction_hash, U256::from_be_slice(&log.data));
        let account = |topic: &B256| Address::from_word(*topic);
        let sides = match log.topics.as_slice() {
            [TRANSFER, from, to] => match (account(from), account(to)) {
                (Address::ZERO, to) => payers.get(&(tx, amount)).map(|payer| (*payer, to)),
                (from, Address::ZERO) => payees.get(&(tx, amount)).map(|payee| (from, *payee)),
                sides => Some(sides),
            },
            [DEPOSIT, to] => payers.get(&(tx, amount)).map(|payer| (*payer, account(to))),
            [WITHDRAWAL, from] => payees
                .get(&(tx, amount))
                .map(|payee| (account(from), *payee)),
            _ => {
                malformed += 1;
                None
            }
        };
        let Some((from, to)) = sides.filter(|(from, to)| from != to && !amount.is_zero()) else {
            continue;
        };
        let payment = Payment {
            tx,
            token: Some(token),
            from,
            to,
            amount,
        };
        // Some say it twice, as a transfer from nobody and as a deposit.
        if payments.last() != Some(&payment) {
            payments.push(payment);
        }
    }
    Some((payments, malformed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const TOKEN: Address = Address::repeat_byte(0x70);
    const ALICE: Address = Address::repeat_byte(0xa1);
    const BOB: Address = Address::repeat_byte(0xb0);
    const TX: B256 = B256::repeat_byte(7);

    fn log(topic: B256, accounts: &[Address], amount: u64) -> Value {
        let accounts = accounts.iter().map(|account| account.into_word());
        let topics: Vec<_> = [topic].into_iter().chain(accounts).collect();
        json!({"address": TOKEN, "topics": topics, "data": B256::from(U256::from(amount)), "transactionHash": TX})
    }

    fn native(from: Address, to: Address, amount: u64) -> Payment {
        Payment {
            tx: TX,
            token: None,
            from,
            to,
            amount: U256::from(amount),
        }
    }

    fn read(logs: &[Value], native: &[Payment]) -> Vec<(Address, Address)> {
        let (payments, malformed) =
            payments(json!(logs).to_string().as_bytes(), TOKEN, native).unwrap();
        assert_eq!(malformed, 0);
        payments.iter().map(|one| (one.from, one.to)).collect()
    }

    #[test]
    fn wrapping_for_oneself_moves_nothing_and_for_another_it_does() {
        assert_eq!(
            read(&[log(TRANSFER, &[ALICE, BOB], 5)], &[]),
            [(ALICE, BOB)]
        );
        let paid = [native(ALICE, TOKEN, 5)];
        assert!(read(&[log(DEPOSIT, &[ALICE], 5)], &paid).is_empty());
        let twice = [
            log(TRANSFER, &[Address::ZERO, BOB], 5),
            log(DEPOSIT, &[BOB], 5),
        ];
        assert_eq!(read(&twice, &paid), [(ALICE, BOB)]);
        let paid = [native(TOKEN, BOB, 5)];
        assert_eq!(read(&[log(WITHDRAWAL, &[ALICE], 5)], &paid), [(ALICE, BOB)]);
        assert!(read(&[log(WITHDRAWAL, &[BOB], 5)], &paid).is_empty());
        assert!(
            read(&[log(WITHDRAWAL, &[ALICE], 6)], &paid).is_empty(),
            "another amount"
        );
    }

    #[test]
    fn what_is_no_transfer_of_the_token_is_counted_and_moves_nothing() {
        let mut others = log(TRANSFER, &[ALICE, BOB], 5);
        others["address"] = json!(ALICE);
        let mut short = log(TRANSFER, &[ALICE, BOB], 5);
        short["data"] = json!("0x05");
        let logs = json!([others, short, 7, log(TRANSFER, &[ALICE], 5), {"topics": []}]);
        let (payments, malformed) = payments(logs.to_string().as_bytes(), TOKEN, &[]).unwrap();
        assert_eq!((payments.len(), malformed), (0, 5));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(raw in prop::collection::vec(any::<u8>(), 0..200)) {
            payments(&raw, TOKEN, &[]);
        }
    }
}
