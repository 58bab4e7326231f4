//! On real nodes, by each method that they have.

use super::*;
use crate::feed::tests::node::config;
use crate::feed::tests::real::RealNode;
use alloy_consensus::crypto::secp256k1::sign_message;
use alloy_eips::eip7702::Authorization;
use alloy_primitives::address;

const KEY: B256 = B256::with_last_byte(1);
/// Whose key that is.
const ACCOUNT: Address = address!("7e5f4552091a69125d5dfcb7b8c2659029395bdf");
/// Return 64 bytes: zeros, and a word that is not.
const ZEROS: [u8; 4] = hex!("60405ff3");
const WORD: [u8; 8] = hex!("60ff5f5260405ff3");
const REVERTS: [u8; 3] = hex!("5f5ffd");
/// ORIGIN SELFDESTRUCT.
const DESTROYS: [u8; 2] = hex!("32ff");

/// Creates with a value, by CREATE or with a salt by CREATE2, and drops the address.
fn creates(init: &[u8], value: u8, salt: Option<u8>) -> Vec<u8> {
    let mut word = [0; 32];
    word[..init.len()].copy_from_slice(init);
    let salted = salt.map_or_else(Vec::new, |salt| vec![0x60, salt]);
    let sizes = [0x60, init.len() as u8, 0x5f, 0x60, value];
    let creates = if salt.is_some() { 0xf5 } else { 0xf0 };
    [
        &[0x7f][..],
        &word,
        &hex!("5f52"),
        &salted,
        &sizes,
        &[creates, 0x50],
    ]
    .concat()
}

fn surveyor(node: &RealNode, chain: u64, token: Option<Address>) -> Surveyor {
    let stats = Arc::new(Stats::default());
    let limits = Limits::default();
    let (items, _inbox) = queue(&limits, stats.clone());
    let mut live = config(&[]);
    live.rpc_urls = vec![node.url()];
    let asker = Asker::start(&live, chain, &limits, stats, items).expect("starts");
    Surveyor::new(asker, token)
}

/// All are created by one transaction, three of which stand, its own contract among them.
fn creations_of_every_kind(node: &RealNode, chain: u64, methods: &[Method]) {
    let init = [
        creates(&ZEROS, 5, None),
        creates(&REVERTS, 0, None),
        creates(&WORD, 0, Some(7)),
        creates(&DESTROYS, 3, None),
        // STATICCALL of the account that nobody has.
        hex!("5f5f5f5f61ffff5afa50").to_vec(),
        WORD.to_vec(),
    ]
    .concat();
    let sent =
        node.send(json!({"data": Bytes::from(init.clone()), "value": "0x64", "gas": "0x1e8480"}));
    let receipt = node.mined(&sent);
    let field = |name: &str| receipt[name].as_str().unwrap().to_owned();
    let block: B256 = field("blockHash").parse().unwrap();
    let (own, signer): (Address, Address) = (
        field("contractAddress").parse().unwrap(),
        field("from").parse().unwrap(),
    );
    for method in methods {
        let mut surveyor = surveyor(node, chain, None);
        let better = Method::ALL.into_iter().filter(|other| other < method);
        better.for_each(|better| surveyor.methods.failed(better, Failed::NotThere));
        let deadline = Instant::now() + Duration::from_secs(20);
        let survey = surveyor.survey(block, deadline).unwrap();
        assert_eq!(survey.method, Some(*method));
        let first = &survey.deployments[0];
        assert_eq!(
            (first.address, first.creator, first.deployer),
            (own, signer, signer)
        );
        assert_eq!(first.code.len(), 64);
        let Counts {
            created,
            failed,
            destroyed,
            malformed,
            untold,
            ..
        } = survey.counts;
        assert_eq!((malformed, untold), (0, 0), "{method:?}");
        if *method >= Method::Diffs {
            let seen = if *method == Method::Diffs { 3 } else { 1 };
            assert_eq!((created, survey.payments.len()), (seen, 1), "{method:?}");
            continue;
        }
        assert_eq!((created, failed, destroyed), (3, 1, 1), "{method:?}");
        // The transaction's contract has the second child's code, but called somebody.
        let salt = U256::from(7).to_be_bytes::<32>();
        let child = own.create2_from_code(salt, WORD);
        let other = |address| survey.deployments.iter().find(|one| one.address == address);
        let (Some(zeros), Some(alike), 3) =
            (other(own.create(1)), other(child), survey.deployments.len())
        else {
            panic!("{method:?}: {survey:?}")
        };
        assert_eq!((&alike.code, alike.called.len()), (&first.code, 0));
        assert_eq!(first.init_code, init);
        assert_eq!(
            first.called,
            [address!("000000000000000000000000000000000000ffff")]
        );
        assert_eq!((zeros.address, zeros.creator), (own.create(1), own));
        assert_eq!((zeros.code.len(), &zeros.init_code[..]), (64, &ZEROS[..]));
        assert_eq!((first.twins.len(), alike.twins.len()), (0, 0));
        let paid: Vec<_> = survey
            .payments
            .iter()
            .map(|one| one.amount.to::<u64>())
            .collect();
        assert_eq!(
            paid,
            [100, 5, 3, 3],
            "what is paid to the contracts, and what comes back"
        );
    }
}

