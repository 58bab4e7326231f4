//! Whose money made a contract, and whether its maker is known.

use crate::error::Result;
use crate::evidence::{Deployment, FoundContract, Funding, PastAttacker};
use crate::funding::{Attackers, Block, Index, Transfer};
use crate::survey::Survey;
use alloy_primitives::Address;
use std::path::PathBuf;
use std::time::SystemTime;

/// The funding index and the list of reported attackers.
#[derive(Default)]
pub struct Known {
    index: Option<Index>,
    attackers: Attackers,
    /// Where the list is, and when it was written: it is read again when it changes.
    list: Option<(PathBuf, Option<SystemTime>)>,
}

impl Known {
    pub fn new(index: Option<Index>, list: Option<PathBuf>) -> Result<Self> {
        let mut known = Self {
            index,
            list: list.map(|path| (path, None)),
            ..Self::default()
        };
        known.read_list()?;
        Ok(known)
    }

    /// Adds what a block moved, and reads the list again where it is another one.
    ///
    /// # Errors
    /// What failed; all else goes on.
    pub fn feed(&mut self, survey: &Survey) -> Result<()> {
        self.read_list()?;
        let Some(index) = &mut self.index else {
            return Ok(());
        };
        index.feed(&block(survey)).map(|_| ())
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
        let makers = [deployment.deployer, deployment.creator];
        FoundContract {
            funding: self.funding(&deployment.deployer, at_ms / 1_000),
            past_attacker: makers.iter().find_map(|maker| self.attacker(maker)),
            at_ms,
            deployment,
        }
    }

    /// Without an answer it counts as none: a damaged index is rebuilt with the next block, and that is told.
    fn funding(&self, account: &Address, at: u64) -> Vec<Funding> {
        let index = self.index.as_ref();
        let funding = index.and_then(|index| index.funding_of(account, Some(at)).ok());
        funding.unwrap_or_default()
    }

    fn attacker(&self, maker: &Address) -> Option<PastAttacker> {
        let label = self.attackers.get(maker)?;
        Some(PastAttacker {
            address: *maker,
            incident: label.incident.clone(),
        })
    }
}

fn block(survey: &Survey) -> Block {
    let transfers = survey.payments.iter().map(|paid| Transfer {
        tx: paid.tx,
        signer: paid.signer,
        from: paid.from,
        to: paid.to,
        value: paid.amount,
        token: paid.token,
    });
    Block {
        number: survey.number,
        hash: survey.hash,
        parent: survey.parent,
        timestamp: survey.timestamp,
        transfers: transfers.collect(),
    }
}
