//! What counts as funding.

use super::*;

const A: Address = Address::repeat_byte(0xa1);
const B: Address = Address::repeat_byte(0xb2);
const C: Address = Address::repeat_byte(0xc3);
const RELAYER: Address = Address::repeat_byte(0x0e);
const CONTRACT: Address = Address::repeat_byte(0xcc);

/// A withdrawal of ten ether that a relayer sends to the chain, for a fee.
fn withdrawal(to: Address) -> Vec<Transfer> {
    signed(RELAYER, &[(POOL, to, 9_900), (POOL, RELAYER, 100)])
}

#[test]
fn a_withdrawal_from_a_mixer_is_funding_with_all_that_is_known_of_it() {
    let (_folder, index) = fed(vec![vec![], vec![sends(A, B, 1), withdrawal(A)]]);
    let expected = Funding {
        service: "TornadoCash".into(),
        grade: FundingGrade::High,
        source: POOL,
        hops: 1,
        via: None,
        token: None,
        amount: milli(9_900),
        block: 1,
        timestamp: BEGIN + 12,
        tx: B256::from(U256::from(1) << 64 | U256::from(2)),
    };
    assert_eq!(funding_of(&index, A), [expected]);
    assert_eq!(funding_of(&index, B), []);
}

#[test]
fn one_account_on_it_says_less_and_two_on_nothing() {
    let (_folder, index) = fed(vec![
        vec![withdrawal(A)],
        vec![sends(A, B, 2_000), sends(B, C, 1_900)],
        vec![sends(B, C, 50)],
    ]);
    let [second] = &funding_of(&index, B)[..] else {
        panic!("one funding");
    };
    assert_eq!((second.hops, second.via, second.source), (2, Some(A), POOL));
    assert_eq!(
        (second.grade, second.amount),
        (FundingGrade::Medium, milli(2_000))
    );
    assert_eq!(funding_of(&index, C), []);
}

#[test]
fn both_steps_in_one_block_are_seen() {
    let (_folder, index) = fed(vec![vec![withdrawal(A), sends(A, B, 7)]]);
    assert_eq!(told(&index, B), [("TornadoCash".into(), 2, 7)]);
}

#[test]
fn what_says_most_comes_first() {
    let (_folder, index) = fed(vec![
        vec![withdrawal(A), withdrawal(B)],
        vec![sends(B, A, 10), sends(SWAP, A, 20), sends(EXCHANGE, A, 30)],
    ]);
    let order: Vec<_> = told(&index, A);
    let expected = [
        ("TornadoCash", 1, 9_900),
        ("FixedFloat", 1, 20),
        ("TornadoCash", 2, 10),
        ("Binance", 1, 30),
    ];
    assert_eq!(
        order,
        expected.map(|(service, hops, amount)| (service.to_owned(), hops, amount))
    );
}

#[test]
fn of_an_exchange_the_first_payment_alone_counts() {
    let (_folder, index) = fed(vec![vec![sends(EXCHANGE, A, 500)], vec![sends(A, B, 400)]]);
    assert_eq!(funding_of(&index, A)[0].grade, FundingGrade::Low);
    assert_eq!(funding_of(&index, B), []);
}

#[test]
fn what_goes_into_a_service_is_no_funding_of_anybody() {
    let (_folder, index) = fed(vec![vec![
        sends(A, POOL, 10_000),
        sends(EXCHANGE, POOL, 10_000),
        signed(B, &[(B, CONTRACT, 100), (CONTRACT, POOL, 100)]),
    ]]);
    for one in [A, B, CONTRACT, POOL, EXCHANGE] {
        assert_eq!(funding_of(&index, one), []);
    }
}

#[test]
fn dust_is_no_funding_but_a_payment_in_pieces_is_one() {
    let pieces = |to, n| signed(RELAYER, &vec![(POOL, to, 1); n]);
    let (_folder, index) = fed(vec![
        vec![pieces(A, 4), pieces(B, 5)],
        vec![pieces(A, 4), pieces(A, 4)],
        // An account that had a lot sends dust to everybody.
        vec![withdrawal(C), sends(C, A, 4)],
    ]);
    assert_eq!(funding_of(&index, A), []);
    assert_eq!(told(&index, B), [("TornadoCash".into(), 1, 5)]);
}

