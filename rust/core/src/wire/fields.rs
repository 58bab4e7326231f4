//! The fields of a transaction object as they stand in the JSON, and what they must be to make a transaction.

use super::key::Key;
use super::skip::Skip;
use super::{WireError, hex};
use crate::evidence::AnomalyKind;
use crate::tx::PendingTransaction;
use alloy_primitives::{Address, B256};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// The end of the year 9999: a later time is in another unit.
const LAST_MS: u64 = 253_402_300_799_999;

/// A JSON value of which only a string or a small integer matters.
#[derive(Debug, Default)]
pub(super) enum Field<'a> {
    #[default]
    Absent,
    Null,
    Text(Cow<'a, str>),
    Number(u64),
    Other,
}

impl Field<'_> {
    fn is_given(&self) -> bool {
        !matches!(self, Field::Absent | Field::Null)
    }

    fn text(&self, name: &str) -> Result<&str, WireError> {
        match self {
            Field::Text(text) => Ok(text),
            Field::Absent | Field::Null => Err(WireError::field(name, "missing")),
            Field::Number(_) | Field::Other => Err(WireError::field(name, "not a hex string")),
        }
    }

    fn read<T>(
        &self,
        name: &str,
        decode: fn(&str) -> Result<T, hex::Problem>,
    ) -> Result<T, WireError> {
        decode(self.text(name)?).map_err(|problem| WireError::field(name, problem))
    }
}

impl<'de> Deserialize<'de> for Field<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Owned(text.into())))
    }
    fn visit_unit<E>(self) -> Result<Field<'de>, E> {
        Ok(Field::Null)
    }
    fn visit_u64<E>(self, number: u64) -> Result<Field<'de>, E> {
        Ok(Field::Number(number))
    }
    fn visit_i64<E>(self, _: i64) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Field<'de>, A::Error> {
        Skip::ANY.visit_seq(seq)?;
        Ok(Field::Other)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Field<'de>, A::Error> {
        Skip::ANY.visit_map(map)?;
        Ok(Field::Other)
    }
}

/// What a transaction object says of the fields that matter here.
#[derive(Default)]
pub(super) struct Fields<'a> {
    hash: Field<'a>,
    from: Field<'a>,
    to: Field<'a>,
    value: Field<'a>,
    nonce: Field<'a>,
    gas: Field<'a>,
    gas_price: Field<'a>,
    max_fee: Field<'a>,
    max_priority_fee: Field<'a>,
    input: Field<'a>,
    data: Field<'a>,
    tx_type: Field<'a>,
    chain_id: Field<'a>,
    v: Field<'a>,
    access_list: Field<'a>,
    blob_hashes: Field<'a>,
    authorizations: Field<'a>,
    timestamp_ms: Field<'a>,
}

impl<'de> DeserializeSeed<'de> for &mut Fields<'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Fields<'de> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a transaction object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = map.next_key()? {
            match self.slot(&key) {
                Some(slot @ Field::Absent) => *slot = map.next_value()?,
                _ => map.next_value_seed(Skip::ANY)?,
            }
        }
        Ok(())
    }
}

