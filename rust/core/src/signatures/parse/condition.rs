//! `match:` – from YAML to a [`Condition`].

use super::fields::{Reader, one_of};
use super::value;
use crate::decode::Method;
use crate::signatures::condition::{
    CodeTest, Condition, Contact, Range, Set, Test, WordTest, method_bit,
};
use crate::signatures::yaml::{Node, Value};
use alloy_primitives::{Address, U256};

/// Levels of all/any/not.
const MAX_DEPTH: usize = 16;
/// Tests and combinations in one rule.
const MAX_CONDITIONS: usize = 512;

const KEYS: &[&str] = &[
    "all",
    "any",
    "not",
    "selector",
    "function",
    "calls",
    "to",
    "from",
    "mentions",
    "touches",
    "value",
    "gas",
    "nonce",
    "tx_type",
    "calldata_size",
    "word",
    "depth",
    "nested_calls",
    "creation",
    "decoded_by",
    "code",
];
const CODE_KEYS: &[&str] = &[
    "known",
    "size",
    "delegatecall",
    "proxy",
    "call_sites",
    "sload_sites",
    "sstore_sites",
    "selectors",
    "addresses",
    "age",
];
const WORD_KEYS: &[&str] = &["at", "is"];
const WAYS: &[(&str, u8)] = &[
    ("monitored", Contact::ANY),
    ("callee", Contact::CALLEE),
    ("calldata", Contact::CALLDATA),
    ("code", Contact::CODE),
];
const METHODS: &[(&str, Method)] = &[
    ("empty", Method::Empty),
    ("creation", Method::Creation),
    ("abi", Method::Abi),
    ("builtin", Method::Builtin),
    ("word_scan", Method::WordScan),
];

/// `None` after an error was reported.
pub(super) fn condition(reader: &mut Reader, node: &Node) -> Option<Condition> {
    let mut left = MAX_CONDITIONS;
    mapping(reader, node, "match", MAX_DEPTH, &mut left)
}

/// The keys of one mapping all hold.
fn mapping(
    reader: &mut Reader,
    node: &Node,
    what: &str,
    depth: usize,
    left: &mut usize,
) -> Option<Condition> {
    if depth == 0 {
        reader.error(
            node,
            format!("conditions are nested more than {MAX_DEPTH} deep; split the rule"),
        );
        return None;
    }
    let fields = reader.fields(node, what, KEYS)?;
    let Value::Map(entries) = &node.value else {
        return None;
    };
    if entries.is_empty() {
        reader.error(
            node,
            format!("'{what}' is empty and would match every transaction; add a condition"),
        );
        return None;
    }
    let mut sound = fields.0.len() == entries.len();
    let mut parts = Vec::with_capacity(entries.len());
    for (key, _, value) in fields.0 {
        let Some(rest) = left.checked_sub(1) else {
            reader.error(
                value,
                format!("a rule has at most {MAX_CONDITIONS} conditions; split it"),
            );
            return None;
        };
        *left = rest;
        match one(reader, key, value, depth, left) {
            Some(part) => parts.push(part),
            None => sound = false,
        }
    }
    sound.then(|| Condition::all(parts))
}

fn one(
    reader: &mut Reader,
    key: &str,
    node: &Node,
    depth: usize,
    left: &mut usize,
) -> Option<Condition> {
    let test = match key {
        "all" => return Some(Condition::all(list(reader, node, "all", depth, left)?)),
        "any" => return Some(Condition::Any(list(reader, node, "any", depth, left)?)),
        "not" => {
            return Some(Condition::Not(Box::new(mapping(
                reader,
                node,
                "not",
                depth - 1,
                left,
            )?)));
        }
        "code" => return code(reader, node),
        "to" => {
            return addresses(
                reader,
                node,
                key,
                &[("monitored", Test::ToMonitored)],
                Test::To,
            );
        }
        "from" => {
            return addresses(
                reader,
                node,
                key,
                &[("monitored", Test::FromMonitored)],
                Test::From,
            );
        }
        "touches" => touches(reader, node)?,
        "word" => word(reader, node)?,
        "selector" => Test::Selector(Set::new(reader.list(node, key, value::selector)?)),
        "function" => Test::Selector(Set::new(reader.list(node, key, value::function)?)),
        "calls" => Test::Calls(Set::new(reader.list(
            node,
            key,
            value::function_or_selector,
        )?)),
        "mentions" => Test::Mentions(Set::new(reader.list(node, key, value::address)?)),
        "value" => Test::Value(reader.value(node, key, value::comparison)?),
        "gas" => Test::Gas(reader.value(node, key, value::comparison_u64)?),
        "nonce" => Test::Nonce(reader.value(node, key, value::comparison_u64)?),
        "tx_type" => Test::TxType(reader.value(node, key, value::comparison_u64)?),
        "calldata_size" => Test::CalldataSize(reader.value(node, key, value::comparison_u64)?),
        "depth" => Test::Depth(reader.value(node, key, value::comparison_u64)?),
        "nested_calls" => Test::NestedCalls(reader.value(node, key, value::comparison_u64)?),
        "creation" => Test::Creation(reader.boolean(node, key)?),
        _ => {
            let methods = reader.list(node, key, |text| one_of(text, METHODS))?;
            Test::DecodedBy(
                methods
                    .into_iter()
                    .fold(0, |bits, method| bits | method_bit(method)),
            )
        }
    };
    Some(Condition::Test(test))
}

