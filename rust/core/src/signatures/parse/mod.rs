//! A rule file: from text to rules, thresholds and suppressions, with every diagnostic on the way.

mod condition;
mod fields;
mod value;

use super::condition::Condition;
use super::lint::Lints;
use super::threshold::{Suppression, Threshold, Track, Type};
use super::yaml::{self, Node, Value};
use fields::{Fields, MAX_ITEMS, Reader};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Rules in all files together.
pub(super) const MAX_RULES: usize = 10_000;
/// Sids of the pack that is compiled in.
pub(super) const BUILTIN_SIDS: std::ops::RangeInclusive<u32> = 1_000_000..=1_099_999;
/// Detections are made at this score by default.
const ALERTS_ALONE: f32 = 0.7;

/// Classes of attacks and the severity a rule has if it does not say: 1 is worst.
pub(super) const CLASSTYPES: &[(&str, u8)] = &[
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

#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub sid: u32,
    pub rev: u32,
    pub msg: Arc<str>,
    pub classtype: Arc<str>,
    pub severity: u8,
    pub weight: f32,
    pub enabled: bool,
    pub reference: Vec<String>,
    pub metadata: BTreeMap<String, String>,
    pub file: Arc<str>,
    pub condition: Condition,
}

/// Something said of a rule that may stand in another file.
#[derive(Debug)]
pub(super) struct Named<T> {
    pub sid: u32,
    pub line: u32,
    pub file: Arc<str>,
    pub what: T,
}

/// What the files hold, before they are checked against each other.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// With their lines.
    pub rules: Vec<(u32, Rule)>,
    pub thresholds: Vec<Named<Threshold>>,
    pub suppressions: Vec<Named<Suppression>>,
    pub disabled: Vec<Named<()>>,
}

const FILE_KEYS: &[&str] = &["vars", "rules", "thresholds", "suppress", "disable"];
const RULE_KEYS: &[&str] = &[
    "sid", "rev", "msg", "classtype", "severity", "weight", "enabled", "reference", "metadata", "match",
];
const THRESHOLD_KEYS: &[&str] = &["sid", "type", "track", "count", "seconds"];
const SUPPRESS_KEYS: &[&str] = &["sid", "track", "addresses"];

/// Reads one file's text into `parsed`; what is wrong goes to `lints`.
pub(super) fn file(name: &Arc<str>, text: &str, parsed: &mut Parsed, lints: &mut Lints) {
    let root = match yaml::parse(text) {
        Ok(root) => root,
        Err((line, message)) => {
            lints.error(line.unwrap_or(0), None, format!("not a rule file: {message}"));
            return;
        }
    };
    if matches!(root.value, Value::Null) {
        lints.warning(0, None, "the file is empty; add `rules:`");
        return;
    }
    let none = HashMap::new();
    let mut reader = Reader { lints, sid: None, vars: &none };
    let Some(fields) = reader.fields(&root, "a rule file", FILE_KEYS) else { return };
    let vars = fields.get("vars").map(|node| variables(&mut reader, node)).unwrap_or_default();
    let mut reader = Reader { lints, sid: None, vars: &vars };
    for node in section(&mut reader, &fields, "rules") {
        if parsed.rules.len() >= MAX_RULES {
            reader.error(node, format!("more than {MAX_RULES} rules in all files; remove some"));
            break;
        }
        reader.sid = None;
        if let Some(rule) = rule(&mut reader, node, name) {
            parsed.rules.push((node.line, rule));
        }
    }
    let named = |sid, node: &Node| Named { sid, line: node.line, file: name.clone(), what: () };
    for node in section(&mut reader, &fields, "thresholds") {
        reader.sid = None;
        if let Some((sid, what)) = threshold(&mut reader, node) {
            parsed.thresholds.push(Named { sid, line: node.line, file: name.clone(), what });
        }
    }
    for node in section(&mut reader, &fields, "suppress") {
        reader.sid = None;
        if let Some((sid, what)) = suppression(&mut reader, node) {
            parsed.suppressions.push(Named { sid, line: node.line, file: name.clone(), what });
        }
    }
    reader.sid = None;
    for node in section(&mut reader, &fields, "disable") {
        if let Some(sid) = reader.number(node, "disable", 1..=u32::MAX) {
            parsed.disabled.push(named(sid, node));
        }
    }
}

