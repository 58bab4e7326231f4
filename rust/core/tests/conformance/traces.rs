//! The traces of mainnet's blocks as training data: benign ones, of a recorder other than the incidents'.

use super::bounds;
use super::call_tracer::to_json;
use super::mainnet::blocks;
use mempool_ids_core::simulate::evm::execute::{Checks, Exit, Sandbox};
use std::fs::File;
use std::io::{BufWriter, Write};

/// 2019, in Unix seconds: before, contracts did other things.
const SINCE: u64 = 1_546_300_800;

/// Run by hand, before `mempool-ids model train --traces`: writes where `MEMPOOL_IDS_TRACES` says. What reads more than its
/// block's record has is left out, and so is what its sender sends after it; the others find the state without it.
#[test]
#[ignore = "writes training data"]
fn traces_of_mainnet_are_written_for_training() {
    let path =
        std::env::var_os("MEMPOOL_IDS_TRACES").expect("MEMPOOL_IDS_TRACES: the file to write");
    let mut file = BufWriter::new(File::create(path).unwrap());
    for block in &blocks() {
        let (number, timestamp) = (block.header.number.u64(), block.header.timestamp.u64());
        if timestamp < SINCE {
            continue;
        }
        let mut sandbox = Sandbox::new(&block.state, &block.environment);
        for (hash, _, transaction) in &block.transactions {
            let execution = sandbox.execute(transaction.clone(), Checks::Consensus, bounds());
            if !matches!(
                execution.exit,
                Exit::Succeeded | Exit::Reverted | Exit::Halted(_)
            ) {
                continue;
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
