//! The one place that knows every stage: a source, a thread that judges, a bounded channel of events.

mod acquaintances;
mod changes;
pub(crate) mod clock;
pub(crate) mod codes;
pub(crate) mod contact;
mod dedup;
mod early;
mod follow;
mod intake;
pub(crate) mod judge;
pub(crate) mod latency;
mod output;
mod runner;
pub(crate) mod slot;
#[cfg(test)]
mod tests;
mod triage;
mod watch;
mod worker;

use crate::capture::CaptureWriter;
use crate::capture::replay::ReplaySource;
use crate::chain::ChainSpec;
use crate::config::{SensorConfig, SourceConfig};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::event::json::Origin;
use crate::feed::LiveSource;
use crate::inbox::queue::queue;
use crate::signatures::RuleSet;
use crate::simulate::judge::simulator::Simulator;
use crate::simulate::rehearsal::Rehearsals;
use crate::stats::Stats;
use alloy_primitives::B256;
use arc_swap::{ArcSwap, ArcSwapOption};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use early::{Desk, Parts};
use judge::Stages;
use output::Output;
use runner::Runner;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use triage::{Policy, Triage};
use worker::{Published, Simulating, Worker};

/// A running sensor: start it, pull events until [`Event::End`].
pub struct Sensor {
    config: SensorConfig,
    chain: Arc<ChainSpec>,
    stats: Arc<Stats>,
    /// Loaded at construction, so that a bad file fails there and not in the run; taken by `start`.
    prepared: Option<Prepared>,
    running: Option<Running>,
    events: Events,
    /// What simulations read of them.
    rules: Arc<ArcSwap<RuleSet>>,
    reload: Arc<ArcSwapOption<RuleSet>>,
    published: Arc<Mutex<Published>>,
    /// Of the configured pauses.
    rehearsals: Arc<Rehearsals>,
}

/// What is loaded before anything runs.
struct Prepared {
    stages: Stages,
    simulators: Vec<Simulator>,
    early: Option<Parts>,
    output: Output,
}

struct Running {
    source: Source,
    worker: Option<JoinHandle<()>>,
}

enum Source {
    Live(Arc<LiveSource>),
    Replay(ReplaySource),
}

impl Sensor {
    /// Loads model, rules and ABIs.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Rules`], [`Error::Model`], [`Error::Abi`]: what the user must change.
    pub fn new(config: SensorConfig) -> Result<Self> {
        let stats = Arc::new(Stats::default());
        let chain = ChainSpec::load(config.chain_id, config.chain_spec.as_deref())?;
        let stages = Stages::load(&config)?;
        check_contracts(stages.matcher.rules(), &config)?;
        let rules = Arc::new(ArcSwap::new(stages.matcher.rules().clone()));
        let lossless = matches!(config.source, SourceConfig::Replay(_));
        if lossless && config.capture.is_some() {
            return Err(Error::Config(
                "a replay cannot be captured: copy the capture instead".into(),
            ));
        }
        let simulator = |simulation: &_| runner::simulator(&config, simulation, &chain, &rules);
        let early = early::parts(&config, simulator)?;
        let scorer = early.as_ref().and_then(Parts::scorer);
        let simulators = runner::simulators(&config, &chain, &rules, scorer)?;
        let (output, receiver, held) = Output::new(config.limits.events, lossless, stats.clone());
        Ok(Self {
            events: Events {
                origin: Arc::new(Origin {
                    sensor: config.sensor.clone(),
                    chain_id: config.chain_id,
                    mode: config.mode,
                }),
                receiver,
                held,
            },
            config,
            chain,
            stats,
            prepared: Some(Prepared {
                stages,
                simulators,
                early,
                output,
            }),
            running: None,
            rules,
            reload: Arc::default(),
            published: Arc::default(),
            rehearsals: Arc::default(),
        })
    }

    /// Starts the source and the pipeline thread. A second call does nothing.
    pub fn start(&mut self) -> Result<()> {
        if self.running.is_some() {
            return Ok(());
        }
        let Some(prepared) = self.prepared.take() else {
            return Err(Error::Config("this sensor failed to start before".into()));
        };
        let Prepared {
            stages,
            simulators,
            early,
            output,
        } = prepared;
        let is_live = matches!(self.config.source, SourceConfig::Live(_));
        let (searching, scoring) = match is_live {
            true => (early, None),
            false => (None, early.as_ref().and_then(Parts::scorer).cloned()),
        };
        let early = self.config.early.as_ref();
        let desk = early.map(|early| Desk::new(scoring, early.beta));
        let capture = self
            .config
            .capture
            .as_ref()
            .map(|c| CaptureWriter::start(c, self.config.chain_id, self.stats.clone()));
        let (items, inbox) = queue(&self.config.limits, self.stats.clone());
        let runner = self
            .config
            .simulation
            .as_ref()
            .filter(|_| !simulators.is_empty());
        let runner = runner.map(|simulation| match &self.config.source {
            SourceConfig::Live(live) => Runner::live(
                &self.config,
                &self.chain,
                live,
                simulation,
                simulators,
                &items,
                &self.stats,
                &self.rehearsals,
                searching,
            ),
            SourceConfig::Replay(_) => Runner::replay(simulators),
        });
        let (source, drop_after_ms) = match &self.config.source {
            SourceConfig::Live(live) => {
                let source = LiveSource::start(
                    live,
                    self.config.chain_id,
                    &self.config.limits,
                    self.stats.clone(),
                    items,
                )?;
                (Source::Live(Arc::new(source)), live.drop_after_ms)
            }
            SourceConfig::Replay(replay) => {
                let source = ReplaySource::start(
                    replay,
                    self.config.chain_id,
                    &self.config.limits,
                    self.stats.clone(),
                    items,
                )?;
                (Source::Replay(source), u64::MAX)
            }
        };
        let live = match &source {
            Source::Live(live) => Some(live.clone()),
            Source::Replay(_) => None,
        };
        // Known before the first transaction reaches them.
        if let Some(live) = &live {
            if !self.config.contracts.is_empty() {
                live.look_inside();
            }
            self.config
                .contracts
                .iter()
                .for_each(|c| live.request_code(c.address));
        }
        let simulating = runner.transpose()?.zip(self.config.simulation.as_ref());
        let simulating = simulating.map(|(runner, simulation)| {
            let policy = Policy::new(&self.config, simulation, live.is_none());
            let triage = Triage::new(policy, self.stats.clone());
            Simulating { triage, runner }
        });
        let last_words = output.last_words();
        let worker = Worker::new(
            &self.config,
            self.chain.clone(),
            stages,
            simulating,
            desk,
            live,
            capture.transpose()?,
            output,
            self.stats.clone(),
            self.reload.clone(),
            self.published.clone(),
            drop_after_ms,
        );
        let worker = worker.start(inbox, last_words)?;
        self.running = Some(Running {
            source,
            worker: Some(worker),
        });
        Ok(())
    }

