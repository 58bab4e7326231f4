//! What may be done about an alert: its victims, and whether pausing them first would help.

use super::fields::Text;
use super::simulation::id;
use crate::config::Mode;
use crate::evidence::transfers::Asset;
use crate::evidence::{self, Answer, TriedPause, Unasked};
use alloy_primitives::{Address, U256};
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;
use std::sync::Arc;

/// A monitored contract that is harmed. Amounts in smallest units; null where no loss is measured.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "victim")]
pub struct Victim<'a> {
    amount: Option<Text<U256>>,
    /// "native", or a token's address.
    asset: Option<Text<Asset>>,
    /// Who has most of it afterwards.
    beneficiary: Option<Text<Address>>,
    contract: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Text<U256>")]
    id: Option<Text<U256>>,
    /// Names of its invariants that break.
    invariants: &'a [Cow<'static, str>],
    /// Of what the contract had of the asset.
    #[schemars(range(min = 0, max = 1))]
    share: Option<f32>,
}

impl<'a> Victim<'a> {
    pub fn of(victim: &'a evidence::Victim) -> Self {
        Self {
            amount: victim.loss.map(|loss| Text(loss.amount)),
            asset: victim.loss.map(|loss| Text(loss.asset)),
            beneficiary: victim.beneficiary.map(Text),
            contract: &victim.contract,
            id: victim.loss.and_then(|loss| id(loss.asset)),
            invariants: &victim.invariants,
            share: victim.loss.and_then(|loss| loss.share),
        }
    }
}

/// What was done about it, and what was found out for that: whether pausing the victims directly before it would take its
/// harm. Null where that was not asked or not answered. Wei, fees in wei a gas.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "response")]
pub struct Response<'a> {
    mode: Mode,
    /// Of the response that was begun.
    action_id: Option<String>,
    /// Why something is done, or nothing, for people.
    decision: Option<String>,
    /// All targets were paused before, by their own word.
    already_paused: Option<bool>,
    /// There is an answer.
    asked: bool,
    attack_gas: Option<u64>,
    attack_max_fee: Option<Text<U256>>,
    /// To the block's builder, tips and bribes.
    attack_payment: Option<Text<U256>>,
    /// Above the next base fee.
    attack_tip: Option<Text<U256>>,
    /// Of the next block.
    base_fee: Option<Text<U256>>,
    /// Somebody else who sends the same gains at least half as much.
    copyable: Option<bool>,
    /// Of its harm, what is left.
    #[schemars(range(min = 0, max = 1))]
    harm_left: Option<f32>,
    /// The next block can have it.
    includable: Option<bool>,
    /// Why it cannot.
    includable_reason: Option<&'a str>,
    /// Spent by the targets' pauses together, before refunds.
    pause_gas: Option<u64>,
    /// All targets are paused by their calls.
    pause_succeeds: Option<bool>,
    /// Each pause that was tried.
    pauses: Option<&'a [TriedPause]>,
    /// Names of the contracts that are paused, in this order.
    targets: Option<&'a [Arc<str>]>,
    /// Why there is no answer, where there is a pause to ask about.
    why: Option<&'a str>,
}

impl<'a> Response<'a> {
    pub fn of(mode: Mode, response: Option<&'a evidence::Response>) -> Self {
        let unknown = Self {
            mode,
            ..Self::default()
        };
        match response {
            None => unknown,
            Some(evidence::Response::Unasked(Unasked { why, .. })) => Self {
                why: Some(why),
                ..unknown
            },
            Some(evidence::Response::Answered(answer)) => unknown.answered(answer),
        }
    }

    fn answered(self, answer: &'a Answer) -> Self {
        let attack = &answer.attack;
        let wei = |fee: u128| Some(Text(U256::from(fee)));
        Self {
            already_paused: Some(answer.already_paused),
            asked: true,
            attack_gas: Some(attack.gas),
            attack_max_fee: wei(attack.max_fee),
            attack_payment: Some(Text(attack.payment)),
            attack_tip: wei(attack.tip),
            base_fee: wei(answer.base_fee.into()),
            copyable: Some(answer.copyable),
            harm_left: Some(answer.harm_left),
            includable: Some(answer.obstacle.is_none()),
            includable_reason: answer.obstacle.as_deref(),
            pause_gas: Some(answer.pause_gas),
            pause_succeeds: Some(answer.pause_succeeds),
            pauses: Some(&answer.pauses),
            targets: Some(&answer.targets),
            ..self
        }
    }
}
