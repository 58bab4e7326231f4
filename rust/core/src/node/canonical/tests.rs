use super::*;

/// Block `number` of branch `branch`; its parent is of the same branch, unless given.
fn block(number: u64, branch: u8) -> Head {
    fork(number, branch, branch)
}

fn hash(number: u64, branch: u8) -> B256 {
    let mut bytes = [branch; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    B256::from(bytes)
}

fn fork(number: u64, branch: u8, parent: u8) -> Head {
    Head {
        number,
        hash: hash(number, branch),
        parent: hash(number.wrapping_sub(1), parent),
        timestamp: number,
        base_fee: None,
        gas_used: 0,
        gas_limit: 0,
        seen_ms: 0,
    }
}

fn chain(to: u64) -> Chain {
    let mut chain = Chain::default();
    for number in 1..=to {
        assert_eq!(
            chain.advance(&block(number, 1), 0, false),
            advance(&[block(number, 1)], 0, 0)
        );
    }
    chain
}

fn advance(blocks: &[Head], depth: u64, gap: u64) -> Step {
    Step::Advance {
        blocks: blocks.to_vec(),
        depth,
        gap,
    }
}

#[test]
fn a_head_counts_once_whoever_announces_it() {
    let mut chain = chain(5);
    for endpoint in 0..3 {
        assert_eq!(chain.advance(&block(5, 1), endpoint, false), Step::Nothing);
        assert_eq!(
            chain.advance(&block(3, 1), endpoint, false),
            Step::Nothing,
            "a node that lags"
        );
    }
}

#[test]
fn an_answer_that_was_overtaken_by_a_newer_head_is_no_reorg() {
    let mut chain = Chain::default();
    chain.advance(&block(6, 1), 0, false);
    assert_eq!(chain.advance(&block(5, 1), 0, false), Step::Nothing);
    // And what is known of block 5 is enough to find the depth.
    assert_eq!(
        chain.advance(&fork(6, 2, 1), 0, false),
        advance(&[fork(6, 2, 1)], 1, 0)
    );
}

#[test]
fn a_nodes_change_of_mind_is_a_reorg_and_another_nodes_opinion_is_not() {
    let sibling = fork(5, 2, 1);
    let mut disagreeing = chain(5);
    assert_eq!(disagreeing.advance(&sibling, 1, false), Step::Nothing);
    // Until its branch is the longer one.
    assert_eq!(
        disagreeing.advance(&block(6, 2), 1, false),
        advance(&[sibling.clone(), block(6, 2)], 1, 0)
    );
    let mut changing = chain(5);
    assert_eq!(
        changing.advance(&block(5, 1), 1, false),
        Step::Nothing,
        "agrees at first"
    );
    assert_eq!(
        changing.advance(&sibling, 1, false),
        advance(&[sibling], 1, 0)
    );
}

#[test]
fn depth_is_found_by_walking_parents() {
    let mut chain = chain(10);
    let new = block(11, 3);
    for missing in (7..=10).rev() {
        assert_eq!(
            chain.advance(&new, 0, false),
            Step::Missing(hash(missing, 3))
        );
        chain.learn(if missing == 7 {
            fork(7, 3, 1)
        } else {
            block(missing, 3)
        });
    }
    let branch: Vec<_> = std::iter::once(fork(7, 3, 1))
        .chain((8..=11).map(|n| block(n, 3)))
        .collect();
    assert_eq!(chain.advance(&new, 0, false), advance(&branch, 4, 0));
    assert_eq!(
        chain.advance(&block(12, 3), 0, false),
        advance(&[block(12, 3)], 0, 0)
    );
}

#[test]
fn missed_heads_are_filled_in_without_a_reorg() {
    let mut chain = chain(5);
    assert_eq!(
        chain.advance(&block(8, 1), 0, false),
        Step::Missing(hash(7, 1))
    );
    chain.learn(block(7, 1));
    assert_eq!(
        chain.advance(&block(8, 1), 0, false),
        Step::Missing(hash(6, 1))
    );
    chain.learn(block(6, 1));
    assert_eq!(
        chain.advance(&block(8, 1), 0, false),
        advance(&[block(6, 1), block(7, 1), block(8, 1)], 0, 0)
    );
}

#[test]
fn the_walk_is_bounded_and_says_what_it_left_out() {
    let mut chain = chain(5);
    let new = block(1_000, 1);
    let mut asked = 0;
    let step = loop {
        match chain.advance(&new, 0, false) {
            Step::Missing(hash) => {
                asked += 1;
                chain.learn(block(u64::from_be_bytes(hash[..8].try_into().unwrap()), 1));
            }
            step => break step,
        }
    };
    let Step::Advance {
        blocks,
        depth: 0,
        gap,
    } = step
    else {
        panic!("{step:?}")
    };
    assert_eq!(
        (asked, blocks.len(), gap),
        (MAX_WALK - 1, MAX_WALK, 1_000 - 5 - MAX_WALK as u64)
    );
}

#[test]
fn a_chain_begun_anew_is_a_reorg_of_all_that_was_known() {
    let mut chain = chain(5);
    let new = block(2, 9);
    assert_eq!(chain.advance(&new, 0, false), Step::Missing(hash(1, 9)));
    chain.learn(block(1, 9));
    assert_eq!(chain.advance(&new, 0, false), Step::Missing(hash(0, 9)));
    chain.learn(block(0, 9));
    assert_eq!(
        chain.advance(&new, 0, false),
        advance(&[block(0, 9), block(1, 9), block(2, 9)], 6, 0)
    );
}

#[test]
fn where_headers_cannot_be_had_the_chain_goes_on() {
    let mut ahead = chain(5);
    assert_eq!(
        ahead.advance(&block(9, 1), 0, true),
        advance(&[block(9, 1)], 0, 3)
    );
    // The parent is at the tip's height and is not the tip: at least the tip has left.
    let mut beside = chain(5);
    assert_eq!(
        beside.advance(&block(6, 2), 0, true),
        advance(&[block(6, 2)], 1, 0)
    );
}

#[test]
fn impossible_numbers_change_nothing() {
    let mut chain = chain(5);
    for number in [0, 5, 7, u64::MAX] {
        let lie = Head {
            number,
            hash: B256::repeat_byte(0xee),
            parent: hash(5, 1),
            ..block(6, 1)
        };
        assert_eq!(chain.advance(&lie, 0, false), Step::Impossible, "{number}");
    }
    let far = Head {
        number: u64::MAX,
        ..block(9, 4)
    };
    let step = chain.advance(&far, 0, true);
    assert!(matches!(step, Step::Advance { depth: 0, .. }), "{step:?}");
    let back = chain.advance(&block(6, 5), 0, true);
    assert!(matches!(back, Step::Advance { depth: 1.., .. }), "{back:?}");
}

#[test]
fn memory_is_bounded() {
    let mut chain = chain(1_000);
    for branch in 0..50 {
        for number in 0..200 {
            chain.advance(&block(900 + number, branch), 7, false);
        }
    }
    assert!(
        chain.canonical.len() <= CHAIN && chain.known.len() <= KNOWN && chain.order.len() <= KNOWN
    );
}
