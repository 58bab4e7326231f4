//! `manifest.json`: what a model file must be before it is run.

use crate::error::{Error, Result};
use crate::features::{FEATURES, FeatureVector, NAMES, SCHEMA_VERSION};
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
    pub baseline: FeatureVector,
}

#[derive(Debug, Clone, Deserialize)]
pub struct FeatureSchema {
    pub version: u32,
    pub names: Vec<String>,
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
    pub fn bytes(&self, name: &str, dir: &Path) -> Result<Vec<u8>> {
        if self.feature_schema.version != SCHEMA_VERSION {
            return Err(Error::Model(format!(
                "{name}: feature schema version {} but this version computes {SCHEMA_VERSION}; train the model again",
                self.feature_schema.version
            )));
        }
        if self.feature_schema.names.len() != FEATURES {
            return Err(Error::Model(format!(
                "{name}: feature schema has {} features but this version computes {FEATURES}",
                self.feature_schema.names.len()
            )));
        }
        let differs = self
            .feature_schema
            .names
            .iter()
            .zip(NAMES)
            .position(|(theirs, ours)| theirs != ours);
        if let Some(i) = differs {
            return Err(Error::Model(format!(
                "{name}: feature schema: number {} is {:?} but this version computes {:?} there",
                i + 1,
                self.feature_schema.names[i],
                NAMES[i]
            )));
        }
        self.artifact.bytes(dir)
    }
}

impl Artifact {
    fn bytes(&self, dir: &Path) -> Result<Vec<u8>> {
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
