//! The JSON-RPC around a transaction object.

use super::fields::Field;
use super::key::Key;
use super::skip::Skip;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, Visitor};
use std::fmt;

/// `{"method": "eth_subscription", "params": {"result": …}}`, other keys skipped. The result is read by `seed`, which fills
/// its target in place: moving it out through every level would cost more than parsing it.
pub(super) struct Notification<S> {
    pub(super) seed: Option<S>,
    pub(super) is_subscription: bool,
}

impl<S> Notification<S> {
    pub(super) fn new(seed: S) -> Self {
        Self {
            seed: Some(seed),
            is_subscription: false,
        }
    }

    /// Whether `params.result` was there.
    pub(super) fn has_result(&self) -> bool {
        self.seed.is_none()
    }
}

impl<'de, S: DeserializeSeed<'de, Value = ()>> DeserializeSeed<'de> for &mut Notification<S> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: DeserializeSeed<'de, Value = ()>> Visitor<'de> for &mut Notification<S> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a notification")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut method = Field::Absent;
        let mut has_params = false;
        while let Some(Key(key)) = map.next_key()? {
            match &*key {
                "method" if matches!(method, Field::Absent) => method = map.next_value()?,
                "params" if !has_params => {
                    has_params = true;
                    map.next_value_seed(Params(&mut self.seed))?;
                }
                _ => map.next_value_seed(Skip::ANY)?,
            }
        }
        self.is_subscription = matches!(method, Field::Text(name) if name == "eth_subscription");
        Ok(())
    }
}

struct Params<'s, S>(&'s mut Option<S>);

impl<'de, S: DeserializeSeed<'de, Value = ()>> DeserializeSeed<'de> for Params<'_, S> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: DeserializeSeed<'de, Value = ()>> Visitor<'de> for Params<'_, S> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("params")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = map.next_key()? {
            match self.0.take_if(|_| key == "result") {
                Some(seed) => map.next_value_seed(seed)?,
                None => map.next_value_seed(Skip::ANY)?,
            }
        }
        Ok(())
    }
}

/// Keeps a value's own text.
pub(super) struct Text<'t>(pub(super) &'t mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.extend(
            sonic_rs::LazyValue::deserialize(deserializer)?
                .as_raw_str()
                .as_bytes(),
        );
        Ok(())
    }
}
