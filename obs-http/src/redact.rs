//! Query strings without their secrets.

use std::borrow::Cow;

/// Keys whose values are never recorded. The first six are the conventions' (v1.44.0, case-sensitive); the others are
/// ours, matched in any case.
const CONVENTIONS: &[&str] = &[
    "AWSAccessKeyId",
    "Signature",
    "sig",
    "X-Goog-Signature",
    "X-Amz-Signature",
    "X-Amz-Credential",
];
const OURS: &[&str] = &[
    "x-amz-security-token",
    "token",
    "access_token",
    "refresh_token",
    "id_token",
    "key",
    "api_key",
    "apikey",
    "password",
    "passwd",
    "secret",
    "client_secret",
    "code",
    "auth",
    "authorization",
    "signature",
    "session",
    "jwt",
];

/// The query with the values of secret keys replaced by `REDACTED`; keys stay. Borrowed where nothing is secret.
pub fn redact_query(query: &str) -> Cow<'_, str> {
    if !query.split('&').any(is_secret) {
        return Cow::Borrowed(query);
    }
    let mut redacted = String::with_capacity(query.len());
    for (index, pair) in query.split('&').enumerate() {
        if index > 0 {
            redacted.push('&');
        }
        match pair.split_once('=') {
            Some((key, _)) if is_secret(pair) => {
                redacted.push_str(key);
                redacted.push_str("=REDACTED");
            }
            _ => redacted.push_str(pair),
        }
    }
    Cow::Owned(redacted)
}

fn is_secret(pair: &str) -> bool {
    let Some((key, _)) = pair.split_once('=') else {
        return false;
    };
    if CONVENTIONS.contains(&key) {
        return true;
    }
    // Keys may be percent-encoded to slip through: `%74oken` is `token`.
    let plain = if key.contains('%') {
        decode(key)
    } else {
        Cow::Borrowed(key)
    };
    CONVENTIONS.contains(&plain.as_ref())
        || OURS.iter().any(|secret| plain.eq_ignore_ascii_case(secret))
}

fn decode(key: &str) -> Cow<'_, str> {
    let bytes = key.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |at: usize| {
            bytes
                .get(at)
                .and_then(|digit| (*digit as char).to_digit(16))
        };
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(plain).map_or(Cow::Borrowed(key), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, expect: &str) {
        assert_eq!(redact_query(query), expect);
    }

    #[test]
    fn secrets_go_and_keys_stay() {
        check("a=1&b=2", "a=1&b=2");
        check("X-Amz-Signature=abc&x=1", "X-Amz-Signature=REDACTED&x=1");
        check(
            "q=rust&Access_Token=abc==&page=2",
            "q=rust&Access_Token=REDACTED&page=2",
        );
        check("sig=", "sig=REDACTED");
        check("token", "token");
        check("%74oken=abc", "%74oken=REDACTED");
        check("a=1&&token=x&", "a=1&&token=REDACTED&");
    }

    #[test]
    fn nothing_secret_is_not_copied() {
        assert!(matches!(redact_query("a=1&b=%zz"), Cow::Borrowed(_)));
    }
}
