//! A rule file: from text to rules, thresholds and suppressions, with every diagnostic on the way.

mod condition;
mod fields;
mod invariant;
mod review;
mod rule;
mod tuning;
mod value;

use super::condition::Condition;
use super::invariant::Invariant;
use super::lint::Lints;
use super::threshold::{Suppression, Threshold};
use super::yaml;
use super::yaml::{Node, Value};
use fields::{Fields, MAX_ITEMS, Reader};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Rules in all files together.
pub(super) const MAX_RULES: usize = 10_000;
/// Invariants in all files together: each is two executions of a view for each monitored contract.
pub(super) const MAX_INVARIANTS: usize = 100;
/// Sids of the pack that is compiled in.
pub(super) const BUILTIN_SIDS: std::ops::RangeInclusive<u32> = 1_000_000..=1_099_999;
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
    pub invariants: Vec<(u32, Invariant)>,
    pub thresholds: Vec<Named<Threshold>>,
    pub suppressions: Vec<Named<Suppression>>,
    pub disabled: Vec<Named<()>>,
}

const FILE_KEYS: &[&str] = &[
    "vars",
    "rules",
    "invariants",
    "thresholds",
    "suppress",
    "disable",
];
/// Reads one file's text into `parsed`; what is wrong goes to `lints`.
pub(super) fn file(name: &Arc<str>, text: &str, parsed: &mut Parsed, lints: &mut Lints) {
    let root = match yaml::parse(text) {
        Ok(root) => root,
        Err((line, message)) => {
            lints.error(
                line.unwrap_or(0),
                None,
                format!("not a rule file: {message}"),
            );
            return;
        }
    };
    if matches!(root.value, Value::Null) {
        lints.warning(0, None, "the file is empty; add `rules:`");
        return;
    }
    let none = HashMap::new();
    let mut reader = Reader {
        lints,
        sid: None,
        vars: &none,
    };
    let Some(fields) = reader.fields(&root, "a rule file", FILE_KEYS) else {
        return;
    };
    let vars = fields
        .get("vars")
        .map(|node| variables(&mut reader, node))
        .unwrap_or_default();
    let mut reader = Reader {
        lints,
        sid: None,
        vars: &vars,
    };
    for node in section(&mut reader, &fields, "rules") {
        if parsed.rules.len() >= MAX_RULES {
            reader.error(
                node,
                format!("more than {MAX_RULES} rules in all files; remove some"),
            );
            break;
        }
        reader.sid = None;
        if let Some(rule) = rule::rule(&mut reader, node, name) {
            parsed.rules.push((node.line, rule));
        }
    }
    for node in section(&mut reader, &fields, "invariants") {
        if parsed.invariants.len() >= MAX_INVARIANTS {
            reader.error(
                node,
                format!("more than {MAX_INVARIANTS} invariants in all files; remove some"),
            );
            break;
        }
        reader.sid = None;
        if let Some(invariant) = invariant::invariant(&mut reader, node, name) {
            parsed.invariants.push((node.line, invariant));
        }
    }
    let named = |sid, node: &Node| Named {
        sid,
        line: node.line,
        file: name.clone(),
        what: (),
    };
    for node in section(&mut reader, &fields, "thresholds") {
        reader.sid = None;
        if let Some((sid, what)) = tuning::threshold(&mut reader, node) {
            parsed.thresholds.push(Named {
                sid,
                line: node.line,
                file: name.clone(),
                what,
            });
        }
    }
    for node in section(&mut reader, &fields, "suppress") {
        reader.sid = None;
        if let Some((sid, what)) = tuning::suppression(&mut reader, node) {
            parsed.suppressions.push(Named {
                sid,
                line: node.line,
                file: name.clone(),
                what,
            });
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
        Some(Node {
            value: Value::List(items),
            ..
        }) => items,
        Some(Node {
            value: Value::Null, ..
        }) => &[],
        Some(node) => {
            reader.error(node, format!("'{key}' needs a list, not {}", node.kind()));
            &[]
        }
    }
}

fn variables(reader: &mut Reader, node: &Node) -> HashMap<String, Vec<Node>> {
    let Value::Map(entries) = &node.value else {
        reader.error(
            node,
            format!(
                "'vars' needs a mapping of names to lists, not {}",
                node.kind()
            ),
        );
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
            reader.error(
                value,
                format!("variable '{name}' must be a list of at most {MAX_ITEMS} single values"),
            );
            continue;
        }
        vars.insert(name.to_owned(), items.to_vec());
    }
    vars
}
