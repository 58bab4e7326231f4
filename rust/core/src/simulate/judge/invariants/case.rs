//! The effects on one contract with what several checks need of them, worked out once.

use super::entries::{Entries, account};
use super::protected::Protected;
use super::shortfalls::Shortfall;
use super::{Effects, shortfalls, words};
use crate::evidence::trace::CallKind;
use crate::evidence::transfers::Asset;
use alloy_primitives::{Address, U256};
use std::collections::BTreeSet;

pub(super) struct Case<'a> {
    pub effects: &'a Effects<'a>,
    pub contract: &'a Protected,
    pub entries: Entries,
    /// What the contract lost, the largest share first.
    pub shortfalls: Vec<Shortfall>,
    /// Whom the contract's own code called.
    called: BTreeSet<Address>,
    /// Whether one of the contract's administrators signed this, or called the contract (as a multisig does).
    pub authorised: bool,
}

impl<'a> Case<'a> {
    pub fn new(effects: &'a Effects<'a>) -> Self {
        let contract = effects.contract;
        let frames = &effects.execution.trace.frames;
        let of_contract = |frame: &&crate::evidence::trace::Frame| frame.from == contract.address;
        let called = frames.iter().skip(1).filter(of_contract);
        let called: BTreeSet<_> = called.filter_map(account).collect();
        let trusted = |account| trusts(effects, account);
        Self {
            effects,
            contract,
            entries: Entries::new(&effects.execution.trace, contract.address, trusted),
            shortfalls: shortfalls::of(effects, &called),
            called,
            authorised: contract.admins.contains(&effects.sender)
                || frames.iter().zip(effects.stands).any(|(frame, stands)| {
                    *stands
                        && frame.kind != CallKind::StaticCall
                        && frame.to == Some(contract.address)
                        && contract.admins.contains(&frame.from)
                }),
        }
    }

    /// Whether what a frame did was not undone.
    pub fn stood(&self, frame: u32) -> bool {
        let stands = self.effects.stands.get(frame as usize);
        stands.copied().unwrap_or(false)
    }

    /// Whether it is the contract, or the contract's own code called it.
    pub fn knows(&self, account: Address) -> bool {
        account == self.contract.address || self.called.contains(&account)
    }

    /// Whom a contract may be called back by.
    pub fn trusts(&self, account: Address) -> bool {
        trusts(self.effects, account)
    }

    /// For people.
    pub fn amount(&self, asset: Asset, amount: U256) -> String {
        words::amount(self.effects.native, asset, amount)
    }

    /// What came in of watched assets beyond what went out.
    pub fn gains(&self) -> Vec<(Asset, U256)> {
        shortfalls::gains(self.effects, &self.called)
    }
}

fn trusts(effects: &Effects, account: Address) -> bool {
    let contract = effects.contract;
    effects.monitored.contains(&account)
        || contract.receivers.contains(&account)
        || contract.assets.contains(&Asset::Token(account))
}
