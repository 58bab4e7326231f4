//! Diagnostics: collected, bounded, and each says what to do.

use super::Lint;

/// A hostile or hopeless file must not fill memory with complaints.
const MAX_LINTS: usize = 500;

/// Diagnostics of the file being read.
#[derive(Debug, Default)]
pub(super) struct Lints {
    file: String,
    found: Vec<Lint>,
    errors: usize,
}

impl Lints {
    pub fn enter(&mut self, file: &str) {
        file.clone_into(&mut self.file);
    }

    /// `line` 0 means unknown.
    pub fn error(&mut self, line: u32, sid: Option<u32>, message: impl Into<String>) {
        self.errors += 1;
        self.push(line, sid, "error", message.into());
    }

    pub fn warning(&mut self, line: u32, sid: Option<u32>, message: impl Into<String>) {
        self.push(line, sid, "warning", message.into());
    }

    fn push(&mut self, line: u32, sid: Option<u32>, level: &'static str, mut message: String) {
        match self.found.len() {
            n if n > MAX_LINTS => return,
            MAX_LINTS => "too many diagnostics; fix these first".clone_into(&mut message),
            _ => {}
        }
        let line = (line > 0).then_some(line);
        self.found.push(Lint { file: self.file.clone(), line, sid, level, message });
    }

    /// How many errors so far, in all files.
    pub fn errors(&self) -> usize {
        self.errors
    }

    pub fn into_vec(self) -> Vec<Lint> {
        self.found
    }
}

/// `"; did you mean 'x'?"` for the nearest of `valid`, else a list of them.
pub(super) fn suggestion(given: &str, valid: &[&str]) -> String {
    match nearest(given, valid) {
        Some(name) => format!("; did you mean '{name}'?"),
        None => format!("; valid here: {}", valid.join(", ")),
    }
}

fn nearest<'a>(given: &str, valid: &[&'a str]) -> Option<&'a str> {
    // Distance is quadratic in length; a key of this length resembles nothing.
    if given.len() > 64 {
        return None;
    }
    let given = given.to_ascii_lowercase().replace('-', "_");
    valid
        .iter()
        .map(|name| (distance(&given, &name.replace('-', "_")), *name))
        .min()
        .filter(|(d, name)| *d <= (name.len() / 3).max(1))
        .map(|(_, name)| name)
}

/// Levenshtein distance in bytes, a transposition counted as two.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substitute = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
