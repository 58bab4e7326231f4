//! What each stage costs on this machine, with this configuration's rules, ABIs and model (`mempool-ids bench`).

use crate::config::SensorConfig;
use crate::error::{Error, Result};
use crate::pipeline::judge::Stages;
use crate::pipeline::slot::{Slot, Timings};
use crate::wire::parse_object;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Nanoseconds per transaction.
#[derive(Debug, Clone, Serialize)]
pub struct StageCost {
    pub stage: &'static str,
    pub median_ns: u64,
    pub p99_ns: u64,
}

/// `objects`: transactions as JSON. Each round puts all of them through all stages; rounds repeat for `time`.
///
/// # Errors
/// As [`Sensor::new`](crate::pipeline::Sensor::new); [`Error::Config`] where no object is a transaction.
pub fn measure_stages(
    config: &SensorConfig,
    objects: &[Vec<u8>],
    time: Duration,
) -> Result<Vec<StageCost>> {
    let mut stages = Stages::load(config)?;
    let objects: Vec<_> = objects
        .iter()
        .filter(|object| parse_object(object, 1).is_ok())
        .collect();
    if objects.is_empty() {
        return Err(Error::Config("no transactions to measure with".into()));
    }
    let names = [
        "parse",
        "decode",
        "features",
        "signatures",
        "classify (one)",
        "classify (of 64)",
    ];
    let mut costs: [Vec<u64>; 6] = Default::default();
    let mut slots: Vec<Slot> = Vec::new();
    let mut probabilities = Vec::new();
    let end = Instant::now() + time;
    // The first round warms caches and is not counted.
    let mut warm = false;
    while !warm || Instant::now() < end {
        for object in &objects {
            let start = Instant::now();
            let Ok(tx) = parse_object(object, 1) else {
                continue;
            };
            let timings = Timings::new(start);
            let mut slot = Slot {
                tx,
                timings,
                ..Slot::default()
            };
            stages.examine(&mut slot);
            let matched = Instant::now();
            stages.classify(std::slice::from_ref(&slot), &mut probabilities)?;
            let done = slot.timings;
            let spans = [
                done.started - start,
                done.decoded - done.started,
                done.featured - done.decoded,
                done.matched - done.featured,
                matched.elapsed(),
            ];
            if warm {
                costs
                    .iter_mut()
                    .zip(spans)
                    .for_each(|(costs, span)| costs.push(span.as_nanos() as u64));
            }
            slots.push(slot);
            if slots.len() == 64 {
                let start = Instant::now();
                stages.classify(&slots, &mut probabilities)?;
                costs[5].push(start.elapsed().as_nanos() as u64 / 64);
                slots.clear();
            }
            if warm && Instant::now() >= end {
                break;
            }
        }
        warm = true;
    }
    Ok(names
        .iter()
        .zip(&mut costs)
        .filter_map(|(name, costs)| summary(name, costs))
        .collect())
}

fn summary(stage: &'static str, costs: &mut [u64]) -> Option<StageCost> {
    costs.sort_unstable();
    let at = |share: usize| costs.get(costs.len() * share / 100).copied();
    Some(StageCost {
        stage,
        median_ns: at(50)?,
        p99_ns: at(99)?,
    })
}
