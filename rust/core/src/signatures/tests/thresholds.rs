use super::{OTHER, Scene, VAULT, address, load};
use crate::signatures::Matcher;
use std::sync::Arc;

const RULE: &str =
    "rules: [{sid: 1, msg: m, classtype: other, weight: 0.5, match: {function: a()}}]\n";

fn matcher(extra: &str) -> Matcher {
    Matcher::new(Arc::new(load(&format!("{RULE}{extra}\n"))))
}

fn threshold(kind: &str, track: &str, count: u32, seconds: u32) -> Matcher {
    matcher(&format!(
        "thresholds: [{{sid: 1, type: {kind}, track: {track}, count: {count}, seconds: {seconds}}}]"
    ))
}

/// Whether a match of `from` → `to` at this second notifies.
fn at(matcher: &mut Matcher, second: u64, from: u8, to: u8) -> bool {
    let mut scene = Scene::call(address(to), "a()", &[]);
    scene.tx.from = address(from);
    scene.tx.seen_ms = second * 1_000;
    let mut matched = Vec::new();
    matcher.evaluate(&scene.subject(), &mut matched);
    assert_eq!(matched, [1], "thresholds never drop a match");
    let records = matcher.report(&scene.subject(), &matched);
    assert_eq!(
        (records.len(), records[0].id, records[0].score),
        (1, 1, 0.5)
    );
    records[0].notify
}

fn series(matcher: &mut Matcher, seconds: &[u64]) -> Vec<bool> {
    seconds.iter().map(|&s| at(matcher, s, 1, 2)).collect()
}

#[test]
fn limit_notifies_the_first_of_each_window() {
    let mut m = threshold("limit", "by_src", 2, 10);
    assert_eq!(
        series(&mut m, &[0, 1, 2, 9, 10, 11, 12, 20]),
        [true, true, false, false, true, true, false, true]
    );
    assert_eq!(m.costs()[0].muted, 3);
}

#[test]
fn threshold_notifies_every_nth_within_the_window() {
    let mut m = threshold("threshold", "by_src", 3, 10);
    assert_eq!(
        series(&mut m, &[0, 1, 2, 3, 4, 5, 6]),
        [false, false, true, false, false, true, false]
    );
    // Two matches, then a gap longer than the window: the count starts anew.
    let mut m = threshold("threshold", "by_src", 3, 10);
    assert_eq!(
        series(&mut m, &[0, 1, 30, 31, 32]),
        [false, false, false, false, true]
    );
}

#[test]
fn both_notifies_once_a_window_at_the_nth() {
    let mut m = threshold("both", "by_src", 2, 10);
    assert_eq!(
        series(&mut m, &[0, 1, 2, 3, 10, 11, 12]),
        [false, true, false, false, false, true, false]
    );
}

#[test]
fn counts_are_kept_by_sender_target_or_rule() {
    let pairs = [(1, 2), (1, 3), (4, 2)];
    let run = |track| {
        let mut m = threshold("limit", track, 1, 60);
        pairs.map(|(from, to)| at(&mut m, 1, from, to))
    };
    assert_eq!(run("by_src"), [true, false, true]);
    assert_eq!(run("by_dst"), [true, true, false]);
    assert_eq!(run("by_rule"), [true, false, false]);
}

#[test]
fn time_is_the_transactions_own_and_may_step_back() {
    let mut m = threshold("limit", "by_rule", 1, 10);
    assert_eq!(
        series(&mut m, &[100, 99, 105, 50, 110]),
        [true, false, false, false, true]
    );
}

#[test]
fn suppressions_mute_and_do_not_count() {
    let mut everyone = matcher("suppress: [{sid: 1}]");
    assert!(!at(&mut everyone, 0, 1, 2));
    let listed = format!("addresses: ['{}', '{}']", address(1), address(9));
    let mut by_src = matcher(&format!("suppress: [{{sid: 1, track: by_src, {listed}}}]"));
    assert_eq!(
        [at(&mut by_src, 0, 1, 2), at(&mut by_src, 0, 2, 1)],
        [false, true]
    );
    let mut by_dst = matcher(&format!("suppress: [{{sid: 1, track: by_dst, {listed}}}]"));
    assert_eq!(
        [at(&mut by_dst, 0, 1, 2), at(&mut by_dst, 0, 2, 1)],
        [true, false]
    );
    let mut m = matcher(&format!(
        "suppress: [{{sid: 1, track: by_src, {listed}}}]\nthresholds: [{{sid: 1, type: limit, track: by_rule, count: 1, seconds: 60}}]"
    ));
    assert_eq!(
        [
            at(&mut m, 0, 1, 2),
            at(&mut m, 1, 2, 2),
            at(&mut m, 2, 2, 2)
        ],
        [false, true, false]
    );
}

#[test]
fn state_is_bounded_whatever_arrives() {
    let mut m = threshold("limit", "by_src", 1, 3_600);
    let mut scene = Scene::call(OTHER, "a()", &[]);
    for n in 0..200_000_u32 {
        scene.tx.from[..4].copy_from_slice(&n.to_be_bytes());
        assert!(
            m.report(&scene.subject(), &[1])[0].notify,
            "a sender never seen notifies"
        );
    }
    assert!(m.threshold_states() <= 1 << 16, "{}", m.threshold_states());
}

#[test]
fn a_reload_keeps_the_counts_of_rules_that_stay() {
    let limit = "thresholds: [{sid: 1, type: limit, track: by_src, count: 1, seconds: 60}]\n";
    let same = format!("{RULE}{limit}");
    let mut m = Matcher::new(Arc::new(load(&same)));
    assert!(at(&mut m, 0, 1, 2));
    m.reload(Arc::new(load(&same)));
    assert!(!at(&mut m, 1, 1, 2), "still within the window");
    m.reload(Arc::new(load(
        &same.replace("sid: 1, msg", "sid: 1, rev: 2, msg"),
    )));
    assert!(at(&mut m, 2, 1, 2), "another revision starts anew");
    m.reload(Arc::new(load(&same.replace("seconds: 60", "seconds: 61"))));
    assert!(at(&mut m, 3, 1, 2), "another threshold starts anew");
}

#[test]
fn creations_are_counted_together_by_target() {
    let rule = RULE.replace("function: a()", "gas: '> 0'");
    let text = format!(
        "{rule}thresholds: [{{sid: 1, type: limit, track: by_dst, count: 1, seconds: 60}}]\n"
    );
    let mut m = Matcher::new(Arc::new(load(&text)));
    let mut scene = Scene::call(VAULT, "a()", &[]);
    scene.tx.to = None;
    assert!(m.report(&scene.subject(), &[1])[0].notify);
    assert!(!m.report(&scene.subject(), &[1])[0].notify);
}
