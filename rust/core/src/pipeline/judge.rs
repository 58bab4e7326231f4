//! The stages of one transaction, in order: decode, features, signatures; then a batch is classified and detections are made.

use super::codes::Codes;
use super::contact::Contacts;
use crate::bytecode::CodeFacts;
use crate::classify::Classifier;
use crate::config::SensorConfig;
use crate::decode::{Decoded, Decoder};
use crate::error::Result;
use crate::evidence::{
    Classification, FEATURES, FeatureVector, LatencyUs, SimulationStatus, ThreatDetection,
    ThreatLevel, alert_id,
};
use crate::features::{ChainView, Extractor, KnownSelectors, MISSING};
use crate::signatures::{Matcher, RuleSet, Subject};
use crate::tx::PendingTransaction;
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes of calldata that a detection keeps: attackers choose its length, and alerts wait in memory for Python.
const SELECTOR: usize = 4;

/// One transaction on its way through the stages. Slots are reused.
#[derive(Debug)]
pub struct Slot {
    pub tx: PendingTransaction,
    pub decoded: Decoded,
    pub row: FeatureVector,
    /// Monitored contracts it touches, as indices.
    pub contacts: Vec<u16>,
    /// What its init code tells, where it creates a contract.
    pub created: Option<CodeFacts>,
    pub matched: Vec<u32>,
    pub signature_score: f32,
    pub clock: Clock,
    /// Of its contents, see [`Dedup::fingerprint`](super::dedup::Dedup::fingerprint).
    pub fingerprint: u64,
    /// Its JSON, and whether that is a notification; only where it may be simulated and has fields that only that needs.
    pub raw: Option<(Bytes, bool)>,
    /// Judged again because its callee's code arrived.
    pub again: bool,
}

/// When each stage was done.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    pub arrived: Instant,
    pub started: Instant,
    pub decoded: Instant,
    pub featured: Instant,
    pub matched: Instant,
    pub classified: Instant,
}

impl Clock {
    pub fn new(arrived: Instant) -> Self {
        let started = Instant::now();
        Self {
            arrived,
            started,
            decoded: started,
            featured: started,
            matched: started,
            classified: started,
        }
    }

    fn latency(&self, simulation: &SimulationStatus) -> LatencyUs {
        let us = |d: Duration| d.as_nanos() as f64 / 1000.0;
        LatencyUs {
            decode: us(self.decoded - self.started),
            features: us(self.featured - self.decoded),
            signatures: us(self.matched - self.featured),
            classify: us(self.classified - self.matched),
            simulate: match simulation {
                SimulationStatus::Done(done) => Some(done.took_us),
                _ => None,
            },
            total: us(self.arrived.elapsed()),
        }
    }
}

/// Bytes that it takes to keep a transaction: its calldata and its JSON.
pub fn held(tx: &PendingTransaction, raw: Option<&(Bytes, bool)>) -> usize {
    tx.input.len() + raw.map_or(0, |(raw, _)| raw.len())
}

impl Slot {
    /// Blocks since its callee was created, 0 of a creation; none where that is not known.
    pub fn callee_age(&self) -> Option<u64> {
        let logarithm = f64::from(self.row[FEATURES - 1]);
        (logarithm >= 0.0).then(|| logarithm.exp_m1().round() as u64)
    }

    /// Its JSON, for keeping: a copy, since the bytes may be a part of a message of megabytes.
    pub fn raw_copy(&self) -> Option<(Bytes, bool)> {
        let (raw, is_notification) = self.raw.as_ref()?;
        Some((Bytes::copy_from_slice(raw), *is_notification))
    }
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            tx: PendingTransaction::default(),
            decoded: Decoded::default(),
            row: [MISSING; FEATURES],
            contacts: Vec::new(),
            created: None,
            matched: Vec::new(),
            signature_score: 0.0,
            clock: Clock::new(Instant::now()),
            fingerprint: 0,
            raw: None,
            again: false,
        }
    }
}

/// All that judges, and all it remembers. Changed by items alone, never by the wall clock.
pub struct Stages {
    decoder: Arc<Decoder>,
    extractor: Extractor,
    pub matcher: Matcher,
    classifier: Option<Classifier>,
    pub contacts: Contacts,
    pub codes: Codes,
    pub chain: ChainView,
    chain_id: u64,
    threshold: f32,
    monitored_only: bool,
    rows: Vec<FeatureVector>,
}

impl Stages {
    /// With model, rules and ABIs as configured.
    ///
    /// # Errors
    /// As [`Sensor::new`](super::Sensor::new).
    pub fn load(config: &SensorConfig) -> Result<Self> {
        let classifier = config.model.as_ref().map(Classifier::load).transpose()?;
        let decoder = Arc::new(Decoder::for_contracts(&config.contracts)?);
        let rules = Arc::new(RuleSet::load(&config.detection.rules)?);
        let known = classifier.as_ref().map_or_else(
            || Arc::new(KnownSelectors::default()),
            Classifier::known_selectors,
        );
        let contacts = Contacts::new(&config.contracts)?;
        let monitored: Vec<_> = config.contracts.iter().map(|c| c.address).collect();
        Ok(Self {
            extractor: Extractor::new(decoder.clone(), known, &monitored, config.limits.accounts),
            decoder,
            matcher: Matcher::new(rules),
            classifier,
            contacts,
            codes: Codes::new(config.limits.codes),
            chain: ChainView::default(),
            chain_id: config.chain_id,
            threshold: config.detection.threshold,
            monitored_only: config.detection.monitored_only,
            rows: Vec::new(),
        })
    }

    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Whether transactions are judged at all (`MempoolMonitor` only receives them).
    pub fn judges(&self) -> bool {
        self.classifier.is_some()
    }

