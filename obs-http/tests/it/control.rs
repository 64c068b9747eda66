//! Levels read and set over sockets: by whom, what is said to what makes no sense, and that it is in force at once.

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use obs_core::{RaiseRule, StatsLevel, Telemetry};
use obs_http::HttpServerLayer;
use obs_http::control::{Authorizer, level_router};
use obs_testing::Capture;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const TOKEN: &str = "correct-horse-battery-staple";

/// A service with two routes, and the levels beside it.
struct Rig {
    capture: Capture,
    service: SocketAddr,
    levels: SocketAddr,
}

impl Rig {
    async fn new() -> Self {
        Self::with(Capture::builder().build()).await
    }

    async fn with(capture: Capture) -> Self {
        let answer = get(|| async { "an item" });
        let fail = get(|| async { StatusCode::INTERNAL_SERVER_ERROR });
        let app = Router::new()
            .route("/items/{id}", answer)
            .route("/fails", fail)
            .layer(HttpServerLayer::new(capture.telemetry()));
        let authorizer = Authorizer::bearer(TOKEN).expect("a long token");
        let rig = Self {
            service: serve(app).await,
            levels: serve(level_router(capture.telemetry(), authorizer)).await,
            capture,
        };
        // Routes are known once they are seen.
        rig.call("/items/1").await;
        rig
    }

    /// Calls the service, and gives the level at which that was recorded; none where it was not.
    async fn call(&self, path: &str) -> Option<StatsLevel> {
        self.capture.clear();
        send(self.service, &format!("GET {path}"), &[], "").await;
        let records = self.capture.records();
        records.first().map(|record| record.level)
    }

    async fn put(&self, body: &str) -> (u16, String) {
        send(self.levels, "PUT /levels", &[&authorization(TOKEN)], body).await
    }

    async fn list(&self) -> String {
        let listed = send(self.levels, "GET /levels", &[&authorization(TOKEN)], "").await;
        assert_eq!(listed.0, 200, "{listed:?}");
        listed.1
    }
}

