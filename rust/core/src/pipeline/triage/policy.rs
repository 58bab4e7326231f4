//! What is suspicious, and from when on it is an alarm.

use crate::config::{DetectionConfig, Executor, SensorConfig, SimulationConfig};
use crate::pipeline::slot::Slot;
use crate::stats::{Counter, Stats};
use alloy_primitives::Address;
use std::sync::Arc;

/// When a score is a detection.
#[derive(Debug, Clone, Copy)]
pub struct Alarm {
    pub threshold: f32,
    /// Only of what touches a monitored contract.
    pub monitored_only: bool,
}

impl Alarm {
    pub fn new(config: &DetectionConfig) -> Self {
        Self {
            threshold: config.threshold,
            monitored_only: config.monitored_only,
        }
    }

    /// `contact`: it touches a monitored contract.
    pub fn sounds(&self, contact: bool, score: f32) -> bool {
        score >= self.threshold && (contact || !self.monitored_only)
    }
}

#[derive(Debug)]
pub struct Policy {
    pub alarm: Alarm,
    /// From this score on everything is simulated.
    pub threshold: f32,
    /// As [`SimulationConfig::young_blocks`]; 0 where nothing is monitored.
    pub young_blocks: u64,
    pub deadline_ms: u64,
    /// The executor takes no sequences.
    pub one_at_a_time: bool,
    /// Results come from a recording.
    pub replay: bool,
    /// Monitored contracts by name, in the configuration's order.
    pub contracts: Vec<Arc<str>>,
    pub addresses: Vec<Address>,
}

/// Why something is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Contact,
    Score,
    Young,
}

impl Reason {
    pub fn counter(self, stats: &Stats) -> &Counter {
        match self {
            Self::Contact => &stats.triaged_contact,
            Self::Score => &stats.triaged_score,
            Self::Young => &stats.triaged_young,
        }
    }
}

impl Policy {
    pub fn new(config: &SensorConfig, simulation: &SimulationConfig, replay: bool) -> Self {
        let detection = &config.detection;
        let names = config.contracts.iter().map(|c| c.name.as_str().into());
        Self {
            alarm: Alarm::new(detection),
            threshold: simulation.threshold.min(detection.threshold),
            young_blocks: match config.contracts.is_empty() {
                true => 0,
                false => simulation.young_blocks,
            },
            deadline_ms: simulation.deadline_ms,
            one_at_a_time: simulation.backend == Executor::DebugTraceCall,
            replay,
            contracts: names.collect(),
            addresses: config.contracts.iter().map(|c| c.address).collect(),
        }
    }

    /// `created`: its callee is still to be created.
    pub fn reason(&self, slot: &Slot, score: f32, created: bool) -> Option<Reason> {
        let age = match created {
            true => Some(0),
            false => slot.callee_age(),
        };
        let young = self.young_blocks > 0 && age.is_some_and(|age| age <= self.young_blocks);
        match () {
            () if !slot.contacts.is_empty() => Some(Reason::Contact),
            () if score >= self.threshold => Some(Reason::Score),
            () if young => Some(Reason::Young),
            () => None,
        }
    }

    /// Of contracts by name.
    pub fn indices(&self, names: &[Arc<str>]) -> Vec<u16> {
        let contracts = (0..).zip(&self.contracts);
        let named = contracts.filter(|(_, name)| names.contains(name));
        named.map(|(index, _)| index).collect()
    }
}
