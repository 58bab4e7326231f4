//! Receipts as nodes answer them: whether a transaction succeeded, what it created itself, and whose logs it has.

use alloy_primitives::{Address, B256, U64};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    pub transaction_hash: B256,
    /// Absent before Byzantium, when what failed had used all its gas.
    #[serde(default)]
    status: Option<U64>,
    #[serde(default)]
    logs: Vec<Log>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Log {
    address: Address,
}

impl Receipt {
    pub fn succeeded(&self) -> bool {
        self.status.is_none_or(|status| !status.is_zero())
    }

    /// Whose logs it has, each once for every run of them.
    pub fn loggers(&self) -> impl Iterator<Item = Address> {
        let mut last = None;
        let loggers = self.logs.iter().map(|log| log.address);
        loggers.filter(move |logger| last.replace(*logger) != Some(*logger))
    }
}

/// Of `eth_getBlockReceipts`: those that can be read; nothing where it is no list.
pub fn list(raw: &[u8]) -> Option<Vec<Receipt>> {
    let list: Vec<&RawValue> = serde_json::from_slice(raw).ok()?;
    let receipts = list.iter().filter_map(|raw| one(raw.get().as_bytes()));
    Some(receipts.collect())
}

/// Asks for one.
pub fn question(hash: B256) -> (&'static str, String) {
    ("eth_getTransactionReceipt", format!(r#"["{hash}"]"#))
}

/// The answer to [`question`].
pub fn one(raw: &[u8]) -> Option<Receipt> {
    serde_json::from_slice(raw).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_receipt_says_what_it_says_and_no_other_spoils_it() {
        let (a, b) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let logs: Vec<_> = [a, a, b, a]
            .iter()
            .map(|address| json!({"address": address}))
            .collect();
        let good = json!({"transactionHash": B256::repeat_byte(7), "status": "0x1", "contractAddress": null, "logs": logs});
        let failed =
            json!({"transactionHash": B256::repeat_byte(8), "status": "0x0", "contractAddress": a});
        let raw = json!([7, {"status": "0x1"}, good, failed, {"transactionHash": 5}]).to_string();
        let receipts = list(raw.as_bytes()).unwrap();
        assert_eq!(receipts.len(), 2);
        assert_eq!(receipts[0].loggers().collect::<Vec<_>>(), [a, b, a]);
        assert!(receipts[0].succeeded() && !receipts[1].succeeded());
        assert_eq!(list(b"null"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(raw in prop::collection::vec(any::<u8>(), 0..200)) {
            list(&raw);
            one(&raw);
        }
    }
}
