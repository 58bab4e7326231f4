//! From the user's `rules` (paths, globs, "builtin") to one checked set of rules.

use super::invariant::Invariant;
use super::lint::Lints;
use super::parse;
use super::parse::{BUILTIN_SIDS, Named, Parsed, Rule};
use super::threshold::{Suppression, Threshold};
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MAX_FILE_BYTES: u64 = 1 << 20;
const MAX_FILES: usize = 1_000;

/// The pack that is compiled in.
pub(super) const BUILTIN: &[(&str, &str)] = &[
    (
        "builtin/attack_contract.yaml",
        include_str!("../../rules/attack_contract.yaml"),
    ),
    (
        "builtin/reentrancy.yaml",
        include_str!("../../rules/reentrancy.yaml"),
    ),
    (
        "builtin/flash_loan.yaml",
        include_str!("../../rules/flash_loan.yaml"),
    ),
    (
        "builtin/price_manipulation.yaml",
        include_str!("../../rules/price_manipulation.yaml"),
    ),
    (
        "builtin/access_takeover.yaml",
        include_str!("../../rules/access_takeover.yaml"),
    ),
    (
        "builtin/approval_drain.yaml",
        include_str!("../../rules/approval_drain.yaml"),
    ),
    (
        "builtin/governance.yaml",
        include_str!("../../rules/governance.yaml"),
    ),
];

/// A rule with what was said of it in any file.
#[derive(Debug, Clone)]
pub(super) struct Loaded {
    pub rule: Rule,
    pub threshold: Option<Threshold>,
    pub suppressions: Vec<Suppression>,
}

/// Rules and invariants by ascending sid, without those that have errors.
pub(super) fn load(sources: &[String], lints: &mut Lints) -> (Vec<Loaded>, Vec<Invariant>) {
    let mut parsed = Parsed::default();
    let mut seen = BTreeSet::new();
    for source in sources {
        if source == "builtin" {
            if seen.insert(PathBuf::from("builtin")) {
                for (name, text) in BUILTIN {
                    lints.enter(name);
                    parse::file(&Arc::from(*name), text, &mut parsed, lints);
                }
            }
            continue;
        }
        lints.enter(source);
        for path in resolve(source, lints) {
            // `rules/*.yaml` beside `rules/mine.yaml` names a file twice: it is read once.
            if !seen.insert(fs::canonicalize(&path).unwrap_or_else(|_| path.clone())) {
                continue;
            }
            let name = path.display().to_string();
            lints.enter(&name);
            if seen.len() > MAX_FILES {
                lints.error(
                    0,
                    None,
                    format!("more than {MAX_FILES} rule files; merge some"),
                );
                break;
            }
            match read(&path) {
                Ok(text) => parse::file(&Arc::from(name), &text, &mut parsed, lints),
                Err(message) => lints.error(0, None, message),
            }
        }
    }
    assemble(parsed, lints)
}

/// The files a path or glob pattern stands for, sorted. A pattern without a file is an error: it would blind the sensor
/// in silence.
fn resolve(source: &str, lints: &mut Lints) -> Vec<PathBuf> {
    let path = Path::new(source);
    if !source.contains(['*', '?', '[']) || path.exists() {
        return vec![path.to_owned()];
    }
    let matches = match glob::glob(source) {
        Ok(matches) => matches,
        Err(error) => {
            lints.error(0, None, format!("not a pattern: {error}"));
            return Vec::new();
        }
    };
    let errors_before = lints.errors();
    let mut files = Vec::new();
    for entry in matches.take(MAX_FILES + 1) {
        match entry {
            Ok(path) if path.is_dir() => {}
            Ok(path) => files.push(path),
            Err(error) => lints.error(0, None, format!("cannot be read: {error}")),
        }
    }
    if files.is_empty() && lints.errors() == errors_before {
        lints.error(
            0,
            None,
            "no file matches this pattern; correct it or remove it from `rules`",
        );
    }
    files.sort();
    files
}

