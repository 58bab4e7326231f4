//! Passing over values that do not matter, in bounded stack.

use super::key::Key;
use super::nesting::MAX_NESTING;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Any value, passed over. serde's `IgnoredAny`, `LazyValue`, and a typed request that meets the wrong container all make
/// sonic-rs recurse once per bracket without a limit, which a frame of brackets turns into a stack overflow. Everything
/// that reads a node's bytes with sonic-rs must therefore ask for `deserialize_any` and pass over values with this. It holds
/// the levels of arrays and objects that may still open.
#[derive(Clone, Copy)]
pub(crate) struct Skip(usize);

impl Skip {
    pub(crate) const ANY: Skip = Skip(MAX_NESTING);

    fn inner<E: Error>(self) -> Result<Skip, E> {
        let levels = self.0.checked_sub(1);
        levels.map(Skip).ok_or_else(|| E::custom("nested too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Skip {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skip {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        while seq.next_element_seed(inner)?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        while map.next_key::<Key>()?.is_some() {
            map.next_value_seed(inner)?;
        }
        Ok(())
    }
}
