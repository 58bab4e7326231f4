//! Transactions of our own, which somebody else signs: what is to be signed, the bytes that go out, and what bytes say.

use super::WireError;
use super::signed::envelope;
use crate::evidence::AnomalyKind;
use alloy_consensus::crypto::secp256k1::recover_signer;
use alloy_consensus::transaction::SignerRecoverable;
use alloy_consensus::{SignableTransaction, Transaction, TxEip1559, TxEnvelope, TxLegacy};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, hex, keccak256};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

/// A transaction to be signed, of type 0 (with EIP-155) or 2. Amounts in wei, fees in wei a gas; each is a number, or a
/// decimal or 0x string.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    chain_id: Number,
    nonce: Number,
    /// Null creates a contract.
    to: Option<Address>,
    value: Number,
    data: Bytes,
    gas: Number,
    gas_price: Option<Number>,
    max_fee_per_gas: Option<Number>,
    max_priority_fee_per_gas: Option<Number>,
}

#[derive(Debug, Clone, Copy)]
struct Number(U256);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        U256::deserialize(deserializer).map(Self)
    }
}

impl Number {
    fn to<T: TryFrom<U256>>(self, name: &str) -> Result<T, WireError> {
        T::try_from(self.0).map_err(|_| WireError::field(name, "too large"))
    }
}

/// A transaction without its signature.
#[derive(Debug, Clone)]
pub enum Unsigned {
    Legacy(TxLegacy),
    DynamicFee(TxEip1559),
}

impl Unsigned {
    /// # Errors
    /// [`WireError`]: a field is missing, unknown or no number, or it has both kinds of price.
    pub fn of_json(json: &[u8]) -> Result<Self, WireError> {
        let draft: Draft = serde_json::from_slice(json).map_err(|error| malformed(&error))?;
        let chain_id: u64 = draft.chain_id.to("chain_id")?;
        if chain_id == 0 {
            // It could be sent again on any chain.
            return Err(WireError::field("chain_id", "0"));
        }
        let nonce = draft.nonce.to("nonce")?;
        let gas_limit = draft.gas.to("gas")?;
        let to = draft.to.map_or(TxKind::Create, TxKind::Call);
        let (value, input) = (draft.value.0, draft.data);
        let fees = (draft.max_fee_per_gas, draft.max_priority_fee_per_gas);
        match (draft.gas_price, fees) {
            (Some(price), (None, None)) => Ok(Self::Legacy(TxLegacy {
                chain_id: Some(chain_id),
                nonce,
                gas_price: price.to("gas_price")?,
                gas_limit,
                to,
                value,
                input,
            })),
            (None, (Some(max_fee), Some(tip))) => {
                let max_fee_per_gas = max_fee.to("max_fee_per_gas")?;
                let max_priority_fee_per_gas = tip.to("max_priority_fee_per_gas")?;
                if max_priority_fee_per_gas > max_fee_per_gas {
                    let name = "max_priority_fee_per_gas";
                    return Err(WireError::field(name, "above max_fee_per_gas"));
                }
                Ok(Self::DynamicFee(TxEip1559 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas,
                    max_priority_fee_per_gas,
                    to,
                    value,
                    access_list: Default::default(),
                    input,
                }))
            }
            _ => Err(WireError::field(
                "fees",
                "either gas_price, or max_fee_per_gas and max_priority_fee_per_gas",
            )),
        }
    }

    /// What is hashed to be signed.
    pub fn encoded(&self) -> Vec<u8> {
        match self {
            Self::Legacy(tx) => tx.encoded_for_signing(),
            Self::DynamicFee(tx) => tx.encoded_for_signing(),
        }
    }

    /// What is signed.
    pub fn signing_hash(&self) -> B256 {
        match self {
            Self::Legacy(tx) => tx.signature_hash(),
            Self::DynamicFee(tx) => tx.signature_hash(),
        }
    }

    /// The bytes that go out, and their hash. Who signed it is not looked at.
    ///
    /// # Errors
    /// [`WireError`]: as [`signature`].
    pub fn signed(self, y_parity: u8, r: &[u8], s: &[u8]) -> Result<(Vec<u8>, B256), WireError> {
        let signature = signature(y_parity, r, s)?;
        let envelope: TxEnvelope = match self {
            Self::Legacy(tx) => tx.into_signed(signature).into(),
            Self::DynamicFee(tx) => tx.into_signed(signature).into(),
        };
        let raw = envelope.encoded_2718();
        let hash = keccak256(&raw);
        Ok((raw, hash))
    }
}

