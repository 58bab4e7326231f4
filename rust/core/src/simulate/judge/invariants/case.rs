//! A subject with what several checks need of it, worked out once.

use super::entries::{Entries, account};
use super::losses::Loss;
use super::protected::Protected;
use super::{Subject, losses, words};
use crate::evidence::trace::CallKind;
use crate::evidence::transfers::Asset;
use alloy_primitives::{Address, U256};
use std::collections::BTreeSet;

pub(super) struct Case<'a> {
    pub subject: &'a Subject<'a>,
    pub contract: &'a Protected,
    pub entries: Entries,
    /// What the contract lost, the largest share first.
    pub losses: Vec<Loss>,
    /// Whom the contract's own code called.
    called: BTreeSet<Address>,
    /// Whether one of the contract's administrators signed this, or called the contract (as a multisig does).
    pub authorised: bool,
}

impl<'a> Case<'a> {
    pub fn new(subject: &'a Subject<'a>) -> Self {
        let contract = subject.contract;
        let frames = &subject.execution.trace.frames;
        let of_contract = |frame: &&crate::evidence::trace::Frame| frame.from == contract.address;
        let called = frames.iter().skip(1).filter(of_contract);
        let called: BTreeSet<_> = called.filter_map(account).collect();
        let trusted = |account| trusts(subject, account);
        Self {
            subject,
            contract,
            entries: Entries::new(&subject.execution.trace, contract.address, trusted),
            losses: losses::of(subject, &called),
            called,
            authorised: contract.admins.contains(&subject.sender)
                || frames.iter().zip(subject.stands).any(|(frame, stands)| {
                    *stands
                        && frame.kind != CallKind::StaticCall
                        && frame.to == Some(contract.address)
                        && contract.admins.contains(&frame.from)
                }),
        }
    }

    /// Whether what a frame did was not undone.
    pub fn stood(&self, frame: u32) -> bool {
        let stands = self.subject.stands.get(frame as usize);
        stands.copied().unwrap_or(false)
    }

    /// Whether it is the contract, or the contract's own code called it.
    pub fn knows(&self, account: Address) -> bool {
        account == self.contract.address || self.called.contains(&account)
    }

    /// Whom a contract may be called back by.
    pub fn trusts(&self, account: Address) -> bool {
        trusts(self.subject, account)
    }

    /// For people.
    pub fn amount(&self, asset: Asset, amount: U256) -> String {
        words::amount(self.subject.native, asset, amount)
    }

    /// What came in of watched assets beyond what went out.
    pub fn gains(&self) -> Vec<(Asset, U256)> {
        losses::gains(self.subject, &self.called)
    }
}

fn trusts(subject: &Subject, account: Address) -> bool {
    let contract = subject.contract;
    subject.monitored.contains(&account)
        || contract.receivers.contains(&account)
        || contract.assets.contains(&Asset::Token(account))
}
