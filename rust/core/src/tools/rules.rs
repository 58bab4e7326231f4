//! What rules say of one transaction, outside a running sensor (`rules test`).

use crate::bytecode::CodeFacts;
use crate::config::MonitoredContract;
use crate::decode::{Decoded, Decoder};
use crate::error::Result;
use crate::evidence::SignatureMatch;
use crate::pipeline::contact::Contacts;
use crate::signatures::{Matcher, RuleSet, Subject};
use crate::tx::PendingTransaction;
use std::sync::Arc;

/// What `rules` say of one transaction, outside a running sensor (`rules test`).
pub fn match_one(
    rules: RuleSet,
    contracts: &[MonitoredContract],
    tx: &PendingTransaction,
    code: Option<&[u8]>,
) -> Result<Vec<SignatureMatch>> {
    let contacts = Contacts::new(contracts)?;
    let mut decoded = Decoded::default();
    Decoder::for_contracts(contracts)?.decode(tx, &mut decoded);
    let in_code = code.map(|code| contacts.in_bytes(code)).unwrap_or_default();
    let mut touches = Vec::new();
    contacts.of(tx, in_code.iter().copied(), &mut touches);
    // A creation is judged by its init code.
    let code = code.or(tx.to.is_none().then_some(tx.input.as_slice()));
    let facts = code.map(|code| CodeFacts::scan(code, None));
    let code_touches = if tx.to.is_none() { &touches } else { &in_code };
    let subject = Subject {
        tx,
        decoded: &decoded,
        code: facts.as_ref(),
        touches: &touches,
        code_touches,
        monitored: contacts.addresses(),
        block_number: None,
    };
    let mut matcher = Matcher::new(Arc::new(rules));
    let mut matched = Vec::new();
    matcher.evaluate(&subject, &mut matched);
    Ok(matcher.report(&subject, &matched))
}
