//! Reads the tree as geth's `callTracer` writes it: recorded traces and a node's answers have this form.

use super::nesting::nests_within;
use crate::evidence::trace::{CallKind, Frame, FrameLog, Trace};
use alloy_primitives::{Address, B256, Bytes, U64, hex};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::thread;

/// Frames inside each other, at the most: the EVM allows 1,024 below the transaction's own, and a self-destruction.
const MAX_DEPTH: usize = 1_026;
/// Levels of JSON: two a frame, and its logs.
const MAX_NESTING: usize = 4 * MAX_DEPTH;
/// Frames of one trace, at the most. A transaction of 36 million gas makes some 300,000.
const MAX_FRAMES: usize = 1 << 19;
/// Nested deeper than this, a trace is read on a thread with a stack for it.
const SHALLOW: usize = 128;
/// A level takes some 2 kB of stack.
const STACK: usize = 16 << 20;

/// Why a text is no trace.
#[derive(Debug, thiserror::Error)]
#[error("trace: {0}")]
pub struct TraceError(pub(crate) String);

impl Trace {
    /// Reads a `callTracer` tree, with or without logs.
    ///
    /// # Errors
    /// Where it is no such tree, or beyond what the EVM can produce.
    pub fn from_json(text: &str) -> Result<Self, TraceError> {
        if nests_within(text.as_bytes(), SHALLOW) {
            return read(text);
        }
        if !nests_within(text.as_bytes(), MAX_NESTING) {
            let said = format!("more than {MAX_NESTING} levels of JSON");
            return Err(TraceError(said));
        }
        thread::scope(|scope| {
            let reader = thread::Builder::new().stack_size(STACK);
            let reader = reader
                .spawn_scoped(scope, || read(text))
                .map_err(|error| TraceError(format!("no thread to read it: {error}")))?;
            reader
                .join()
                .unwrap_or_else(|_| Err(TraceError("its reader panicked".into())))
        })
    }
}

fn read(text: &str) -> Result<Trace, TraceError> {
    let mut trace = Trace::default();
    let mut json = serde_json::Deserializer::from_str(text);
    json.disable_recursion_limit();
    let seed = FrameSeed {
        trace: &mut trace,
        parent: 0,
        depth: 0,
    };
    seed.deserialize(&mut json)
        .and_then(|()| json.end())
        .map_err(|error| TraceError(error.to_string()))?;
    Ok(trace)
}

/// Appends a frame and all it made.
struct FrameSeed<'a> {
    trace: &'a mut Trace,
    parent: u32,
    depth: u16,
}

impl<'de> DeserializeSeed<'de> for FrameSeed<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FrameSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a call frame")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self {
            trace,
            parent,
            depth,
        } = self;
        if usize::from(depth) > MAX_DEPTH || trace.frames.len() >= MAX_FRAMES {
            return Err(A::Error::custom("deeper or larger than the EVM allows"));
        }
        let index = trace.frames.len();
        trace.frames.push(Frame {
            depth,
            parent,
            ..Frame::default()
        });
        let mut typed = false;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            let frame = &mut trace.frames[index];
            match key.as_ref() {
                "type" => {
                    let name: Cow<'de, str> = map.next_value()?;
                    let kind = CallKind::ALL.into_iter().find(|kind| kind.name() == name);
                    frame.kind = kind.ok_or_else(|| A::Error::custom("unknown type of call"))?;
                    typed = true;
                }
                "from" => frame.from = map.next_value()?,
                "to" => frame.to = map.next_value()?,
                "value" => frame.value = map.next_value()?,
                "gas" => frame.gas = quantity(&mut map)?,
                "gasUsed" => frame.gas_used = quantity(&mut map)?,
                "input" => frame.input = bytes(&mut map)?,
                "output" => frame.output = bytes(&mut map)?,
                "error" => frame.error = map.next_value::<Option<String>>()?.map(Cow::Owned),
                "logs" => {
                    let logs: Option<Vec<LogJson>> = map.next_value()?;
                    let logs = logs.unwrap_or_default();
                    frame.logs = logs.into_iter().map(Into::into).collect();
                }
                "calls" => map.next_value_seed(CallsSeed {
                    trace: &mut *trace,
                    parent: index as u32,
                    depth: depth + 1,
                })?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if typed {
            Ok(())
        } else {
            Err(A::Error::missing_field("type"))
        }
    }
}

/// `null` is zero.
fn quantity<'de, A: MapAccess<'de>>(map: &mut A) -> Result<u64, A::Error> {
    Ok(map.next_value::<Option<U64>>()?.unwrap_or_default().to())
}

/// With or without a prefix; `""` and `null` are empty.
fn bytes<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Bytes, A::Error> {
    let text: Option<Cow<'de, str>> = map.next_value()?;
    let bytes = hex::decode(text.as_deref().unwrap_or_default());
    bytes.map(Bytes::from).map_err(A::Error::custom)
}

struct CallsSeed<'a> {
    trace: &'a mut Trace,
    parent: u32,
    depth: u16,
}

impl<'de> DeserializeSeed<'de> for CallsSeed<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CallsSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of call frames")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut calls: A) -> Result<(), A::Error> {
        while calls
            .next_element_seed(FrameSeed {
                trace: &mut *self.trace,
                parent: self.parent,
                depth: self.depth,
            })?
            .is_some()
        {}
        Ok(())
    }
}

#[derive(Deserialize)]
struct LogJson {
    address: Address,
    #[serde(default)]
    topics: Vec<B256>,
    #[serde(default)]
    data: Bytes,
    #[serde(default)]
    position: U64,
    #[serde(default)]
    index: U64,
}

impl From<LogJson> for FrameLog {
    fn from(log: LogJson) -> Self {
        Self {
            address: log.address,
            topics: log.topics,
            data: log.data,
            position: log.position.to::<u64>() as u32,
            index: log.index.to::<u64>() as u32,
        }
    }
}