/// The list under `all` or `any`.
fn list(
    reader: &mut Reader,
    node: &Node,
    key: &str,
    depth: usize,
    left: &mut usize,
) -> Option<Vec<Condition>> {
    let Value::List(items) = &node.value else {
        reader.error(
            node,
            format!("'{key}' needs a list of conditions, not {}", node.kind()),
        );
        return None;
    };
    if items.is_empty() {
        let effect = if key == "any" {
            "can never hold"
        } else {
            "always holds"
        };
        reader.error(
            node,
            format!("'{key}' is empty and {effect}; add a condition or remove it"),
        );
        return None;
    }
    let parts: Vec<_> = items
        .iter()
        .map(|item| mapping(reader, item, key, depth - 1, left))
        .collect();
    parts.into_iter().collect()
}

/// Addresses, words that stand for some (`monitored`), or both.
fn addresses(
    reader: &mut Reader,
    node: &Node,
    key: &str,
    words: &[(&str, Test)],
    among: fn(Set<Address>) -> Test,
) -> Option<Condition> {
    let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
    let given = reader.list(node, key, |text| {
        match words.iter().find(|(name, _)| *name == text) {
            Some((_, test)) => Ok(Err(test.clone())),
            None => value::address(text)
                .map(Ok)
                .map_err(|message| format!("{message}; or write {}", names.join(", "))),
        }
    })?;
    let mut listed = Vec::new();
    let mut either = Vec::new();
    for item in given {
        match item {
            Ok(address) => listed.push(address),
            Err(test) => either.push(Condition::Test(test)),
        }
    }
    if !listed.is_empty() {
        either.push(Condition::Test(among(Set::new(listed))));
    }
    match either.len() {
        1 => either.pop(),
        _ => Some(Condition::Any(either)),
    }
}

fn touches(reader: &mut Reader, node: &Node) -> Option<Test> {
    if node.scalar() == Some("none") {
        return Some(Test::TouchesNone);
    }
    let mut choices = WAYS.to_vec();
    choices.push(("none", 0));
    let ways = reader.list(node, "touches", |text| one_of(text, &choices))?;
    if ways.contains(&0) {
        reader.error(
            node,
            "touches: 'none' stands alone; use `any:` to combine it",
        );
        return None;
    }
    Some(Test::Touches(
        ways.into_iter().fold(0, |bits, way| bits | way),
    ))
}

fn word(reader: &mut Reader, node: &Node) -> Option<Test> {
    let fields = reader.fields(node, "word", WORD_KEYS)?;
    let at = match fields.get("at") {
        Some(at) => Some(reader.number(at, "at", 0..=65_535)? as usize),
        None => None,
    };
    let Some(is) = fields.get("is") else {
        reader.error(
            node,
            "'word' needs 'is': a comparison, an address, sender, callee, monitored or max_uint",
        );
        return None;
    };
    let is = reader.list(is, "is", word_test)?;
    Some(Test::Word { at, is })
}

fn word_test(text: &str) -> Result<WordTest, String> {
    match text.trim() {
        "sender" => Ok(WordTest::Sender),
        "callee" => Ok(WordTest::Callee),
        "monitored" => Ok(WordTest::Monitored),
        "max_uint" => Ok(WordTest::MaxUint),
        // An address is a number too, but one with a checksum.
        other if other.len() == 42 && other.starts_with("0x") => {
            value::address(other).map(|address| {
                let number = U256::from_be_slice(address.as_slice());
                WordTest::Range(Range {
                    min: number,
                    max: number,
                })
            })
        }
        other => value::comparison(other)
            .map(WordTest::Range)
            .map_err(|message| format!("{message}; or sender, callee, monitored, max_uint")),
    }
}

fn code(reader: &mut Reader, node: &Node) -> Option<Condition> {
    let fields = reader.fields(node, "code", CODE_KEYS)?;
    let Value::Map(entries) = &node.value else {
        return None;
    };
    if entries.is_empty() {
        reader.error(
            node,
            "'code' is empty; write `code: {known: true}` for any known code",
        );
        return None;
    }
    let mut sound = fields.0.len() == entries.len();
    let mut parts = Vec::with_capacity(entries.len());
    for (key, _, value) in fields.0 {
        match code_test(reader, key, value) {
            Some(part) => parts.push(part),
            None => sound = false,
        }
    }
    sound.then(|| Condition::all(parts))
}

fn code_test(reader: &mut Reader, key: &str, node: &Node) -> Option<Condition> {
    let test = match key {
        "known" => return Some(Condition::Test(Test::CodeKnown(reader.boolean(node, key)?))),
        "addresses" => {
            let words = [
                ("monitored", Test::Touches(Contact::CODE)),
                ("sender", Test::CodeHoldsSender),
            ];
            return addresses(reader, node, key, &words, |set| {
                Test::Code(CodeTest::Addresses(set))
            });
        }
        "selectors" => CodeTest::Selectors(Set::new(reader.list(
            node,
            key,
            value::function_or_selector,
        )?)),
        "delegatecall" => CodeTest::Delegatecall(reader.boolean(node, key)?),
        "proxy" => CodeTest::Proxy(reader.boolean(node, key)?),
        "size" => CodeTest::Size(reader.value(node, key, value::comparison_u64)?),
        "call_sites" => CodeTest::CallSites(reader.value(node, key, value::comparison_u64)?),
        "sload_sites" => CodeTest::SloadSites(reader.value(node, key, value::comparison_u64)?),
        "sstore_sites" => CodeTest::SstoreSites(reader.value(node, key, value::comparison_u64)?),
        _ => CodeTest::Age(reader.value(node, key, value::comparison_u64)?),
    };
    Some(Condition::Test(Test::Code(test)))
}
