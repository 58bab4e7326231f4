//! Who is harmed by a transaction, and how sure that is.

use super::detection::SimulationStatus;
use super::simulation::Simulation;
use super::transfers::{Asset, Transfer, net};
use super::violation::Violation;
use alloy_primitives::{Address, I256, U256};
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A monitored contract whose invariants break, with one asset that it, or who trusted it, loses; without one where no loss
/// is measured (a takeover). What a transaction merely calls is no victim.
#[derive(Debug, Clone, PartialEq)]
pub struct Victim {
    /// Its name.
    pub contract: Arc<str>,
    /// Names of its invariants that break.
    pub invariants: Vec<Cow<'static, str>>,
    pub loss: Option<VictimLoss>,
    /// Who has most of the asset afterwards, by what moved: neither a monitored contract nor the burning address. Where it
    /// was traded on in the transaction, that is who bought it.
    pub beneficiary: Option<Address>,
}

/// What a victim loses of one asset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VictimLoss {
    pub asset: Asset,
    /// Smallest units.
    pub amount: U256,
    /// Of what the contract had of it, 0 to 1, where that is known.
    pub share: Option<f32>,
}

impl Victim {
    /// 0 where nothing is measured.
    pub fn share(&self) -> f32 {
        self.loss.and_then(|loss| loss.share).unwrap_or(0.0)
    }
}

/// How sure it is that a transaction harms a monitored contract; the surest is the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "grade")]
pub enum Grade {
    /// A simulation that [shows](Simulation::shows) all that it does breaks an invariant of the victim itself, severely, and not
    /// only after others who pay less for their place.
    Proved,
    /// It breaks one that is not severe, or in a simulation that does not show all, or after others who pay less for their
    /// place, or in other surroundings than the likely ones alone.
    Likely,
    /// By a model, by rules, or because a simulation failed: no invariant is known to break.
    Suspected,
}

impl Grade {
    pub fn of(status: &SimulationStatus) -> Self {
        match status {
            SimulationStatus::Done(done) => done.simulation.grade(),
            SimulationStatus::NotRun | SimulationStatus::Failed(_) => Self::Suspected,
        }
    }
}

impl Simulation {
    /// See [`Grade`].
    pub fn grade(&self) -> Grade {
        let severe = self.violations.iter().any(|violation| violation.severe);
        let shows = self.shows() && !self.outbids;
        match (self.victims.is_empty(), severe && shows) {
            (true, _) => Grade::Suspected,
            (false, true) => Grade::Proved,
            (false, false) => Grade::Likely,
        }
    }
}

/// The victims of an execution that breaks `violations` and moves `transfers`, in the violations' order; `monitored`: all
/// monitored contracts.
pub fn victims(
    violations: &[Violation],
    transfers: &[Transfer],
    monitored: &[Address],
) -> Vec<Victim> {
    let mut victims: Vec<Victim> = Vec::new();
    for violation in violations {
        for (asset, amount) in &violation.losses {
            let same = |victim: &&mut Victim| {
                let of_asset = victim.loss.is_some_and(|loss| loss.asset == *asset);
                victim.contract == violation.contract && of_asset
            };
            if let Some(victim) = victims.iter_mut().find(same) {
                add(&mut victim.invariants, violation);
                continue;
            }
            let mut shares = violation.shares.iter();
            let share = shares.find(|(of, _)| of == asset).map(|(_, share)| *share);
            victims.push(Victim {
                contract: violation.contract.clone(),
                invariants: vec![violation.invariant.clone()],
                loss: Some(VictimLoss {
                    asset: *asset,
                    amount: *amount,
                    share,
                }),
                beneficiary: beneficiary(*asset, transfers, monitored),
            });
        }
    }
    for violation in violations {
        let of_contract = |victim: &&mut Victim| victim.contract == violation.contract;
        let mut known = victims.iter_mut().filter(of_contract).peekable();
        if known.peek().is_some() {
            // What breaks without a loss of its own belongs to the losses that come with it.
            if violation.losses.is_empty() {
                known.for_each(|victim| add(&mut victim.invariants, violation));
            }
            continue;
        }
        victims.push(Victim {
            contract: violation.contract.clone(),
            invariants: vec![violation.invariant.clone()],
            loss: None,
            beneficiary: None,
        });
    }
    victims
}

type Names = Vec<Cow<'static, str>>;

fn add(names: &mut Names, violation: &Violation) {
    if !names.contains(&violation.invariant) {
        names.push(violation.invariant.clone());
    }
}

/// Who gained most of an asset; a collection of unique tokens counts by the piece, as losses do.
fn beneficiary(asset: Asset, transfers: &[Transfer], monitored: &[Address]) -> Option<Address> {
    let counted = |moved: &Asset| match (asset, moved) {
        (Asset::Token(token), Asset::Unique(of, _)) => token == *of,
        _ => asset == *moved,
    };
    let mut gains: BTreeMap<Address, I256> = BTreeMap::new();
    for (account, sums) in net(transfers) {
        for (_, sum) in sums.into_iter().filter(|(moved, _)| counted(moved)) {
            let gain = gains.entry(account).or_default();
            *gain = gain.saturating_add(sum);
        }
    }
    gains.retain(|account, gain| gain.is_positive() && !monitored.contains(account));
    let most = gains.into_iter().max_by_key(|(_, gain)| *gain);
    most.map(|(account, _)| account)
}

#[cfg(test)]
mod tests {
    use super::super::violation::Class;
    use super::super::{DoneSimulation, Failure, FailureKind, Variation};
    use super::*;

