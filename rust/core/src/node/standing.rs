//! The chain that a node serves: nothing it says is believed before that is known to be the right one.

use super::message::Answered;
use super::report::Reporter;
use crate::evidence::AnomalyKind;
use std::cell::Cell;

/// What one node, over all its connections, has shown of its chain.
pub struct Standing {
    expected: u64,
    was_right: Cell<bool>,
    is_wrong: Cell<bool>,
}

/// Why a node cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Now; in words.
    Now(String),
    /// It serves another chain, and never served the right one.
    Forever,
}

impl Standing {
    pub fn new(chain_id: u64) -> Self {
        Self {
            expected: chain_id,
            was_right: Cell::new(false),
            is_wrong: Cell::new(false),
        }
    }

    /// Whether it has shown that it serves the right chain, or that it never will.
    pub fn known(&self) -> Option<Result<(), Unfit>> {
        if self.is_wrong.get() {
            return Some(Err(Unfit::Forever));
        }
        self.was_right.get().then_some(Ok(()))
    }

    /// Judges what it answered to `eth_chainId`; that of another chain is told.
    ///
    /// # Errors
    /// Where it cannot be used.
    pub fn check(&self, answered: Answered, reporter: &Reporter) -> Result<(), Unfit> {
        let answer = answered.map_err(|error| Unfit::Now(format!("eth_chainId: {error}")))?;
        let id = answer.quantity();
        let id = id.ok_or_else(|| Unfit::Now("eth_chainId: not a quantity".into()))?;
        if id == self.expected {
            self.was_right.set(true);
            return Ok(());
        }
        let reason = format!("serves chain {id}, not {}", self.expected);
        if self.was_right.get() {
            reporter.report(AnomalyKind::WrongChain, &reason);
            return Err(Unfit::Now(reason));
        }
        if !self.is_wrong.replace(true) {
            reporter.tell(AnomalyKind::WrongChain, format!("{reason}: not used"));
        }
        Err(Unfit::Forever)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::message::{Answer, RpcError};
    use crate::node::transport::Arrival;
    use crate::stats::Stats;
    use std::rc::Rc;
    use std::sync::Arc;

    fn answered(raw: &'static str) -> Answered {
        Ok(Answer {
            raw: raw.into(),
            arrival: Arrival::now(),
        })
    }

    fn reporter() -> (Reporter, Arc<Stats>) {
        let stats = Arc::new(Stats::default());
        let reporter = Reporter::new(Rc::default(), stats.clone(), "test".into());
        (reporter, stats)
    }

    #[test]
    fn who_served_the_right_chain_may_come_back_and_who_never_did_may_not() {
        let (reporter, stats) = reporter();
        let node = Standing::new(1);
        assert_eq!(node.check(answered(r#""0x01""#), &reporter), Ok(()));
        let other = node.check(answered(r#""0x5""#), &reporter);
        assert_eq!(other, Err(Unfit::Now("serves chain 5, not 1".into())));
        assert_eq!(node.known(), Some(Ok(())));
        assert_eq!(stats.anomalies.get(AnomalyKind::WrongChain), 1);
        let node = Standing::new(1);
        for _ in 0..3 {
            let other = node.check(answered(r#""0x5""#), &reporter);
            assert_eq!(other, Err(Unfit::Forever));
        }
        assert_eq!(node.known(), Some(Err(Unfit::Forever)));
        let told = stats.anomalies.get(AnomalyKind::WrongChain);
        assert_eq!(told, 2, "once");
    }

    #[test]
    fn what_is_no_answer_decides_nothing() {
        let (reporter, _) = reporter();
        let node = Standing::new(1);
        for raw in ["1", r#""""#, "null", r#""0x1"x"#] {
            let unfit = node.check(answered(raw), &reporter).unwrap_err();
            assert_eq!(unfit, Unfit::Now("eth_chainId: not a quantity".into()));
        }
        let lost = node.check(Err(RpcError::Lost), &reporter).unwrap_err();
        assert_eq!(lost, Unfit::Now("eth_chainId: connection lost".into()));
        assert_eq!(node.known(), None);
    }
}
