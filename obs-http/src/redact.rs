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
    if !may_hold_secret(query) || !query.split('&').any(is_secret) {
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

/// One pass that knows of secret keys only how they begin and how long they are: most queries end here.
fn may_hold_secret(query: &str) -> bool {
    let (mut start, mut in_key) = (0, true);
    let bytes = query.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'&' => (start, in_key) = (at + 1, true),
            b'%' if in_key => return true,
            b'=' if in_key => {
                let lengths = LENGTHS[usize::from(bytes[start] & 31)];
                if at - start < 32 && lengths & (1 << (at - start)) != 0 {
                    return true;
                }
                in_key = false;
            }
            _ => {}
        }
    }
    false
}

/// For each first letter, in any case, one bit per length of a secret key.
const LENGTHS: [u32; 32] = {
    let mut lengths = [0; 32];
    let mut lists = [CONVENTIONS, OURS];
    while let [list, rest @ ..] = lists[0] {
        assert!(list.len() < 32);
        lengths[(list.as_bytes()[0] & 31) as usize] |= 1 << list.len();
        lists[0] = rest;
        if rest.is_empty() {
            lists = [lists[1], &[]];
        }
    }
    lengths
};

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
    fn every_secret_key_is_seen_wherever_it_stands() {
        for key in CONVENTIONS.iter().chain(OURS) {
            check(&format!("{key}=a"), &format!("{key}=REDACTED"));
            check(&format!("x=1&{key}=a&y"), &format!("x=1&{key}=REDACTED&y"));
        }
        for key in OURS {
            let key = key.to_uppercase();
            check(&format!("x&{key}=a"), &format!("x&{key}=REDACTED"));
        }
        check("=a&=token&a=token=1", "=a&=token&a=token=1");
    }

    #[test]
    fn nothing_secret_is_not_copied() {
        assert!(matches!(redact_query("a=1&b=%zz"), Cow::Borrowed(_)));
    }
}
