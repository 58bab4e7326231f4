//! The called function and its arguments as text, for people. Slow path: only detections get here.

use super::{Decoded, Decoder, Method};
use crate::tx::PendingTransaction;
use alloy_dyn_abi::{DynSolValue, JsonAbiExt};
use alloy_primitives::hex;
use std::fmt;
use std::fmt::Write;

/// Arguments, or words where the arguments cannot be read.
const MAX_ARGUMENTS: usize = 32;
const MAX_WORDS: usize = 16;
/// Characters of one value; longer ones end in "…".
const MAX_VALUE: usize = 256;
const MAX_NAME: usize = 64;
/// Calldata longer than this is described by its words: geth's pool takes no transaction above 128 KiB.
const MAX_DECODED: usize = 128 << 10;

/// For people: the function and its arguments as text, bounded in length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Description {
    /// Canonical signature, where the selector is known, even if the arguments do not fit it.
    pub function: Option<String>,
    /// (name or position, type, value)
    pub arguments: Vec<(String, String, String)>,
}

impl Decoder {
    /// Slow path, for a detection's evidence.
    pub fn describe(&self, tx: &PendingTransaction) -> Description {
        let Some(callee) = &tx.to else {
            return Description::default();
        };
        let Some((selector, arguments)) = tx.input.split_first_chunk::<4>() else {
            return Description::default();
        };
        let Some((function, _)) = self.function(callee, *selector) else {
            return Description {
                function: None,
                arguments: words(arguments),
            };
        };
        let signature = bounded(&function.declaration.signature(), 4 * MAX_VALUE);
        // The walker first: it refuses in bounded work what would make the generic decoder allocate without bound.
        let mut decoded = Decoded::default();
        self.decode(tx, &mut decoded);
        let fits = decoded.method != Method::WordScan && tx.input.len() <= MAX_DECODED;
        let values = fits
            .then(|| function.declaration.abi_decode_input(arguments).ok())
            .flatten();
        let arguments = values.map_or_else(
            || words(arguments),
            |values| {
                let inputs = function
                    .declaration
                    .inputs
                    .iter()
                    .zip(&values)
                    .enumerate()
                    .take(MAX_ARGUMENTS);
                inputs
                    .map(|(position, (input, value))| {
                        let name = if input.name.is_empty() {
                            position.to_string()
                        } else {
                            bounded(&input.name, MAX_NAME)
                        };
                        (
                            name,
                            bounded(&input.selector_type(), MAX_VALUE),
                            text(value),
                        )
                    })
                    .collect()
            },
        );
        Description {
            function: Some(signature),
            arguments,
        }
    }
}

fn words(arguments: &[u8]) -> Vec<(String, String, String)> {
    let chunks = arguments.chunks(32).take(MAX_WORDS).enumerate();
    chunks
        .map(|(i, w)| {
            (
                i.to_string(),
                "bytes32".to_owned(),
                format!("0x{}", hex::encode(w)),
            )
        })
        .collect()
}

fn text(value: &DynSolValue) -> String {
    let mut out = Bounded {
        text: String::new(),
        left: MAX_VALUE,
    };
    // The only error is the bound's.
    if write_value(&mut out, value).is_err() {
        out.text.push('…');
    }
    out.text
}

fn write_value(out: &mut Bounded, value: &DynSolValue) -> fmt::Result {
    match value {
        DynSolValue::Bool(v) => write!(out, "{v}"),
        DynSolValue::Int(v, _) => write!(out, "{v}"),
        DynSolValue::Uint(v, _) => write!(out, "{v}"),
        DynSolValue::FixedBytes(v, n) => write_hex(out, v.get(..*n).unwrap_or(&v[..])),
        DynSolValue::Address(v) => write_hex(out, v.as_slice()),
        DynSolValue::Function(v) => write_hex(out, v.as_slice()),
        DynSolValue::Bytes(v) => write_hex(out, v),
        // Escaped: the text comes from a stranger and goes to a terminal and to logs.
        DynSolValue::String(v) => v
            .chars()
            .flat_map(char::escape_debug)
            .try_for_each(|c| out.write_char(c)),
        DynSolValue::Array(values) | DynSolValue::FixedArray(values) => {
            write_list(out, '[', values, ']')
        }
        DynSolValue::Tuple(values) => write_list(out, '(', values, ')'),
    }
}

fn write_list(out: &mut Bounded, open: char, values: &[DynSolValue], close: char) -> fmt::Result {
    out.write_char(open)?;
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            out.write_str(", ")?;
        }
        write_value(out, value)?;
    }
    out.write_char(close)
}

fn write_hex(out: &mut Bounded, bytes: &[u8]) -> fmt::Result {
    out.write_str("0x")?;
    bytes.iter().try_for_each(|b| write!(out, "{b:02x}"))
}

fn bounded(text: &str, limit: usize) -> String {
    let mut out = Bounded {
        text: String::new(),
        left: limit,
    };
    if out.write_str(text).is_err() {
        out.text.push('…');
    }
    out.text
}

/// Refuses what exceeds its characters, so that writing a huge value stops at the bound.
struct Bounded {
    text: String,
    left: usize,
}

impl Write for Bounded {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        s.chars().try_for_each(|c| self.write_char(c))
    }

    fn write_char(&mut self, c: char) -> fmt::Result {
        self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
        self.text.push(c);
        Ok(())
    }
}
