use super::*;
use proptest::prelude::*;

#[track_caller]
fn check(text: &str, expect: &str) {
    let all = Patterns::new().with_emails(true);
    let left = all.replaced(text);
    assert_eq!(left.as_deref().unwrap_or(text), expect);
    assert_eq!(left.is_some(), text != expect, "no copy of what stays");
    assert_eq!(all.replaced(expect), None, "what is left is left");
}

#[track_caller]
fn stays(text: &str) {
    check(text, text);
}

#[test]
fn tokens_go_and_their_schemes_stay() {
    check(
        "sent Bearer Zk4.q-7_x~+/=, then",
        "sent Bearer REDACTED, then",
    );
    check("Basic dXNlcjpodW50ZXIy", "Basic REDACTED");
    check("BEARER  abcDEF123", "BEARER  REDACTED");
    stays("bearer of news, basic authentication, Basic authentication");
    stays("Bearer ");
}

#[test]
fn keys_are_known_by_how_they_begin() {
    for key in [
        "sk-proj-4fJq9ZxW2mPz7LkT",
        "sk-ant-api03-Zq8Kf2Lm9Xw4Pz7T",
        "AKIAZQ3WLM7XP9KT2RVB",
        "ghp_Zq8Kf2Lm9Xw4Pz7TZq8Kf2Lm9Xw4Pz7Tq8Kf",
        "github_pat_11ZQ8KF2LM9XW4PZ7T_Zq8Kf2Lm9Xw4Pz7T",
        "glpat-Zq8Kf2Lm9Xw4Pz7TKm2p",
        "xoxb-2049152-Zq8Kf2Lm9Xw4",
        "AIzaZq8Kf2Lm9Xw4Pz7TZq8Kf2Lm9Xw4Pz7TZq8",
        "hf_Zq8Kf2Lm9Xw4Pz7TZq8Kf2Lm9Xw4Pz",
        "SG.Zq8Kf2Lm9Xw4Pz7TZq8Kf2.Lm9Xw4Pz7TZq8",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ6cTgifQ.Zq8Kf2Lm9Xw4Pz7T-_",
    ] {
        check(key, "REDACTED");
        check(&format!("with ({key}) it"), "with (REDACTED) it");
        check(&format!("ключ {key}; ключ"), "ключ REDACTED; ключ");
    }
    stays(
        "risk-assessment-of-2026-and-more sk-learn-is-a-package-of-python sk-1 AKIA eyJ eyJhbGciOiJIUzI1NiJ9",
    );
    stays("taskghp_Zq8Kf2Lm9Xw4Pz7TZq8Kf2Lm9Xw4Pz7Tq8Kf");
}

#[test]
fn a_private_key_goes_up_to_its_end_or_that_of_the_text() {
    let block = "-----BEGIN RSA PRIVATE KEY-----\nMIIEZq8Kf2Lm\n-----END RSA PRIVATE KEY-----";
    check(&format!("a {block} b"), "a REDACTED b");
    check("a -----BEGIN PRIVATE KEY-----\\nMIIEZq8", "a REDACTED");
    stays("-----BEGIN CERTIFICATE-----\nMIIEZq8Kf2Lm\n-----END CERTIFICATE-----");
    stays("--------------------------------");
}

#[test]
fn numbers_of_cards_are_known_by_brand_and_check_digit() {
    for number in [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "5500005555555559",
        "378282246310005",
        "3782 822463 10005",
        "6011111111111117",
        "30569309025904",
        "2223000048400011",
    ] {
        check(&format!("paid with {number}."), "paid with REDACTED.");
    }
    check("item 1 4111 1111 1111 1111", "item 1 REDACTED");
    stays(
        "4111111111111112 1764109524000000000 411111111111111 x4111111111111111 4111111111111111x",
    );
    stays("0.4111111111111111 4111111111111111.5 a-4111111111111111 9999999999999995");
}

