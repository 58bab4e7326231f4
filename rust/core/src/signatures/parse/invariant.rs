//! One invariant: `never: sharePrice() drop > 0.1 %`.

use super::fields::{Fields, Reader};
use super::rule::{message, references, required, weight};
use super::value;
use crate::signatures::invariant::{Compare, Invariant, Tolerance};
use crate::signatures::yaml::{Node, Value};
use alloy_dyn_abi::{DynSolType, DynSolValue};
use alloy_json_abi::Function;
use alloy_primitives::Bytes;
use std::sync::Arc;

/// What a sentence may hold.
const MAX_SENTENCE: usize = 1_024;
const MAX_ARGUMENTS: usize = 16;

const KEYS: &[&str] = &[
    "sid",
    "msg",
    "contract",
    "never",
    "weight",
    "severity",
    "reference",
    "enabled",
];

/// `None` after an error was reported.
pub(super) fn invariant(reader: &mut Reader, node: &Node, file: &Arc<str>) -> Option<Invariant> {
    // The sid comes first, so that every other diagnostic names it.
    if let Value::Map(entries) = &node.value
        && let Some((_, sid)) = entries.iter().find(|(key, _)| key.scalar() == Some("sid"))
    {
        reader.sid = sid.scalar().and_then(|text| text.parse().ok());
    }
    let errors_before = reader.lints.errors();
    let fields = reader.fields(node, "an invariant", KEYS)?;
    let mut need = |key: &str, hint: &str| required(reader, node, &fields, key, hint);
    let sid = need("sid", "a number that no rule has either");
    let msg = need("msg", "one line that says what was seen");
    let never = need(
        "never",
        "what may not happen, like 'sharePrice() drop > 0.1 %'",
    );
    let likely = need("weight", "0 to 1: how likely it is an attack");
    let sid = reader.number(sid?, "sid", 1..=u32::MAX);
    let msg = reader.value(msg?, "msg", message);
    let sentence = reader.value(never?, "never", sentence);
    let weight = reader.value(likely?, "weight", weight);
    let (severity, enabled) = (severity(reader, &fields), enabled(reader, &fields));
    let contract = fields
        .get("contract")
        .map(|n| reader.value(n, "contract", contract));
    let reference = fields.get("reference").map(|n| references(reader, n));
    let Sentence {
        call,
        data,
        compare,
        threshold,
    } = sentence?;
    if reader.lints.errors() > errors_before {
        return None;
    }
    Some(Invariant {
        sid: sid?,
        msg: msg?,
        contract: contract.flatten(),
        call: call.into(),
        data,
        compare,
        threshold,
        weight: weight?,
        severity: severity?,
        reference: reference.unwrap_or_default(),
        enabled: enabled?,
        file: file.clone(),
    })
}

fn severity(reader: &mut Reader, fields: &Fields) -> Option<u8> {
    match fields.get("severity") {
        None => Some(2),
        Some(node) => Some(reader.number(node, "severity", 1..=4)? as u8),
    }
}

fn enabled(reader: &mut Reader, fields: &Fields) -> Option<bool> {
    let node = fields.get("enabled");
    node.map_or(Some(true), |node| reader.boolean(node, "enabled"))
}

fn contract(text: &str) -> Result<Arc<str>, String> {
    match text.trim() {
        "" => Err("name a monitored contract, or leave the key out for all".to_owned()),
        name => Ok(name.chars().take(100).collect::<String>().into()),
    }
}

struct Sentence {
    call: String,
    data: Bytes,
    compare: Compare,
    threshold: Tolerance,
}

fn sentence(text: &str) -> Result<Sentence, String> {
    if text.len() > MAX_SENTENCE {
        return Err(format!("at most {MAX_SENTENCE} characters"));
    }
    let form = || {
        format!(
            "'{text}' is no sentence like: sharePrice() drop > 0.1 %, totalSupply() rise > 1e24, owed(address 0x…) change > 0"
        )
    };
    let (call, rest) = text.rsplit_once(')').ok_or_else(form)?;
    let call = format!("{})", call.trim());
    let (word, limit) = rest.split_once('>').ok_or_else(form)?;
    let compare = match word.trim() {
        "drop" => Compare::Drop,
        "rise" => Compare::Rise,
        "change" => Compare::Change,
        other => return Err(format!("'{other}' is not one of drop, rise, change")),
    };
    Ok(Sentence {
        data: encode(&call)?,
        call,
        compare,
        threshold: threshold(limit.trim())?,
    })
}

/// `0.1 %` of the answer before, or an amount.
fn threshold(text: &str) -> Result<Tolerance, String> {
    let Some(percent) = text.strip_suffix('%') else {
        return value::amount(text).map(Tolerance::Amount);
    };
    match percent.trim().parse::<f64>() {
        Ok(percent) if percent.is_finite() && percent >= 0.0 => {
            Ok(Tolerance::Share(percent / 100.0))
        }
        _ => Err(format!(
            "'{text}' is no percentage: write for example 0.1 %"
        )),
    }
}

/// Calldata of `name(type value, …)`.
fn encode(call: &str) -> Result<Bytes, String> {
    let (name, arguments) = call
        .strip_suffix(')')
        .and_then(|call| call.split_once('('))
        .ok_or_else(|| format!("'{call}' is no call: write sharePrice()"))?;
    let arguments = split(arguments);
    if arguments.len() > MAX_ARGUMENTS {
        return Err(format!("a call has at most {MAX_ARGUMENTS} arguments here"));
    }
    let typed: Result<Vec<_>, _> = arguments.into_iter().map(argument).collect();
    let (types, values): (Vec<_>, Vec<_>) = typed?.into_iter().unzip();
    let signature = format!("{}({})", name.trim(), types.join(","));
    let function = Function::parse(&signature)
        .map_err(|_| format!("'{signature}' is no function: write its name and arguments"))?;
    let arguments = DynSolValue::Tuple(values).abi_encode_params();
    Ok([&function.selector()[..], &arguments].concat().into())
}

fn argument(text: &str) -> Result<(String, DynSolValue), String> {
    let form =
        || format!("'{text}' is no argument: write its type and its value, like uint256 1e18");
    let (kind, value) = text.split_once(char::is_whitespace).ok_or_else(form)?;
    let parsed = DynSolType::parse(kind).map_err(|_| form())?;
    let value = value.trim();
    let fitting = match (&parsed, value::amount(value)) {
        (DynSolType::Uint(bits), Ok(amount)) if amount.bit_len() <= *bits => {
            DynSolValue::Uint(amount, *bits)
        }
        _ => parsed.coerce_str(value).map_err(|_| form())?,
    };
    Ok((parsed.sol_type_name().into_owned(), fitting))
}

/// At commas that are in no brackets.
fn split(arguments: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let parts = arguments.split(|character| {
        match character {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    });
    parts
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect()
}
