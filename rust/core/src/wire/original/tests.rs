use super::*;
use crate::capture::samples::{Dice, signed};
use crate::wire::parse_object;
use serde_json::{Value, json};

fn original(object: &Value) -> Original {
    Original {
        json: serde_json::to_vec(object).unwrap().into(),
        is_notification: false,
    }
}

fn read(object: &Value) -> PendingTransaction {
    parse_object(&serde_json::to_vec(object).unwrap(), 1).unwrap()
}

#[test]
fn every_type_as_nodes_tell_it_is_proven_with_its_signer() {
    let mut dice = Dice(1);
    for tx_type in [0, 1, 2, 3, 4, 5] {
        for _ in 0..20 {
            let sample = signed(&mut dice, tx_type);
            let proof = original(&sample.object).prove(&read(&sample.object));
            assert_eq!(
                proof,
                (Authenticity::Proven, Some(sample.from)),
                "{tx_type}"
            );
        }
    }
}

#[test]
fn a_notification_is_looked_into() {
    let sample = signed(&mut Dice(7), 2);
    let params = json!({"subscription": "0x1", "result": sample.object});
    let frame = json!({"jsonrpc": "2.0", "method": "eth_subscription", "params": params});
    let notification = Original {
        is_notification: true,
        ..original(&frame)
    };
    let (authenticity, signer) = notification.prove(&read(&sample.object));
    assert_eq!(
        (authenticity, signer),
        (Authenticity::Proven, Some(sample.from))
    );
}

#[test]
fn any_other_contents_under_its_hash_are_a_lie() {
    let sample = signed(&mut Dice(3), 2);
    let changes = [
        ("value", "0x1234567"),
        ("input", "0xdeadbeef"),
        ("nonce", "0x7"),
        ("gas", "0x5209"),
        ("to", "0x00000000000000000000000000000000000000aa"),
        ("maxFeePerGas", "0x77"),
        (
            "hash",
            "0x00000000000000000000000000000000000000000000000000000000000000aa",
        ),
    ];
    for (key, value) in changes {
        let mut object = sample.object.clone();
        object[key] = value.into();
        let (authenticity, signer) = original(&object).prove(&read(&object));
        assert_eq!(
            (authenticity, signer),
            (Authenticity::Contradicted, None),
            "{key}"
        );
    }
}

#[test]
fn a_lie_about_the_sender_alone_gives_the_signer() {
    let mut object = signed(&mut Dice(4), 2).object;
    let signer = read(&object).from;
    object["from"] = "0x00000000000000000000000000000000000000aa".into();
    let proof = original(&object).prove(&read(&object));
    assert_eq!(proof, (Authenticity::Proven, Some(signer)));
}

#[test]
fn of_repeated_keys_the_one_that_was_not_signed_is_a_lie() {
    let sample = signed(&mut Dice(5), 2);
    let text = sample.object.to_string();
    // Readers differ in which of the two they take.
    let text = text.replacen('{', r#"{"value":"0x7","#, 1);
    let lie = Original {
        json: text.clone().into_bytes().into(),
        is_notification: false,
    };
    let read = parse_object(text.as_bytes(), 1).unwrap();
    assert_ne!(lie.prove(&read).0, Authenticity::Proven);
}

#[test]
fn what_cannot_be_read_at_all_is_a_lie() {
    let mut object = signed(&mut Dice(6), 2).object;
    object["accessList"] = "0x7".into();
    let (authenticity, _) = original(&object).prove(&read(&object));
    assert_eq!(authenticity, Authenticity::Contradicted);
}

#[test]
fn what_a_node_does_not_tell_proves_nothing() {
    let sample = signed(&mut Dice(6), 2);
    for key in ["r", "s", "accessList"] {
        let mut object = sample.object.clone();
        object.as_object_mut().unwrap().remove(key);
        let (authenticity, signer) = original(&object).prove(&read(&object));
        assert_ne!(authenticity, Authenticity::Proven, "{key}");
        assert_eq!(signer, None);
    }
    // As a development node signs in an impersonated account's name.
    let mut object = sample.object.clone();
    (object["r"], object["s"]) = ("0x0".into(), "0x0".into());
    let (authenticity, _) = original(&object).prove(&read(&object));
    assert_eq!(authenticity, Authenticity::Unproven);
}