    /// Decode, features and signatures of `slot.tx`.
    pub fn examine(&mut self, slot: &mut Slot) {
        self.decoder.decode(&slot.tx, &mut slot.decoded);
        slot.clock.decoded = Instant::now();
        // A creation is judged by its init code: it holds the code that will be there.
        slot.created = slot
            .tx
            .to
            .is_none()
            .then(|| CodeFacts::scan(&slot.tx.input, None));
        let code = match &slot.tx.to {
            Some(to) => self.codes.get(to).map(|code| &code.facts),
            None => slot.created.as_ref(),
        };
        slot.row = self
            .extractor
            .extract(&slot.tx, &slot.decoded, code, &self.chain);
        slot.clock.featured = Instant::now();
        self.match_signatures(slot);
    }

    /// The same for a transaction judged before, now that its callee's code is known. `slot.row` holds its features.
    pub fn examine_again(&mut self, slot: &mut Slot) {
        slot.created = None;
        self.decoder.decode(&slot.tx, &mut slot.decoded);
        slot.clock.decoded = Instant::now();
        if let Some(code) = slot.tx.to.as_ref().and_then(|to| self.codes.get(to)) {
            self.extractor.refresh_code(
                &mut slot.row,
                &slot.tx,
                &slot.decoded,
                &code.facts,
                &self.chain,
            );
        }
        slot.clock.featured = Instant::now();
        self.match_signatures(slot);
    }

    fn match_signatures(&mut self, slot: &mut Slot) {
        let code = slot.tx.to.as_ref().and_then(|to| self.codes.get(to));
        self.contacts.of(
            &slot.tx,
            code.map_or(&[], |c| &c.contacts),
            &mut slot.contacts,
        );
        let mut matched = std::mem::take(&mut slot.matched);
        slot.signature_score = self.matcher.evaluate(
            &subject(slot, &self.codes, &self.contacts, &self.chain),
            &mut matched,
        );
        slot.matched = matched;
        slot.clock.matched = Instant::now();
    }

    /// Probabilities of `slots`, in order, into `out`.
    pub fn classify(&mut self, slots: &[Slot], out: &mut Vec<f32>) -> Result<()> {
        let Some(classifier) = &mut self.classifier else {
            out.clear();
            return Ok(());
        };
        self.rows.clear();
        self.rows.extend(slots.iter().map(|slot| slot.row));
        classifier.classify(&self.rows, out)
    }

    /// `contact`: it touches a monitored contract.
    pub fn is_detection(&self, contact: bool, score: f32) -> bool {
        score >= self.threshold && (contact || !self.monitored_only)
    }

    /// The record with all evidence. Off the hot path: few transactions get here.
    pub fn detect(
        &mut self,
        slot: &Slot,
        probability: f32,
        score: f32,
        simulation: SimulationStatus,
        watched_ms: u64,
    ) -> Option<ThreatDetection> {
        let Some(classifier) = &mut self.classifier else {
            return None;
        };
        let classification = Classification {
            model: classifier.name().clone(),
            version: classifier.version().clone(),
            probability,
            threshold: self.threshold,
            // A detection without its factors is better than none.
            factors: classifier.explain(&slot.row).unwrap_or_default(),
        };
        let signatures = self.matcher.report(
            &subject(slot, &self.codes, &self.contacts, &self.chain),
            &slot.matched,
        );
        let description = self.decoder.describe(&slot.tx);
        let mut tx = slot.tx.clone();
        tx.input.truncate(SELECTOR);
        tx.input.shrink_to_fit();
        let contacts = slot.contacts.iter().map(|i| self.contacts.name(*i));
        let mut contracts: Vec<_> = contacts.collect();
        if let SimulationStatus::Done(done) = &simulation {
            let more = done.simulation.touched.iter();
            contracts.extend(more.cloned());
            contracts.sort_unstable();
            contracts.dedup();
        }
        Some(ThreatDetection {
            alert_id: alert_id(self.chain_id, &slot.tx.hash),
            chain_id: self.chain_id,
            tx,
            function: description.function,
            arguments: description.arguments,
            contracts,
            score,
            threat_level: ThreatLevel::of(score),
            classification,
            // A detection the model made alone has no rule that could mute it.
            notify: signatures.is_empty()
                || probability >= self.threshold
                || signatures.iter().any(|s| s.notify),
            signatures,
            signature_score: slot.signature_score,
            features: slot.row,
            latency_us: slot.clock.latency(&simulation),
            simulation,
            watched_ms,
        })
    }
}

fn subject<'a>(
    slot: &'a Slot,
    codes: &'a Codes,
    contacts: &'a Contacts,
    chain: &ChainView,
) -> Subject<'a> {
    let codes_of = slot.tx.to.as_ref().and_then(|to| codes.get(to));
    let callee = codes_of.map(|code| &code.facts);
    Subject {
        tx: &slot.tx,
        decoded: &slot.decoded,
        code: callee.or(slot.created.as_ref()),
        touches: &slot.contacts,
        code_touches: match codes_of {
            Some(code) => &code.contacts,
            None if slot.created.is_some() => &slot.contacts,
            None => &[],
        },
        monitored: contacts.addresses(),
        block_number: chain.block_number,
    }
}
