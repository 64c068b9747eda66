//! What must never be recorded: secrets in queries, headers nobody allowed, headers that nobody can allow.

use crate::support::ask::{Yes, ask, build, get};
use crate::support::layer;
use http::{HeaderName, HeaderValue};
use obs_testing::{AttrValue, Capture, CapturedRecord};
use proptest::prelude::*;
use tower::Layer;

/// Everything a capture knows of one request, as text.
fn everything(record: &CapturedRecord, capture: &Capture) -> String {
    format!("{record:?} {:?}", capture.points())
}

#[test]
fn secrets_of_the_query_are_redacted() {
    let capture = crate::support::capture();
    let request = get("/items?page=2&access_token=hunter2&X-Amz-Signature=abc&sig=");
    ask(layer(&capture).layer(Yes), build(request));
    assert_eq!(
        capture.record().text("url.query"),
        Some("page=2&access_token=REDACTED&X-Amz-Signature=REDACTED&sig=REDACTED")
    );
}

#[test]
fn allowed_headers_are_recorded_as_lists_and_others_are_not() {
    let capture = crate::support::capture();
    let layer = layer(&capture)
        .with_request_headers(["x-request-id", "X-Tenant", "x-absent", "not a header"])
        .with_response_headers(["server-timing"]);
    let request = get("/")
        .header("X-Request-Id", "7")
        .header("x-tenant", "a")
        .header("x-tenant", "b")
        .header("x-other", "c");
    let answer = tower::util::MapResponse::new(Yes, |mut response: http::Response<_>| {
        let timing = HeaderValue::from_static("db;dur=53");
        response.headers_mut().insert("server-timing", timing);
        response
    });
    ask(layer.layer(answer), build(request));
    let record = capture.record();
    let list = |values: &[&str]| AttrValue::from(values.to_vec());
    assert_eq!(
        record.attr("http.request.header.x-request-id"),
        Some(&list(&["7"]))
    );
    assert_eq!(
        record.attr("http.request.header.x-tenant"),
        Some(&list(&["a", "b"]))
    );
    assert_eq!(
        record.attr("http.response.header.server-timing"),
        Some(&list(&["db;dur=53"]))
    );
    let headers = record
        .attributes
        .iter()
        .filter(|(key, _)| key.contains(".header."));
    assert_eq!(headers.count(), 3, "{record:#?}");
}

#[test]
fn harmless_headers_can_be_allowed() {
    let capture = crate::support::capture();
    let layer = layer(&capture)
        .with_request_headers(HARMLESS_HEADERS.iter().copied())
        .with_response_headers(HARMLESS_HEADERS.iter().copied());
    let request = HARMLESS_HEADERS
        .iter()
        .fold(get("/"), |request, name| request.header(*name, "7"));
    let answer = tower::util::MapResponse::new(Yes, |mut response: http::Response<_>| {
        for name in HARMLESS_HEADERS {
            response
                .headers_mut()
                .insert(*name, HeaderValue::from_static("8"));
        }
        response
    });
    ask(layer.layer(answer), build(request));
    let record = capture.record();
    for name in HARMLESS_HEADERS {
        for side in ["request", "response"] {
            let key = format!("http.{side}.header.{name}");
            assert!(record.attr(&key).is_some(), "{key}");
        }
    }
}

#[test]
fn secrets_in_harmless_headers_and_in_parameters_of_paths_are_redacted() {
    let capture = crate::support::capture();
    let layer = layer(&capture)
        .with_request_headers(["referer", "x-plain"])
        .with_response_headers(["location"]);
    let request = get("/shop;jsessionid=hunter2/cart")
        .header(
            "referer",
            "https://jane:hunter2@shop.example/cb?code=hunter2&state=1",
        )
        .header("x-plain", "page=2; q=a:b");
    let answer = tower::util::MapResponse::new(Yes, |mut response: http::Response<_>| {
        let location = HeaderValue::from_static("/in#access_token=hunter2");
        response.headers_mut().insert("location", location);
        response
    });
    ask(layer.layer(answer), build(request));
    let record = capture.record();
    let all = everything(&record, &capture);
    assert!(!all.contains("hunter2"), "{all}");
    assert_eq!(
        record.text("url.path"),
        Some("/shop;jsessionid=REDACTED/cart")
    );
    let of = |key: &str| record.attr(key).map(|value| value.to_string());
    let referer = of("http.request.header.referer").expect("asked for");
    assert!(
        referer.contains("https://REDACTED:REDACTED@shop.example/cb?code=REDACTED&state=1"),
        "{referer}"
    );
    let plain = of("http.request.header.x-plain").expect("asked for");
    assert!(plain.contains("page=2; q=a:b"), "{plain}");
}

/// Names that stand for secrets, put down here and not taken from the code that is tested.
const SECRET_HEADERS: &[&str] = &[
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "api-key",
    "openai-api-key",
    "x-auth-token",
    "x-csrf-token",
    "x-amz-security-token",
    "x-goog-api-key",
    "x-vault-token",
    "x-client-secret",
    "ocp-apim-subscription-key",
    "apikey",
    "x-apikey",
    "token",
    "secret",
    "x-authorization",
    "authentication",
    "x-password",
    "cookie2",
    "x-amz-oidc-accesstoken",
    "x-forwarded-authorization",
    "x-goog-iap-jwt-assertion",
    "x-jwt",
    "dpop",
    "x-access-key-id",
    "x-session-id",
];

