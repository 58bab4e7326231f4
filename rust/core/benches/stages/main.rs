//! What each stage costs, on real transactions where they are at hand: `cargo bench --bench stages [-- NAME]`.

#[path = "../support/mod.rs"]
mod support;

mod classify;
mod contract;
mod decode;
mod features;
mod frame;
mod replay;
mod signatures;

use criterion::{criterion_group, criterion_main};

criterion_group!(
    stages,
    frame::bench,
    decode::bench,
    features::bench,
    contract::bench,
    signatures::bench,
    classify::bench,
    replay::bench
);
criterion_main!(stages);
