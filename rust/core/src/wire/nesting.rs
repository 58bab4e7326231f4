//! The guard against deep JSON: brackets are cheap to send, and a stack is finite.
//!
//! Parsers recurse once a bracket. What is passed over in one pass counts its levels on the way down (`Skip`); what is given
//! to a parser that recurses without a bound is measured before ([`nests_within`]).

/// Of a message or of a value in it. Deeper than any that a node sends: `txpool_content` with an access list has seven
/// levels, a transaction three.
pub const MAX_NESTING: usize = 32;

/// Whether no value lies deeper than `max` arrays and objects. Linear, without recursion; strings are jumped over.
pub fn nests_within(json: &[u8], max: usize) -> bool {
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        at += 1;
        match byte {
            b'"' => loop {
                match memchr::memchr2(b'"', b'\\', &json[at..]) {
                    None => return true,
                    Some(n) if json[at + n] == b'"' => {
                        at += n + 1;
                        break;
                    }
                    // An escape and the byte it escapes; past the end where the text is cut off.
                    Some(n) => at = (at + n + 2).min(json.len()),
                }
            },
            b'{' | b'[' => {
                depth += 1;
                if depth > max {
                    return false;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_measured_outside_strings() {
        assert!(nests_within(br#"{"a":[1,{"b":"[[[[[\"[[[["}]}"#, 3));
        assert!(!nests_within(br#"{"a":[1,{"b":2}]}"#, 2));
        assert!(nests_within("[]".repeat(10_000).as_bytes(), 1));
        for cut in [&b"\"abc"[..], b"\"abc\\", b"{\"a\\", b"", b"]]]]["] {
            assert!(nests_within(cut, 4));
        }
    }

    #[test]
    fn ten_megabytes_of_brackets_are_refused_at_once() {
        assert!(!nests_within(&vec![b'['; 10 << 20], MAX_NESTING));
        assert!(!nests_within(
            "{\"a\":".repeat(2 << 20).as_bytes(),
            MAX_NESTING
        ));
    }
}
