//! Reading a mapping's fields with diagnostics: unknown keys, wrong shapes.

use crate::signatures::lint::{Lints, suggestion};
use crate::signatures::yaml::{Node, Value};
use std::collections::HashMap;

/// Items in one list, variables expanded.
pub(super) const MAX_ITEMS: usize = 4_096;

/// What reading one rule, or one file-level section, needs.
pub(super) struct Reader<'a> {
    pub lints: &'a mut Lints,
    /// The rule being read.
    pub sid: Option<u32>,
    /// `vars:` of the file.
    pub vars: &'a HashMap<String, Vec<Node>>,
}

impl Reader<'_> {
    pub fn error(&mut self, at: &Node, message: impl Into<String>) {
        self.lints.error(at.line, self.sid, message);
    }

    pub fn warning(&mut self, at: &Node, message: impl Into<String>) {
        self.lints.warning(at.line, self.sid, message);
    }

    /// The entries of a mapping whose keys are all in `valid`; the others are reported. `None`: no mapping.
    pub fn fields<'n>(&mut self, node: &'n Node, what: &str, valid: &[&str]) -> Option<Fields<'n>> {
        let Value::Map(entries) = &node.value else {
            self.error(
                node,
                format!(
                    "{what} is {}; write a mapping with {}",
                    node.kind(),
                    valid.join(", ")
                ),
            );
            return None;
        };
        let mut known = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            match key.scalar() {
                Some(name) if valid.contains(&name) => known.push((name, key, value)),
                Some(name) => {
                    let shown: String = name.chars().take(64).collect();
                    self.error(
                        key,
                        format!("unknown key '{shown}' in {what}{}", suggestion(name, valid)),
                    );
                }
                None => self.error(
                    key,
                    format!("a key of {what} must be a word, not {}", key.kind()),
                ),
            }
        }
        Some(Fields(known))
    }

    pub fn text<'n>(&mut self, node: &'n Node, key: &str) -> Option<&'n str> {
        match node.scalar() {
            Some(text) => Some(text),
            None => {
                self.error(
                    node,
                    format!("'{key}' needs a single value, not {}", node.kind()),
                );
                None
            }
        }
    }

    /// Parses a single value; a failure is reported at its line under its key.
    pub fn value<T>(
        &mut self,
        node: &Node,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(node, key)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(message) => {
                self.error(node, format!("{key}: {message}"));
                None
            }
        }
    }

    /// Parses a value or a non-empty list, `$NAME` standing for a list of `vars:`.
    pub fn list<T>(
        &mut self,
        node: &Node,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let mut values = Vec::new();
        let mut sound = true;
        for item in node.items() {
            let expanded = match item.scalar().and_then(|text| text.strip_prefix('$')) {
                None => std::slice::from_ref(item),
                Some(name) => match self.vars.get(name) {
                    Some(items) => items.as_slice(),
                    None => {
                        let names: Vec<&str> = self.vars.keys().map(String::as_str).collect();
                        self.error(
                            item,
                            format!(
                                "{key}: no variable '${name}' in this file{}",
                                suggestion(name, &names)
                            ),
                        );
                        sound = false;
                        continue;
                    }
                },
            };
            if values.len() + expanded.len() > MAX_ITEMS {
                self.error(
                    item,
                    format!("{key}: more than {MAX_ITEMS} items; split the rule"),
                );
                return None;
            }
            for node in expanded {
                match self.value(node, key, &parse) {
                    Some(value) => values.push(value),
                    None => sound = false,
                }
            }
        }
        if sound && values.is_empty() {
            self.error(
                node,
                format!(
                    "{key}: the list is empty, so it can never hold; add an item or remove the key"
                ),
            );
            return None;
        }
        sound.then_some(values)
    }

    pub fn boolean(&mut self, node: &Node, key: &str) -> Option<bool> {
        self.value(node, key, |text| match text {
            "true" | "yes" => Ok(true),
            "false" | "no" => Ok(false),
            other => Err(format!("'{other}' is neither true nor false")),
        })
    }

    pub fn number(
        &mut self,
        node: &Node,
        key: &str,
        range: std::ops::RangeInclusive<u32>,
    ) -> Option<u32> {
        self.value(node, key, |text| match text.parse::<u32>() {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => Err(format!(
                "'{text}' is no whole number from {} to {}",
                range.start(),
                range.end()
            )),
        })
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, node: &Node, key: &str, choices: &[(&str, T)]) -> Option<T> {
        self.value(node, key, |text| one_of(text, choices))
    }
}

pub(super) fn one_of<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
        return Ok(*value);
    }
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    let shown: String = text.chars().take(64).collect();
    Err(format!(
        "unknown value '{shown}'{}",
        suggestion(text, &names)
    ))
}

/// (name, key node, value node), in the file's order.
pub(super) struct Fields<'n>(pub Vec<(&'n str, &'n Node, &'n Node)>);

impl<'n> Fields<'n> {
    pub fn get(&self, name: &str) -> Option<&'n Node> {
        self.0
            .iter()
            .find(|(key, _, _)| *key == name)
            .map(|(_, _, value)| *value)
    }
}
