//! Honest contracts of the same shape: whatever they are called with, nothing is proved.

use super::*;

fn proves_nothing(world: &World, subject: &mut Subject) -> Detonation {
    let done = detonated(world, subject).detonation;
    assert!(done.proof.is_none(), "{}", told(&done));
    println!("{}", told(&done));
    done
}

#[test]
fn who_deposits_in_a_vault_and_withdraws_its_own_takes_nothing() {
    let (mut world, vault) = vault();
    let router = world.create(MALLORY, init_code("Router", &[word(vault)]));
    let done = proves_nothing(&world, &mut router.subject());
    assert!(done.touched > 0 && done.entered > 0);
    // With others' deposits in it.
    world.call(ALICE, router.address, 5 * ETHER, "enter()", &[]);
    proves_nothing(&world, &mut router.subject());
    let wallet = world.create(MALLORY, init_code("SmartWallet", &[word(vault)]));
    world.call(MALLORY, wallet.address, 2 * ETHER, "deposit()", &[]);
    let done = proves_nothing(&world, &mut wallet.subject());
    assert!(done.touched > 0);
    let stored = world.create(MALLORY, init_code("StoredRouter", &[]));
    world.call(MALLORY, stored.address, 0, "set(address)", &[word(vault)]);
    assert!(proves_nothing(&world, &mut stored.subject()).touched > 0);
}

#[test]
fn trade_with_flash_loans_takes_nothing() {
    let (mut world, all) = market();
    // Its borrower owes what the collateral no longer covers, and another pair is dearer.
    let dear = world.deploy(ADMIN, "Pair", &[word(all.collateral), word(all.currency)]);
    transfer(&mut world, all.collateral, ADMIN, dear, ether(1_000));
    transfer(&mut world, all.currency, ADMIN, dear, ether(1_200_000));
    world.call(ADMIN, dear, 0, "sync()", &[]);
    world.monitor("Pair", all.pair);
    let arguments = [word(all.lender), word(all.pair), word(dear)];
    let trader = world.create(MALLORY, init_code("Arbitrageur", &arguments));
    let done = proves_nothing(&world, &mut trader.subject());
    assert!(done.touched > 0 && done.entered > 0);
    transfer(&mut world, all.collateral, ADMIN, all.pair, ether(150));
    world.call(ADMIN, all.pair, 0, "sync()", &[]);
    let arguments = [word(all.lender), word(all.market)];
    let liquidator = world.create(MALLORY, init_code("Liquidator", &arguments));
    assert!(proves_nothing(&world, &mut liquidator.subject()).touched > 0);
}

#[test]
fn who_sells_its_own_through_a_router_takes_nothing_of_others() {
    let (mut world, router, token) = router();
    let bought = world.deploy(ADMIN, "Token", &[ether(1_000_000)]);
    let pair = world.deploy(ADMIN, "Pair", &[word(token), word(bought)]);
    let venue = world.deploy(ADMIN, "PairVenue", &[]);
    for token in [token, bought] {
        transfer(&mut world, token, ADMIN, pair, ether(100_000));
    }
    world.call(ADMIN, pair, 0, "sync()", &[]);
    transfer(&mut world, token, ADMIN, MALLORY, ether(1_000));
    let arguments = [word(router), word(venue), word(pair)];
    let seller = world.create(MALLORY, init_code("Seller", &arguments));
    let allow = [word(seller.address), U256::MAX];
    world.call(MALLORY, token, 0, "approve(address,uint256)", &allow);
    let done = proves_nothing(&world, &mut seller.subject());
    assert!(done.touched > 0 && done.entered > 0);
}

#[test]
fn who_gives_a_vault_what_it_earned_takes_nothing() {
    let (mut world, all) = shares();
    let allow = [word(all.vault), U256::MAX];
    world.call(ADMIN, all.token, 0, "approve(address,uint256)", &allow);
    let deposit = [ether(10_000), word(ADMIN)];
    world.call(ADMIN, all.vault, 0, "deposit(uint256,address)", &deposit);
    let arguments = [word(all.vault), word(all.queue)];
    let strategy = world.create(ADMIN, init_code("Strategy", &arguments));
    transfer(&mut world, all.token, ADMIN, strategy.address, ether(1_000));
    let done = proves_nothing(&world, &mut strategy.subject());
    assert!(done.touched > 0 && done.entered > 0);
}

#[test]
fn a_vaults_next_code_and_its_successor_take_nothing() {
    let (mut world, vault, token) = upgradeable();
    let code = world.create(ADMIN, init_code("MigratingVault", &[]));
    proves_nothing(&world, &mut code.subject());
    let successor = world.create(ADMIN, init_code("SuccessorVault", &[word(vault)]));
    transfer(&mut world, token, ADMIN, successor.address, ether(20_000));
    proves_nothing(&world, &mut successor.subject());
}

#[test]
fn ordinary_contracts_that_have_nothing_to_do_with_it_are_told_so() {
    let (mut world, _) = vault();
    for (name, arguments) in [
        ("Token", vec![ether(1_000)]),
        ("SwapRouter", vec![]),
        ("Governor", vec![U256::from(0x3333)]),
    ] {
        let new = world.create(MALLORY, init_code(name, &arguments));
        let done = proves_nothing(&world, &mut new.subject());
        assert_eq!(done.touched, 0, "{name}");
    }
}
