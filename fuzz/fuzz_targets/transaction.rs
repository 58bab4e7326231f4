//! Whatever is said to be a transaction: an answer, never a panic; and what is encoded from a node's JSON is read back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mempool_ids_core::wire::signing::{Unsigned, decode, encode_object};

fuzz_target!(|data: &[u8]| {
    if let Ok(fields) = decode(data) {
        assert!(fields["from"].is_string() && fields["hash"].is_string());
    }
    if let Ok(raw) = encode_object(data) {
        assert!(!raw.is_empty());
    }
    if let Ok(tx) = Unsigned::of_json(data) {
        let (encoded, one) = (tx.encoded(), [1; 32]);
        assert!(!encoded.is_empty());
        assert!(tx.signed(0, &one, &one).is_ok());
    }
});
