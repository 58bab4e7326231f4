//! Whether a transaction is what its hash says.

use alloy_primitives::Address;
use schemars::JsonSchema;
use serde::Serialize;

/// Nodes are believed as long as nothing speaks against them; a detection says what it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "authenticity")]
pub enum Authenticity {
    /// Its contents hash to its hash, and its sender is who signed it.
    Proven,
    /// The node did not tell enough to say: a field of its signature is missing, or it is signed in nobody's name
    /// (impersonated accounts of development nodes).
    #[default]
    Unproven,
    /// Its contents hash to something else: the node lies, or tells them in a way that this version does not know.
    Contradicted,
}

/// Who a transaction turned out to be, where that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Identity {
    pub authenticity: Authenticity,
    /// Who signed it.
    pub signer: Option<Address>,
}

impl Identity {
    /// Its signer, where the sender that was told is another one.
    pub fn other_than(&self, told: Address) -> Option<Address> {
        self.signer.filter(|signer| *signer != told)
    }
}
