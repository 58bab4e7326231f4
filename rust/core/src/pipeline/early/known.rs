//! Whose money made a contract, and whether its maker is known.

use crate::config::{EarlyConfig, FundingConfig};
use crate::error::Result;
use crate::evidence::{Deployment, FoundContract, Funding, PastAttacker};
use crate::funding::{Attackers, Block, Index, Sources, Transfer};
use crate::survey::Survey;
use alloy_primitives::Address;
use hashbrown::HashMap;
use std::path::PathBuf;
use std::time::SystemTime;

/// The funding index and the list of reported attackers.
#[derive(Default)]
pub struct Known {
    funding: Option<FundingConfig>,
    wrapped: Option<Address>,
    /// Nothing while another process writes it: then it is read.
    index: Option<Index>,
    read: Option<Index>,
    attackers: Attackers,
    /// Where the list is, and when it was written: it is read again when it changes.
    list: Option<(PathBuf, Option<SystemTime>)>,
}

impl Known {
    /// # Errors
    /// [`Error::Config`](crate::error::Error::Config): the services cannot be read.
    pub fn new(config: &EarlyConfig) -> Result<Self> {
        let sources = config.funding.as_ref().map(Sources::load).transpose()?;
        Ok(Self {
            wrapped: sources.and_then(|sources| sources.wrapped),
            funding: config.funding.clone(),
            list: config.labels.clone().map(|path| (path, None)),
            ..Self::default()
        })
    }

    /// Adds what a block moved, and reads the list again where it is another one.
    ///
    /// # Errors
    /// What failed; it is tried again with the next block.
    pub fn feed(&mut self, survey: &Survey) -> Result<()> {
        // A list that cannot be read is no reason to leave the block out.
        let listed = self.read_list();
        self.feed_index(survey)?;
        listed
    }

    fn feed_index(&mut self, survey: &Survey) -> Result<()> {
        if let (None, Some(config)) = (&self.index, &self.funding) {
            match Index::open(config.clone()) {
                Ok(index) => (self.index, self.read) = (Some(index), None),
                Err(error) => {
                    if self.read.is_none() {
                        self.read = Index::read(config.clone()).ok();
                    }
                    return Err(error);
                }
            }
        }
        match &mut self.index {
            Some(index) => index.feed(&block(survey)).map(|_| ()),
            None => Ok(()),
        }
    }

    /// The wrapped native asset, where its transfers are of interest.
    pub fn wrapped(&self) -> Option<Address> {
        self.wrapped
    }

    fn read_list(&mut self) -> Result<()> {
        let Some((path, written)) = &mut self.list else {
            return Ok(());
        };
        let now = std::fs::metadata(&*path).and_then(|file| file.modified());
        let now = now.ok();
        if now != *written || now.is_none() {
            self.attackers = Attackers::load(path)?;
            *written = now;
        }
        Ok(())
    }

    /// What is known of who made a contract.
    pub fn of(&self, deployment: Deployment, at_ms: u64) -> FoundContract {
        let makers = [deployment.maker(), deployment.creator];
        FoundContract {
            funding: self.funding(&deployment.maker(), at_ms / 1_000),
            past_attacker: makers.iter().find_map(|maker| self.attacker(maker)),
            at_ms,
            deployment,
        }
    }

    /// Without an answer it counts as none: a damaged index is rebuilt with the next block, and that is told.
    fn funding(&self, account: &Address, at: u64) -> Vec<Funding> {
        let index = self.index.as_ref().or(self.read.as_ref());
        let funding = index.and_then(|index| index.funding_of(account, Some(at)).ok());
        funding.unwrap_or_default()
    }

    fn attacker(&self, maker: &Address) -> Option<PastAttacker> {
        let label = self.attackers.get(maker)?;
        Some(PastAttacker {
            address: *maker,
            incident: label.incident.clone().unwrap_or_else(|| "reported".into()),
        })
    }
}