/// What people allow for good reasons.
const HARMLESS_HEADERS: &[&str] = &[
    "x-request-id",
    "content-type",
    "x-authority",
    "x-author",
    "x-ratelimit-remaining-tokens",
    "idempotency-key",
    "server-timing",
    "x-tenant",
];

/// Of queries: the conventions' (v1.44.0), and what logins and signed addresses use.
const SECRET_KEYS: &[&str] = &[
    "AWSAccessKeyId",
    "Signature",
    "sig",
    "X-Goog-Signature",
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "access_token",
    "refresh_token",
    "id_token",
    "token",
    "api_key",
    "apikey",
    "key",
    "password",
    "secret",
    "client_secret",
    "code",
    "session",
    "jwt",
    "user[password]",
    "token[]",
    "api-key",
    "auth_token",
    "pwd",
    "+token",
    "session_id",
    "x-amz-signature",
];

/// A value that is nowhere by accident.
fn value() -> impl Strategy<Value = String> {
    "[a-z0-9]{12}".prop_map(|value| format!("V{value}V"))
}

/// A key as attackers and sloppy clients write it: some of its characters percent-encoded.
fn encoded(key: &'static str) -> impl Strategy<Value = String> {
    prop::collection::vec(any::<(bool, bool)>(), key.len()).prop_map(move |how| {
        key.bytes()
            .zip(how)
            .map(|(byte, (encode, upper))| match (encode, upper) {
                (false, _) => char::from(byte).to_string(),
                (true, true) => format!("%{byte:02X}"),
                (true, false) => format!("%{byte:02x}"),
            })
            .collect()
    })
}

#[derive(Clone, Debug)]
struct Pair {
    text: String,
    secret: Option<String>,
    harmless: Option<String>,
}

fn pair() -> impl Strategy<Value = Pair> {
    let secret = (
        prop::sample::select(SECRET_KEYS).prop_flat_map(encoded),
        value(),
    );
    let secret = secret.prop_map(|(key, value)| Pair {
        text: format!("{key}={value}"),
        secret: Some(value),
        harmless: None,
    });
    // Of letters that make no word of the rule: `jwt1` is no harmless name.
    let harmless = ("[aeiu]{1,3}[0-9]", value()).prop_map(|(key, value)| Pair {
        text: format!("{key}={value}"),
        secret: None,
        harmless: Some(value),
    });
    let odd = prop::sample::select(&["", "=", "a", "%", "%7", "a==b", "&"][..]);
    let odd = odd.prop_map(|text| Pair {
        text: text.to_owned(),
        secret: None,
        harmless: None,
    });
    prop_oneof![secret, harmless, odd]
}

proptest! {
    #[test]
    fn a_secret_value_of_a_query_never_appears(
        pairs in prop::collection::vec(pair(), 0..8),
        separator in prop::sample::select(&["&", ";"][..]),
    ) {
        let texts: Vec<_> = pairs.iter().map(|pair| pair.text.as_str()).collect();
        let capture = crate::support::capture();
        ask(layer(&capture).layer(Yes), build(get(&format!("/p?{}", texts.join(separator)))));
        let record = capture.record();
        let all = everything(&record, &capture);
        // Behind a semicolon and a secret anything may be a part of it.
        let mut may_be_lost = false;
        for pair in &pairs {
            if let Some(secret) = &pair.secret {
                prop_assert!(!all.contains(secret), "{secret} in {all}");
                may_be_lost |= separator == ";";
            }
            may_be_lost &= !pair.text.contains('&');
            if let Some(harmless) = pair.harmless.as_ref().filter(|_| !may_be_lost) {
                let query = record.text("url.query").unwrap_or_default();
                prop_assert!(query.contains(harmless), "{harmless} lost from {query}");
            }
        }
    }

    /// Even when somebody asks for it, in any letter case.
    #[test]
    fn a_secret_header_never_appears(
        name in prop::sample::select(SECRET_HEADERS),
        upper in any::<u32>(),
        value in value(),
    ) {
        let name: String = name
            .chars()
            .enumerate()
            .map(|(at, c)| if upper >> (at % 32) & 1 == 1 { c.to_ascii_uppercase() } else { c })
            .collect();
        let capture = crate::support::capture();
        let layer = layer(&capture)
            .with_request_headers([name.as_str(), "x-request-id"])
            .with_response_headers([name.as_str()]);
        let header = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        let secret = HeaderValue::from_str(&value).expect("a value");
        let request = get("/").header(&header, &secret).header("x-request-id", "7");
        let answer = tower::util::MapResponse::new(Yes, move |mut response: http::Response<_>| {
            response.headers_mut().insert(header.clone(), secret.clone());
            response
        });
        ask(layer.layer(answer), build(request));
        let record = capture.record();
        let all = everything(&record, &capture);
        prop_assert!(!all.contains(&value), "{value} in {all}");
        prop_assert!(record.attr("http.request.header.x-request-id").is_some());
    }
}
