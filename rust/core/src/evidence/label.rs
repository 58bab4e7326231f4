//! What an alert about a new contract says of whom, for other systems to go by: metadata and labels by the field's names.

use super::early::{EarlyReason, EarlyWarning};
use super::{Contained, Funding};
use alloy_primitives::{Address, hex};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// Where people look at a contract's decompiled code.
const OKO: &str = "https://oko.palkeo.com/";
/// How sure a reported attacker, or a proof, makes one of the deployer.
const SURE: f32 = 0.95;

/// What is said of an account.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "label")]
pub struct Label {
    #[schemars(range(min = 0, max = 1))]
    pub confidence: f32,
    /// An address.
    pub entity: String,
    #[schemars(extend("const" = "ADDRESS"))]
    pub entity_type: &'static str,
    /// The same for the same label of the same account.
    pub id: String,
    #[schemars(extend("enum" = ["contract", "eoa", "attacker"]))]
    pub label: &'static str,
    pub metadata: Map<String, Value>,
    /// It holds no longer: its contract is gone.
    pub remove: bool,
}

impl Label {
    /// The same, taken back.
    pub fn removed(self) -> Self {
        Self {
            remove: true,
            ..self
        }
    }
}

impl EarlyWarning {
    /// Of the contract and, where it is known, of who made it: an attacker, where more than a score and its money speaks for that.
    pub fn labels(&self) -> Vec<Label> {
        let deployment = &self.assessment.found.deployment;
        let confidence = self.confidence();
        let contract = label(deployment.address, "contract", confidence, self.metadata());
        if !deployment.is_deployers() {
            return vec![contract];
        }
        let mut labels = vec![
            contract,
            label(deployment.deployer, "eoa", confidence, Map::new()),
        ];
        if self.reason.accuses() {
            let reason = serde_json::to_value(self.reason).unwrap_or_default();
            let why = Map::from_iter([("reason".to_owned(), reason)]);
            labels.push(label(deployment.deployer, "attacker", confidence, why));
        }
        labels
    }

    fn confidence(&self) -> f32 {
        let score = self.assessment.score.as_ref();
        let score = score.map_or(0.0, |score| score.by().0);
        match self.reason {
            EarlyReason::Proof | EarlyReason::PastAttacker => score.max(SURE),
            _ => score,
        }
    }

    /// By the names that the field's readers know.
    pub fn metadata(&self) -> Map<String, Value> {
        let assessment = &self.assessment;
        let address = assessment.found.deployment.address;
        let mut metadata = Map::new();
        let mut put = |name: &str, value: Value| _ = metadata.insert(name.to_owned(), value);
        if let Some(score) = &assessment.score {
            let selectors = score.selectors.iter().map(hex::encode_prefixed);
            put("function_signatures", selectors.collect());
            put("high_precision_model", score.high_precision().into());
            let (by, threshold) = score.by();
            put("model_score", number(by));
            put("model_threshold", number(threshold));
        }
        let funding = &assessment.found.funding;
        put("funding_alerts", funding.iter().map(told).collect());
        let services = funding.iter().map(|one| Value::from(&*one.service));
        put("funding_labels", services.collect());
        let attacker = assessment.found.past_attacker.as_ref();
        let incident = attacker.map(|attacker| Value::from(&*attacker.incident));
        put("known_past_attacker", incident.unwrap_or_default());
        put("oko_contract_explorer", format!("{OKO}{address}").into());
        for (place, held) in self.held().enumerate() {
            let name = format!("address_contained_in_created_contract_{}", place + 1);
            put(&name, hex::encode_prefixed(held).into());
        }
        metadata
    }

    /// Addresses in the contract, those that are monitored first: they say what to pause.
    fn held(&self) -> impl Iterator<Item = Address> {
        let contained = &self.assessment.contained;
        let monitored = contained.iter().map(|one: &Contained| one.address);
        let score = self.assessment.score.iter();
        let others = score.flat_map(|score| score.addresses.iter().copied());
        let is_monitored = |address: &Address| contained.iter().any(|one| one.address == *address);
        monitored.chain(others.filter(move |address| !is_monitored(address)))
    }
}

fn label(
    entity: Address,
    label: &'static str,
    confidence: f32,
    metadata: Map<String, Value>,
) -> Label {
    let entity = hex::encode_prefixed(entity);
    Label {
        confidence,
        id: format!("{entity}-{label}"),
        entity,
        entity_type: "ADDRESS",
        label,
        metadata,
        remove: false,
    }
}

/// `TornadoCash, 1 hop, 0x…`: the transaction by which it came.
fn told(funding: &Funding) -> Value {
    let hops = match funding.hops {
        1 => "1 hop".to_owned(),
        hops => format!("{hops} hops"),
    };
    let tx = hex::encode_prefixed(funding.tx);
    format!("{}, {hops}, {tx}", funding.service).into()
}

/// As it is written elsewhere: the shortest decimal that reads back as the same float32.
fn number(value: f32) -> Value {
    value.to_string().parse::<f64>().unwrap_or_default().into()
}