/// The items of a file-level list.
fn section<'n>(reader: &mut Reader, fields: &Fields<'n>, key: &str) -> &'n [Node] {
    match fields.get(key) {
        None => &[],
        Some(Node { value: Value::List(items), .. }) => items,
        Some(Node { value: Value::Null, .. }) => &[],
        Some(node) => {
            reader.error(node, format!("'{key}' needs a list, not {}", node.kind()));
            &[]
        }
    }
}

fn variables(reader: &mut Reader, node: &Node) -> HashMap<String, Vec<Node>> {
    let Value::Map(entries) = &node.value else {
        reader.error(node, format!("'vars' needs a mapping of names to lists, not {}", node.kind()));
        return HashMap::new();
    };
    let mut vars = HashMap::new();
    for (key, value) in entries {
        let Some(name) = key.scalar() else {
            reader.error(key, "a variable's name must be a word");
            continue;
        };
        let items = value.items();
        let plain = |n: &Node| n.scalar().is_some_and(|text| !text.starts_with('$'));
        if items.len() > MAX_ITEMS || !items.iter().all(plain) {
            reader.error(value, format!("variable '{name}' must be a list of at most {MAX_ITEMS} single values"));
            continue;
        }
        vars.insert(name.to_owned(), items.to_vec());
    }
    vars
}

fn rule(reader: &mut Reader, node: &Node, file: &Arc<str>) -> Option<Rule> {
    // The sid comes first, so that every other diagnostic of the rule names it.
    if let Value::Map(entries) = &node.value
        && let Some((_, sid)) = entries.iter().find(|(key, _)| key.scalar() == Some("sid"))
    {
        reader.sid = sid.scalar().and_then(|text| text.parse().ok());
    }
    let errors_before = reader.lints.errors();
    let fields = reader.fields(node, "a rule", RULE_KEYS)?;
    let sid = required(reader, node, &fields, "sid", "a number of your own, below 1000000")
        .and_then(|n| reader.number(n, "sid", 1..=u32::MAX));
    let msg = required(reader, node, &fields, "msg", "one line that says what was seen")
        .and_then(|n| reader.value(n, "msg", message));
    let classtype = required(reader, node, &fields, "classtype", "the class of attack")
        .and_then(|n| reader.value(n, "classtype", |text| classtype(text)));
    let weight = required(reader, node, &fields, "weight", "0 to 1: how likely a match is an attack")
        .and_then(|n| reader.value(n, "weight", weight));
    let matched = required(reader, node, &fields, "match", "the condition to look for");
    let condition = matched.and_then(|n| condition::condition(reader, n));
    let rev = fields.get("rev").map_or(Some(1), |n| reader.number(n, "rev", 1..=u32::MAX));
    let severity = fields.get("severity").map_or(Some(None), |n| reader.number(n, "severity", 1..=4).map(Some));
    let enabled = fields.get("enabled").map_or(Some(true), |n| reader.boolean(n, "enabled"));
    let reference = fields.get("reference").map_or_else(Vec::new, |n| references(reader, n));
    let metadata = fields.get("metadata").map_or_else(BTreeMap::new, |n| metadata(reader, n));
    let ((class, usual), condition) = (classtype?, condition?);
    let weight = weight?;
    review(reader, matched?, &condition, weight);
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

/// What is well formed but surely not meant.
fn review(reader: &mut Reader, at: &Node, condition: &Condition, weight: f32) {
    if let Some(message) = condition::contradiction(condition) {
        reader.error(at, message);
    }
    if weight >= ALERTS_ALONE && !condition::is_targeted(condition) {
        reader.warning(
            at,
            format!("weight {weight} alerts by itself on anyone's traffic; add `touches: monitored` or lower the weight"),
        );
    }
}

fn required<'n>(reader: &mut Reader, node: &Node, fields: &Fields<'n>, key: &str, hint: &str) -> Option<&'n Node> {
    let found = fields.get(key);
    if found.is_none() {
        reader.error(node, format!("the rule has no '{key}'; add {hint}"));
    }
    found
}

