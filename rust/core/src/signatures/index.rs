//! Which rules can match at all: by required selectors, else by cheap facts. Most rules are never evaluated.

use super::condition::{CodeTest, Condition, Contact, Prepared, Set, Test, method_bit};
use super::load::Loaded;
use hashbrown::HashMap;

/// Facts of a transaction that a rule may require, as bits. The low byte holds the [`Contact`] bits, the next
/// [`method_bit`]s.
type Facts = u32;
const METHOD_SHIFT: u32 = 8;
const CALL: Facts = 1 << 16;
const CREATION: Facts = 1 << 17;
const CODE: Facts = 1 << 18;
const CODE_SELECTORS: Facts = 1 << 19;
const NESTED: Facts = 1 << 20;
const UNTOUCHED: Facts = 1 << 21;
const DELEGATECALL: Facts = 1 << 22;

/// A rule's place in the rule set, and the facts without which it cannot match.
#[derive(Debug, Clone, Copy)]
struct Gate {
    rule: u32,
    needs: Facts,
}

/// Enabled rules only.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_selector: HashMap<[u8; 4], Vec<Gate>>,
    others: Vec<Gate>,
}

impl Index {
    pub fn new(rules: &[Loaded]) -> Self {
        let mut index = Self::default();
        for (i, loaded) in rules
            .iter()
            .enumerate()
            .filter(|(_, loaded)| loaded.rule.enabled)
        {
            let gate = Gate {
                rule: i as u32,
                needs: needs(&loaded.rule.condition),
            };
            match selectors(&loaded.rule.condition) {
                Some(set) => {
                    for &selector in set.items() {
                        index.by_selector.entry(selector).or_default().push(gate);
                    }
                }
                None => index.others.push(gate),
            }
        }
        index
    }

    /// Calls `visit` with every rule that can match; more than once where several selectors lead to it.
    #[inline]
    pub fn candidates(&self, prepared: &Prepared, mut visit: impl FnMut(u32)) {
        let have = facts(prepared);
        let mut pass = |gates: &[Gate]| {
            for gate in gates {
                if gate.needs & !have == 0 {
                    visit(gate.rule);
                }
            }
        };
        if !self.by_selector.is_empty() {
            if let Some(gates) = prepared
                .selector
                .and_then(|selector| self.by_selector.get(&selector))
            {
                pass(gates);
            }
            for selector in &prepared.subject.decoded.selectors {
                if prepared.selector != Some(*selector)
                    && let Some(gates) = self.by_selector.get(selector)
                {
                    pass(gates);
                }
            }
        }
        pass(&self.others);
    }
}

#[inline]
fn facts(prepared: &Prepared) -> Facts {
    let subject = prepared.subject;
    let mut have = Facts::from(prepared.contact)
        | Facts::from(method_bit(subject.decoded.method)) << METHOD_SHIFT;
    have |= if subject.tx.to.is_some() {
        CALL
    } else {
        CREATION
    };
    if prepared.contact == 0 {
        have |= UNTOUCHED;
    }
    if subject.decoded.depth > 0 {
        have |= NESTED;
    }
    if let Some(code) = subject.code {
        have |= CODE;
        if !code.selectors.is_empty() {
            have |= CODE_SELECTORS;
        }
        if code.delegatecall {
            have |= DELEGATECALL;
        }
    }
    have
}

/// Facts that hold whenever the condition does.
fn needs(condition: &Condition) -> Facts {
    match condition {
        Condition::All(parts) => parts.iter().fold(0, |all, part| all | needs(part)),
        Condition::Any(parts) => parts.iter().map(needs).reduce(|a, b| a & b).unwrap_or(0),
        Condition::Not(_) => 0,
        Condition::Test(test) => match test {
            Test::Selector(_) | Test::Word { .. } | Test::To(_) | Test::Creation(false) => CALL,
            Test::Creation(true) => CREATION,
            Test::ToMonitored => CALL | Facts::from(Contact::CALLEE | Contact::ANY),
            // Several ways are alternatives: only the common bit is necessary.
            Test::Touches(ways) if ways.is_power_of_two() => Facts::from(*ways | Contact::ANY),
            Test::Touches(_) => Facts::from(Contact::ANY),
            Test::TouchesNone => UNTOUCHED,
            Test::DecodedBy(methods) if methods.is_power_of_two() => {
                Facts::from(*methods) << METHOD_SHIFT
            }
            Test::Depth(range) if range.min > 0 => NESTED,
            Test::CodeKnown(true) | Test::CodeHoldsSender => CODE,
            Test::Code(CodeTest::Selectors(_)) => CODE | CODE_SELECTORS,
            Test::Code(CodeTest::Delegatecall(true)) => CODE | DELEGATECALL,
            Test::Code(_) => CODE,
            _ => 0,
        },
    }
}

/// Selectors of which the transaction must hold one, its own or a nested call's. The fewest that the condition allows.
fn selectors(condition: &Condition) -> Option<Set<[u8; 4]>> {
    match condition {
        Condition::All(parts) => parts
            .iter()
            .filter_map(selectors)
            .min_by_key(|set| set.items().len()),
        Condition::Any(parts) => {
            let sets: Option<Vec<_>> = parts.iter().map(selectors).collect();
            Some(Set::new(
                sets?
                    .iter()
                    .flat_map(|set| set.items().iter().copied())
                    .collect(),
            ))
        }
        Condition::Test(Test::Selector(set) | Test::Calls(set)) => Some(set.clone()),
        Condition::Not(_) | Condition::Test(_) => None,
    }
}
