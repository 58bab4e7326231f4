//! A contract that is told of again.

use crate::evidence::Deployment;

/// Keeps of what was `known` of a contract what is not told again, as long as its code is the same; whether it is another one.
pub fn keep(told: &mut Deployment, known: &Deployment) -> bool {
    if !told.code.is_empty() && told.code != known.code {
        return !known.code.is_empty();
    }
    told.code.clone_from(&known.code);
    if told.init_code.is_empty() {
        told.init_code.clone_from(&known.init_code);
    }
    if told.stored.is_empty() {
        told.stored.clone_from(&known.stored);
    }
    if told.called.is_empty() {
        told.called.clone_from(&known.called);
    }
    if told.runs.as_ref().is_none_or(|runs| runs.code.is_empty()) {
        told.runs.clone_from(&known.runs);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Sighting;
    use crate::simulate::creations::Origin;
    use alloy_primitives::{Address, Bytes, U256};

    fn deployment(code: &'static [u8]) -> Deployment {
        let origin = Origin::unknown(Address::ZERO, Sighting::Pending);
        Deployment {
            code: Bytes::from_static(code),
            ..origin.deployment(Address::ZERO, Address::ZERO)
        }
    }

    #[test]
    fn what_is_told_of_again_with_less_is_known_as_before_and_another_code_is_another() {
        let mut known = deployment(b"code");
        known.stored.push((U256::ONE, U256::ONE));
        known.init_code = Bytes::from_static(b"init");
        for code in [&b"code"[..], b""] {
            let mut again = deployment(code);
            assert!(!keep(&mut again, &known));
            assert_eq!(again, known);
        }
        let mut other = deployment(b"other");
        assert!(keep(&mut other, &known));
        assert_eq!(other, deployment(b"other"));
        // That its code was unread makes what is read no other one.
        assert!(!keep(&mut other, &deployment(b"")));
    }
}