#[test]
fn a_contract_on_the_way_of_a_withdrawal_has_nothing_and_who_is_paid_has_it() {
    // The relay gets wrapped ether of the service, unwraps it, and pays.
    let mut moves = signed(
        RELAYER,
        &[
            (POOL, CONTRACT, 1_000),
            (WETH, CONTRACT, 1_000),
            (CONTRACT, A, 990),
        ],
    );
    moves[0].token = Some(WETH);
    // Some nodes' answers tell of wrapped ether apart.
    let mut apart = moves.clone();
    apart.rotate_left(1);
    for moves in [moves, apart] {
        let (_folder, index) = fed(vec![vec![moves]]);
        assert_eq!(told(&index, A), [("TornadoCash".into(), 1, 990)]);
        assert_eq!(told(&index, CONTRACT), [("TornadoCash".into(), 1, 10)]);
    }
}

#[test]
fn a_contract_that_pays_many_passes_on_no_more_than_it_had_of_the_service() {
    let moves = [
        (SWAP, CONTRACT, 30),
        (CONTRACT, A, 20),
        (CONTRACT, B, 20),
        (CONTRACT, C, 20),
    ];
    let (_folder, index) = fed(vec![vec![signed(SWAP, &moves)]]);
    assert_eq!(told(&index, A), [("FixedFloat".into(), 1, 20)]);
    assert_eq!(told(&index, B), [("FixedFloat".into(), 1, 10)]);
    assert_eq!(funding_of(&index, C), []);
}

#[test]
fn a_contract_that_pays_out_in_anothers_transaction_passes_nothing_on() {
    // A mixer's customer trades at a pool; then others do.
    let (_folder, index) = fed(vec![
        vec![withdrawal(A), sends(A, CONTRACT, 5_000)],
        vec![signed(B, &[(CONTRACT, B, 5_000)])],
        vec![withdrawal(CONTRACT), signed(C, &[(CONTRACT, C, 5_000)])],
    ]);
    assert_eq!(funding_of(&index, B), []);
    assert_eq!(funding_of(&index, C), []);
}

#[test]
fn what_a_signers_contract_passes_on_in_the_same_transaction_came_from_the_signer() {
    let through = signed(A, &[(A, CONTRACT, 800), (CONTRACT, B, 700)]);
    let (_folder, index) = fed(vec![vec![withdrawal(A)], vec![through]]);
    let [funding] = &funding_of(&index, B)[..] else {
        panic!("one funding");
    };
    assert_eq!((funding.via, funding.amount), (Some(A), milli(700)));
}

#[test]
fn wrapped_ether_counts_and_other_tokens_do_not() {
    let mut wrapped = sends(SWAP, A, 50);
    wrapped[0].token = Some(WETH);
    let mut other = sends(SWAP, B, 50);
    other[0].token = Some(CONTRACT);
    let (_folder, index) = fed(vec![vec![wrapped, other]]);
    assert_eq!(funding_of(&index, A)[0].token, Some(WETH));
    assert_eq!(funding_of(&index, B), []);
}

#[test]
fn nobody_passes_on_more_than_was_had() {
    // Somebody rich gets a little from a mixer, whether they want it or not.
    let (_folder, index) = fed(vec![
        vec![signed(RELAYER, &[(POOL, A, 100)])],
        vec![sends(A, B, 60), sends(A, C, 5_000)],
        vec![sends(A, account(1), 5_000), sends(A, account(2), 5_000)],
    ]);
    assert_eq!(told(&index, B), [("TornadoCash".into(), 2, 60)]);
    assert_eq!(told(&index, C), [("TornadoCash".into(), 2, 40)]);
    assert_eq!(funding_of(&index, account(1)), []);
    assert_eq!(funding_of(&index, account(2)), []);
}

#[test]
fn who_passes_money_on_too_often_is_a_business() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.limits.spread = 3;
    let mut index = Index::open(config).unwrap();
    let payouts = |from: u8| (from..from + 2).map(|n| sends(A, account(n), 10));
    index.feed(&block(0, vec![withdrawal(A)])).unwrap();
    for n in 1..4 {
        index
            .feed(&block(n, payouts(2 * n as u8).collect()))
            .unwrap();
    }
    let marked = (2..8).filter(|n| !funding_of(&index, account(*n)).is_empty());
    assert_eq!(marked.collect::<Vec<_>>(), [2, 3, 4]);
}

#[test]
fn funding_counts_within_its_services_window_and_not_before_it_was() {
    let (_folder, mut index) = fed(vec![vec![withdrawal(A), sends(SWAP, B, 10)]]);
    let at = |index: &Index, of, at| index.funding_of(&of, Some(at)).unwrap().len();
    assert_eq!((at(&index, B, BEGIN - 1), at(&index, B, BEGIN)), (0, 1));
    assert_eq!(
        (at(&index, B, BEGIN + DAY), at(&index, B, BEGIN + DAY + 1)),
        (1, 0)
    );
    assert_eq!(
        (
            at(&index, A, BEGIN + 180 * DAY),
            at(&index, A, BEGIN + 180 * DAY + 1)
        ),
        (1, 0)
    );
    // A day on, money of a swap goes on to nobody; a mixer's does.
    let mut later = block(9_000, vec![sends(A, C, 10), sends(B, C, 10)]);
    later.timestamp = BEGIN + 2 * DAY;
    index.feed(&later).unwrap();
    assert_eq!(told(&index, C), [("TornadoCash".into(), 2, 10)]);
    // And it is out of the index, the mixer's in.
    assert_eq!(index.state().unwrap().records, 3);
}

