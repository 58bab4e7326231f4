//! Transactions to measure on, and where they came from.

use mempool_ids_core::source::frame::parse_object;
use mempool_ids_core::tx::PendingTransaction;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use std::path::{Path, PathBuf};

/// JSON objects as `eth_getTransactionByHash` returns them, and a word for the report on what they are.
pub struct Samples {
    pub objects: Vec<String>,
    pub origin: String,
}

/// Real calldata from `MEMPOOL_IDS_DATA` (default `../shared/data`), else the committed samples.
pub fn load() -> Samples {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let data = std::env::var_os("MEMPOOL_IDS_DATA")
        .map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let parquet = data.join("transactions/train.parquet");
    if parquet.exists() {
        let objects = real(&parquet);
        return Samples {
            origin: format!(
                "{} real transactions (transactions/train.parquet)",
                objects.len()
            ),
            objects,
        };
    }
    let text = std::fs::read_to_string(root.join("tests/data/sample.jsonl"))
        .expect("tests/data/sample.jsonl");
    let objects: Vec<_> = text.lines().map(str::to_owned).collect();
    Samples {
        origin: format!(
            "{} synthetic transactions (tests/data/sample.jsonl)",
            objects.len()
        ),
        objects,
    }
}

impl Samples {
    pub fn parsed(&self) -> Vec<PendingTransaction> {
        self.objects
            .iter()
            .map(|o| parse_object(o.as_bytes(), 1).expect("samples parse"))
            .collect()
    }
}

fn real(path: &Path) -> Vec<String> {
    let file = std::fs::File::open(path).expect("open");
    let reader = SerializedFileReader::new(file).expect("parquet");
    let rows = reader.get_row_iter(None).expect("rows");
    rows.enumerate()
        .map(|(i, row)| object(i, &row.expect("row")))
        .collect()
}

fn object(i: usize, row: &Row) -> String {
    let field = |name: &str| {
        row.get_column_iter()
            .find(|(n, _)| n.as_str() == name)
            .map(|(_, f)| f)
    };
    let text = |name: &str| match field(name) {
        Some(Field::Str(s)) => Some(s.clone()),
        _ => None,
    };
    let number = |name: &str| match field(name) {
        Some(Field::Long(n)) => u128::try_from(*n).ok(),
        Some(Field::Byte(n)) => u128::try_from(*n).ok(),
        Some(Field::Int(n)) => u128::try_from(*n).ok(),
        _ => None,
    };
    let input = match field("input") {
        Some(Field::Bytes(b)) => alloy_primitives::hex::encode_prefixed(b.data()),
        _ => "0x".into(),
    };
    let value: alloy_primitives::U256 = text("value")
        .and_then(|v| v.parse().ok())
        .unwrap_or_default();
    let to = text("to").map_or("null".into(), |to| format!("\"{to}\""));
    let from = text("from").unwrap_or_else(|| format!("0x{:040x}", i + 1));
    let gas_price = number("gas_price").unwrap_or(20_000_000_000);
    let (fees, tx_type) = match (
        number("max_fee_per_gas"),
        number("max_priority_fee_per_gas"),
    ) {
        (Some(max), Some(tip)) => (
            format!("\"maxFeePerGas\":\"{max:#x}\",\"maxPriorityFeePerGas\":\"{tip:#x}\","),
            "0x2",
        ),
        _ => (String::new(), "0x0"),
    };
    // Field order and the fields a sensor does not need are geth's.
    format!(
        "{{\"blockHash\":null,\"blockNumber\":null,\"from\":\"{from}\",\"gas\":\"{:#x}\",\"gasPrice\":\"{gas_price:#x}\",{fees}\
         \"hash\":\"0x{:064x}\",\"input\":\"{input}\",\"nonce\":\"{:#x}\",\"to\":{to},\"transactionIndex\":null,\
         \"value\":\"{value:#x}\",\"type\":\"{tx_type}\",\"accessList\":[],\"chainId\":\"0x1\",\"v\":\"0x1\",\
         \"r\":\"0x{:064x}\",\"s\":\"0x{:064x}\",\"yParity\":\"0x1\"}}",
        number("gas").unwrap_or(21_000),
        i + 1,
        number("nonce").unwrap_or(1),
        i + 7,
        i + 11
    )
}
