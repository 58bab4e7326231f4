//! A simulation as JSON, for alerts and for whoever asks for one.

use super::decimal;
use crate::evidence::Simulation;
use crate::evidence::transfers::Asset;
use serde_json::{Value, json};

/// Amounts as decimal strings in smallest units, addresses in lower case.
pub fn json(simulation: &Simulation) -> Value {
    let flows = simulation.flows.iter().map(|flow| {
        let mut all = asset(flow.asset);
        all["account"] = format!("{:#x}", flow.account).into();
        all["amount"] = flow.amount.to_string().into();
        all
    });
    let losses = simulation.losses.iter().map(|loss| {
        let mut all = asset(loss.asset);
        all["contract"] = (*loss.contract).into();
        all["amount"] = loss.amount.to_string().into();
        all
    });
    let broken = simulation.violations.iter().map(|broken| {
        json!({
            "name": broken.invariant, "contract": &*broken.contract, "weight": decimal(broken.weight),
            "severe": broken.severe, "explanation": broken.explanation,
        })
    });
    let factors = simulation.factors.iter().map(|factor| {
        json!({
            "feature": factor.feature, "value": decimal(factor.value), "contribution": decimal(factor.contribution),
        })
    });
    let variations = simulation.variations.iter().map(|variation| {
        json!({
            "of": variation.of, "harm": decimal(variation.harm), "probability": variation.probability.map(decimal),
            "finished": variation.finished,
        })
    });
    let touched = simulation.touched.iter().map(|name| &**name);
    let created = simulation.created.iter().map(|at| format!("{at:#x}"));
    json!({
        "block": simulation.block,
        "outcome": simulation.outcome,
        "before": simulation.before,
        "gas_used": simulation.gas_used,
        "frames": simulation.frames,
        "depth": simulation.depth,
        "touched": touched.collect::<Vec<_>>(),
        "created": created.collect::<Vec<_>>(),
        "outflows": losses.collect::<Vec<_>>(),
        "flows": flows.collect::<Vec<_>>(),
        "coinbase_payment": simulation.coinbase_payment.to_string(),
        "invariants": broken.collect::<Vec<_>>(),
        "harm": decimal(simulation.harm),
        "probability": simulation.probability.map(decimal),
        "factors": factors.collect::<Vec<_>>(),
        "variations": variations.collect::<Vec<_>>(),
        "decides": simulation.decides(),
        "cut": simulation.cut,
    })
}

fn asset(asset: Asset) -> Value {
    match asset {
        Asset::Native => json!({"asset": "native"}),
        Asset::Token(token) => json!({"asset": format!("{token:#x}")}),
        Asset::Unique(token, id) => {
            json!({"asset": format!("{token:#x}"), "id": id.to_string()})
        }
    }
}
