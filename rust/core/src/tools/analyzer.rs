//! One transaction's decode and features behind one call, without a sensor: for notebooks and for training in bulk.

#[cfg(test)]
mod tests;

use crate::bytecode::CodeFacts;
use crate::config::MonitoredContract;
use crate::decode::{Decoded, Decoder, Description};
use crate::error::Result;
use crate::evidence::FeatureVector;
use crate::features::{ChainView, Extractor, KnownSelectors};
use crate::tx::PendingTransaction;
use alloy_primitives::Address;
use std::sync::Arc;

/// The sensor's own decoder and extractor without its memory, so that training sees what serving computes.
#[derive(Debug)]
pub struct Analyzer {
    decoder: Arc<Decoder>,
    extractor: Extractor,
}

impl Analyzer {
    /// `contracts`: their ABIs are used, their addresses count as known.
    ///
    /// # Errors
    /// [`crate::error::Error::Abi`] where a contract's ABI does not parse.
    pub fn new(known: Arc<KnownSelectors>, contracts: &[MonitoredContract]) -> Result<Self> {
        let decoder = Arc::new(Decoder::for_contracts(contracts)?);
        let addresses: Vec<Address> = contracts.iter().map(|c| c.address).collect();
        // Rows are no sequence: nothing is remembered.
        let extractor = Extractor::new(Arc::clone(&decoder), known, &addresses, 0);
        Ok(Self { decoder, extractor })
    }

    /// The 22 features of one transaction in isolation ([`Extractor::extract_isolated`]). `code`: its callee's.
    pub fn features(&self, tx: &PendingTransaction, code: Option<&CodeFacts>) -> FeatureVector {
        self.features_with(tx, code, &mut Decoded::default())
    }

    /// As [`Self::features`], with a record to reuse between the rows of a matrix. It holds the decode afterwards.
    pub fn features_with(
        &self,
        tx: &PendingTransaction,
        code: Option<&CodeFacts>,
        scratch: &mut Decoded,
    ) -> FeatureVector {
        self.decoder.decode(tx, scratch);
        self.extractor
            .extract_isolated(tx, scratch, code, &ChainView::default())
    }

    pub fn decode(&self, tx: &PendingTransaction) -> Decoded {
        let mut decoded = Decoded::default();
        self.decoder.decode(tx, &mut decoded);
        decoded
    }

    /// The called function and its arguments as text.
    pub fn describe(&self, tx: &PendingTransaction) -> Description {
        self.decoder.describe(tx)
    }
}
