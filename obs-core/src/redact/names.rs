//! What a name must look like for its value to be a secret: one rule for headers and for keys of queries.
//!
//! It errs on the side of secrecy: a name that only looks like one costs a value in a span, a secret that gets through is
//! stored and shown for as long as the spans are.

/// A name that has one of these in it names a secret, whatever its case and however its words are joined: `api_key`,
/// `X-Api-Key`, `user[apiKey]`. The conventions' own list (v1.44.0, `url.query`) is covered by them and the next two.
pub const WORDS: &[&str] = &[
    "accesskey",
    "apikey",
    "assertion",
    "auth",
    "bearer",
    "clientcert",
    "clientprincipal",
    "codeverifier",
    "cookie",
    "credential",
    "csrf",
    "devicecode",
    "dpop",
    "hmac",
    "jwt",
    "mfacode",
    "oidc",
    "otpcode",
    "passcode",
    "passkey",
    "passphrase",
    "passw",
    "private",
    "pwd",
    "saml",
    "secret",
    "sessid",
    "session",
    "signature",
    "token",
    "xsrf",
];

/// A name that ends in one of these does.
pub const ENDS: &[&str] = &["key"];

/// A name whose last word is one of these does: too short to be looked for inside of others, or harmless before another
/// (`ticket_id`).
pub const SHORT: &[&str] = &[
    "cred", "creds", "cvc", "cvv", "jwe", "jws", "otp", "pass", "pin", "pw", "sid", "sig",
    "ticket", "totp",
];

/// Secrets as the one word of a name, as OAuth's `code`, or behind one that says so (`recovery_code`): `zip_code` is none.
pub const WHOLE: &[&str] = &["code"];

/// Words before a `code` that make one for logins of it.
const OF_CODES: &[&str] = &[
    "access",
    "activation",
    "backup",
    "confirmation",
    "invite",
    "login",
    "recovery",
    "reset",
    "security",
    "sms",
    "user",
    "verification",
    "verify",
];

/// Names that end like keys and are none.
const NO_KEYS: &[&str] = &[
    "cachekey",
    "donkey",
    "hockey",
    "idempotencykey",
    "monkey",
    "sortkey",
    "surrogatekey",
    "turkey",
];

/// Whether the value of a header or of a query's key of this name is a secret. `name` is as it was sent, but for
/// percent-encoding. Not for the hot path: it allocates.
pub fn is_secret(name: &[u8]) -> bool {
    name.split(|byte| is_part(*byte)).any(is_secret_part)
}

/// Between parts of a name, each of which is looked at as if it stood alone: `user[pin]`, `connect.sid`.
pub const fn is_part(byte: u8) -> bool {
    matches!(byte, b'[' | b']' | b'(' | b')' | b'.' | b':' | b'/')
}