fn read(path: &Path) -> Result<String, String> {
    let about = fs::metadata(path).map_err(|error| {
        format!("cannot be read: {error}; give a path, a pattern, or \"builtin\"")
    })?;
    // A pipe would block and a device never end.
    if !about.is_file() {
        return Err("not a regular file; for a folder write folder/*.yaml".to_owned());
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("larger than {MAX_FILE_BYTES} bytes; split it"));
    }
    String::from_utf8(bytes).map_err(|_| "not UTF-8 text".to_owned())
}

/// Checks the files against each other.
fn assemble(parsed: Parsed, lints: &mut Lints) -> (Vec<Loaded>, Vec<Invariant>) {
    let mut by_sid: HashMap<u32, usize> = HashMap::new();
    let mut lines: Vec<u32> = Vec::new();
    let mut rules: Vec<Loaded> = Vec::new();
    for (line, rule) in parsed.rules {
        lints.enter(&rule.file);
        if let Some(&first) = by_sid.get(&rule.sid) {
            let place = format!("{}:{}", rules[first].rule.file, lines[first]);
            lints.error(
                line,
                Some(rule.sid),
                format!(
                    "sid {} is taken by {place}; give this rule another",
                    rule.sid
                ),
            );
            continue;
        }
        if BUILTIN_SIDS.contains(&rule.sid) && !rule.file.starts_with("builtin/") {
            let message = "sids 1000000 to 1099999 belong to the built-in pack; a later version may take this one";
            lints.warning(line, Some(rule.sid), message);
        }
        by_sid.insert(rule.sid, rules.len());
        lines.push(line);
        rules.push(Loaded {
            rule,
            threshold: None,
            suppressions: Vec::new(),
        });
    }
    let mut invariants: Vec<Invariant> = Vec::new();
    for (line, invariant) in parsed.invariants {
        let sid = invariant.sid;
        let taken = by_sid.contains_key(&sid) || invariants.iter().any(|one| one.sid == sid);
        if taken {
            lints.enter(&invariant.file);
            let message = format!("sid {sid} is taken; give this invariant another");
            lints.error(line, Some(sid), message);
            continue;
        }
        invariants.push(invariant);
    }
    for named in parsed.disabled {
        if let Some(invariant) = invariants.iter_mut().find(|one| one.sid == named.sid) {
            invariant.enabled = false;
            continue;
        }
        if let Some(i) = find(&by_sid, &named, "disable", lints) {
            rules[i].rule.enabled = false;
        }
    }
    for named in parsed.thresholds {
        let Some(i) = find(&by_sid, &named, "threshold", lints) else {
            continue;
        };
        if rules[i].threshold.is_some() {
            let message = "a second threshold for this sid; keep one";
            lints.error(named.line, Some(named.sid), message);
        }
        if !rules[i].rule.enabled {
            lints.warning(
                named.line,
                Some(named.sid),
                "a threshold for a disabled rule has no effect; remove it",
            );
        }
        rules[i].threshold = Some(named.what);
    }
    for named in parsed.suppressions {
        if let Some(i) = find(&by_sid, &named, "suppression", lints) {
            rules[i].suppressions.push(named.what);
        }
    }
    rules.sort_by_key(|loaded| loaded.rule.sid);
    invariants.sort_by_key(|invariant| invariant.sid);
    (rules, invariants)
}

fn find<T>(
    by_sid: &HashMap<u32, usize>,
    named: &Named<T>,
    what: &str,
    lints: &mut Lints,
) -> Option<usize> {
    lints.enter(&named.file);
    let found = by_sid.get(&named.sid).copied();
    if found.is_none() {
        let message = format!(
            "{what} for sid {}, which no loaded rule has; correct the sid or load its file",
            named.sid
        );
        lints.error(named.line, Some(named.sid), message);
    }
    found
}
