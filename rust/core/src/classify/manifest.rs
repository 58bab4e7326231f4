//! `manifest.json`: what a model file must be before it is run.

use crate::error::{Error, Result};
use crate::evidence::EarlyThresholds;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

/// The layout of the manifest itself.
const FORMAT: u32 = 1;

/// Fields the sensor does not need (metrics, training data) are for people and for Python.
#[derive(Debug, Clone, Deserialize)]
pub struct Manifest {
    pub format: u32,
    pub default: String,
    pub selectors: Artifact,
    pub models: BTreeMap<String, ModelEntry>,
    /// The model over what a simulated transaction does, where the folder has one.
    #[serde(default)]
    pub trace: Option<ModelEntry>,
    /// The models over a contract's code, likewise.
    #[serde(default)]
    pub early: Option<EarlyEntry>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Artifact {
    pub file: String,
    pub sha256: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct ModelEntry {
    #[serde(flatten)]
    pub artifact: Artifact,
    pub version: String,
    pub feature_schema: FeatureSchema,
    /// Names of the graph's input and output.
    pub input: String,
    pub output: String,
    /// Training medians: what [`explain`](super::Classifier::explain) replaces a feature with.
    pub baseline: Vec<f32>,
}

/// Two models over a contract's code: one that misses little, one that is seldom wrong.
#[derive(Debug, Clone, Deserialize)]
pub struct EarlyEntry {
    pub version: String,
    /// Of the named features; the hashed ones before them have no names.
    pub feature_schema: FeatureSchema,
    /// The hashed ones: names and widths, in order.
    pub blocks: Vec<(String, usize)>,
    pub high_recall: Graph,
    pub high_precision: Graph,
    pub thresholds: Thresholds,
    /// Benign medians of the named features: what [`explained`](super::ContractModel::explained) replaces them with.
    pub baseline: Vec<f32>,
}

/// A graph, with the names of its input and output.
#[derive(Debug, Clone, Deserialize)]
pub struct Graph {
    #[serde(flatten)]
    pub artifact: Artifact,
    pub input: String,
    pub output: String,
}

/// By chain: Ethereum's code differs from that of others, which is copied more.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Thresholds {
    pub ethereum: EarlyThresholds,
    pub others: EarlyThresholds,
}

impl Thresholds {
    pub fn of(&self, chain_id: u64) -> EarlyThresholds {
        match chain_id {
            1 => self.ethereum,
            _ => self.others,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct FeatureSchema {
    pub version: u32,
    pub names: Vec<String>,
}

/// The features that this version computes for one kind of model.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    pub version: u32,
    pub names: &'static [&'static str],
}

impl Manifest {
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join("manifest.json");
        let text = std::fs::read(&path).map_err(|source| Error::Io {
            path: path.clone(),
            source,
        })?;
        let manifest: Self = serde_json::from_slice(&text)
            .map_err(|e| Error::Model(format!("{}: {e}", path.display())))?;
        if manifest.format != FORMAT {
            return Err(Error::Model(format!(
                "{}: manifest format {} but this version reads format {FORMAT}",
                path.display(),
                manifest.format
            )));
        }
        Ok(manifest)
    }

    pub fn default_model(&self) -> Result<(&str, &ModelEntry)> {
        self.models
            .get_key_value(&self.default)
            .map(|(name, entry)| (name.as_str(), entry))
            .ok_or_else(|| {
                let known: Vec<_> = self.models.keys().map(String::as_str).collect();
                Error::Model(format!(
                    "manifest: default model {:?} is not among: {}",
                    self.default,
                    known.join(", ")
                ))
            })
    }

    /// The verified bytes of the known-selector set.
    pub fn selectors(&self, dir: &Path) -> Result<Vec<u8>> {
        self.selectors.bytes(dir)
    }
}

impl ModelEntry {
    /// The verified bytes of the model, after its feature schema was compared with this version's.
    pub fn bytes(&self, name: &str, dir: &Path, schema: Schema) -> Result<Vec<u8>> {
        self.feature_schema.check(name, schema)?;
        if self.baseline.len() != schema.names.len() {
            return Err(Error::Model(format!(
                "{name}: baseline has {} values, not {}",
                self.baseline.len(),
                schema.names.len()
            )));
        }
        self.artifact.bytes(dir)
    }
}

impl FeatureSchema {
    /// That it is the one that this version computes.
    pub(super) fn check(&self, name: &str, schema: Schema) -> Result<()> {
        let (theirs, ours) = (self, schema.names);
        if theirs.version != schema.version {
            return Err(Error::Model(format!(
                "{name}: feature schema version {} but this version computes {}; train the model again",
                theirs.version, schema.version
            )));
        }
        if theirs.names.len() != ours.len() {
            return Err(Error::Model(format!(
                "{name}: feature schema has {} features but this version computes {}",
                theirs.names.len(),
                ours.len()
            )));
        }
        let differs = theirs.names.iter().zip(ours).position(|(a, b)| a != b);
        if let Some(i) = differs {
            return Err(Error::Model(format!(
                "{name}: feature schema: number {} is {:?} but this version computes {:?} there",
                i + 1,
                theirs.names[i],
                ours[i]
            )));
        }
        Ok(())
    }
}

impl Artifact {
    pub(super) fn bytes(&self, dir: &Path) -> Result<Vec<u8>> {
        if Path::new(&self.file).components().count() != 1 || self.file.starts_with('.') {
            return Err(Error::Model(format!(
                "manifest: {:?} is not a file name beside the manifest",
                self.file
            )));
        }
        let path = dir.join(&self.file);
        let bytes = std::fs::read(&path).map_err(|source| Error::Io {
            path: path.clone(),
            source,
        })?;
        let actual = alloy_primitives::hex::encode(Sha256::digest(&bytes));
        if actual == self.sha256.to_lowercase() {
            return Ok(bytes);
        }
        Err(Error::Model(format!(
            "{}: hash is sha256 {actual} but the manifest says {}; the file was altered or is another version",
            path.display(),
            self.sha256
        )))
    }
}