fn message(text: &str) -> Result<Arc<str>, String> {
    let text = text.trim();
    match text.chars().count() {
        1..=200 if !text.contains(char::is_control) => Ok(text.into()),
        _ => Err("write one line of 1 to 200 characters".to_owned()),
    }
}

fn classtype(text: &str) -> Result<(&'static str, u8), String> {
    let known: Vec<(&str, (&'static str, u8))> = CLASSTYPES.iter().map(|c| (c.0, *c)).collect();
    fields::one_of(text, &known).map_err(|message| message.replacen("unknown value", "unknown classtype", 1))
}

fn weight(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(weight) if (0.0..=1.0).contains(&weight) => Ok(weight),
        _ => Err(format!("'{text}' is no number from 0 to 1")),
    }
}

fn references(reader: &mut Reader, node: &Node) -> Vec<String> {
    let parse = |text: &str| match text.len() {
        1..=500 => Ok(text.to_owned()),
        _ => Err("a reference has 1 to 500 characters".to_owned()),
    };
    node.items().iter().take(64).filter_map(|item| reader.value(item, "reference", parse)).collect()
}

fn metadata(reader: &mut Reader, node: &Node) -> BTreeMap<String, String> {
    let Value::Map(entries) = &node.value else {
        reader.error(node, format!("'metadata' needs a mapping of names to texts, not {}", node.kind()));
        return BTreeMap::new();
    };
    let mut metadata = BTreeMap::new();
    for (key, value) in entries.iter().take(64) {
        if let (Some(key), Some(value)) = (reader.text(key, "metadata"), reader.text(value, "metadata")) {
            metadata.insert(key.chars().take(100).collect(), value.chars().take(500).collect());
        }
    }
    metadata
}

fn section_sid(reader: &mut Reader, node: &Node, fields: &Fields) -> Option<u32> {
    let Some(sid) = fields.get("sid") else {
        reader.error(node, "it has no 'sid'; name the rule it is for");
        return None;
    };
    let sid = reader.number(sid, "sid", 1..=u32::MAX)?;
    reader.sid = Some(sid);
    Some(sid)
}

fn threshold(reader: &mut Reader, node: &Node) -> Option<(u32, Threshold)> {
    let fields = reader.fields(node, "a threshold", THRESHOLD_KEYS)?;
    let sid = section_sid(reader, node, &fields)?;
    for key in &THRESHOLD_KEYS[1..] {
        if fields.get(key).is_none() {
            reader.error(node, format!("the threshold has no '{key}'; it needs {}", THRESHOLD_KEYS.join(", ")));
        }
    }
    let types = [("limit", Type::Limit), ("threshold", Type::Threshold), ("both", Type::Both)];
    let tracks = [("by_src", Track::Source), ("by_dst", Track::Destination), ("by_rule", Track::Rule)];
    let kind = reader.choice(fields.get("type")?, "type", &types);
    let track = reader.choice(fields.get("track")?, "track", &tracks);
    let count = reader.number(fields.get("count")?, "count", 1..=1_000_000);
    let seconds = reader.number(fields.get("seconds")?, "seconds", 1..=31_536_000);
    Some((sid, Threshold { kind: kind?, track: track?, count: count?, window_ms: u64::from(seconds?) * 1_000 }))
}

fn suppression(reader: &mut Reader, node: &Node) -> Option<(u32, Suppression)> {
    let fields = reader.fields(node, "a suppression", SUPPRESS_KEYS)?;
    let sid = section_sid(reader, node, &fields)?;
    match (fields.get("track"), fields.get("addresses")) {
        (None, None) => Some((sid, Suppression::Everyone)),
        (Some(track), Some(addresses)) => {
            let by_source = reader.choice(track, "track", &[("by_src", true), ("by_dst", false)]);
            let mut addresses = reader.list(addresses, "addresses", value::address)?;
            addresses.sort_unstable();
            Some((sid, if by_source? { Suppression::Sources(addresses) } else { Suppression::Destinations(addresses) }))
        }
        _ => {
            reader.error(node, "'track' and 'addresses' go together; leave both out to mute the rule everywhere");
            None
        }
    }
}