fn is_secret_part(part: &[u8]) -> bool {
    let lower = part.to_ascii_lowercase();
    let plain: String = lower
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .map(|byte| char::from(*byte))
        .collect();
    let mut words = lower
        .rsplit(|byte| !byte.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    let (last, before) = (words.next().unwrap_or_default(), words.next());
    let is_of_login = |word: &[u8]| OF_CODES.iter().any(|of| of.as_bytes() == word);
    let is_in = |list: &[&str]| list.iter().any(|short| short.as_bytes() == last);
    WORDS.iter().any(|word| has_word(part, &plain, word))
        || is_in(SHORT)
        || (before.is_none_or(is_of_login) && is_in(WHOLE))
        || (ENDS.iter().any(|end| plain.ends_with(end))
            && !NO_KEYS.iter().any(|harmless| plain.ends_with(harmless)))
}

/// Whether the word is in it as such, and not as a part of another that is harmless. `plain` is the part's letters and
/// digits.
fn has_word(part: &[u8], plain: &str, word: &str) -> bool {
    plain.match_indices(word).any(|(at, _)| {
        let rest = &plain[at + word.len()..];
        match word {
            // Authors and authorities; not authorisations.
            "auth" => {
                !rest.starts_with("or") || rest.starts_with("oriz") || rest.starts_with("oris")
            }
            // Of a language model: `max_tokens`, `x-ratelimit-remaining-tokens`, the tokenizer.
            "token" => !(rest.starts_with("izer") || rest.starts_with('s') && is_counted(part)),
            _ => true,
        }
    })
}

/// Words that make a number of `tokens`.
const COUNTED: &[&str] = &[
    "limit",
    "ratelimit",
    "max",
    "min",
    "prompt",
    "completion",
    "count",
    "budget",
];

/// Whether one of its words says so, alone or before `tokens`. Only a whole one: there is a `count` in `account_tokens`.
fn is_counted(part: &[u8]) -> bool {
    let is_end = |at: usize| {
        part.get(at + 1).is_none_or(|next| {
            !next.is_ascii_alphanumeric()
                || part[at].is_ascii_lowercase() && next.is_ascii_uppercase()
        })
    };
    let mut start = 0;
    (0..part.len()).filter(|at| is_end(*at)).any(|at| {
        let word = &part[start..=at];
        start = at + 1;
        let word: String = word
            .iter()
            .filter(|byte| byte.is_ascii_alphanumeric())
            .map(|byte| char::from(byte.to_ascii_lowercase()))
            .collect();
        COUNTED.contains(&word.strip_suffix("tokens").unwrap_or(&word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn all(secret: bool, names: &str) {
        for name in names.split_whitespace() {
            assert_eq!(is_secret(name.as_bytes()), secret, "{name}");
        }
    }

    #[test]
    fn names_of_secrets_are_recognised_however_they_are_written() {
        all(
            true,
            "authorization proxy-authorization x-authorization authentication www-authenticate
            authentication-info oauth_token x-forwarded-authorization x-goog-authenticated-user-email
            cookie set-cookie cookie2 set-cookie2 x-api-key api-key apikey x-apikey API_KEY apiKey
            openai-api-key ocp-apim-subscription-key x-functions-key x-access-key-id AWSAccessKeyId
            token x-auth-token x-vault-token private-token x-amz-oidc-accesstoken x-amz-oidc-data
            id_token access_token auth-tokens tokens x-csrf-token x-csrftoken x-xsrf csrfmiddlewaretoken
            secret client_secret x-password password PassWd passphrase pwd new_pwd userpassword
            x-jwt jwt x-goog-iap-jwt-assertion cf-access-jwt-assertion client_assertion dpop
            session x-session-id PHPSESSID JSESSIONID connect.sid sid sig x-hub-signature-256
            Signature X-Goog-Signature X-Amz-Signature X-Amz-Credential x-slack-signature
            x-shopify-hmac-sha256 SAMLResponse code code[] user[password] user[pin] token[] key ssh_key
            encryptionKey private_key x-forwarded-client-cert x-ms-client-principal code_verifier
            otp user.otp login_pass bearer",
        );
    }

    #[test]
    fn tokens_whose_name_only_has_the_letters_of_a_number_are_secrets() {
        all(
            true,
            "account_tokens admin_tokens accountTokens AdminTokens admintokens unlimited_tokens countdown_tokens
            prompter-tokens max_token discount_tokens[] max_tokens[admin_tokens]",
        );
        all(
            false,
            "maxTokens max-tokens max__tokens MAX_TOKENS maxtokens minTokens tokens_limit tokensLimit
            completion_tokens x-budget-tokens usage[prompt_tokens] ratelimit-tokens",
        );
    }

    #[test]
    fn codes_and_tickets_of_logins_are_secrets() {
        all(
            true,
            "verification_code security-code user[reset_code] sms_code recovery-code
            device_code deviceCode mfa_code mfa-code otp otp_code totp_code ticket service_ticket ticket[] user[ticket]",
        );
        all(false, "ticket_id tickets device device_id device_name mfa");
    }

    #[test]
    fn harmless_names_are_left_alone() {
        all(
            false,
            "x-request-id request-id traceparent tracestate content-type content-length accept
            accept-language host authority x-authority author author_id co-author authored-by user-agent
            referer origin via date etag server server-timing retry-after location x-tenant x-forwarded-for
            x-forwarded-proto forwarded x-ratelimit-remaining-tokens x-ratelimit-limit-tokens max_tokens
            prompt_tokens tokenizer q page sort order filter zip_code country_code status_code error-code
            keyword keywords keyboard monkey idempotency-key cache_key passenger bypass compass assign
            design signal side size site pinned spin assert access accessibility credit resign sort-key
            address class id user_id name model mode codec encoding",
        );
        all(false, "- _ [ ] . [] %");
        assert!(!is_secret(b""));
        assert!(!is_secret(b"\xff\x00"));
    }

    #[test]
    fn words_are_as_the_rule_looks_for_them() {
        for word in WORDS.iter().chain(ENDS).chain(SHORT).chain(WHOLE) {
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase()), "{word}");
            assert!(is_secret(word.as_bytes()), "{word}");
        }
    }
}