fn authorization(token: &str) -> String {
    format!("authorization: Bearer {token}")
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// Status and body of the answer.
async fn send(to: SocketAddr, line: &str, headers: &[&str], body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(to).await.expect("it listens");
    let mut request = format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
    for header in headers {
        request += &format!("{header}\r\n");
    }
    request += &format!("content-length: {}\r\n\r\n{body}", body.len());
    // Who is turned away before all is sent may have hung up by then.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).expect("a status");
    (status.parse().expect("a number"), body.trim().to_owned())
}

#[tokio::test]
async fn a_level_that_is_set_is_in_force_for_the_next_request_and_listed() {
    let rig = Rig::new().await;
    assert_eq!(
        rig.list().await,
        r#"{"kinds":[{"kind":"http.server","level":"base","methods":[]}]}"#
    );
    let one = r#"{"kind": "http.server", "method": "/items/{id}", "level": "detailed"}"#;
    let (status, body) = rig.put(one).await;
    let now = r#"{"kind":"http.server","level":"base","methods":[{"level":"detailed","method":"/items/{id}"}]}"#;
    assert_eq!((status, body.as_str()), (200, now));
    assert_eq!(rig.call("/items/1").await, Some(StatsLevel::Detailed));
    assert_eq!(rig.call("/fails").await, Some(StatsLevel::Base));
    assert_eq!(rig.list().await, format!(r#"{{"kinds":[{now}]}}"#));

    assert_eq!(
        rig.put(r#"{"kind": "http.server", "level": "disabled"}"#)
            .await
            .0,
        200
    );
    assert_eq!(rig.call("/items/1").await, Some(StatsLevel::Detailed));
    assert_eq!(rig.call("/fails").await, None);

    let follow = r#"{"kind": "http.server", "method": "/items/{id}", "level": null}"#;
    assert_eq!(rig.put(follow).await.0, 200);
    assert_eq!(rig.call("/items/1").await, None);
}

#[tokio::test]
async fn a_level_for_a_time_falls_back_when_that_is_over() {
    let rig = Rig::new().await;
    let one = r#"{"kind": "http.server", "method": "/items/{id}", "level": "detailed", "for_seconds": 300}"#;
    let all = r#"{"kind": "http.server", "level": "disabled", "for_seconds": 60}"#;
    assert_eq!((rig.put(one).await.0, rig.put(all).await.0), (200, 200));
    rig.capture.clock().advance(Duration::from_secs(30));
    let listed = rig.list().await;
    for left in [r#""seconds_left":270.0"#, r#""seconds_left":30.0"#] {
        assert!(listed.contains(left), "no {left} in {listed}");
    }
    assert_eq!(rig.call("/items/1").await, Some(StatsLevel::Detailed));
    assert_eq!(rig.call("/fails").await, None);
    rig.capture.clock().advance(Duration::from_secs(30));
    rig.capture.clear();
    assert!(rig.capture.records().is_empty());
    assert_eq!(rig.call("/fails").await, Some(StatsLevel::Base));
    rig.capture.clock().advance(Duration::from_secs(240));
    assert!(rig.capture.records().len() == 1);
    assert_eq!(rig.call("/items/1").await, Some(StatsLevel::Base));
    assert!(!rig.list().await.contains("seconds_left"));
}

#[tokio::test]
async fn what_the_rule_raised_is_listed() {
    let raising = Capture::builder().with(|builder| builder.with_raise(RaiseRule::default()));
    let rig = Rig::with(raising.build()).await;
    assert_eq!(rig.call("/fails").await, Some(StatsLevel::Base));
    assert_eq!(rig.call("/fails").await, Some(StatsLevel::Detailed));
    let raised = r#"{"level":"detailed","method":"/fails","seconds_left":60.0}"#;
    let listed = rig.list().await;
    assert!(listed.contains(raised), "{listed}");
}

#[tokio::test]
async fn who_is_not_authorized_reaches_nothing() {
    let rig = Rig::new().await;
    let body = r#"{"kind": "http.server", "level": "disabled"}"#;
    let long = "x".repeat(1 << 20);
    let right = authorization(TOKEN);
    for headers in [
        &[][..],
        &["authorization: Bearer wrong-horse-battery-staple"],
        &["authorization: Bearer "],
        &["authorization: Basic correct-horse-battery-staple"],
        &["authorization: correct-horse-battery-staple"],
        &[&authorization(&TOKEN[1..])],
        &[&authorization(&format!("{TOKEN}{TOKEN}"))],
        // Which of two it is held to is nobody's to choose.
        &[&right, "authorization: Bearer other"],
    ] {
        for (line, body) in [
            ("GET /levels", ""),
            ("PUT /levels", body),
            ("PUT /levels", "no JSON"),
            ("PUT /levels", &long),
            ("DELETE /levels", ""),
        ] {
            let (status, said) = send(rig.levels, line, headers, body).await;
            assert_eq!(status, 401, "{line} {headers:?}: {said}");
            assert!(!said.contains("http.server"), "{said}");
        }
    }
    assert_eq!(rig.call("/items/1").await, Some(StatsLevel::Base));
}

#[tokio::test]
async fn a_closure_can_decide_who_may() {
    let capture = Capture::new();
    let _ = HttpServerLayer::new(capture.telemetry());
    let operators = Authorizer::new(|head| head.headers.get("x-operator").is_some());
    let levels = serve(level_router(capture.telemetry(), operators)).await;
    assert_eq!(send(levels, "GET /levels", &[], "").await.0, 401);
    assert_eq!(
        send(levels, "GET /levels", &["x-operator: me"], "").await.0,
        200
    );
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_its_reason_and_changes_nothing() {
    let rig = Rig::new().await;
    let long = format!(r#"{{"kind": "{}"}}"#, "x".repeat(5 << 10));
    for (body, status, why) in [
        ("", 400, "not JSON"),
        ("{", 400, "not JSON"),
        ("[]", 400, "not a JSON object"),
        ("{}", 400, "`kind` is missing"),
        (
            r#"{"kind": 7, "level": "base"}"#,
            400,
            "`kind` is not a string",
        ),
        (r#"{"kind": "http.server"}"#, 400, "`level` is missing"),
        (
            r#"{"kind": "http.server", "level": null}"#,
            400,
            "only a method",
        ),
        (
            r#"{"kind": "http.server", "level": 2}"#,
            400,
            "not a string",
        ),
        (
            r#"{"kind": "http.server", "level": "Base"}"#,
            400,
            "is none of",
        ),
        (
            r#"{"kind": "http.server", "level": "base", "for_second": 3}"#,
            400,
            "`for_second` is not known",
        ),
        (
            r#"{"kind": "http.server", "level": "base", "for_seconds": 0}"#,
            400,
            "from 1 to 86400",
        ),
        (
            r#"{"kind": "http.server", "level": "base", "for_seconds": 86401}"#,
            400,
            "from 1 to 86400",
        ),
        (
            r#"{"kind": "http.server", "level": "base", "for_seconds": 1.5}"#,
            400,
            "from 1 to 86400",
        ),
        (
            r#"{"kind": "http.server", "method": "/items/{id}", "level": null, "for_seconds": 3}"#,
            400,
            "without a `level`",
        ),
        (
            r#"{"kind": "http.server", "method": null, "level": "disabled"}"#,
            400,
            "`method` is not a string",
        ),
        (
            r#"{"kind": "http.servers", "level": "disabled"}"#,
            404,
            "no kind `http.servers`",
        ),
        (
            r#"{"kind": "http.server", "method": "/never", "level": "disabled"}"#,
            404,
            "no method `/never`",
        ),
        (&long, 413, "4096 bytes"),
    ] {
        let (got, said) = rig.put(body).await;
        assert_eq!(got, status, "{body}: {said}");
        assert!(said.contains(why), "{body}: {said}");
    }
    let right = authorization(TOKEN);
    assert_eq!(
        send(rig.levels, "POST /levels", &[&right], "{}").await.0,
        405
    );
    assert_eq!(send(rig.levels, "GET /", &[&right], "").await.0, 404);
    assert_eq!(
        rig.list().await,
        r#"{"kinds":[{"kind":"http.server","level":"base","methods":[]}]}"#
    );
}

#[tokio::test]
async fn after_shutdown_there_is_a_conflict() {
    let rig = Rig::new().await;
    let telemetry: &Telemetry = rig.capture.telemetry();
    telemetry.shutdown(Duration::from_secs(5)).expect("in time");
    let right = authorization(TOKEN);
    assert_eq!(send(rig.levels, "GET /levels", &[&right], "").await.0, 409);
    let (status, said) = rig
        .put(r#"{"kind": "http.server", "level": "detailed"}"#)
        .await;
    assert_eq!(status, 409);
    assert!(said.contains("shut down"), "{said}");
}

#[tokio::test]
async fn where_the_authorizer_panics_nobody_is_let_in_and_it_is_counted() {
    let capture = Capture::builder().build();
    let authorizer =
        Authorizer::new(|_| std::panic::resume_unwind(Box::new("on purpose: a panic")));
    let levels = serve(level_router(capture.telemetry(), authorizer)).await;
    let (status, _) = send(levels, "GET /levels", &[&authorization(TOKEN)], "").await;
    assert_eq!(status, 401);
    assert_eq!(capture.telemetry().counts().panics, 1);
}
