use super::{file, lint, load, rule};
use crate::signatures::RuleSet;

/// The only diagnostic of a file.
fn only(text: &str) -> (Option<u32>, Option<u32>, &'static str, String) {
    let mut lints = lint(text);
    assert_eq!(lints.len(), 1, "{lints:#?}");
    let lint = lints.remove(0);
    (lint.line, lint.sid, lint.level, lint.message)
}

fn error(condition: &str) -> String {
    let (_, sid, level, message) = only(&rule(condition));
    assert_eq!((sid, level), (Some(1), "error"), "{message}");
    message
}

#[test]
fn a_whole_file_is_read_as_written() {
    let set = load(
        r#"
vars: {mine: ["0x1111111111111111111111111111111111111111"]}
rules:
  - sid: 7
    rev: 3
    msg: "  Vault drained "
    classtype: reentrancy
    weight: 0.25
    reference: [https://example.org/a, https://example.org/b]
    metadata: {author: me, year: 2024}
    match: {to: $mine, function: "withdraw(uint256)"}
  - {sid: 5, msg: off, classtype: policy, severity: 4, weight: 1, enabled: false, match: {creation: true}}
"#,
    );
    let list = set.list();
    assert_eq!(list.iter().map(|r| r.sid).collect::<Vec<_>>(), [5, 7]);
    let rule = &list[1];
    assert_eq!(
        (rule.rev, rule.msg.as_str(), rule.severity, rule.weight),
        (3, "Vault drained", 1, 0.25)
    );
    assert_eq!(
        rule.reference,
        ["https://example.org/a", "https://example.org/b"]
    );
    assert_eq!(rule.metadata["year"], "2024");
    assert!(rule.enabled && !list[0].enabled);
    assert_eq!((list[0].rev, list[0].severity), (1, 4));
}

#[test]
fn a_misspelt_key_is_reported_with_line_sid_and_nearest_key() {
    let text = "rules:\n  - sid: 42\n    msg: m\n    classtype: other\n    wieght: 0.5\n    weight: 0.5\n    match: {creation: true}\n";
    let (line, sid, level, message) = only(text);
    assert_eq!((line, sid, level), (Some(5), Some(42), "error"));
    assert!(
        message.contains("'wieght'") && message.contains("did you mean 'weight'"),
        "{message}"
    );
    assert!(error("{selectr: '0x12345678'}").contains("did you mean 'selector'"));
    assert!(error("{code: {sizes: '1'}}").contains("did you mean 'size'"));
    assert!(only("rulse: []").3.contains("did you mean 'rules'"));
}

#[test]
fn unknown_words_name_what_is_valid() {
    let (_, _, _, message) = only(
        "rules: [{sid: 1, msg: m, classtype: re-entrancy, weight: 0, match: {creation: true}}]",
    );
    assert!(
        message.contains("unknown classtype") && message.contains("did you mean 'reentrancy'"),
        "{message}"
    );
    assert!(error("{touches: everything}").contains("monitored, callee, calldata, code, none"));
    assert!(error("{decoded_by: wordscan}").contains("did you mean 'word_scan'"));
    assert!(error("{creation: maybe}").contains("neither true nor false"));
    assert!(error("{to: $usr}").contains("no variable '$usr'"));
}

#[test]
fn numbers_out_of_range_are_errors() {
    let with = |field: &str| {
        let head = "rules:\n- {msg: m, classtype: other, match: {creation: true}, ";
        only(&format!("{head}{field}}}\n")).3
    };
    for weight in ["1.01", "-0.1", "nan", ".inf", "x"] {
        assert!(
            with(&format!("sid: 1, weight: {weight}")).contains("from 0 to 1"),
            "{weight}"
        );
    }
    assert!(with("sid: 0, weight: 0").contains("from 1 to 4294967295"));
    assert!(with("sid: 4294967296, weight: 0").contains("from 1 to"));
    assert!(with("sid: 1, weight: 0, severity: 5").contains("from 1 to 4"));
    assert!(with("sid: 1, weight: 0, rev: 0").contains("rev: '0'"));
}

#[test]
fn what_can_never_match_is_an_error() {
    for impossible in [
        "{value: '< 0'}",
        "{value: '5 .. 4'}",
        "{gas: '> 18446744073709551615'}",
        "{any: []}",
        "{selector: []}",
        "{all: [{value: '> 2 ether'}, {value: '< 1 ether'}]}",
        "{gas: 1, all: [{creation: true}, {to: monitored}]}",
        "{creation: true, function: 'a()'}",
        "{to: monitored, touches: none}",
    ] {
        let message = error(impossible);
        assert!(!message.is_empty(), "{impossible}");
    }
    assert!(error("{}").contains("every transaction"));
    assert!(error("{all: []}").contains("always holds"));
    assert!(error("{any: []}").contains("can never hold"));
}

#[test]
fn malformed_values_say_what_to_write() {
    let cases = [
        ("{to: '0x11'}", "has 2 hex digits instead of 40"),
        (
            "{to: '0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc3'}",
            "wrong checksum",
        ),
        ("{selector: '0x1234567'}", "eight hex digits"),
        ("{selector: withdraw()}", "use `function:`"),
        ("{function: withdraw}", "withdraw(uint256)"),
        ("{function: '0x12345678'}", "use `selector:`"),
        ("{function: 'f(foo'}", "no function signature"),
        ("{value: '1.0000000000000000001 ether'}", "no amount"),
        ("{value: 5 finney}", "use wei, gwei or ether"),
        ("{value: '!= 5'}", "`not:`"),
        ("{value: [1, 2]}", "needs a single value, not a list"),
        ("{word: {at: 1}}", "needs 'is'"),
        ("{word: {at: -1, is: sender}}", "from 0 to 65535"),
        ("{touches: [none, code]}", "stands alone"),
        ("{all: {creation: true}}", "needs a list of conditions"),
        ("{not: [creation]}", "is a list"),
        ("creation", "is a single value"),
    ];
    for (condition, wanted) in cases {
        let message = error(condition);
        assert!(message.contains(wanted), "{condition}: {message}");
    }
}

#[test]
fn a_rule_without_its_parts_says_which() {
    let lints = lint("rules: [{sid: 3}]");
    let all: Vec<_> = lints.iter().map(|l| (l.sid, l.message.as_str())).collect();
    for key in ["msg", "classtype", "weight", "match"] {
        assert!(
            all.iter()
                .any(|(sid, m)| *sid == Some(3) && m.contains(&format!("no '{key}'"))),
            "{all:?}"
        );
    }
}

#[test]
fn sids_are_unique_over_all_files_and_both_places_are_named() {
    let folder = tempfile::tempdir().expect("folder");
    for name in ["a.yaml", "b.yaml"] {
        std::fs::write(folder.path().join(name), rule("{creation: true}")).expect("written");
    }
    let pattern = vec![format!("{}/*.yaml", folder.path().display())];
    let lints = RuleSet::lint(&pattern);
    assert_eq!(lints.len(), 1, "{lints:?}");
    assert!(
        lints[0].file.ends_with("b.yaml") && lints[0].message.contains("a.yaml:2"),
        "{:?}",
        lints[0]
    );
    let error = RuleSet::load(&pattern).expect_err("refused").to_string();
    assert!(error.contains("b.yaml:2: sid 1: sid 1 is taken"), "{error}");
    // A file that two patterns name is read once.
    let twice = vec![
        format!("{}/a.yaml", folder.path().display()),
        format!("{}/a*.yaml", folder.path().display()),
    ];
    assert_eq!(RuleSet::load(&twice).expect("loads").list().len(), 1);
}

#[test]
fn thresholds_suppressions_and_disabling_need_their_rule() {
    let extra = "thresholds: [{sid: 9, type: limit, track: by_src, count: 1, seconds: 1}]\nsuppress: [{sid: 8}]\ndisable: [7]\n";
    let lints = lint(rule("{creation: true}") + extra);
    let found: Vec<_> = lints.iter().map(|l| (l.line, l.sid, l.level)).collect();
    assert_eq!(
        found,
        [
            (Some(5), Some(7), "error"),
            (Some(3), Some(9), "error"),
            (Some(4), Some(8), "error")
        ]
    );
    let (line, sid, _, message) =
        only("thresholds:\n- {sid: 9, type: limits, track: by_src, count: 1, seconds: 1}");
    assert_eq!((line, sid), (Some(2), Some(9)));
    assert!(message.contains("did you mean 'limit'"), "{message}");
    assert!(
        only("suppress: [{sid: 9, track: by_src}]")
            .3
            .contains("go together")
    );
}

#[test]
fn the_files_of_another_pack_can_tune_the_built_in_one() {
    let (_file, mut rules) =
        file(b"disable: [1000401]\nthresholds: [{sid: 1000402, type: both, track: by_rule, count: 2, seconds: 60}]\n");
    rules.push("builtin".to_owned());
    let list = RuleSet::load(&rules).expect("loads").list();
    assert!(list.iter().all(|r| r.enabled != (r.sid == 1_000_401)));
}

#[test]
fn suspicious_rules_are_warned_of_and_load() {
    let alone =
        "rules: [{sid: 1, msg: m, classtype: other, weight: 0.9, match: {value: '> 1 ether'}}]";
    let (_, _, level, message) = only(alone);
    assert_eq!(level, "warning");
    assert!(message.contains("touches: monitored"), "{message}");
    load(alone);
    let targeted = alone.replace("value:", "touches: monitored, value:");
    assert_eq!(lint(targeted), []);
    let reserved = rule("{creation: true}").replace("sid: 1", "sid: 1000999");
    assert!(only(&reserved).3.contains("built-in pack"));
}

#[test]
fn unreadable_sources_are_errors() {
    let folder = tempfile::tempdir().expect("folder");
    let lint_of = |source: String| RuleSet::lint(&[source]).remove(0).message;
    let path = folder.path().display();
    assert!(lint_of(format!("{path}/none.yaml")).contains("cannot be read"));
    assert!(lint_of(format!("{path}/*.yaml")).contains("no file matches"));
    assert!(lint_of(format!("{path}")).contains("folder/*.yaml"));
    assert!(lint_of(format!("{path}/[")).contains("pattern"));
    let large = folder.path().join("large.yaml");
    std::fs::write(&large, vec![b'#'; (1 << 20) + 1]).expect("written");
    assert!(lint_of(large.display().to_string()).contains("larger than"));
    assert!(lint(b"\xff\xfe\x00").remove(0).message.contains("UTF-8"));
}

#[test]
fn bombs_and_garbage_are_diagnosed_in_bounded_time() {
    let mut billion_laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        let references = vec![format!("*a{}", i - 1); 10].join(", ");
        billion_laughs += &format!("a{i}: &a{i} [{references}]\n");
    }
    let deep_flow = format!("rules: {}1{}", "[".repeat(5_000), "]".repeat(5_000));
    let deep_block: String = (0..2_000)
        .map(|i| format!("{}a:\n", " ".repeat(i)))
        .collect();
    let nested_not = rule(&format!(
        "{}creation: true{}",
        "{not: ".repeat(20) + "{",
        "}".repeat(21)
    ));
    let many = rule(&format!("{{all: [{}]}}", "{creation: true}, ".repeat(600)));
    let merge = "a: &a {sid: 1}\nrules: [{<<: *a}]\n";
    let cases = [
        billion_laughs.as_str(),
        &deep_flow,
        &deep_block,
        &nested_not,
        &many,
        merge,
        "",
        "\0",
        "rules: [",
        "- 1",
        "rules: {a: b}",
        "rules: [[1]]",
        "rules: [1]",
        "? {a: b}\n: c",
        "a: 1\na: 2",
        "--- a\n--- b",
        "%YAML 9.9\n---\n",
        "!!binary x",
        "rules: &r [*r]",
        "vars: {a: [$b]}",
        "vars: {a: {b: c}}",
    ];
    for text in cases {
        let started = std::time::Instant::now();
        let lints = lint(text);
        assert!(!lints.is_empty(), "{:?}", &text[..text.len().min(80)]);
        assert!(lints.iter().all(|l| l.message.len() < 1_000));
        assert!(started.elapsed().as_secs() < 5);
    }
    assert!(error_of(&nested_not).contains("nested more than 16"));
    assert!(error_of(&many).contains("at most 512"));
}

fn error_of(text: &str) -> String {
    lint(text).remove(0).message
}

#[test]
fn complaints_are_bounded() {
    let many = format!("rules: [{}]", "{}, ".repeat(5_000));
    let lints = lint(&many);
    assert!(
        lints.len() < 600 && lints.last().expect("some").message.contains("too many"),
        "{}",
        lints.len()
    );
}

#[test]
fn the_built_in_pack_has_no_diagnostics() {
    let builtin = vec!["builtin".to_owned()];
    assert_eq!(RuleSet::lint(&builtin), []);
    let list = RuleSet::load(&builtin).expect("loads").list();
    assert!(list.iter().all(|r| r.file.starts_with("builtin/")));
    for class in [
        "reentrancy",
        "flash-loan",
        "price-manipulation",
        "access-takeover",
        "approval-drain",
        "governance",
    ] {
        assert!(
            list.iter().filter(|r| r.classtype == class).count() >= 3,
            "{class}"
        );
    }
}
