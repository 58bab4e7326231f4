//! Accounts and contracts of earlier attacks: what `mempool-ids labels update` keeps, a folder with a file of each who tells.

use crate::error::{Error, Result};
use alloy_primitives::Address;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of all lists together, at the most: some 200,000 labels.
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

/// A list's first line says whose it is; each other one is a label.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Label {
        entity: Address,
        label: LabelKind,
        confidence: f32,
        #[serde(default)]
        metadata: Metadata,
    },
    Head {
        #[serde(rename = "origin")]
        _origin: String,
    },
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    incident: Option<Arc<str>>,
}

impl Attackers {
    /// All lists (`*.jsonl`) of a folder; none where there is no folder. Of an address in several, what is surest.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Funding`] where they are too large.
    pub fn load(folder: &Path) -> Result<Self> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Io { path, source }
        };
        let entries = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            entries => entries.map_err(io(folder))?,
        };
        let files = entries.map(|entry| entry.map(|entry| entry.path()));
        let mut files: Vec<PathBuf> = files.collect::<io::Result<_>>().map_err(io(folder))?;
        files.retain(|file| file.extension() == Some(OsStr::new("jsonl")));
        files.sort();
        let (mut attackers, mut left) = (Self::default(), MOST);
        for path in files {
            let mut bytes = Vec::new();
            let file = File::open(&path).map_err(io(&path))?;
            file.take(left + 1)
                .read_to_end(&mut bytes)
                .map_err(io(&path))?;
            left = left
                .checked_sub(bytes.len() as u64)
                .ok_or_else(|| Error::Funding {
                    path: folder.to_owned(),
                    reason: format!(
                        "lists of labels have {} MiB together at the most",
                        MOST >> 20
                    ),
                })?;
            attackers.add(&bytes);
        }
        Ok(attackers)
    }

    fn add(&mut self, list: &[u8]) {
        for line in list.split(|byte| *byte == b'\n') {
            if line.trim_ascii().is_empty() {
                continue;
            }
            match serde_json::from_slice(line) {
                Ok(Line::Label {
                    entity,
                    label: kind,
                    confidence,
                    metadata,
                }) => {
                    let incident = metadata.incident;
                    let label = Label {
                        kind,
                        confidence,
                        incident,
                    };
                    let there = self
                        .by_address
                        .entry(entity)
                        .or_insert_with(|| label.clone());
                    if there.confidence < confidence {
                        *there = label;
                    }
                }
                Ok(Line::Head { .. }) => {}
                Err(_) => self.unreadable += 1,
            }
        }
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

    const EULER: &str = r#"{"id":"1","entity":"0xB2698C2D99aD2c302a95A8DB26B08D17a77cedd4","entityType":"ADDRESS","label":"attacker","confidence":0.9,"metadata":{"incident":"Euler","role":"attacker"}}"#;

    #[test]
    fn who_is_listed_is_known_and_what_cannot_be_read_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let lists = folder.path().join("labels");
        assert!(Attackers::load(&lists).unwrap().is_empty());
        std::fs::create_dir(&lists).unwrap();
        let surer = EULER
            .replace("0.9", "0.95")
            .replace("attacker\",\"conf", "eoa\",\"conf");
        let ours = format!("{{\"origin\":\"own\",\"sequence\":1}}\n{EULER}\n\n{{}}\nnot JSON\n");
        std::fs::write(lists.join("own.jsonl"), ours).unwrap();
        std::fs::write(lists.join("other.jsonl"), surer).unwrap();
        std::fs::write(lists.join("own.jsonl.part"), "half of a list").unwrap();
        let attackers = Attackers::load(&lists).unwrap();
        let address = "0xb2698c2d99ad2c302a95a8db26b08d17a77cedd4";
        let label = attackers.get(&address.parse().unwrap()).unwrap();
        assert_eq!(
            (label.kind, label.incident.as_deref()),
            (LabelKind::Eoa, Some("Euler"))
        );
        assert_eq!((attackers.len(), attackers.unreadable), (1, 2));
        assert!(attackers.get(&Address::ZERO).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>) {
            let mut attackers = Attackers::default();
            attackers.add(&bytes);
            prop_assert!(attackers.len() + attackers.unreadable <= bytes.len());
        }
    }
}
