//! A model's probability for one transaction, by ONNX Runtime.
//! (interface; implementation follows)

use crate::config::ModelConfig;
use crate::detection::Factor;
use crate::error::Result;
use crate::features::{FeatureVector, KnownSelectors};
use std::sync::Arc;

pub struct Classifier {}

impl Classifier {
    pub fn load(_config: &ModelConfig) -> Result<Self> { todo!() }
    pub fn known_selectors(&self) -> Arc<KnownSelectors> { todo!() }
    /// Probabilities of `rows`, in order, into `out` (cleared first).
    pub fn classify(&mut self, _rows: &[FeatureVector], _out: &mut Vec<f32>) -> Result<()> { todo!() }
    pub fn explain(&mut self, _row: &FeatureVector) -> Result<Vec<Factor>> { todo!() }
}
