//! Accounts and contracts of earlier attacks: the list that `mempool-ids labels update` keeps, one label a line.

use crate::error::{Error, Result};
use alloy_primitives::Address;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// Bytes of a list, at the most: some 200,000 labels.
const MOST: u64 = 64 << 20;

/// What an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelKind {
    /// Made for an attack.
    Contract,
    /// Made such a contract.
    Eoa,
    /// Has attacked.
    Attacker,
}

/// Of a line; what else is in its metadata is for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    pub kind: LabelKind,
    /// 0..=1.
    pub confidence: f32,
    /// Of which incident, as far as it is told.
    pub incident: Option<Arc<str>>,
}

/// Who is known, by address. The same on all chains: an attacker's key is.
#[derive(Debug, Clone, Default)]
pub struct Attackers {
    by_address: HashMap<Address, Label>,
    /// Lines that cannot be read.
    pub unreadable: usize,
}

#[derive(Deserialize)]
struct Line {
    entity: Address,
    label: LabelKind,
    confidence: f32,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    incident: Option<Arc<str>>,
}

impl Attackers {
    /// A list; empty where there is no file.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Funding`] where it is too large.
    pub fn load(path: &Path) -> Result<Self> {
        let io = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
        let file = match std::fs::File::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            file => file.map_err(io)?,
        };
        let mut bytes = Vec::new();
        file.take(MOST + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() as u64 > MOST {
            return Err(Error::Funding {
                path: path.to_owned(),
                reason: format!("a list of labels has {} MiB at the most", MOST >> 20),
            });
        }
        Ok(Self::parse(&bytes))
    }

    fn parse(bytes: &[u8]) -> Self {
        let mut attackers = Self::default();
        for line in bytes.split(|byte| *byte == b'\n') {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let Ok(line) = serde_json::from_slice::<Line>(line) else {
                attackers.unreadable += 1;
                continue;
            };
            let label = Label {
                kind: line.label,
                confidence: line.confidence,
                incident: line.metadata.incident,
            };
            attackers.by_address.insert(line.entity, label);
        }
        attackers
    }

    #[inline]
    pub fn get(&self, address: &Address) -> Option<&Label> {
        self.by_address.get(address)
    }

    pub fn len(&self) -> usize {
        self.by_address.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_address.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EULER: &str = r#"{"id":"1","entity":"0xb2698c2D99aD2c302a95A8DB26B08D17a77cedd4","entityType":"ADDRESS","label":"attacker","confidence":0.9,"metadata":{"incident":"Euler","role":"attacker"}}"#;

    #[test]
    fn who_is_listed_is_known_and_what_cannot_be_read_is_counted() {
        let text = format!("{EULER}\n\n{{}}\nnot JSON\n");
        let attackers = Attackers::parse(text.as_bytes());
        let address = "0xb2698c2d99ad2c302a95a8db26b08d17a77cedd4";
        let label = attackers.get(&address.parse().unwrap()).unwrap();
        assert_eq!(label.kind, LabelKind::Attacker);
        assert_eq!(label.incident.as_deref(), Some("Euler"));
        assert_eq!((attackers.len(), attackers.unreadable), (1, 2));
        assert!(attackers.get(&Address::ZERO).is_none());
    }

    #[test]
    fn without_a_file_nobody_is_known() {
        let folder = tempfile::tempdir().unwrap();
        assert!(
            Attackers::load(&folder.path().join("none"))
                .unwrap()
                .is_empty()
        );
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>) {
            let attackers = Attackers::parse(&bytes);
            prop_assert!(attackers.len() + attackers.unreadable <= bytes.len());
        }
    }
}