#[test]
fn credentials_of_urls_go() {
    check(
        "postgres://app:hunter2@db:5432/x",
        "postgres://REDACTED:REDACTED@db:5432/x",
    );
    check(
        "https://tok3n@example.com/a",
        "https://REDACTED@example.com/a",
    );
    check(
        "amqp://u:p/a@ss@host/ x@y",
        "amqp://REDACTED:REDACTED@host/ x@y",
    );
    check(
        "checkout for (\"http\", jane:hunter2@127.0.0.1:80)",
        "checkout for (\"http\", REDACTED:REDACTED@127.0.0.1:80)",
    );
    check(
        "app:hunter2@tcp(db:3306)/x",
        "REDACTED:REDACTED@tcp(db:3306)/x",
    );
    stays("nginx:1.25@sha256:ab npm:left-pad@1.3.0 mailto:jane@1.2 git@host:org/repo a:@localhost");
    check(
        "(see https://example.com/?a=1&access_token=Zq8)",
        "(see https://example.com/?a=1&access_token=REDACTED",
    );
    check(
        "GET /cb?code=Zq8&state=1 HTTP/1.1",
        "GET /cb?code=REDACTED&state=1 HTTP/1.1",
    );
    check("?%74oken=Zq8#top", "?%74oken=REDACTED#top");
    stays("https://example.com/@user http://[::1]:80/ https://example.com:8443/a?b=c&d=e a://");
}

#[test]
fn values_under_the_name_of_a_secret_go() {
    check("password=hunter2, user=a", "password=REDACTED, user=a");
    check("api_key = \"hun\\\"ter2\" x", "api_key = \"REDACTED\" x");
    check(
        "{\"token\":\"hunter2\",\"n\":1}",
        "{\"token\":\"REDACTED\",\"n\":1}",
    );
    check(
        "{\\\"client_secret\\\": \\\"hunter2\\\"}",
        "{\\\"client_secret\\\": \\\"REDACTED\\\"}",
    );
    check(
        "Config { password: Some(\"hunter2\"), port: 1 }",
        "Config { password: Some(\"REDACTED\"), port: 1 }",
    );
    check(
        "authorization: Digest a=\"b\"\r\nhost: c",
        "authorization: REDACTED\r\nhost: c",
    );
    check("Set-Cookie: sid=hunter2; Path=/", "Set-Cookie: REDACTED");
    check("x-api-key: hunter2\nz", "x-api-key: REDACTED\nz");
    check(
        "password: hunter2 was wrong",
        "password: REDACTED was wrong",
    );
    check("'secret': 'hunter2'", "'secret': 'REDACTED'");
    check("DB_PASSWORD=hunter2\nX=1", "DB_PASSWORD=REDACTED\nX=1");
    check("\"password\": \"hunter", "\"password\": \"REDACTED");
}

#[test]
fn what_only_reads_like_a_name_stays() {
    stays("unexpected token: `;`, exit code: 3, key: value, session: started, auth: ok");
    stays("max_tokens=5 prompt_tokens: 7 status_code=200 code=7 key=a token== token=>x");
    stays("password: None, token=null, secret=, std::token::Token, a::b: c");
    stays("password=REDACTED token: \"[withheld]\"");
}

#[test]
fn an_attribute_under_the_name_of_a_secret_goes_whole() {
    let of = |key, value| {
        Patterns::new().redact(Text::new(super::super::Place::SpanAttribute, key, value))
    };
    for key in [
        "db.password",
        "api_key",
        "user.accessToken",
        "Authorization",
    ] {
        assert_eq!(of(key, "hunter2"), Redaction::replace(REDACTED), "{key}");
    }
    for key in [
        "session.id",
        "code.file.path",
        "gen_ai.token.type",
        "aws.s3.key",
        "error.code",
        "name",
        "",
    ] {
        assert_eq!(of(key, "hunter2"), Redaction::Keep, "{key}");
    }
    assert_eq!(of("db.password", ""), Redaction::Keep);
}

