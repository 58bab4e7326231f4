//! Contracts' code to measure on: real where the data folder is there, else made of a dispatcher.

#![allow(dead_code)] // Each bench uses a part of it.

use super::corpus::data;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use std::fs::File;

/// Of the real ones, so many.
const CODES: usize = 2_000;
/// Bytes that a contract can have (EIP-170).
const LONGEST: usize = 24 << 10;

/// As it runs.
pub fn load() -> Vec<Vec<u8>> {
    let path = data().join("contracts/train.parquet");
    match File::open(&path) {
        Ok(file) => {
            let reader = SerializedFileReader::new(file).expect("a Parquet file");
            let rows = reader.get_row_iter(None).expect("rows").step_by(6);
            let code = |(name, field): (&String, &Field)| match (name.as_str(), field) {
                ("code", Field::Bytes(bytes)) => Some(bytes.data().to_vec()),
                _ => None,
            };
            let codes = rows.filter_map(|row| row.expect("a row").get_column_iter().find_map(code));
            let codes: Vec<_> = codes
                .filter(|code| code.len() <= LONGEST)
                .take(CODES)
                .collect();
            eprintln!("{} contracts of {}", codes.len(), path.display());
            codes
        }
        Err(reason) => {
            eprintln!("made-up contracts: {}: {reason}", path.display());
            let dispatcher = [
                0x80, 0x63, 0xa9, 0x05, 0x9c, 0xbb, 0x14, 0x61, 0x01, 0x23, 0x57, 0x54, 0x55, 0xf1,
            ];
            let of = |length| dispatcher.iter().copied().cycle().take(length).collect();
            [1 << 10, 7 << 10, LONGEST].map(of).to_vec()
        }
    }
}

/// Init code that leaves `code`.
pub fn init(code: &[u8]) -> Vec<u8> {
    let length = (code.len() as u16).to_be_bytes();
    let head = [
        0x61, length[0], length[1], 0x80, 0x60, 11, 0x5f, 0x39, 0x5f, 0xf3, 0xfe,
    ];
    [&head[..], code].concat()
}
