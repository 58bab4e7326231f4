//! The traces of mainnet's blocks as training data: benign ones, of a recorder other than the incidents'.

use super::bounds;
use super::call_tracer::to_json;
use super::mainnet::blocks;
use mempool_ids_core::simulate::evm::execute::{Checks, Exit, Sandbox};
use std::fs::File;
use std::io::{BufWriter, Write};

/// 2019 to 2023, Unix seconds: before, contracts did other things; what came later is kept out of training.
const YEARS: std::ops::Range<u64> = 1_546_300_800..1_704_067_200;

/// Run by hand, before `mempool-ids model train --traces`: writes where `MEMPOOL_IDS_TRACES` says. A block whose record is
/// not whole gives the transactions before what lacks.
#[test]
#[ignore = "writes training data"]
fn traces_of_mainnet_are_written_for_training() {
    let path =
        std::env::var_os("MEMPOOL_IDS_TRACES").expect("MEMPOOL_IDS_TRACES: the file to write");
    let mut file = BufWriter::new(File::create(path).unwrap());
    for block in &blocks() {
        let (number, timestamp) = (block.header.number.u64(), block.header.timestamp.u64());
        if !YEARS.contains(&timestamp) {
            continue;
        }
        let mut sandbox = Sandbox::new(&block.state, &block.environment);
        for (hash, _, transaction) in &block.transactions {
            let execution = sandbox.execute(transaction.clone(), Checks::Consensus, bounds());
            if !matches!(
                execution.exit,
                Exit::Succeeded | Exit::Reverted | Exit::Halted(_)
            ) {
                break;
            }
            let trace = to_json(&execution.trace, false);
            writeln!(
                file,
                r#"{{"label":"benign","hash":"{hash}","chain":"eth","block":{number},"timestamp":{timestamp},"trace":{trace}}}"#
            )
            .unwrap();
        }
    }
    file.flush().unwrap();
}