/// # Errors
/// [`WireError`]: a part is not in its range, or s is the high one of two (EIP-2), which no node takes.
pub fn signature(y_parity: u8, r: &[u8], s: &[u8]) -> Result<Signature, WireError> {
    let parity = match y_parity {
        0 => false,
        1 => true,
        _ => return Err(WireError::field("y_parity", "neither 0 nor 1")),
    };
    let number = |name: &str, bytes: &[u8]| {
        let number = U256::try_from_be_slice(bytes).filter(|_| bytes.len() <= 32);
        let number = number.filter(|number| !number.is_zero() && *number < ORDER);
        number.ok_or_else(|| WireError::field(name, "not in the range of a signature's"))
    };
    let signature = Signature::new(number("r", r)?, number("s", s)?, parity);
    match signature.normalize_s() {
        Some(_) => Err(WireError::field("s", "the high one of two (EIP-2)")),
        None => Ok(signature),
    }
}

/// Of secp256k1's group.
const ORDER: U256 = alloy_primitives::uint!(
    0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256
);

/// Who signed a hash.
///
/// # Errors
/// [`WireError`]: as [`signature`], or the signature is nobody's.
pub fn recover(hash: &[u8], y_parity: u8, r: &[u8], s: &[u8]) -> Result<Address, WireError> {
    let hash = B256::try_from(hash).map_err(|_| WireError::field("hash", "not of 32 bytes"))?;
    let signature = signature(y_parity, r, s)?;
    recover_signer(&signature, hash).map_err(|_| WireError::field("signature", "has no signer"))
}

/// The fields of a signed transaction of any type, with its hash and who signed it, as JSON: names as of what is to be
/// signed; wei as decimal text.
///
/// # Errors
/// [`WireError`]: the bytes are no signed transaction.
pub fn decode(raw: &[u8]) -> Result<Value, WireError> {
    let (envelope, hash) = envelope(raw)?;
    let from = envelope
        .recover_signer()
        .map_err(|_| WireError::field("signature", "has no signer"))?;
    Ok(Value::Object(fields(&envelope, hash, from)))
}

fn fields(tx: &TxEnvelope, hash: B256, from: Address) -> Map<String, Value> {
    let text = |wei: u128| Value::from(wei.to_string());
    let address = |address: Address| Value::from(hex::encode_prefixed(address));
    let signature = tx.signature();
    let mut all = Map::new();
    let mut put = |name: &str, value: Value| _ = all.insert(name.to_owned(), value);
    put("type", u8::from(tx.tx_type()).into());
    put("hash", json!(hash));
    put("from", address(from));
    put("chain_id", tx.chain_id().into());
    put("nonce", tx.nonce().into());
    put("to", tx.to().map_or(Value::Null, address));
    put("value", tx.value().to_string().into());
    put("data", hex::encode_prefixed(tx.input()).into());
    put("gas", tx.gas_limit().into());
    match tx.max_priority_fee_per_gas() {
        Some(tip) => {
            put("max_fee_per_gas", text(tx.max_fee_per_gas()));
            put("max_priority_fee_per_gas", text(tip));
        }
        None => put("gas_price", text(tx.max_fee_per_gas())),
    }
    if let Some(list) = tx.access_list() {
        put("access_list", json!(list));
    }
    if let Some(fee) = tx.max_fee_per_blob_gas() {
        put("max_fee_per_blob_gas", text(fee));
        put("blob_versioned_hashes", json!(tx.blob_versioned_hashes()));
    }
    if let Some(list) = tx.authorization_list() {
        put("authorization_list", json!(list));
    }
    put("y_parity", u8::from(signature.v()).into());
    put("r", json!(B256::from(signature.r())));
    put("s", json!(B256::from(signature.s())));
    all
}

/// The bytes of a signed transaction that a node told as JSON (`eth_getTransactionByHash`). Of a blob transaction they are
/// without its blobs, which the JSON does not have.
///
/// # Errors
/// [`WireError`]: it is none, or not the one that its hash and sender say.
pub fn encode_object(object: &[u8]) -> Result<Vec<u8>, WireError> {
    #[derive(Deserialize)]
    struct Told {
        hash: B256,
        from: Option<Address>,
    }
    let told: Told = serde_json::from_slice(object).map_err(|error| malformed(&error))?;
    let tx: TxEnvelope = serde_json::from_slice(object).map_err(|error| malformed(&error))?;
    let raw = tx.encoded_2718();
    let (_, hash) = envelope(&raw)?;
    if hash != told.hash {
        return Err(WireError {
            kind: AnomalyKind::HashMismatch,
            reason: format!("hashes to {hash}").into(),
        });
    }
    let signer = tx.recover_signer().ok();
    if told.from.is_some_and(|from| signer != Some(from)) {
        return Err(WireError::field("from", "is not who signed it"));
    }
    Ok(raw)
}

/// In words that have nothing of the input but a field's name.
fn malformed(error: &serde_json::Error) -> WireError {
    let said = error.to_string();
    let reason = match said.starts_with("missing field") || said.starts_with("unknown field") {
        true => said,
        false => format!(
            "not a transaction: at line {}, column {}",
            error.line(),
            error.column()
        ),
    };
    WireError {
        kind: AnomalyKind::MalformedTransaction,
        reason: reason.chars().take(100).collect::<String>().into(),
    }
}

#[cfg(test)]
mod tests;