    /// The receiving end, which can be read while another thread starts, stops or asks for figures.
    pub fn events(&self) -> Events {
        self.events.clone()
    }

    /// Replaces the rules between two batches; no transaction is lost. Keeps the old ones where the new do not load.
    pub fn reload(&self, rules: &[String]) -> Result<()> {
        let rules = Arc::new(RuleSet::load(rules)?);
        check_contracts(&rules, &self.config)?;
        self.rules.store(rules.clone());
        self.reload.store(Some(rules));
        Ok(())
    }

    /// Asks the nodes for one transaction; it then arrives like any other. Nothing happens in a replay.
    pub fn fetch(&self, hash: B256) {
        if let Some(Running {
            source: Source::Live(live),
            ..
        }) = &self.running
        {
            live.fetch(hash);
        }
    }

    /// Counters, endpoints, rule costs and latency as JSON.
    pub fn stats_json(&self) -> serde_json::Value {
        let mut all = self.stats.snapshot();
        let published = self
            .published
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.insert(
            "latency_us".into(),
            serde_json::to_value(published.latency).unwrap_or_default(),
        );
        all.insert(
            "rules".into(),
            serde_json::to_value(&published.rules).unwrap_or_default(),
        );
        all.insert(
            "pauses".into(),
            serde_json::to_value(self.rehearsals.latest()).unwrap_or_default(),
        );
        all.insert("tracked".into(), published.tracked.into());
        all.insert("queue".into(), published.queued.into());
        let endpoints = match &self.running {
            Some(Running {
                source: Source::Live(live),
                ..
            }) => live.endpoints(),
            _ => Vec::new(),
        };
        all.insert(
            "endpoints".into(),
            serde_json::to_value(endpoints).unwrap_or_default(),
        );
        all.into()
    }

    /// Asks the source to stop. What it had delivered is still judged; [`Event::End`] follows.
    pub fn stop(&mut self) {
        if let Some(running) = &mut self.running {
            match &mut running.source {
                Source::Live(live) => live.stop(),
                Source::Replay(replay) => replay.stop(),
            }
        }
    }
}

/// An invariant for a contract that is not monitored would never be checked, and nobody would know.
fn check_contracts(rules: &RuleSet, config: &SensorConfig) -> Result<()> {
    let names: Vec<_> = config.contracts.iter().map(|c| c.name.as_str()).collect();
    rules.check_contracts(&names)
}

/// The receiving end of a sensor. Clones share one stream: each event goes to one of them.
#[derive(Clone)]
pub struct Events {
    origin: Arc<Origin>,
    receiver: Receiver<Event>,
    held: Arc<AtomicUsize>,
}

impl Events {
    /// Events in order: up to `limit`, as soon as there is one; empty where none came in time.
    pub fn recv(&self, timeout: Duration, limit: usize) -> Vec<Event> {
        let mut events = Vec::new();
        match self.receiver.recv_timeout(timeout) {
            Ok(event) => events.push(event),
            Err(RecvTimeoutError::Timeout) => return events,
            // The pipeline is gone: nothing follows, however often one asks.
            Err(RecvTimeoutError::Disconnected) => return vec![Event::End],
        }
        while events.len() < limit
            && let Ok(event) = self.receiver.try_recv()
        {
            events.push(event);
        }
        self.held
            .fetch_sub(events.iter().map(output::footprint).sum(), Relaxed);
        events
    }

    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        self.stop();
        // A lossless pipeline may be waiting for room in the channel: drain it until it ends.
        let Some(worker) = self
            .running
            .as_mut()
            .and_then(|running| running.worker.take())
        else {
            return;
        };
        let deadline = Instant::now() + Duration::from_secs(5);
        while !worker.is_finished() && Instant::now() < deadline {
            let _ = self.events.recv(Duration::from_millis(20), usize::MAX);
        }
        if worker.is_finished() {
            let _ = worker.join();
        }
    }
}
