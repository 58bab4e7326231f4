//! The stages of one transaction, in order: decode, features, signatures; then a batch is classified and detections are made.

use super::acquaintances::Acquaintances;
use super::codes::Codes;
use super::contact::Contacts;
use super::slot::Slot;
use super::triage::{Alarm, Verdict};
use crate::bytecode::CodeFacts;
use crate::classify::Classifier;
use crate::config::SensorConfig;
use crate::decode::Decoder;
use crate::error::Result;
use crate::evidence::{
    Classification, Factor, FeatureVector, Grade, SimulationStatus, ThreatDetection, ThreatLevel,
    alert_id,
};
use crate::features::{ChainView, Extractor, KnownSelectors};
use crate::signatures::{Matcher, RuleSet, Subject};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// Bytes of calldata that a detection keeps: attackers choose its length, and alerts wait in memory for Python.
const SELECTOR: usize = 4;

/// All that judges, and all it remembers. Changed by items alone, never by the wall clock.
pub struct Stages {
    decoder: Arc<Decoder>,
    extractor: Extractor,
    pub matcher: Matcher,
    classifier: Option<Classifier>,
    pub contacts: Contacts,
    pub codes: Codes,
    /// Who has to do with monitored contracts by what it did.
    pub acquaintances: Acquaintances,
    pub chain: ChainView,
    chain_id: u64,
    pub alarm: Alarm,
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
            acquaintances: Acquaintances::default(),
            chain: ChainView::default(),
            chain_id: config.chain_id,
            alarm: Alarm::new(&config.detection),
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
        slot.timings.decoded = Instant::now();
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
        slot.timings.featured = Instant::now();
        self.match_signatures(slot);
    }

    /// The same for a transaction judged before, now that its callee's code is known. `slot.row` holds its features.
    pub fn examine_again(&mut self, slot: &mut Slot) {
        slot.created = None;
        self.decoder.decode(&slot.tx, &mut slot.decoded);
        slot.timings.decoded = Instant::now();
        if let Some(code) = slot.tx.to.as_ref().and_then(|to| self.codes.get(to)) {
            self.extractor.refresh_code(
                &mut slot.row,
                &slot.tx,
                &slot.decoded,
                &code.facts,
                &self.chain,
            );
        }
        slot.timings.featured = Instant::now();
        self.match_signatures(slot);
    }

    fn match_signatures(&mut self, slot: &mut Slot) {
        let code = slot.tx.to.as_ref().and_then(|to| self.codes.get(to));
        let callee = slot.tx.to.as_ref();
        let learnt = callee.map_or(&[][..], |to| self.acquaintances.get(to));
        let in_code = code.map_or(&[][..], |code| &code.contacts);
        let inside = code.map_or(&[][..], |code| &code.inside);
        let of_callee = in_code.iter().chain(inside).chain(learnt).copied();
        self.contacts.of(&slot.tx, of_callee, &mut slot.contacts);
        let mut matched = std::mem::take(&mut slot.matched);
        slot.signature_score = self.matcher.evaluate(
            &subject(slot, &self.codes, &self.contacts, &self.chain),
            &mut matched,
        );
        slot.matched = matched;
        slot.timings.matched = Instant::now();
    }

    /// Probabilities of `slots`, in order, into `out`. The model knows calls: of a creation it says nothing, which is 0.
    pub fn classify(&mut self, slots: &[Slot], out: &mut Vec<f32>) -> Result<()> {
        let Some(classifier) = &mut self.classifier else {
            out.clear();
            return Ok(());
        };
        self.rows.clear();
        self.rows.extend(slots.iter().map(|slot| slot.row));
        classifier.classify(&self.rows, out)?;
        for (slot, probability) in slots.iter().zip(out) {
            if slot.tx.to.is_none() {
                *probability = 0.0;
            }
        }
        Ok(())
    }

    /// What moved the model's probability of it; none where it cannot say.
    pub fn explain(&mut self, slot: &Slot) -> Option<Vec<Factor>> {
        match slot.tx.to {
            Some(_) => self.classifier.as_mut()?.explain(&slot.row).ok(),
            None => Some(Vec::new()),
        }
    }

    /// The record with all evidence. Off the hot path: few transactions get here.
    pub fn detect(
        &mut self,
        slot: &Slot,
        verdict: Verdict,
        watched_ms: u64,
    ) -> Option<ThreatDetection> {
        let detected = SystemTime::now();
        let Verdict {
            probability,
            score,
            factors,
            simulation,
        } = verdict;
        let factors = factors.or_else(|| self.explain(slot));
        let classifier = self.classifier.as_ref()?;
        let classification = Classification {
            model: classifier.name().clone(),
            version: classifier.version().clone(),
            probability,
            threshold: self.alarm.threshold,
            // A detection without its factors is better than none.
            factors: factors.unwrap_or_default(),
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
                || probability >= self.alarm.threshold
                || signatures.iter().any(|s| s.notify),
            signatures,
            signature_score: slot.signature_score,
            authenticity: slot.authenticity,
            features: slot.row,
            latency_us: slot.timings.latency(&simulation),
            grade: Grade::of(&simulation),
            victims: match &simulation {
                SimulationStatus::Done(done) => done.simulation.victims.clone(),
                _ => Vec::new(),
            },
            early: None,
            simulation,
            detected,
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