#[test]
fn a_block_replaced_by_another_leaves_nothing() {
    let (_folder, mut index) = fed(vec![
        vec![withdrawal(A)],
        vec![sends(A, B, 100)],
        vec![sends(A, C, 9_800)],
    ]);
    let mut other = block(1, vec![sends(A, C, 9_800)]);
    other.hash = hash(1, 1);
    let fed = index.feed(&other).unwrap();
    assert_eq!(
        fed,
        Fed::Added {
            records: 1,
            undone: 2
        }
    );
    assert_eq!(funding_of(&index, B), []);
    // It had not passed anything on before.
    assert_eq!(told(&index, C), [("TornadoCash".into(), 2, 9_800)]);
    assert_eq!(index.feed(&other).unwrap(), Fed::Known);
    let state = index.state().unwrap();
    assert_eq!(
        (state.blocks[0].last, state.undone, state.records),
        (1, 2, 3)
    );
}

#[test]
fn a_block_on_another_parent_undoes_the_one_in_its_parents_place() {
    let (_folder, mut index) = fed(vec![vec![], vec![withdrawal(A)]]);
    let mut next = block(2, vec![withdrawal(B)]);
    next.parent = hash(1, 1);
    index.feed(&next).unwrap();
    assert_eq!(funding_of(&index, A), []);
    let blocks = index.state().unwrap().blocks;
    let spans: Vec<_> = blocks.iter().map(|span| (span.first, span.last)).collect();
    assert_eq!(spans, [(0, 0), (2, 2)]);
}

#[test]
fn earlier_blocks_than_the_last_are_left_out_and_counted() {
    let (_folder, mut index) = opened();
    index.feed(&block(10, vec![])).unwrap();
    assert_eq!(
        index.feed(&block(5, vec![withdrawal(A)])).unwrap(),
        Fed::Behind
    );
    assert_eq!(funding_of(&index, A), []);
    assert_eq!(index.state().unwrap().behind, 1);
    index.clear().unwrap();
    index.feed(&block(5, vec![withdrawal(A)])).unwrap();
    assert_eq!(funding_of(&index, A).len(), 1);
}

#[test]
fn money_of_less_weight_does_not_push_out_a_mixers() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.limits.per_account = 4;
    let mut index = Index::open(config).unwrap();
    index.feed(&block(0, vec![withdrawal(A)])).unwrap();
    for n in 1..20 {
        let paid = vec![sends(EXCHANGE, A, 10), sends(SWAP, A, 10)];
        index.feed(&block(n, paid)).unwrap();
    }
    let services: Vec<_> = told(&index, A)
        .into_iter()
        .map(|(service, ..)| service)
        .collect();
    assert_eq!(
        services,
        ["TornadoCash", "FixedFloat", "FixedFloat", "FixedFloat"]
    );
    let state = index.state().unwrap();
    assert_eq!((state.records, state.crowded_out), (5, 35));
}

#[test]
fn a_trace_tells_its_transfers() {
    let trace = r#"{"type":"CALL","from":"0x1111111111111111111111111111111111111111","to":"0x910cbd523d972eb0a6f4cae4618ad62622b39dbf","value":"0x0","gas":"0x1","gasUsed":"0x1","input":"0x","calls":[{"type":"CALL","from":"0x910cbd523d972eb0a6f4cae4618ad62622b39dbf","to":"0x2222222222222222222222222222222222222222","value":"0x8ac7230489e80000","gas":"0x1","gasUsed":"0x1","input":"0x"},{"type":"CALL","from":"0x910cbd523d972eb0a6f4cae4618ad62622b39dbf","to":"0x3333333333333333333333333333333333333333","value":"0x1","gas":"0x1","gasUsed":"0x1","input":"0x","error":"out of gas"}]}"#;
    let trace = Trace::from_json(trace).unwrap();
    let found: Vec<_> = transfers(B256::with_last_byte(7), &trace).collect();
    let expected = Transfer {
        tx: B256::with_last_byte(7),
        signer: account(0x11),
        from: POOL,
        to: account(0x22),
        value: milli(10_000),
        token: None,
    };
    assert_eq!(found, [expected]);
}
