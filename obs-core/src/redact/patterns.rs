//! Secrets by how they look: one pass over a text, without a regular expression.
//!
//! What is looked at where a candidate begins is bounded, or is passed over when it is none: the time is linear in the text.

mod found;
mod pairs;
mod sql;
mod tokens;
mod urls;
mod wrapped;

pub use urls::without_secrets as urls;

use super::names::is_secret;
use super::{REDACTED, Redaction, Redactor, Text};
use crate::semconv::db;
use found::Scan;

/// A redactor that knows secrets by how they look, and puts `REDACTED` in their place.
///
/// | what | how it is known |
/// |---|---|
/// | bearer tokens, basic credentials | `Bearer …`, `Basic …` |
/// | API keys | `sk-…`, `sk_live_…`, `AKIA…`, `ASIA…`, `AIza…`, `ghp_…` and its kin, `github_pat_…`, `glpat-…`, `xoxb-…` and its kin, `hf_…`, `npm_…`, `gsk_…`, `xai-…`, `ya29.…`, `SG.…`, `dop_v1_…`, `shpat_…` |
/// | JSON web tokens | `eyJ….….…` |
/// | private keys | `-----BEGIN … PRIVATE KEY-----` up to its end, or to that of the text |
/// | card numbers | 13 to 19 digits, alone or in groups, of a known brand and with the right check digit |
/// | credentials in URLs | `scheme://user:password@`, and before a host without a scheme |
/// | values under a secret's name | `password=…`, `?token=…`, `"api_key": "…"`, `Authorization: …`, also in what `Debug` wraps them; of lists and maps all; names as the layers of `obs-http` know them |
/// | attributes under a secret's name | the whole value: `db.password` |
/// | literals in SQL | of `db.query.text` and `db.statement` all of them, as `?`; in other texts that hold a statement those in quotes |
/// | e-mail addresses | on request |
///
/// It errs on both sides, as whoever goes by looks must: a password in a sentence is not seen, an order's number may pass for
/// a card's.
///
/// A text without a secret costs no allocation.
#[derive(Clone, Debug)]
#[must_use]
pub struct Patterns {
    emails: bool,
    cards: bool,
    sql: bool,
}

impl Default for Patterns {
    fn default() -> Self {
        Self::new()
    }
}

impl Patterns {
    /// All of them but for e-mail addresses.
    pub const fn new() -> Self {
        Self {
            emails: false,
            cards: true,
            sql: true,
        }
    }

    /// Whether e-mail addresses are taken out too.
    pub const fn with_emails(mut self, emails: bool) -> Self {
        self.emails = emails;
        self
    }

    /// Whether card numbers are: a service that has numbers of its own which look like them may want to see those.
    pub const fn with_cards(mut self, cards: bool) -> Self {
        self.cards = cards;
        self
    }

    /// Whether literals of SQL are.
    pub const fn with_sql(mut self, sql: bool) -> Self {
        self.sql = sql;
        self
    }

    /// The text without its secrets; `None` where there are none.
    #[must_use]
    pub fn replaced(&self, text: &str) -> Option<String> {
        let plain = self.scan(text);
        let rest = plain.as_deref().unwrap_or(text);
        if self.sql
            && rest.contains('\'')
            && sql::is_statement(rest)
            && let Some(left) = sql::without_quoted(rest)
        {
            return Some(left);
        }
        plain
    }

    fn scan(&self, text: &str) -> Option<String> {
        let mut scan = Scan::new(text);
        while let Some((at, byte)) = scan.next() {
            let found = match byte {
                b'0'..=b'9' if self.cards => tokens::card(&scan, at),
                b'0'..=b'9' => None,
                b'-' => tokens::private_key(&scan, at),
                b':' => urls::credentials(&mut scan, at).or_else(|| pairs::colon(&scan, at)),
                b'=' => pairs::equals(&mut scan, at),
                b'@' => urls::bare_credentials(&scan, at)
                    .or_else(|| self.emails.then(|| tokens::email(&scan, at)).flatten()),
                _ => tokens::prefixed(&mut scan, at),
            };
            if let Some(found) = found {
                scan.replace(found);
            }
        }
        scan.finish()
    }
}

impl Redactor for Patterns {
    fn redact(&self, text: Text<'_>) -> Redaction {
        if pairs::names_secret(text.key) && !pairs::is_nothing(text.value.as_bytes()) {
            return Redaction::Replace(REDACTED.into());
        }
        let left = match text.key {
            db::QUERY_TEXT | db::STATEMENT if self.sql => {
                let plain = sql::without_literals(text.value);
                let again = plain.as_deref().unwrap_or(text.value);
                self.scan(again).or(plain)
            }
            _ => self.replaced(text.value),
        };
        left.map_or(Redaction::Keep, |left| Redaction::Replace(left.into()))
    }
}

#[cfg(test)]
mod tests;
