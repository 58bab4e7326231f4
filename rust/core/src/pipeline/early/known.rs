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
    /// What was told last of the index, and of the list.
    told: [Option<String>; 2],
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

    /// Adds what a block moved, and reads the list again where it is another one. What fails is tried again with the next block;
    /// the answer says what there is to tell of it, each once until it changes.
    pub fn feed(&mut self, survey: &Survey) -> Vec<String> {
        let index = self.feed_index(survey);
        let rebuilt = self.index.as_mut().and_then(Index::told_of_rebuilding);
        let failed =
            [index, self.read_list()].map(|done| done.err().map(|error| error.to_string()));
        let news = self.told.iter_mut().zip(failed).filter_map(|(told, now)| {
            let is_new = *told != now;
            told.clone_from(&now);
            now.filter(|_| is_new)
        });
        rebuilt.into_iter().chain(news).collect()
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

    /// What is known of who made a contract, and whether its money could be looked up.
    pub fn of(&self, deployment: Deployment, at_ms: u64) -> (FoundContract, bool) {
        let makers = [deployment.maker(), deployment.creator];
        let funding = self.funding(&deployment.maker(), at_ms / 1_000);
        let known = funding.is_some() || self.funding.is_none();
        let found = FoundContract {
            funding: funding.unwrap_or_default(),
            past_attacker: makers.iter().find_map(|maker| self.attacker(maker)),
            at_ms,
            deployment,
        };
        (found, known)
    }

    /// Nothing without an answer: a damaged index is rebuilt with the next block, and that is told.
    fn funding(&self, account: &Address, at: u64) -> Option<Vec<Funding>> {
        let index = self.index.as_ref().or(self.read.as_ref());
        index?.funding_of(account, Some(at)).ok()
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
mod tests;