    const VAULT: Address = Address::repeat_byte(1);
    const TOKEN: Address = Address::repeat_byte(2);
    const THIEF: Address = Address::repeat_byte(3);
    const HELPER: Address = Address::repeat_byte(4);

    fn broken(
        contract: &str,
        name: &'static str,
        severe: bool,
        losses: &[(Asset, u64)],
    ) -> Violation {
        let losses = losses.iter().map(|(asset, n)| (*asset, U256::from(*n)));
        Violation {
            invariant: name.into(),
            contract: contract.into(),
            class: Class::Loss,
            weight: 0.5,
            severe,
            explanation: String::new(),
            losses: losses.collect(),
            shares: vec![(Asset::Native, 0.25)],
        }
    }

    fn moves(asset: Asset, from: Address, to: Address, amount: u64) -> Transfer {
        Transfer {
            asset,
            from,
            to,
            amount: U256::from(amount),
            frame: 0,
        }
    }

    type Told<'a> = (&'a str, Vec<&'a str>, Option<Asset>, Option<Address>);

    fn told(victims: &[Victim]) -> Vec<Told<'_>> {
        let told = victims.iter().map(|victim| {
            let names = victim.invariants.iter().map(|name| &**name);
            let asset = victim.loss.map(|loss| loss.asset);
            (
                &*victim.contract,
                names.collect(),
                asset,
                victim.beneficiary,
            )
        });
        told.collect()
    }

    #[test]
    fn a_contract_is_a_victim_for_each_asset_that_it_loses_and_for_none_where_it_loses_nothing() {
        let both = [(Asset::Native, 5), (Asset::Token(TOKEN), 7)];
        let violations = [
            broken("Vault", "outflow", true, &both),
            broken("Vault", "reentrancy", false, &both),
            broken("Vault", "takeover", true, &[]),
            broken("Proxy", "takeover", true, &[]),
        ];
        let transfers = [
            moves(Asset::Native, VAULT, THIEF, 5),
            moves(Asset::Token(TOKEN), VAULT, HELPER, 7),
        ];
        let found = victims(&violations, &transfers, &[VAULT]);
        let names = vec!["outflow", "reentrancy", "takeover"];
        assert_eq!(
            told(&found),
            [
                ("Vault", names.clone(), Some(Asset::Native), Some(THIEF)),
                ("Vault", names, Some(Asset::Token(TOKEN)), Some(HELPER)),
                ("Proxy", vec!["takeover"], None, None),
            ]
        );
        assert_eq!((found[0].share(), found[1].share()), (0.25, 0.0));
    }

    #[test]
    fn who_benefits_is_who_has_it_in_the_end_and_no_monitored_contract() {
        let asset = Asset::Native;
        let transfers = [
            moves(asset, VAULT, HELPER, 9),
            moves(asset, HELPER, THIEF, 8),
            // A monitored contract got more, and is none of them.
            moves(asset, Address::repeat_byte(9), TOKEN, 50),
        ];
        let found = victims(
            &[broken("Vault", "outflow", true, &[(asset, 9)])],
            &transfers,
            &[VAULT, TOKEN],
        );
        assert_eq!(found[0].beneficiary, Some(THIEF));
        let burned = [moves(asset, VAULT, Address::ZERO, 9)];
        assert_eq!(beneficiary(asset, &burned, &[VAULT]), None);
        let pieces = [0, 1].map(|n| moves(Asset::Unique(TOKEN, U256::from(n)), VAULT, THIEF, 1));
        assert_eq!(
            beneficiary(Asset::Token(TOKEN), &pieces, &[VAULT]),
            Some(THIEF)
        );
    }

    fn simulation(violations: Vec<Violation>) -> Simulation {
        Simulation {
            succeeded: true,
            complete: true,
            watched: true,
            probability: Some(0.1),
            victims: victims(&violations, &[], &[]),
            violations,
            ..Simulation::default()
        }
    }

    #[test]
    fn a_severe_violation_in_a_simulation_that_shows_all_is_proof() {
        let severe = || vec![broken("Vault", "outflow", true, &[])];
        assert_eq!(simulation(severe()).grade(), Grade::Proved);
        // Exoneration takes more.
        let mut burns = Simulation {
            probability: None,
            exhausted: true,
            ..simulation(severe())
        };
        burns.variations.push(Variation {
            of: "time",
            harm: 0.0,
            probability: None,
            finished: false,
        });
        assert!(!burns.decides() && burns.grade() == Grade::Proved);
        let undecided = Simulation {
            complete: false,
            ..simulation(severe())
        };
        assert_eq!(undecided.grade(), Grade::Likely);
        let before_others = Simulation {
            outbids: true,
            ..simulation(severe())
        };
        assert_eq!(before_others.grade(), Grade::Likely);
        let mild = simulation(vec![broken("Vault", "outflow", false, &[])]);
        assert_eq!(mild.grade(), Grade::Likely);
        // In other surroundings alone.
        let hidden = Simulation {
            violations: Vec::new(),
            ..simulation(severe())
        };
        assert_eq!(hidden.grade(), Grade::Likely);
    }

    #[test]
    fn without_a_broken_invariant_it_is_a_suspicion_whatever_the_model_says() {
        let certain = Simulation {
            probability: Some(1.0),
            ..simulation(Vec::new())
        };
        assert_eq!(certain.grade(), Grade::Suspected);
        let failed = Failure::new(FailureKind::Budget, "hides");
        let done = DoneSimulation {
            simulation: certain,
            took_us: 1.0,
        };
        for status in [
            SimulationStatus::NotRun,
            SimulationStatus::Failed(failed),
            SimulationStatus::Done(Box::new(done)),
        ] {
            assert_eq!(Grade::of(&status), Grade::Suspected);
        }
    }
}
