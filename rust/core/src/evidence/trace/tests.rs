use super::call_tracer::to_json;
use super::*;
use proptest::prelude::*;

fn frame() -> impl Strategy<Value = Frame> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
    let amount = any::<[u8; 32]>().prop_map(|n| Some(U256::from_be_bytes(n)));
    let address = || any::<[u8; 20]>().prop_map(Address::from);
    let error = prop_oneof![Just(None), "[ -~]{1,20}".prop_map(|e| Some(Cow::Owned(e)))];
    let to = prop::option::of(address());
    let numbers = (0..CallKind::ALL.len(), any::<u64>(), any::<u64>(), 0..6_u16);
    (numbers, address(), to, amount, bytes(), bytes(), error).prop_map(
        |((kind, gas, gas_used, depth), from, to, value, input, output, error)| Frame {
            kind: CallKind::ALL[kind],
            depth,
            from,
            to,
            value,
            gas,
            gas_used,
            input,
            output,
            error,
            ..Frame::default()
        },
    )
}

/// Any frames, made into a tree: each at most one deeper than the one before.
fn tree(frames: Vec<Frame>) -> Trace {
    let mut trace = Trace::default();
    let mut path: Vec<u32> = Vec::new();
    for (index, mut frame) in (0..).zip(frames) {
        let depth = match index {
            0 => 0,
            _ => usize::from(frame.depth).clamp(1, path.len()),
        };
        path.truncate(depth);
        frame.depth = depth as u16;
        frame.parent = path.last().copied().unwrap_or(0);
        path.push(index);
        trace.frames.push(frame);
    }
    trace
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(frames in prop::collection::vec(frame(), 1..30)) {
        let trace = tree(frames);
        prop_assert_eq!(Trace::from_json(&to_json(&trace, true)).unwrap(), trace);
    }

    #[test]
    fn any_text_has_an_answer(text in ".{0,200}") {
        let _ = Trace::from_json(&text);
    }

    #[test]
    fn any_damage_has_an_answer(frames in prop::collection::vec(frame(), 1..6), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = to_json(&tree(frames), true).into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        if let Ok(text) = std::str::from_utf8(&text) {
            let _ = Trace::from_json(text);
        }
    }
}

#[test]
fn nesting_beyond_the_evms_is_refused_and_not_a_crash() {
    for levels in [2_000, 5_000, 1_000_000] {
        let text = r#"{"type":"CALL","calls":["#.repeat(levels) + &"]}".repeat(levels);
        assert!(Trace::from_json(&text).is_err(), "{levels} levels");
        assert!(Trace::from_json(&"[".repeat(levels)).is_err());
    }
}

#[test]
fn what_nodes_leave_out_or_write_otherwise_is_understood() {
    let text = r#"{"from":"0x00000000000000000000000000000000000000aa","type":"CALL","to":null,"value":null,
        "input":"","output":null,"gas":null,"error":null,"calls":null,"time":"1ms","another":{"deep":[1]}}"#;
    let trace = Trace::from_json(text).unwrap();
    assert_eq!(trace.frames.len(), 1);
    assert_eq!(trace.frames[0].from, Address::with_last_byte(0xaa));
    assert!(Trace::from_json("{}").is_err(), "a type is needed");
    assert!(Trace::from_json(r#"{"type":"JUMP"}"#).is_err());
}

#[test]
fn what_is_inside_of_what_failed_does_not_stand() {
    let frame = |depth, parent, failed: bool| Frame {
        depth,
        parent,
        error: failed.then(|| "out of gas".into()),
        ..Frame::default()
    };
    let trace = Trace {
        frames: vec![
            frame(0, 0, false),
            frame(1, 0, true),
            frame(2, 1, false),
            frame(1, 0, false),
        ],
    };
    assert_eq!(trace.stands(), [true, false, false, true]);
}