#[test]
fn literals_of_statements_go() {
    let sql = |text: &str| match Patterns::new().redact(Text::new(
        super::super::Place::SpanAttribute,
        "db.query.text",
        text,
    )) {
        Redaction::Replace(text) => text.into_owned(),
        _ => text.to_owned(),
    };
    assert_eq!(
        sql(
            "SELECT * FROM t1 WHERE a = 'it''s' AND \"b 2\" = 4.5e3 AND c = $1 AND d = $$x$$ AND e=-1"
        ),
        "SELECT * FROM t1 WHERE a = ? AND \"b 2\" = ? AND c = $1 AND d = ? AND e=-?"
    );
    assert_eq!(sql("SELECT 'no end"), "SELECT ?");
    // A quote in a comment opens nothing that goes on behind it.
    for comment in ["-- it's\n", "/* it's */ ", "-- 5\"\n"] {
        let text = format!("SELECT a {comment}FROM t WHERE b = 'Zk4q7'");
        let left = sql(&text);
        assert!(left.ends_with("FROM t WHERE b = ?"), "{left}");
    }
    // By the standard this is two texts, to MySQL one.
    assert_eq!(
        sql(r"WHERE path = 'C:\' AND pin = 'Zk4q7' LIMIT 5"),
        "WHERE path = ? LIMIT ?"
    );
    // MySQL's texts in double quotes, and the standard's names.
    assert_eq!(
        sql(
            r#"SELECT "id" FROM "t" WHERE a = "Zk4q7" AND b LIKE "Zk%" AND c IN ("Zk", "q7") AND MIN("d") > 1"#
        ),
        r#"SELECT "id" FROM "t" WHERE a = ? AND b LIKE ? AND c IN (?, ?) AND MIN("d") > ?"#
    );
    assert_eq!(
        sql(r#"INSERT INTO t ("a", "b") VALUES ("Zk4q7", UPPER("q7")), ("x", 1)"#),
        r#"INSERT INTO t ("a", "b") VALUES (?, UPPER(?)), (?, ?)"#
    );
    assert_eq!(sql("SELECT a FROM b"), "SELECT a FROM b");
    check(
        "error in INSERT INTO u (n) VALUES ('hunter2', 7)",
        "error in INSERT INTO u (n) VALUES (?, 7)",
    );
    stays("don't select the user's own");
}

#[test]
fn addresses_of_people_go_on_request_only() {
    check("to jane.doe+x@mail.example.com.", "to REDACTED.");
    check("<ü@example.com>", "<ü@example.com>");
    stays("a@b @example.com user@localhost x@1.2");
    assert_eq!(Patterns::new().replaced("jane@example.com"), None);
}

#[test]
fn time_is_linear_in_what_looks_like_secrets() {
    // Squared, any of these would take hours.
    for piece in [
        "x-key: REDACTED ",
        "token='REDACTED ",
        "eyJ-",
        "eyJa.",
        "a://b:",
        "://",
        "bearer ",
        "-----BEGIN ",
        "1 ",
        "4111 ",
        "a=",
        "\"token\":",
        "a@",
        "'",
        "sk-",
        "password:",
    ] {
        let text = piece.repeat((1 << 19) / piece.len());
        let _ = Patterns::new().with_emails(true).replaced(&text);
        let _ = sql::without_literals(&text);
    }
}

/// What a secret may be made of, none of it by chance in a text of the other strategy.
fn secret() -> impl Strategy<Value = String> {
    let body = "[A-Z][a-z][0-9][A-Za-z0-9]{37}";
    prop_oneof![
        body.prop_map(|body| format!("sk-{body}")),
        body.prop_map(|body| format!("ghp_{body}")),
        body.prop_map(|body| format!("Bearer {body}")),
        body.prop_map(|body| format!("eyJhbGciOiJIUzI1NiJ9.{body}.{body}")),
        body.prop_map(|body| format!(
            "-----BEGIN EC PRIVATE KEY-----{body}-----END EC PRIVATE KEY-----"
        )),
        body.prop_map(|body| format!("postgres://app:{body}@db/x")),
        body.prop_map(|body| format!("/x?y=1&refresh_token={body}")),
        body.prop_map(|body| format!("\"password\": \"{body}\"")),
    ]
}

/// The part of a secret that nobody may read.
fn body_of(secret: &str) -> String {
    let is_body = |run: &&str| run.len() >= 40;
    let run = secret
        .split(|c: char| !c.is_ascii_alphanumeric())
        .find(is_body);
    run.unwrap_or_default().to_owned()
}

proptest! {
    #[test]
    fn a_secret_goes_wherever_it_stands(
        before in "[ -~äß…\\n]{0,40}",
        secret in secret(),
        after in "[ -~äß…\\n]{0,40}",
    ) {
        // A word that ends where the secret begins is a part of it.
        let text = format!("{before} {secret} {after}");
        let left = Patterns::new().replaced(&text);
        let left = left.as_deref().unwrap_or(&text);
        let body = body_of(&secret);
        prop_assert!(body.len() >= 40);
        prop_assert!(!left.contains(&body), "{left}");
    }

    #[test]
    fn any_text_is_read_without_a_panic_and_once_is_enough(text in "[ -~äß…\\n]{0,200}") {
        let all = Patterns::new().with_emails(true);
        if let Some(left) = all.replaced(&text) {
            let again = all.replaced(&left);
            prop_assert!(again.is_none() || again.as_deref().is_some_and(|again| again.contains("REDACTED") || again.contains('?')));
        }
        let _ = sql::without_literals(&text);
        let _ = urls::without_secrets(&text);
    }

    #[test]
    fn plain_words_stay(text in "([a-z]{1,12}[ ,.!?]{1,2}){0,30}") {
        prop_assert_eq!(Patterns::new().replaced(&text), None);
    }
}

#[test]
fn the_credentials_behind_a_scheme_go_with_it() {
    check("authorization=Bearer Zk4q7", "authorization=REDACTED");
    check(
        "http_authorization = Basic  Zk4q7==, next",
        "http_authorization = REDACTED, next",
    );
    check("auth_token: token Zk4q7 x", "auth_token: REDACTED x");
    check("password=basic", "password=REDACTED");
}

#[test]
fn values_that_debug_wraps_are_found_in_it() {
    check(
        r#"Object {"password": String("Zk4q7"), "a": 1}"#,
        r#"Object {"password": String("REDACTED"), "a": 1}"#,
    );
    check(
        r#"Login { password: Some(Secret("Zk4q7")), a: 1 }"#,
        r#"Login { password: Some(Secret("REDACTED")), a: 1 }"#,
    );
    check(
        r#"{"x-api-key": b"Zk4q7"}"#,
        r#"{"x-api-key": b"REDACTED"}"#,
    );
    check(
        r#"api_secret: Secret { inner: "Zk4q7" }; x"#,
        "api_secret: Secret { REDACTED}; x",
    );
    check("password: Some(Zk4q7)", "password: Some(REDACTED)");
    stays(r#"password: String("")"#);
}

#[test]
fn lists_and_maps_under_a_secrets_name_go_as_a_whole() {
    check(
        r#"{"api_keys": ["Zk4]q7", ["b"]], "x": 1}"#,
        r#"{"api_keys": [REDACTED], "x": 1}"#,
    );
    check(
        r#"{"credentials": {"value": "Zk4q7\"}"}}"#,
        r#"{"credentials": {REDACTED}}"#,
    );
    check(
        "secret: Some([90, 107, 52]) x",
        "secret: Some([REDACTED]) x",
    );
    check("secret=[90, 107", "secret=[REDACTED");
    stays(r#"{"tokens": [], "secrets": {}}"#);
    stays("password={}");
}

#[test]
fn columns_and_lines_between_name_and_value_hide_nothing() {
    check(
        "db_password          =    \"Zk4q7\"",
        "db_password          =    \"REDACTED\"",
    );
    check(
        "{\"password\":\t\"Zk4q7\"}",
        "{\"password\":\t\"REDACTED\"}",
    );
    check(
        "{\"password\":\n    \"Zk4q7\"}",
        "{\"password\":\n    \"REDACTED\"}",
    );
    stays("x-token:\r\nhost: a.example");
}

#[test]
fn an_address_in_a_value_keeps_no_secret_of_its_own() {
    check(
        "GET /in?next=https%3A%2F%2Fx%2Fcb%3Fsig%3DZk4q7%26a%3D1&b=2",
        "GET /in?next=https%3A%2F%2Fx%2Fcb%3Fsig%3DREDACTED&b=2",
    );
    check(
        "/in?next=/cb%253Fcode%253DZk4q7 x",
        "/in?next=/cb%253Fcode%253DREDACTED x",
    );
    stays("/in?next=%2Fcb%3Fpage%3D2&q=%3Ftoken%3D");
}

#[test]
fn a_password_may_have_any_character() {
    check(
        "app:p\u{e4}\u{df}w@db.example",
        "REDACTED:REDACTED@db.example",
    );
    check("\u{fc}:\u{e4}@localhost", "REDACTED:REDACTED@localhost");
    // One that is longer than is looked at is cut between characters.
    let long = format!("x:{}:b@localhost", "\u{e4}".repeat(80));
    let left = Patterns::new().replaced(&long).expect("seen");
    assert!(
        left.ends_with("\u{e4}REDACTED:REDACTED@localhost"),
        "{left}"
    );
}