impl<'a> Fields<'a> {
    fn slot(&mut self, key: &str) -> Option<&mut Field<'a>> {
        Some(match key {
            "hash" => &mut self.hash,
            "from" => &mut self.from,
            "to" => &mut self.to,
            "value" => &mut self.value,
            "nonce" => &mut self.nonce,
            "gas" => &mut self.gas,
            "gasPrice" => &mut self.gas_price,
            "maxFeePerGas" => &mut self.max_fee,
            "maxPriorityFeePerGas" => &mut self.max_priority_fee,
            "input" => &mut self.input,
            "data" => &mut self.data,
            "type" => &mut self.tx_type,
            "chainId" => &mut self.chain_id,
            "v" => &mut self.v,
            "accessList" => &mut self.access_list,
            "blobVersionedHashes" => &mut self.blob_hashes,
            "authorizationList" => &mut self.authorizations,
            "timestamp_ms" => &mut self.timestamp_ms,
            _ => return None,
        })
    }

    pub(super) fn transaction(&self, seen_ms: u64) -> Result<PendingTransaction, WireError> {
        let tx_type = self.tx_type()?;
        let (max_fee_per_gas, max_priority_fee_per_gas) = self.fees(tx_type)?;
        let input = self.input()?;
        Ok(PendingTransaction {
            hash: B256::new(self.hash.read("hash", hex::fixed)?),
            from: Address::new(self.from.read("from", hex::fixed)?),
            to: self.to(input.is_empty())?,
            value: self.value.read("value", hex::quantity_u256)?,
            nonce: self.nonce.read("nonce", hex::quantity_u64)?,
            gas: self.gas.read("gas", hex::quantity_u64)?,
            tx_type,
            chain_id: self.chain_id(tx_type)?,
            max_fee_per_gas,
            max_priority_fee_per_gas,
            input,
            seen_ms: if seen_ms == 0 {
                self.timestamp_ms()?
            } else {
                seen_ms
            },
        })
    }

    /// EIP-2718 type; where a node from before Berlin leaves it out, what the other fields imply.
    fn tx_type(&self) -> Result<u8, WireError> {
        if self.tx_type.is_given() {
            let number = self.tx_type.read("type", hex::quantity_u64)?;
            return match number {
                0..=4 => Ok(number as u8),
                _ => Err(WireError {
                    kind: AnomalyKind::UnknownTransactionType,
                    reason: format!("type {number:#x}").into(),
                }),
            };
        }
        Ok(if self.authorizations.is_given() {
            4
        } else if self.blob_hashes.is_given() {
            3
        } else if self.max_fee.is_given() {
            2
        } else if self.access_list.is_given() {
            1
        } else {
            0
        })
    }

    /// Max fee and max priority fee. Of typed transactions nodes report an effective `gasPrice` too, which is not signed.
    fn fees(&self, tx_type: u8) -> Result<(u128, u128), WireError> {
        if tx_type < 2 {
            let price = self.gas_price.read("gasPrice", hex::quantity_u128)?;
            return Ok((price, price));
        }
        Ok((
            self.max_fee.read("maxFeePerGas", hex::quantity_u128)?,
            self.max_priority_fee
                .read("maxPriorityFeePerGas", hex::quantity_u128)?,
        ))
    }

    fn input(&self) -> Result<Vec<u8>, WireError> {
        if self.input.is_given() || !self.data.is_given() {
            self.input.read("input", hex::bytes)
        } else {
            self.data.read("data", hex::bytes)
        }
    }

    /// `null` is a creation. Nodes that leave nulls out are believed only where there is init code.
    fn to(&self, no_input: bool) -> Result<Option<Address>, WireError> {
        match self.to {
            Field::Null => Ok(None),
            Field::Absent if !no_input => Ok(None),
            _ => Ok(Some(Address::new(self.to.read("to", hex::fixed)?))),
        }
    }

    /// A legacy transaction carries its chain in `v` (EIP-155), which older nodes do not repeat as `chainId`.
    fn chain_id(&self, tx_type: u8) -> Result<Option<u64>, WireError> {
        if self.chain_id.is_given() {
            let id = self.chain_id.read("chainId", hex::quantity_u64)?;
            return Ok(Some(id).filter(|id| tx_type > 0 || *id > 0));
        }
        if tx_type > 0 {
            return Err(WireError::field("chainId", "missing"));
        }
        if !self.v.is_given() {
            return Ok(None);
        }
        let v = self.v.read("v", hex::quantity_u128)?;
        let Some(twice) = v.checked_sub(35) else {
            return Ok(None);
        };
        let id = u64::try_from(twice / 2).map_err(|_| WireError::field("v", "above 64 bits"))?;
        Ok(Some(id).filter(|id| *id > 0))
    }

    fn timestamp_ms(&self) -> Result<u64, WireError> {
        match self.timestamp_ms {
            Field::Absent | Field::Null => Ok(0),
            Field::Number(ms) if ms <= LAST_MS => Ok(ms),
            Field::Number(_) => Err(WireError::field("timestamp_ms", "after the year 9999")),
            _ => Err(WireError::field(
                "timestamp_ms",
                "not a whole number of milliseconds",
            )),
        }
    }
}
