use super::*;
use alloy_primitives::{U256, hex};
use proptest::prelude::*;

const SIGNER: Address = Address::repeat_byte(0x5e);
const FACTORY: Address = Address::repeat_byte(0xfa);
const VAULT: Address = Address::repeat_byte(0xc0);

fn origin() -> Origin {
    Origin {
        deployer: SIGNER,
        tx: B256::repeat_byte(7),
        to: None,
        value: alloy_primitives::U256::ZERO,
        nonce: 5,
        seen: Sighting::Pending,
    }
}

fn frame(depth: u16, parent: u32, kind: CallKind, from: Address, to: Option<Address>) -> Frame {
    Frame {
        kind,
        depth,
        parent,
        from,
        to,
        value: Some(U256::ZERO),
        ..Frame::default()
    }
}

fn creation(depth: u16, parent: u32, from: Address, to: Address, code: &[u8]) -> Frame {
    Frame {
        input: Bytes::from_static(&[0x60]),
        output: Bytes::copy_from_slice(code),
        ..frame(depth, parent, CallKind::Create, from, Some(to))
    }
}

fn numbered(n: u64) -> Address {
    Address::left_padding_from(&n.to_be_bytes())
}

fn code(n: u64) -> Vec<u8> {
    [&[0x60; 60][..], &n.to_be_bytes()].concat()
}

fn clone_of(address: Address) -> Vec<u8> {
    let (head, tail) = (
        hex!("363d3d373d3d3d363d73"),
        hex!("5af43d82803e903d91602b57fd5bf3"),
    );
    [&head[..], address.as_slice(), &tail].concat()
}

fn read(frames: Vec<Frame>) -> Creations {
    let mut creations = Creations::default();
    creations.of_trace(&origin(), &Trace { frames }, |_| ());
    creations
}

/// A call of a factory that creates these.
fn factory(codes: impl IntoIterator<Item = Vec<u8>>) -> Creations {
    let root = frame(0, 0, CallKind::Call, SIGNER, Some(FACTORY));
    let made = (1_000..).zip(codes);
    let made = made.map(|(n, code)| creation(1, 0, FACTORY, numbered(n), &code));
    read([root].into_iter().chain(made).collect())
}

#[test]
fn what_a_transaction_or_a_factory_creates_is_its_signers() {
    let own = SIGNER.create(5);
    let inner = numbered(3_000);
    // A node that does not name it leaves no doubt.
    let mut root = creation(0, 0, SIGNER, own, &code(1));
    root.to = None;
    let creations = read(vec![root, creation(1, 0, own, inner, &code(2))]);
    let [first, second] = creations.deployments.as_slice() else {
        panic!("two")
    };
    assert_eq!((first.address, first.creator), (own, SIGNER));
    assert_eq!((second.address, second.creator), (inner, own));
    let both = [first, second];
    assert!(
        both.iter()
            .all(|one| (one.deployer, one.nonce) == (SIGNER, 5))
    );
    assert_eq!(second.code, code(2));
    assert_eq!(second.init_code, Bytes::from_static(&[0x60]));
}

#[test]
fn whom_a_constructor_called_is_known_and_nobody_else() {
    let own = SIGNER.create(5);
    let (library, inner, stranger) = (numbered(3_000), numbered(3_001), numbered(3_002));
    let delegated = frame(1, 0, CallKind::DelegateCall, own, Some(library));
    let creations = read(vec![
        creation(0, 0, SIGNER, own, &code(1)),
        delegated,
        // In its name.
        frame(2, 1, CallKind::StaticCall, own, Some(VAULT)),
        // In the vault's.
        frame(3, 2, CallKind::Call, VAULT, Some(stranger)),
        creation(2, 1, own, inner, &code(2)),
        frame(3, 4, CallKind::Call, inner, Some(stranger)),
        frame(1, 0, CallKind::Call, own, Some(VAULT)),
        frame(1, 0, CallKind::StaticCall, own, Some(numbered(1))),
    ]);
    assert_eq!(creations.deployments[0].called, [library, VAULT]);
    assert_eq!(creations.deployments[1].called, [stranger]);
}

#[test]
fn what_failed_and_what_is_inside_of_it_is_counted_alone() {
    let own = SIGNER.create(5);
    let mut failed = creation(1, 0, own, numbered(3_000), &code(2));
    (failed.to, failed.error) = (None, Some("execution reverted".into()));
    let inside = creation(2, 1, numbered(3_000), numbered(3_001), &code(3));
    let creations = read(vec![
        creation(0, 0, SIGNER, own, &code(1)),
        failed,
        inside,
        creation(1, 0, own, numbered(3_002), &code(4)),
    ]);
    let addresses: Vec<_> = creations
        .deployments
        .iter()
        .map(|one| one.address)
        .collect();
    assert_eq!(addresses, [own, numbered(3_002)]);
    assert_eq!((creations.counts.failed, creations.counts.created), (2, 2));
}

#[test]
fn what_was_destroyed_again_is_no_deployment() {
    let own = SIGNER.create(5);
    let creations = read(vec![
        creation(0, 0, SIGNER, own, &code(1)),
        frame(1, 0, CallKind::SelfDestruct, own, Some(SIGNER)),
    ]);
    assert!(creations.deployments.is_empty());
    assert_eq!(
        (creations.counts.destroyed, creations.counts.created),
        (1, 0)
    );
}