fn block(survey: &Survey) -> Block {
    let signers = survey.signers.iter().enumerate();
    let signers: HashMap<_, _> = signers
        .map(|(place, (tx, signer))| (*tx, (place, *signer)))
        .collect();
    let transfers = survey.payments.iter().filter_map(|paid| {
        let (place, signer) = *signers.get(&paid.tx)?;
        let transfer = Transfer {
            tx: paid.tx,
            signer,
            from: paid.from,
            to: paid.to,
            value: paid.amount,
            token: paid.token,
        };
        Some((place, transfer))
    });
    let mut transfers: Vec<_> = transfers.collect();
    // Native ones come before wrapped ones: transactions are followed in their order.
    transfers.sort_by_key(|(place, _)| *place);
    let transfers = transfers.into_iter().map(|(_, transfer)| transfer);
    Block {
        number: survey.number,
        hash: survey.hash,
        parent: survey.parent,
        timestamp: survey.timestamp,
        transfers: transfers.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Sighting;
    use crate::simulate::creations::Origin;
    use crate::survey::Payment;
    use alloy_primitives::{B256, U256, address};
    use std::path::Path;

    const MIXER: Address = Address::repeat_byte(0x4d);
    const DEPLOYER: Address = Address::repeat_byte(0xd0);
    const ENTRY_POINT: Address = address!("0000000071727de22e5e9d8baf0edac6f37da032");

    fn config(folder: &Path) -> EarlyConfig {
        let sources = folder.join("services.csv");
        let row = format!("chain_id,address,service,grade,hours\n1,{MIXER},Mixer,high,48\n");
        std::fs::write(&sources, row).unwrap();
        let funding = FundingConfig {
            chain_id: 1,
            path: folder.join("funding.db"),
            sources: Some(sources),
            windows: Default::default(),
            wrapped: None,
            least: None,
            limits: Default::default(),
        };
        EarlyConfig {
            funding: Some(funding),
            labels: Some(folder.join("labels")),
            ..EarlyConfig::default()
        }
    }

    fn paid(number: u64) -> Survey {
        let tx = B256::repeat_byte(number as u8);
        let payment = Payment {
            tx,
            token: None,
            from: MIXER,
            to: DEPLOYER,
            amount: U256::from(10_u64.pow(18)),
        };
        Survey {
            number,
            hash: tx,
            parent: B256::repeat_byte(number as u8 - 1),
            timestamp: 1_000,
            payments: vec![payment],
            signers: vec![(tx, MIXER)],
            ..Survey::default()
        }
    }

    fn found(known: &Known, to: Option<Address>) -> FoundContract {
        let origin = Origin {
            to,
            ..Origin::unknown(DEPLOYER, Sighting::Pending)
        };
        let creator = Address::repeat_byte(0xfa);
        known.of(origin.deployment(Address::ZERO, creator), 1_001_000)
    }

    #[test]
    fn a_list_that_cannot_be_read_keeps_no_block_from_the_index() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        std::fs::write(config.labels.as_ref().unwrap(), "no folder").unwrap();
        let mut known = Known::new(&config).unwrap();
        assert!(known.feed(&paid(1)).is_err(), "and it is told");
        assert_eq!(found(&known, None).funding.len(), 1);
    }

    #[test]
    fn what_another_process_writes_is_read_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let mut other = Index::open(config.funding.clone().unwrap()).unwrap();
        other.feed(&block(&paid(1))).unwrap();
        let mut known = Known::new(&config).unwrap();
        assert!(known.feed(&paid(2)).is_err(), "it is told");
        assert_eq!(found(&known, None).funding.len(), 1);
        drop(other);
        known.feed(&paid(2)).unwrap();
        assert_eq!(found(&known, None).funding.len(), 2);
    }

    #[test]
    fn who_signs_for_others_does_not_answer_for_them() {
        let folder = tempfile::tempdir().unwrap();
        let mut known = Known::new(&config(folder.path())).unwrap();
        known.feed(&paid(1)).unwrap();
        assert_eq!(found(&known, Some(MIXER)).funding.len(), 1);
        assert!(found(&known, Some(ENTRY_POINT)).funding.is_empty());
    }
}
