//! What holds whatever happens.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use std::fs;

/// Few accounts and services, so that money meets itself.
const WHO: [Address; 8] = [
    POOL,
    SWAP,
    EXCHANGE,
    Address::repeat_byte(1),
    Address::repeat_byte(2),
    Address::repeat_byte(3),
    Address::repeat_byte(4),
    WETH,
];

prop_compose! {
    fn transfer()(from in 0..8_usize, to in 0..8_usize, value in 0..40_u64, signs: bool) -> Vec<Transfer> {
        let signer = if signs { WHO[from] } else { account(9) };
        signed(signer, &[(WHO[from], WHO[to], value)])
    }
}

fn transactions() -> impl Strategy<Value = Vec<Vec<Transfer>>> {
    // Some transactions with several transfers.
    let joined = |parts: Vec<Vec<Transfer>>| parts.concat();
    vec(vec(transfer(), 1..4).prop_map(joined), 0..6)
}

fn all(index: &Index) -> Vec<Vec<Funding>> {
    WHO.iter().map(|one| funding_of(index, *one)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_undone_is_as_if_it_had_never_been(
        kept in vec(transactions(), 1..5), left in vec(transactions(), 1..5), came in vec(transactions(), 1..5),
    ) {
        let (_folder, mut index) = fed(kept.clone());
        let (_other_folder, mut other) = fed(kept.clone());
        let first = kept.len() as u64;
        let branch = |transactions: Vec<Vec<Vec<Transfer>>>, name: u8| {
            let blocks = (first..).zip(transactions).map(move |(number, transactions)| {
                let mut next = block(number, transactions);
                next.hash = hash(number, name);
                next.parent = hash(number - 1, if number == first { 0 } else { name });
                next
            });
            blocks.collect::<Vec<_>>()
        };
        for block in branch(left, 1) {
            index.feed(&block).unwrap();
        }
        let before = index.state().unwrap().records;
        index.undo(first).unwrap();
        prop_assert!(index.state().unwrap().records <= before);
        prop_assert_eq!(all(&index), all(&other));
        for block in branch(came, 2) {
            index.feed(&block).unwrap();
            other.feed(&block).unwrap();
        }
        prop_assert_eq!(all(&index), all(&other));
        let (ours, others) = (index.state().unwrap(), other.state().unwrap());
        prop_assert_eq!((ours.records, ours.blocks), (others.records, others.blocks));
    }

    #[test]
    fn it_never_grows_beyond_its_bounds(blocks in vec(transactions(), 1..12)) {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        config.limits = FundingLimits { records: 7, per_account: 3, spread: 4 };
        let mut index = Index::open(config).unwrap();
        for (number, transactions) in (0..).zip(blocks) {
            index.feed(&block(number, transactions)).unwrap();
            prop_assert!(index.state().unwrap().records <= 7);
        }
        let found = all(&index);
        prop_assert!(found.iter().all(|funding| funding.len() <= 3));
        prop_assert!(found.concat().len() as u64 <= index.state().unwrap().records);
    }

    #[test]
    fn nobody_has_more_of_a_service_than_it_paid(blocks in vec(transactions(), 1..8)) {
        let (_folder, index) = fed(blocks.clone());
        let paid = blocks.concat().concat().into_iter().filter(|one| one.from == POOL);
        let paid = paid.fold(U256::ZERO, |sum, one| sum + one.value);
        for hops in [1, 2] {
            let had = all(&index).concat().into_iter();
            let had = had.filter(|one| one.source == POOL && one.hops == hops);
            prop_assert!(had.fold(U256::ZERO, |sum, one| sum + one.amount) <= paid);
        }
    }

    #[test]
    fn any_bytes_in_the_file_have_an_answer(
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..200), cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = config(folder.path()).path;
        let mut index = Index::open(config(folder.path())).unwrap();
        for number in 0..20 {
            index.feed(&block(number, vec![sends(POOL, account(number as u8), 100)])).unwrap();
        }
        drop(index);
        let mut bytes = fs::read(&path).unwrap();
        for (place, value) in damage {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        fs::write(&path, &bytes).unwrap();
        // Whatever it is: an error that says so, or an index that works.
        if let Ok(reader) = Index::read(config(folder.path())) {
            let _ = (reader.funding_of(&account(1), None), reader.state());
        }
        match Index::open(config(folder.path())) {
            Ok(mut index) => {
                let _ = index.funding_of(&account(1), None);
                index.feed(&block(100, vec![sends(POOL, account(200), 100)])).unwrap();
                prop_assert!(!funding_of(&index, account(200)).is_empty());
            }
            Err(error) => prop_assert!(error.is_config(), "{error}"),
        }
    }
}
