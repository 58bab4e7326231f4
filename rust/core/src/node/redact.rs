//! URLs that print without their secrets: RPC URLs carry keys in the user part, the path and the query.

use std::fmt;
use url::Url;

/// A URL whose `Display` and `Debug` show scheme, host and port only.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(Url);

/// Shorter pieces of a URL are words ("v3", "ws"), not keys.
const KEY_LENGTH: usize = 8;

impl SecretUrl {
    /// Refuses what is no URL, has no host or another scheme than `schemes`. The error never repeats the text.
    pub fn parse(text: &str, schemes: &[&str]) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        if !schemes.contains(&url.scheme()) {
            return Err(format!("its scheme is not one of {}", schemes.join(", ")));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err("it names no host".into());
        }
        Ok(Self(url))
    }

    /// The whole URL, for connecting only.
    pub fn expose(&self) -> &Url {
        &self.0
    }

    /// `text` (of a library or a node) without any key of this URL, no longer than 240 characters.
    pub fn scrub(&self, text: &str) -> String {
        let mut text: String = text.chars().take(2048).collect();
        for secret in self.secrets() {
            text = text.replace(&secret, "…");
        }
        printable(&text, 240)
    }

    fn secrets(&self) -> Vec<String> {
        let url = &self.0;
        let whole = url.as_str().to_owned();
        let long = |piece: &str| piece.len() >= KEY_LENGTH;
        let path = url
            .path()
            .split('/')
            .filter(|piece| long(piece))
            .map(str::to_owned);
        let query = url.query().filter(|query| long(query)).map(str::to_owned);
        let values = url
            .query_pairs()
            .map(|(_, value)| value.into_owned())
            .filter(|value| long(value));
        let user = [Some(url.username()), url.password()]
            .into_iter()
            .flatten()
            .filter(|piece| !piece.is_empty());
        let mut all: Vec<String> = std::iter::once(whole)
            .chain(query)
            .chain(path)
            .chain(values)
            .chain(user.map(str::to_owned))
            .collect();
        // The longest first, so that no piece of a longer one is left standing.
        all.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
        all
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = &self.0;
        write!(
            f,
            "{}://{}",
            url.scheme(),
            url.host_str().unwrap_or_default()
        )?;
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        let more = url.path().len() > 1 || url.query().is_some() || url.fragment().is_some();
        f.write_str(if more { "/…" } else { "" })
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// At most `max` characters of `text`, without control characters: what a node says ends up on terminals.
pub fn printable(text: &str, max: usize) -> String {
    let mut out: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(max)
        .collect();
    if text.chars().nth(max).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str =
        "wss://alice:hunter22@node.example:8546/v3/0123456789abcdef?apikey=ffeeddccbbaa";

    #[test]
    fn prints_scheme_host_and_port_only() {
        let url = SecretUrl::parse(SECRET, &["ws", "wss"]).unwrap();
        assert_eq!(url.to_string(), "wss://node.example:8546/…");
        assert_eq!(format!("{url:?}"), "wss://node.example:8546/…");
        assert_eq!(
            SecretUrl::parse("ws://[::1]:1/", &["ws"])
                .unwrap()
                .to_string(),
            "ws://[::1]:1"
        );
    }

    #[test]
    fn scrubs_every_key_out_of_foreign_text() {
        let url = SecretUrl::parse(SECRET, &["wss"]).unwrap();
        let said = url.scrub(&format!(
            "no project 0123456789abcdef (ffeeddccbbaa) for alice/hunter22 at {SECRET}\x1b[2J"
        ));
        for key in [
            "0123456789abcdef",
            "ffeeddccbbaa",
            "hunter22",
            "alice",
            "\x1b",
        ] {
            assert!(!said.contains(key), "{said}");
        }
        assert!(said.starts_with("no project … (…)"), "{said}");
    }

    #[test]
    fn refuses_other_schemes_without_repeating_the_url() {
        for text in ["http://user:pw@host/secretsecret", "secretsecret", "ws://"] {
            let said = SecretUrl::parse(text, &["ws", "wss"]).unwrap_err();
            assert!(!said.contains("secret") && !said.contains("pw"), "{said}");
        }
    }
}
