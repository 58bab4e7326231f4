use super::*;
use crate::features::MISSING;
use alloy_primitives::{U256, address, hex};

const VAULT: Address = address!("00000000000000000000000000000000000000aa");

fn analyzer(abi: Option<&str>) -> Result<Analyzer> {
    let contract = MonitoredContract {
        name: "Vault".into(),
        address: VAULT,
        abi: abi.map(str::to_owned),
        ..MonitoredContract::default()
    };
    Analyzer::new(Arc::new(KnownSelectors::default()), &[contract])
}

fn call(input: &[u8]) -> PendingTransaction {
    PendingTransaction {
        to: Some(VAULT),
        input: input.to_vec(),
        nonce: 3,
        gas: 50_000,
        ..Default::default()
    }
}

#[test]
fn a_monitored_contract_makes_its_functions_and_its_address_known() {
    let rug = hex!("35d67f44" "00000000000000000000000000000000000000000000000000000000000000aa");
    let row = analyzer(None)
        .unwrap()
        .features(&call(&rug), Some(&CodeFacts::default()));
    assert_eq!(row[1], 1.0, "unknown without the ABI");
    assert_eq!(
        row[14], 0.0,
        "too short a word for an address, read without types"
    );
    let abi = r#"[{"type":"function","name":"rug","stateMutability":"nonpayable","outputs":[],
        "inputs":[{"name":"to","type":"address"}]}]"#;
    let analyzer = analyzer(Some(abi)).unwrap();
    let selector = alloy_primitives::keccak256("rug(address)");
    let rug = [&selector[..4], &rug[4..]].concat();
    let row = analyzer.features(&call(&rug), Some(&CodeFacts::default()));
    assert_eq!(
        (row[1], row[14]),
        (0.0, 2_f32.ln()),
        "the argument is a known address"
    );
    assert_eq!(analyzer.decode(&call(&rug)).addresses, [VAULT]);
    assert_eq!(
        analyzer.describe(&call(&rug)).function.as_deref(),
        Some("rug(address)")
    );
}

#[test]
fn rows_do_not_depend_on_each_other_or_on_the_record() {
    let analyzer = analyzer(None).unwrap();
    let mut scratch = Decoded::default();
    let transactions: Vec<PendingTransaction> = (0..50_u8)
        .map(|i| PendingTransaction {
            value: U256::from(i),
            seen_ms: u64::from(i) * 1000,
            ..call(&vec![i; usize::from(i) * 7])
        })
        .collect();
    for tx in transactions.iter().chain(transactions.iter().rev()) {
        let row = analyzer.features_with(tx, None, &mut scratch);
        assert_eq!(row, analyzer.features(tx, None));
        assert_eq!(
            (row[9], row[10], row[19], row[20]),
            (MISSING, MISSING, 1.0, MISSING)
        );
    }
}

#[test]
fn an_abi_that_does_not_parse_is_refused() {
    assert!(analyzer(Some("{}")).unwrap_err().is_config());
}
