//! Fixed evidence behind features 17 to 19, and the addresses of feature 15. Not the user's rules: training and serving
//! must agree, so a change here raises [`super::SCHEMA_VERSION`].
//!
//! Scores combine as 1 − Π(1 − weight) over the evidence present.
//!
//! | reentrancy_match | weight |
//! |---|---|
//! | callee: a CALL with value, then SSTORE, before the function ends | 0.40 |
//! | callee names a token callback (onERC721Received, tokensReceived, …) | 0.20 |
//! | callee names a withdrawal | 0.10 |
//! | transaction calls, or embeds a call of, a token callback | 0.25 |
//! | … a withdrawal | 0.10 |
//! | … the same function three times or more | 0.15 |
//!
//! | flash_loan_match | weight |
//! |---|---|
//! | transaction calls, or embeds a call of, a provider's loan function | 0.70 |
//! | … a loan callback | 0.50 |
//! | a provider's address is the callee or in the calldata | 0.30 |
//! | callee names a loan callback | 0.60 |
//! | callee names a provider's loan function | 0.40 |
//! | callee names a provider's address | 0.20 |
//!
//! price_manipulation_match needs both sides, a market (swap, sync, skim, getReserves, …) and credit (lend, mint against
//! it, borrow, liquidate): 1 where the transaction names both, 0.7 where it names one and the callee's code the other, 0.5
//! where the code names both.

use crate::bytecode::roles::is_flash_provider;
use crate::bytecode::{CodeFacts, Roles};
use crate::decode::Decoded;
use crate::tx::PendingTransaction;

/// Evidence in the transaction itself: the union of its selectors' roles, and whether a function repeats.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Evidence {
    roles: Roles,
    repeats: bool,
}

/// How often one function must be called to count as repeated.
const REPEATS: usize = 3;

impl Evidence {
    pub fn of(tx: &PendingTransaction, decoded: &Decoded) -> Self {
        let mut roles = decoded
            .selectors
            .iter()
            .fold(Roles::default(), |all, s| all.with(Roles::of(*s)));
        if tx
            .to
            .iter()
            .chain(&decoded.addresses)
            .any(is_flash_provider)
        {
            roles = roles.with(Roles::FLASH_ADDRESS);
        }
        let nested = decoded.selectors.get(1..).unwrap_or_default();
        let repeats = nested.len() >= REPEATS
            && nested
                .iter()
                .any(|s| nested.iter().filter(|other| *other == s).count() >= REPEATS);
        Self { roles, repeats }
    }

    pub fn reentrancy(self, code: Option<&CodeFacts>) -> f32 {
        let (code_roles, calls_before_store) = code
            .map(|c| (c.roles, c.value_call_before_sstore))
            .unwrap_or_default();
        combine(&[
            (calls_before_store, 0.40),
            (code_roles.has(Roles::TOKEN_CALLBACK), 0.20),
            (code_roles.has(Roles::WITHDRAWAL), 0.10),
            (self.roles.has(Roles::TOKEN_CALLBACK), 0.25),
            (self.roles.has(Roles::WITHDRAWAL), 0.10),
            (self.repeats, 0.15),
        ])
    }

    pub fn flash_loan(self, code: Option<&CodeFacts>) -> f32 {
        let code_roles = code.map(|c| c.roles).unwrap_or_default();
        combine(&[
            (self.roles.has(Roles::FLASH_LOAN), 0.70),
            (self.roles.has(Roles::FLASH_CALLBACK), 0.50),
            (self.roles.has(Roles::FLASH_ADDRESS), 0.30),
            (code_roles.has(Roles::FLASH_CALLBACK), 0.60),
            (code_roles.has(Roles::FLASH_LOAN), 0.40),
            (code_roles.has(Roles::FLASH_ADDRESS), 0.20),
        ])
    }

    pub fn price_manipulation(self, code: Option<&CodeFacts>) -> f32 {
        let code = code.map(|c| c.roles).unwrap_or_default();
        let (market, credit) = (self.roles.has(Roles::MARKET), self.roles.has(Roles::CREDIT));
        if market && credit {
            1.0
        } else if market && code.has(Roles::CREDIT) || credit && code.has(Roles::MARKET) {
            0.7
        } else if code.has(Roles::MARKET) && code.has(Roles::CREDIT) {
            0.5
        } else {
            0.0
        }
    }
}

fn combine(evidence: &[(bool, f32)]) -> f32 {
    1.0 - evidence
        .iter()
        .filter(|(present, _)| *present)
        .fold(1.0, |rest, (_, weight)| rest * (1.0 - weight))
}
