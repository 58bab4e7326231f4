//! Accounts of which a block tells that they keep a monitored contract's address: some were found of late, others are fetched.

use super::contained;
use super::met::Met;
use super::search::Search;
use super::suspicion::suspicion;
use crate::evidence::{Assessment, Deployment, Sighting};
use crate::simulate::creations::{Origin, stand_in};
use alloy_primitives::Address;

/// Accounts of one block that are fetched, since they are none of those found of late.
const FETCHED: usize = 32;

impl Search {
    /// That a contract keeps a monitored one is told after it was found, or before.
    pub(super) fn name(&mut self, named: &[(Address, Address)]) {
        self.named.add(named);
        let mut unknown: Vec<_> = named.iter().map(|(account, _)| *account).collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown.retain(|account| !self.is_named(account));
        let beyond = unknown.len().saturating_sub(FETCHED);
        self.shared
            .stats
            .early
            .deployments_dropped
            .add(beyond as u64);
        unknown.truncate(FETCHED);
        self.fetch(&unknown);
    }

    /// Whether it was found of late; then it is called.
    fn is_named(&mut self, account: &Address) -> bool {
        let mut lately = self.lately.iter_mut();
        let Some(known) = lately.find(|one| one.found.deployment.address == *account) else {
            return false;
        };
        let contained = &mut known.contained;
        contained::add_named(contained, account, &self.contacts, &self.named);
        let (suspicion, deployment) = (suspicion(known), known.found.deployment.clone());
        self.suspect(suspicion, deployment, None);
        true
    }

    /// Accounts that keep a monitored contract and were not found of late: old ones, and twins, which are looked at as if they
    /// were new. Who made them is known of those that were met; of others nobody is, and they are called as
    /// [`stand_in`].
    fn fetch(&mut self, accounts: &[Address]) {
        let codes = self.codes(accounts);
        let Some(block) = self.shared.state.block() else {
            return;
        };
        let seen = Sighting::Mined {
            block: block.number,
            timestamp: block.timestamp,
        };
        let mut fetched = Vec::new();
        for (account, code) in accounts.iter().zip(codes) {
            match code {
                None => self.shared.stats.early.deployments_dropped.add(1),
                Some(code) if code.is_empty() || self.contacts.index(account).is_some() => {}
                Some(code) => {
                    let (origin, creator) = self.maker(account).unwrap_or_else(|| {
                        let nobody = stand_in(account);
                        (Origin::unknown(nobody, seen), nobody)
                    });
                    let seen = match origin.seen {
                        Sighting::Mined { .. } => origin.seen,
                        _ => seen,
                    };
                    let deployment = origin.deployment(*account, creator);
                    fetched.push(Deployment {
                        code,
                        seen,
                        ..deployment
                    });
                }
            }
        }
        self.lead(&mut fetched);
        for deployment in fetched {
            let address = deployment.address;
            let is_new = self.met.get(&address).is_none();
            self.shared.stats.early.deployments.add(u64::from(is_new));
            self.met.replace(address, Met::of(&deployment));
            let found = self.made(deployment);
            self.assess(found, None);
        }
    }

    /// Who made a contract that was met, or that is another's twin.
    fn maker(&self, account: &Address) -> Option<(Origin, Address)> {
        let met = self.met.get(account).map(|met| (met.origin, met.creator));
        let twin = |one: &&Assessment| one.found.deployment.twins.contains(account);
        let first = || self.lately.iter().rev().find(twin);
        met.or_else(|| {
            let first = &first()?.found.deployment;
            Some((Origin::of(first), first.creator))
        })
    }
}
