//! Which monitored contracts a transaction touches.

use crate::config::MonitoredContract;
use crate::error::{Error, Result};
use crate::tx::PendingTransaction;
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use alloy_primitives::Address;
use hashbrown::HashMap;
use std::sync::Arc;

/// Finds the monitored addresses anywhere in a byte string: aligned or packed, in calldata, init code or runtime code.
#[derive(Debug)]
pub struct Contacts {
    names: Vec<Arc<str>>,
    addresses: Vec<Address>,
    index: HashMap<Address, u16>,
    search: Option<AhoCorasick>,
}

impl Contacts {
    pub fn new(contracts: &[MonitoredContract]) -> Result<Self> {
        let mut index = HashMap::new();
        for (i, contract) in contracts.iter().enumerate() {
            let i = u16::try_from(i)
                .map_err(|_| Error::Config("more than 65,535 monitored contracts".into()))?;
            if index.insert(contract.address, i).is_some() {
                return Err(Error::Config(format!(
                    "contract {} is listed twice",
                    contract.address
                )));
            }
        }
        let search = match contracts {
            [] => None,
            contracts => Some(
                AhoCorasick::builder()
                    .kind(Some(AhoCorasickKind::ContiguousNFA).filter(|_| contracts.len() > 64))
                    .build(contracts.iter().map(|c| c.address))
                    .map_err(|e| Error::Config(format!("contracts: {e}")))?,
            ),
        };
        Ok(Self {
            names: contracts.iter().map(|c| c.name.as_str().into()).collect(),
            addresses: contracts.iter().map(|c| c.address).collect(),
            index,
            search,
        })
    }

    /// All monitored contracts, in the configuration's order.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    pub fn index(&self, address: &Address) -> Option<u16> {
        self.index.get(address).copied()
    }

    pub fn name(&self, index: u16) -> Arc<str> {
        self.names[usize::from(index)].clone()
    }

    /// Appends to `out` (cleared first) the contracts `tx` calls, names in its calldata, or that its callee is known to have to
    /// do with; each once.
    pub fn of(
        &self,
        tx: &PendingTransaction,
        of_callee: impl IntoIterator<Item = u16>,
        out: &mut Vec<u16>,
    ) {
        out.clear();
        let Some(search) = &self.search else { return };
        out.extend(tx.to.as_ref().and_then(|to| self.index.get(to)));
        out.extend(
            search
                .find_iter(&tx.input)
                .map(|m| m.pattern().as_u32() as u16),
        );
        out.extend(of_callee);
        out.sort_unstable();
        out.dedup();
    }

    pub fn in_bytes(&self, bytes: &[u8]) -> Vec<u16> {
        let Some(search) = &self.search else {
            return Vec::new();
        };
        let mut found: Vec<u16> = search
            .find_iter(bytes)
            .map(|m| m.pattern().as_u32() as u16)
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}
