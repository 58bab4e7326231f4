//! What a suspect costs once its state is at hand, on real transactions of mainnet: each on what the former ones of its
//! block left, as the sensor executes it on a state that it shares and never changes.
//!
//! `cargo bench --bench simulate [-- --quick] [-- --json FILE]` measures, `-- pause` alone what the question whether a pause
//! would help adds to an attack's simulation; `-- export FOLDER NUMBER…` writes blocks, with
//! our figures for each transaction on the state before its block, for the peers to do the same.

#[path = "../support/figures.rs"]
#[allow(dead_code)]
mod figures;
#[path = "../support/machine.rs"]
#[allow(dead_code)]
mod machine;
#[path = "../../tests/conformance/mainnet.rs"]
#[allow(dead_code)]
mod mainnet;
#[path = "../../tests/conformance/recorded.rs"]
mod recorded;

mod export;
mod measure;
mod pause;

/// The wheel's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["export", folder, numbers @ ..] = arguments.as_slice() {
        export::export(folder.as_ref(), numbers);
        return;
    }
    let quick = arguments.contains(&"--quick");
    if arguments.contains(&"pause") {
        figures::tell(&pause::measure(quick));
        return;
    }
    let mut all = measure::measure(quick);
    // Without blocks nothing is measured.
    if all.is_object() {
        all["pause"] = pause::measure(quick);
    }
    figures::tell(&all);
}
