//! What the detonation of a new contract costs on warm state: until it is known that there is nothing to find, until it is
//! proof, and once more on the next head.

#[path = "../tests/support/early_world.rs"]
#[allow(dead_code)]
mod early_world;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use early_world::{ETHER, MALLORY, New, World, init_code, market, vault, word};
use mempool_ids_core::detonate::{Budget, Detonated, Subject, detonate};
use std::hint::black_box;
use std::time::Duration;

/// The wheel's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn budget() -> Budget {
    Budget {
        time: Duration::from_secs(10),
        patience: Duration::from_secs(10),
        judging: Duration::from_secs(10),
        ..Budget::default()
    }
}

/// How many functions it called.
fn run(
    criterion: &mut Criterion,
    name: &str,
    world: &World,
    subject: &Subject,
    proves: bool,
) -> usize {
    let mut simulator = world.simulator();
    let mut once = |subject: &mut Subject| -> Detonated {
        let (state, environment) = (&world.state, &world.environment);
        detonate(subject, state, environment, &mut simulator, budget()).expect("a state")
    };
    let mut learnt = subject.clone();
    let first = once(&mut learnt).detonation;
    assert_eq!(first.proof.is_some(), proves, "{name}");
    eprintln!(
        "{name}: {} entries, {} calls, {} entered, {} guarded, {} touched, {} gas, cut: {}",
        first.entries,
        first.calls,
        first.entered,
        first.guarded,
        first.touched,
        first.gas,
        first.cut
    );
    let entries = first.entries;
    criterion.bench_function(&format!("detonate/{name}"), |bencher| {
        let begin = || subject.clone();
        bencher.iter_batched_ref(
            begin,
            |subject| black_box(once(subject)),
            BatchSize::SmallInput,
        );
    });
    criterion.bench_function(&format!("detonate/{name}, next head"), |bencher| {
        let begin = || learnt.clone();
        bencher.iter_batched_ref(
            begin,
            |subject| black_box(once(subject)),
            BatchSize::SmallInput,
        );
    });
    entries
}

fn benches(criterion: &mut Criterion) {
    let (mut world, vault) = vault();
    let supply = early_world::ether(1_000);
    let new = |world: &mut World, name: &str, arguments: &[_]| -> New {
        world.create(MALLORY, init_code(name, arguments))
    };
    let token = new(&mut world, "Token", &[supply]).subject();
    let router = new(&mut world, "Router", &[word(vault)]).subject();
    let wallet = new(&mut world, "SmartWallet", &[word(vault)]);
    world.call(MALLORY, wallet.address, ETHER, "deposit()", &[]);
    let other = new(&mut world, "Vault", &[word(MALLORY)]).subject();
    let attacker = new(&mut world, "Attacker", &[word(vault)]).subject();
    let robber = new(&mut world, "StoredRobber", &[word(vault)]).subject();
    // As many functions as the median contract has, two of them with an array or three arguments; it holds the vault.
    let median = new(&mut world, "Bridge", &[word(vault)]).subject();
    assert_eq!(run(criterion, "median", &world, &median, false), 8);
    run(criterion, "token", &world, &token, false);
    run(criterion, "another vault", &world, &other, false);
    run(criterion, "router", &world, &router, false);
    run(criterion, "wallet", &world, &wallet.subject(), false);
    run(criterion, "attack", &world, &attacker, true);
    run(criterion, "attack in two calls", &world, &robber, true);
    let (mut world, all) = market();
    let arguments = [word(all.lender), word(all.market)];
    let manipulator = new(&mut world, "PriceManipulator", &arguments).subject();
    run(
        criterion,
        "attack with an argument",
        &world,
        &manipulator,
        true,
    );
}

criterion_group! {
    name = all;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(3));
    targets = benches
}
criterion_main!(all);
