//! Writes the tree as geth's `callTracer` does.

use super::{Frame, FrameLog, Trace};
use alloy_primitives::U256;
use std::fmt;
use std::fmt::Write;

impl Trace {
    /// Writes a `callTracer` tree; `logs`: with logs.
    pub fn to_json(&self, logs: bool) -> String {
        let mut out = String::new();
        let mut open: Vec<u16> = Vec::new();
        for (index, frame) in self.frames.iter().enumerate() {
            while open.last().is_some_and(|depth| *depth >= frame.depth) {
                open.pop();
                out.push_str("]}");
            }
            if index > 0 && !out.ends_with('[') {
                out.push(',');
            }
            head(&mut out, frame, logs);
            let parents = self
                .frames
                .get(index + 1)
                .is_some_and(|next| next.depth > frame.depth);
            if parents {
                out.push_str(r#","calls":["#);
                open.push(frame.depth);
            } else {
                out.push('}');
            }
        }
        open.iter().for_each(|_| out.push_str("]}"));
        out
    }
}

/// Writes a frame without its calls and without its end.
fn head(out: &mut String, frame: &Frame, logs: bool) {
    let write = |out: &mut String| -> fmt::Result {
        write!(
            out,
            r#"{{"type":"{}","from":"{:#x}","gas":"{:#x}","gasUsed":"{:#x}","input":"{}""#,
            frame.kind.name(),
            frame.from,
            frame.gas,
            frame.gas_used,
            frame.input
        )?;
        if let Some(to) = frame.to {
            write!(out, r#","to":"{to:#x}""#)?;
        }
        if let Some(value) = frame.value {
            write!(out, r#","value":"{value:#x}""#)?;
        }
        if !frame.output.is_empty() {
            write!(out, r#","output":"{}""#, frame.output)?;
        }
        if let Some(error) = &frame.error {
            write!(out, r#","error":{}"#, serde_json::json!(error))?;
        }
        if let Some(reason) = revert_reason(frame) {
            write!(out, r#","revertReason":{}"#, serde_json::json!(reason))?;
        }
        if logs && !frame.logs.is_empty() {
            let logs: Vec<_> = frame.logs.iter().map(log).collect();
            write!(out, r#","logs":{}"#, serde_json::json!(logs))?;
        }
        Ok(())
    };
    write(out).expect("a string takes everything");
}

fn log(log: &FrameLog) -> serde_json::Value {
    serde_json::json!({
        "address": log.address, "topics": log.topics, "data": log.data,
        "index": format!("{:#x}", log.index), "position": format!("{:#x}", log.position),
    })
}

/// The text of `revert("…")`, as Solidity encodes it.
fn revert_reason(frame: &Frame) -> Option<String> {
    const ERROR: [u8; 4] = [0x08, 0xc3, 0x79, 0xa0];
    if frame.error.as_deref() != Some("execution reverted") {
        return None;
    }
    let body = frame.output.strip_prefix(&ERROR)?;
    let word = |at: usize| {
        let word = body.get(at..at.checked_add(32)?)?;
        usize::try_from(U256::from_be_slice(word)).ok()
    };
    let start = word(0)?;
    let length = word(start)?;
    let text = start.checked_add(32)?;
    let text = body.get(text..text.checked_add(length)?)?;
    std::str::from_utf8(text).ok().map(str::to_owned)
}
