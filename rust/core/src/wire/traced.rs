//! A list of things that each belong to a transaction of one block, told apart before any of them is read.

use super::TraceError;
use alloy_primitives::B256;
use serde::Deserialize;
use serde_json::value::RawValue;

/// What `debug_traceBlockByHash` answers of one transaction.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Traced<'a> {
    /// Absent of older nodes.
    pub tx_hash: Option<B256>,
    /// What the tracer made of it, as it is; absent where it made nothing of it.
    #[serde(borrow)]
    pub result: Option<&'a RawValue>,
}

impl Traced<'_> {
    /// The elements of the answer, in the block's order; the default of one that cannot be read.
    ///
    /// # Errors
    /// Where it is no list.
    pub fn list(raw: &[u8]) -> Result<Vec<Traced<'_>>, TraceError> {
        let list = elements(raw)?.into_iter();
        Ok(list
            .map(|one| serde_json::from_str(one.get()).unwrap_or_default())
            .collect())
    }
}

/// The elements of a list, passed over without recursion.
pub(super) fn elements(raw: &[u8]) -> Result<Vec<&RawValue>, TraceError> {
    serde_json::from_slice(raw).map_err(|error| TraceError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_element_that_cannot_be_read_spoils_no_other() {
        let hash = B256::repeat_byte(7);
        let raw = format!(
            r#"[{{"txHash":"{hash}","result":{{"type":"CALL"}}}},{{"txHash":5}},{{"error":"timeout"}},7,{{"result":null}}]"#
        );
        let list = Traced::list(raw.as_bytes()).unwrap();
        assert_eq!(list.len(), 5);
        assert_eq!(list[0].tx_hash, Some(hash));
        assert_eq!(list[0].result.unwrap().get(), r#"{"type":"CALL"}"#);
        assert!(list[1..].iter().all(|one| one.result.is_none()));
    }

    #[test]
    fn a_million_brackets_are_passed_over() {
        let deep = format!("[{}{}]", "[".repeat(1 << 20), "]".repeat(1 << 20));
        assert_eq!(Traced::list(deep.as_bytes()).unwrap().len(), 1);
        assert!(Traced::list("[".repeat(1 << 20).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(raw in prop::collection::vec(any::<u8>(), 0..200)) {
            Traced::list(&raw).ok();
        }
    }
}