#[test]
fn a_thousand_clones_are_one_deployment() {
    let same = factory((0..1_000).map(|_| code(1)));
    let clones = factory((0..1_000).map(|n| [clone_of(VAULT), vec![n as u8]].concat()));
    for creations in [same, clones] {
        let [one] = creations.deployments.as_slice() else {
            panic!("one")
        };
        assert_eq!(one.address, numbered(1_000));
        assert_eq!(one.twins[0], numbered(1_001));
        assert_eq!((one.twins.len(), one.more_twins), (TWINS, 999 - TWINS));
        assert_eq!(creations.counts.created, 1_000);
    }
    // Twins are of one transaction.
    let mut creations = factory([code(1)]);
    let mut other = origin();
    other.tx = B256::ZERO;
    let deployment = other.deployment(VAULT, SIGNER);
    let code = code(1).into();
    creations.add(Deployment { code, ..deployment });
    assert_eq!(creations.deployments.len(), 2);
}

#[test]
fn a_decoy_hides_no_twin_that_is_made_with_something_else() {
    let made = |n: u64, change: &dyn Fn(&mut Deployment)| {
        let mut one = origin().deployment(numbered(n), FACTORY);
        one.code = clone_of(VAULT).into();
        change(&mut one);
        one
    };
    let stores =
        |of: u64| move |one: &mut Deployment| one.stored = vec![(U256::ZERO, U256::from(of))];
    let mut creations = Creations::default();
    creations.add(made(1, &|_| ()));
    creations.add(made(2, &stores(7)));
    creations.add(made(3, &|one| one.called = vec![VAULT]));
    creations.add(made(4, &|one| one.init_code = Bytes::from_static(&[1])));
    creations.add(made(5, &stores(7)));
    let told = creations.deployments.iter().map(|one| one.twins.clone());
    let twin = vec![numbered(5)];
    assert_eq!(told.collect::<Vec<_>>(), [vec![], twin, vec![], vec![]]);
    // A thousand that differ are still not a thousand.
    for n in 0..1_000 {
        creations.add(made(10 + n, &stores(10 + n)));
    }
    assert_eq!(creations.deployments.len(), VARIANTS);
    let first = &creations.deployments[0];
    assert_eq!(first.twins.len() + first.more_twins, 1_000 + 4 - VARIANTS);
}

#[test]
fn little_code_is_counted_unless_it_runs_anothers() {
    let creations = factory([
        vec![0x60; SMALL - 1],
        Vec::new(),
        clone_of(VAULT),
        vec![0; SMALL],
        // Runs what it is told to.
        hex!("5f5f5f5f5f355af4").into(),
    ]);
    let found: Vec<_> = creations
        .deployments
        .iter()
        .map(|one| one.code.len())
        .collect();
    assert_eq!(found, [45, SMALL, 8]);
    assert_eq!(creations.counts.small, 2);
}

#[test]
fn ten_thousand_different_creations_are_bounded_and_counted() {
    let creations = factory((0..10_000).map(code));
    assert_eq!(creations.deployments.len(), DEPLOYMENTS);
    assert_eq!(creations.counts.left_out, 10_000 - DEPLOYMENTS as u64);
}

proptest! {
    #[test]
    fn every_creation_is_somewhere(
        shape in prop::collection::vec((0..7_usize, 0..5_u16, any::<bool>(), 0..4_u64, 0..3_u64), 0..40),
    ) {
        let mut frames: Vec<Frame> = Vec::new();
        let mut path: Vec<u32> = Vec::new();
        for (kind, depth, fails, account, contents) in shape {
            let depth = if frames.is_empty() { 0 } else { usize::from(depth).clamp(1, path.len()) };
            path.truncate(depth);
            let parent = path.last().copied().unwrap_or(0);
            path.push(frames.len() as u32);
            let to = (account > 0).then(|| numbered(account));
            let mut frame = frame(depth as u16, parent, CallKind::ALL[kind], numbered(account), to);
            frame.error = fails.then(|| "out of gas".into());
            frame.output = if contents == 0 { Bytes::new() } else { code(contents).into() };
            frames.push(frame);
        }
        let creating = frames.iter().filter(|frame| frame.kind.creates()).count() as u64;
        let Creations { deployments, counts, .. } = read(frames);
        let told = counts.created + counts.failed + counts.destroyed + counts.malformed;
        prop_assert_eq!(told, creating);
        let listed = deployments.iter().map(|one| 1 + one.twins.len() + one.more_twins);
        prop_assert_eq!(listed.sum::<usize>() as u64 + counts.small, counts.created);
    }
}

#[test]
fn storage_is_kept_as_far_as_there_is_room() {
    let slots = (1..1_000).map(|n| (U256::from(n), U256::ONE));
    assert_eq!(first_slots(slots).len(), SLOTS);
    let cleared = [(U256::from(2), U256::ZERO), (U256::from(1), U256::ONE)];
    assert_eq!(first_slots(cleared), [(U256::from(1), U256::ONE)]);
}
