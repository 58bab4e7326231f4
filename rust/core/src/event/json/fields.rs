//! What several events have, and what is written as text: JSON has no integers of 256 bits.

use super::SCHEMA_VERSION;
use crate::evidence::transfers::Asset;
use alloy_primitives::{Address, B256, I256, U256, hex};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct ChainId(#[schemars(range(min = 1))] pub u64);

/// The sensor's name.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Sensor<'a>(#[schemars(length(min = 1))] pub &'a str);

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline, extend("const" = SCHEMA_VERSION))]
pub struct Version(u32);

impl Default for Version {
    fn default() -> Self {
        Self(SCHEMA_VERSION)
    }
}

/// What is written as text.
pub trait Written {
    /// Of its definition in the schema.
    const NAME: &'static str;
    const PATTERN: &'static str;
    fn text(&self) -> String;
}

/// `T` as its text.
#[derive(Debug)]
pub struct Text<T>(pub T);

impl<T: Written> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.text())
    }
}

impl<T: Written> JsonSchema for Text<T> {
    fn schema_name() -> Cow<'static, str> {
        T::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": T::PATTERN})
    }
}

/// Unix microseconds, written by RFC 3339 in UTC. A recorded time can be anything; the format ends with the year 9999.
#[derive(Debug)]
pub struct Timestamp(pub u64);

/// One definition a type: its name in the schema, its pattern, and how it is written.
macro_rules! written {
    ($($type:ty: $name:literal $pattern:literal |$value:ident| $text:expr;)*) => {$(
        impl Written for $type {
            const NAME: &'static str = $name;
            const PATTERN: &'static str = $pattern;
            fn text(&self) -> String {
                let $value = self;
                $text
            }
        }
    )*};
}

written! {
    B256: "hash" "^0x[0-9a-f]{64}$" |hash| hex::encode_prefixed(hash);
    Address: "address" "^0x[0-9a-f]{40}$" |address| hex::encode_prefixed(address);
    [u8; 4]: "selector" "^0x[0-9a-f]{8}$" |selector| hex::encode_prefixed(selector);
    &[u8]: "bytes" "^0x([0-9a-f]{2})*$" |bytes| hex::encode_prefixed(bytes);
    U256: "uint256" "^(0|[1-9][0-9]{0,77})$" |number| number.to_string();
    I256: "int256" "^(0|-?[1-9][0-9]{0,76})$" |number| number.to_string();
    Asset: "asset" "^(native|0x[0-9a-f]{40})$" |asset| match asset {
        Asset::Native => "native".into(),
        Asset::Token(token) | Asset::Unique(token, _) => token.text(),
    };
    Timestamp: "timestamp" r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$" |at| {
        const LAST: u64 = 253_402_300_799_999_999;
        let at = UNIX_EPOCH + Duration::from_micros(at.0.min(LAST));
        humantime::format_rfc3339_micros(at).to_string()
    };
}
