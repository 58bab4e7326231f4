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
        self.found.push(Lint {
            file: self.file.clone(),
            line,
            sid,
            level,
            message,
        });
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

/// Edit distance in bytes; swapping two neighbours is one edit (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let substitute = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = substitute.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}
