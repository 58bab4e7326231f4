//! Whatever arrives as a frame: an answer, never a panic, and the same answer for the same object in either wrapping.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mempool_ids_core::wire::{parse_notification, parse_object};

fuzz_target!(|data: &[u8]| {
    let _ = parse_notification(data, 1);
    if let Ok(tx) = parse_object(data, 1) {
        let mut frame = br#"{"method":"eth_subscription","params":{"result":"#.to_vec();
        frame.extend_from_slice(data);
        frame.extend_from_slice(b"}}");
        assert_eq!(parse_notification(&frame, 1), Ok(tx));
    }
});
