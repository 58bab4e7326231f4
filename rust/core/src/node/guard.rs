//! Tasks outlive our own mistakes: one bad input of a node must not end what all others need.

use super::redact::printable;
use super::report::Reporter;
use crate::evidence::AnomalyKind;
use crate::thread::said;
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// Between a failure and the next attempt.
const PAUSE: Duration = Duration::from_secs(1);
/// Characters of a failure's reason.
const REASON: usize = 200;

/// Runs `task` to its end. Where our own code fails in it, that is told, and the answer is false.
pub async fn guarded(task: impl Future<Output = ()>, reporter: &Reporter) -> bool {
    let Err(panic) = AssertUnwindSafe(task).catch_unwind().await else {
        return true;
    };
    let said = format!("internal error: {}", said(&*panic));
    reporter.report(AnomalyKind::NodeError, &printable(&said, REASON));
    false
}

/// Runs `task` to its end, and anew after a pause where our own code fails in it.
pub async fn lasting(mut task: impl AsyncFnMut(), reporter: &Reporter) {
    while !guarded(task(), reporter).await {
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Stats;
    use std::rc::Rc;
    use std::sync::Arc;
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn a_task_that_fails_is_told_and_begins_anew_with_what_it_had() {
        let stats = Arc::new(Stats::default());
        let reporter = Reporter::new(Rc::default(), stats.clone(), "test".into());
        let (sender, mut inbox) = mpsc::channel(4);
        for number in 1..=3 {
            sender.try_send(number).unwrap();
        }
        drop(sender);
        let mut sum = 0;
        let task = async || {
            while let Some(number) = inbox.recv().await {
                assert_ne!(number, 2, "fails");
                sum += number;
            }
        };
        lasting(task, &reporter).await;
        assert_eq!(sum, 4);
        assert_eq!(stats.anomalies.get(AnomalyKind::NodeError), 1);
    }
}
