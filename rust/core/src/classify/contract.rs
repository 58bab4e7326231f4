use crate::config::{EarlyConfig, ModelConfig};
use crate::error::Result;
use crate::evidence::ContractScore;
pub struct ContractModel;
impl ContractModel {
    pub fn load(_: &ModelConfig, _: u64, _: &EarlyConfig) -> Result<Self> {
        Ok(Self)
    }
    pub fn score(&mut self, _: &[u8]) -> Result<ContractScore> {
        Err(crate::error::Error::Model("none".into()))
    }
}