/// A clone, and an account that delegates; both run the same.
fn clones_and_delegations(node: &RealNode, chain: u64) {
    let logic =
        node.mined(&node.send(json!({"data": Bytes::from(ZEROS.to_vec()), "gas": "0x1e8480"})));
    let logic: Address = logic["contractAddress"].as_str().unwrap().parse().unwrap();
    let clone = [
        &hex!("3d602d80600a3d3981f3363d3d373d3d3d363d73")[..],
        logic.as_slice(),
        &hex!("5af43d82803e903d91602b57fd5bf3"),
    ]
    .concat();
    let authorization = Authorization {
        chain_id: U256::from(chain),
        address: logic,
        nonce: 0,
    };
    let signature = sign_message(KEY, authorization.signature_hash()).unwrap();
    let signed = json!([authorization.into_signed(signature)]);
    let delegates =
        json!({"to": ACCOUNT, "gas": "0x1e8480", "type": "0x4", "authorizationList": signed});
    let creates = json!({"data": Bytes::from(clone), "gas": "0x1e8480"});
    for (transaction, address) in [(creates, None), (delegates, Some(ACCOUNT))] {
        let receipt = node.mined(&node.send(transaction));
        let field = |name: &str| receipt[name].as_str().unwrap().to_owned();
        let address = address.unwrap_or_else(|| field("contractAddress").parse().unwrap());
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut surveyor = surveyor(node, chain, None);
        let survey = surveyor
            .survey(field("blockHash").parse().unwrap(), deadline)
            .unwrap();
        let [one] = survey.deployments.as_slice() else {
            panic!("{survey:?}")
        };
        let runs = one.runs.as_ref().unwrap();
        assert_eq!(
            (one.address, runs.address, runs.code.len()),
            (address, logic, 64)
        );
    }
}

/// A contract whose constructor says what wrapped ether says of a transfer.
fn wrapped_transfers(node: &RealNode, chain: u64) {
    let topic = |account: Address| [&[0x73][..], account.as_slice()].concat();
    let init = [
        &hex!("60095f52")[..],
        &topic(ACCOUNT),
        &topic(LOGIC),
        &[0x7f],
        crate::evidence::transfers::TRANSFER.as_slice(),
        &hex!("60205fa3"),
        &ZEROS,
    ]
    .concat();
    let receipt = node.mined(&node.send(json!({"data": Bytes::from(init), "gas": "0x1e8480"})));
    let field = |name: &str| receipt[name].as_str().unwrap().to_owned();
    let token: Address = field("contractAddress").parse().unwrap();
    let mut surveyor = surveyor(node, chain, Some(token));
    let deadline = Instant::now() + Duration::from_secs(20);
    let survey = surveyor
        .survey(field("blockHash").parse().unwrap(), deadline)
        .unwrap();
    let [one] = survey.payments.as_slice() else {
        panic!("{survey:?}")
    };
    assert_eq!((one.token, one.from, one.to), (Some(token), LOGIC, ACCOUNT));
    assert_eq!(one.amount, U256::from(9));
}

#[test]
fn anvil_tells_of_every_creation_by_each_method() {
    let Some(node) = RealNode::anvil(0) else {
        return;
    };
    creations_of_every_kind(&node, 1, &Method::ALL);
    clones_and_delegations(&node, 1);
    wrapped_transfers(&node, 1);
}

#[test]
fn geth_tells_of_every_creation_by_each_method_that_it_has() {
    let Some(node) = RealNode::geth() else {
        return;
    };
    creations_of_every_kind(
        &node,
        1_337,
        &[Method::CallTracer, Method::Diffs, Method::Receipts],
    );
    clones_and_delegations(&node, 1_337);
    wrapped_transfers(&node, 1_337);
}
