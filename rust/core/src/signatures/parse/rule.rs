//! One rule.

use super::fields::{Fields, Reader};
use super::{Rule, condition, fields, review};
use crate::signatures::condition::Condition;
use crate::signatures::yaml::{Node, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Detections are made at this score by default.
const ALERTS_ALONE: f32 = 0.7;

/// Classes of attacks and the severity a rule has if it does not say: 1 is worst.
const CLASSTYPES: &[(&str, u8)] = &[
    ("reentrancy", 1),
    ("flash-loan", 2),
    ("price-manipulation", 1),
    ("access-takeover", 1),
    ("approval-drain", 1),
    ("governance", 1),
    ("attack-contract", 2),
    ("bridge", 1),
    ("policy", 3),
    ("other", 3),
];

const RULE_KEYS: &[&str] = &[
    "sid",
    "rev",
    "msg",
    "classtype",
    "severity",
    "weight",
    "enabled",
    "reference",
    "metadata",
    "match",
];
/// `None` after an error was reported.
pub(super) fn rule(reader: &mut Reader, node: &Node, file: &Arc<str>) -> Option<Rule> {
    // The sid comes first, so that every other diagnostic of the rule names it.
    if let Value::Map(entries) = &node.value
        && let Some((_, sid)) = entries.iter().find(|(key, _)| key.scalar() == Some("sid"))
    {
        reader.sid = sid.scalar().and_then(|text| text.parse().ok());
    }
    let errors_before = reader.lints.errors();
    let fields = reader.fields(node, "a rule", RULE_KEYS)?;
    let sid = required(
        reader,
        node,
        &fields,
        "sid",
        "a number of your own, below 1000000",
    )
    .and_then(|n| reader.number(n, "sid", 1..=u32::MAX));
    let msg = required(
        reader,
        node,
        &fields,
        "msg",
        "one line that says what was seen",
    )
    .and_then(|n| reader.value(n, "msg", message));
    let classtype = required(reader, node, &fields, "classtype", "the class of attack")
        .and_then(|n| reader.value(n, "classtype", classtype));
    let weight = required(
        reader,
        node,
        &fields,
        "weight",
        "0 to 1: how likely a match is an attack",
    )
    .and_then(|n| reader.value(n, "weight", weight));
    let matched = required(reader, node, &fields, "match", "the condition to look for");
    let condition = matched.and_then(|n| condition::condition(reader, n));
    let rev = fields
        .get("rev")
        .map_or(Some(1), |n| reader.number(n, "rev", 1..=u32::MAX));
    let severity = fields.get("severity").map_or(Some(None), |n| {
        reader.number(n, "severity", 1..=4).map(Some)
    });
    let enabled = fields
        .get("enabled")
        .map_or(Some(true), |n| reader.boolean(n, "enabled"));
    let reference = fields
        .get("reference")
        .map_or_else(Vec::new, |n| references(reader, n));
    let metadata = fields
        .get("metadata")
        .map_or_else(BTreeMap::new, |n| metadata(reader, n));
    let ((class, usual), condition) = (classtype?, condition?);
    let weight = weight?;
    check(reader, matched?, &condition, weight);
    if reader.lints.errors() > errors_before {
        return None;
    }
    Some(Rule {
        sid: sid?,
        rev: rev?,
        msg: msg?,
        classtype: class.into(),
        severity: severity?.map_or(usual, |s| s as u8),
        weight,
        enabled: enabled?,
        reference,
        metadata,
        file: file.clone(),
        condition,
    })
}

fn check(reader: &mut Reader, at: &Node, condition: &Condition, weight: f32) {
    if let Some(message) = review::contradiction(condition) {
        reader.error(at, message);
    }
    if weight >= ALERTS_ALONE && !review::is_targeted(condition) {
        reader.warning(
            at,
            format!("weight {weight} alerts by itself on anyone's traffic; add `touches: monitored` or lower the weight"),
        );
    }
}

pub(super) fn required<'n>(
    reader: &mut Reader,
    node: &Node,
    fields: &Fields<'n>,
    key: &str,
    hint: &str,
) -> Option<&'n Node> {
    let found = fields.get(key);
    if found.is_none() {
        reader.error(node, format!("the rule has no '{key}'; add {hint}"));
    }
    found
}

pub(super) fn message(text: &str) -> Result<Arc<str>, String> {
    let text = text.trim();
    match text.chars().count() {
        1..=200 if !text.contains(char::is_control) => Ok(text.into()),
        _ => Err("write one line of 1 to 200 characters".to_owned()),
    }
}

fn classtype(text: &str) -> Result<(&'static str, u8), String> {
    let known: Vec<(&str, (&'static str, u8))> = CLASSTYPES.iter().map(|c| (c.0, *c)).collect();
    fields::one_of(text, &known)
        .map_err(|message| message.replacen("unknown value", "unknown classtype", 1))
}

pub(super) fn weight(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(weight) if (0.0..=1.0).contains(&weight) => Ok(weight),
        _ => Err(format!("'{text}' is no number from 0 to 1")),
    }
}

pub(super) fn references(reader: &mut Reader, node: &Node) -> Vec<String> {
    let parse = |text: &str| match text.len() {
        1..=500 => Ok(text.to_owned()),
        _ => Err("a reference has 1 to 500 characters".to_owned()),
    };
    node.items()
        .iter()
        .take(64)
        .filter_map(|item| reader.value(item, "reference", parse))
        .collect()
}

fn metadata(reader: &mut Reader, node: &Node) -> BTreeMap<String, String> {
    let Value::Map(entries) = &node.value else {
        reader.error(
            node,
            format!(
                "'metadata' needs a mapping of names to texts, not {}",
                node.kind()
            ),
        );
        return BTreeMap::new();
    };
    let mut metadata = BTreeMap::new();
    for (key, value) in entries.iter().take(64) {
        if let (Some(key), Some(value)) =
            (reader.text(key, "metadata"), reader.text(value, "metadata"))
        {
            metadata.insert(
                key.chars().take(100).collect(),
                value.chars().take(500).collect(),
            );
        }
    }
    metadata
}
