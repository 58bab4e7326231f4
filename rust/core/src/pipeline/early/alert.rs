//! A new contract's alert: the record that all other alerts are, of the transaction that creates it.

use crate::evidence::{
    Assessment, Authenticity, Classification, DoneSimulation, EarlyName, EarlyReason, EarlyWarning,
    FEATURES, Grade, LatencyUs, Sighting, SimulationStatus, ThreatDetection, ThreatLevel,
};
use crate::features::MISSING;
use crate::tx::PendingTransaction;
use alloy_primitives::hex;
use std::time::SystemTime;

/// Of what is worth an alert that is no hint: at the least, and where nothing is shown of it, at the most.
const WORTH: ThreatLevel = ThreatLevel::High;
/// Of a hint, at the most.
const HINT: ThreatLevel = ThreatLevel::Medium;

/// What the core knows beside the assessment.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings {
    pub chain_id: u64,
    pub watched_ms: u64,
}

pub fn alert(
    assessment: &Assessment,
    reason: EarlyReason,
    surroundings: Surroundings,
) -> ThreatDetection {
    let deployment = &assessment.found.deployment;
    let proof = assessment
        .detonation
        .as_ref()
        .and_then(|done| Some((done.proof.as_deref()?, done.took_us)));
    let simulation = match proof {
        Some((proof, took_us)) => SimulationStatus::Done(Box::new(DoneSimulation {
            simulation: proof.simulation.clone(),
            took_us,
        })),
        None => SimulationStatus::NotRun,
    };
    let probability = assessment.score.as_ref().map_or(0.0, |score| score.by().0);
    let score = proof.map_or(probability, |(proof, _)| {
        proof.simulation.verdict(probability)
    });
    let level = ThreatLevel::of(score);
    let mut contracts: Vec<_> = assessment
        .contained
        .iter()
        .map(|one| one.contract.clone())
        .collect();
    if let Some((proof, _)) = proof {
        contracts.extend(proof.simulation.touched.iter().cloned());
    }
    contracts.sort_unstable();
    contracts.dedup();
    let address = hex::encode(deployment.address);
    // Who was told of less is told of more by another one.
    let surer = match reason {
        EarlyReason::Proof => "-proved",
        EarlyReason::LikelyHarm => "-likely",
        EarlyReason::Hides => "-hides",
        _ => "",
    };
    ThreatDetection {
        alert_id: format!("{}-{address}{surer}", surroundings.chain_id),
        chain_id: surroundings.chain_id,
        tx: creation(assessment),
        function: None,
        arguments: Vec::new(),
        contracts,
        score,
        threat_level: match (reason.name(), proof) {
            (EarlyName::Attack, Some(_)) => level.max(WORTH),
            (EarlyName::Attack, None) => WORTH,
            (EarlyName::Info, _) => level.min(HINT),
        },
        classification: classification(assessment),
        signatures: Vec::new(),
        signature_score: 0.0,
        authenticity: match deployment.seen {
            Sighting::Mined { .. } => Authenticity::Proven,
            Sighting::Pending | Sighting::Simulated | Sighting::Gone => Authenticity::Unproven,
        },
        features: [MISSING; FEATURES],
        notify: true,
        grade: Grade::of(&simulation),
        victims: proof.map_or_else(Vec::new, |(proof, _)| proof.simulation.victims.clone()),
        early: Some(Box::new(EarlyWarning {
            reason,
            assessment: assessment.clone(),
        })),
        simulation,
        latency_us: LatencyUs {
            simulate: proof.map(|(_, took_us)| took_us),
            ..LatencyUs::default()
        },
        detected: SystemTime::now(),
        watched_ms: surroundings.watched_ms,
    }
}

/// As far as it is known, its code left out.
fn creation(assessment: &Assessment) -> PendingTransaction {
    let deployment = &assessment.found.deployment;
    PendingTransaction {
        hash: deployment.tx,
        from: deployment.deployer,
        to: deployment.to,
        nonce: deployment.nonce,
        value: deployment.value,
        seen_ms: assessment.found.at_ms,
        ..PendingTransaction::default()
    }
}

fn classification(assessment: &Assessment) -> Classification {
    let Some(score) = &assessment.score else {
        return Classification {
            factors: Vec::new(),
            model: "none".into(),
            probability: 0.0,
            threshold: 1.0,
            version: "".into(),
        };
    };
    let (probability, threshold) = score.by();
    Classification {
        factors: score.factors.clone(),
        model: score.model.clone(),
        probability,
        threshold,
        version: score.version.clone(),
    }
}
