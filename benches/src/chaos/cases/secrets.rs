//! R13: a corpus of secrets wherever a request can carry one, the bytes that leave, and those that wait on disk.

use std::{
    collections::BTreeSet,
    fmt,
    future::{Ready, ready},
    io,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, extract::Request as Incoming, response::Response as Answer, routing::any};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use obs_core::{
    Delivery,
    courier::{Capture, Sent, Settings, SpoolSettings},
    logs::{Flood, LogLayer},
};
use obs_http::{HttpClientLayer, HttpServerLayer, client::Injection};
use tower::ServiceExt;
use tower_layer::Layer;
use tower_service::Service;
use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};

use super::endings::{exporting, said};
use crate::chaos::{Pace, receiver::Receiver, row::Row, service::block_on};

/// So long a flush waits in vain for the destination that is away.
const PATIENCE: Duration = Duration::from_secs(3);
/// What is no secret, asked for in the same ways: the scanner has to find it.
const PLANTED: [&str; 3] = [
    "planted-header-kWq7",
    "planted-query-Zp3v",
    "planted-log-Yt8m",
];

/// Headers that carry secrets, each asked for by name and each with a secret of its own. None is hexadecimal throughout:
/// it could occur in an id by chance.
const HEADERS: [(&str, &str); 10] = [
    ("authorization", "Bearer zQauthorizationXw1"),
    ("proxy-authorization", "Basic zQproxyauthXw2"),
    ("cookie", "session=zQcookieXw3"),
    ("set-cookie", "session=zQsetcookieXw4; HttpOnly"),
    ("x-api-key", "zQapikeyXw5"),
    ("x-auth-token", "zQauthtokenXw6"),
    ("x-amz-security-token", "zQamztokenXw7"),
    ("x-csrf-token", "zQcsrfXw8"),
    ("x-goog-iam-authorization-token", "zQgoogXw9"),
    ("x-client-secret", "zQclientsecretXwA"),
];

/// In a query, under names that give them away.
const QUERY: &str = "token=zQtokenYw1&access_token=zQaccessYw2&api_key=zQapikeyYw3&password=zQpasswordYw4&code=zQcodeYw5\
    &sig=zQsigYw6&X-Amz-Signature=zQamzsigYw7&X-Amz-Credential=zQamzcredYw8&AWSAccessKeyId=zQawsYw9&X-Goog-Signature=zQgoogYwA\
    &client_secret=zQclientYwB&%74oken=zQencodedYwC&plain=planted-query-Zp3v";
/// In the place of user and password of a URL.
const USERINFO: &str = "zQuserVw1:zQpassVw2";
const SQL: &str = "INSERT INTO cards VALUES ('zQsqlUw1', 'zQsqlUw2')";
const PROMPT: &str = "my password is zQpromptTw1, summarise it";
const ANSWER: &str = "{\"refresh\": \"zQanswerSw1\"}";
const FAILURE: &str = "cannot connect to postgres://zQdbuserRw1:zQdbpassRw2@db/shop";
const PANIC: &str = "no row for zQpanicQw1";
const BAGGAGE: &str = "user.token=zQbaggagePw1";

/// Every word of the corpus that must not leave.
fn corpus() -> Vec<&'static str> {
    let headers = HEADERS.map(|(_, value)| value);
    let texts = [
        QUERY, USERINFO, SQL, PROMPT, ANSWER, FAILURE, PANIC, BAGGAGE,
    ];
    let words = headers.into_iter().chain(texts).flat_map(|text| {
        text.split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| word.starts_with("zQ"))
    });
    words.collect()
}

pub(super) fn corpus_of_secrets(_: Pace) -> io::Result<Vec<Row>> {
    std::panic::set_hook(Box::new(|_| {}));
    let found = Arc::new(Mutex::new(BTreeSet::new()));
    let receiver = Receiver::showing({
        let found = found.clone();
        move |body, _| scan(body, &found)
    })?;
    let folder = std::env::temp_dir().join(format!("obs-chaos-secrets-{}", std::process::id()));
    let spool = SpoolSettings::at(&folder).with_patience(Duration::ZERO);
    let away = Delivery::through(Capture::new().with_answer(|_| Sent::retry("away")))
        .named("away")
        .with_settings(Settings::default().with_spool(spool));
    let telemetry = exporting(&receiver.endpoint())
        .with_delivery(away)
        .build()
        .map_err(io::Error::other)?;
    let events = LogLayer::new(&telemetry)
        .without_lines()
        .with_flood(Flood::off());
    tracing_subscriber::registry()
        .with(events)
        .try_init()
        .map_err(io::Error::other)?;
    let asked_for = || HEADERS.map(|(name, _)| name).into_iter().chain(["x-plain"]);
    let client = HttpClientLayer::new(&telemetry)
        .with_injection(Injection::everywhere())
        .with_request_headers(asked_for())
        .with_response_headers(asked_for())
        .layer(Upstream);
    let router = Router::new()
        .route(
            "/{*any}",
            any(move |request| handler(client.clone(), request)),
        )
        .layer(
            HttpServerLayer::new(&telemetry)
                .with_request_headers(asked_for())
                .with_response_headers(asked_for()),
        );
    let mut requests = 0;
    for path in ["/answers", "/calls", "/fails", "/panics"] {
        for _ in 0..20 {
            let mut request = Request::new(Full::new(Bytes::from_static(PROMPT.as_bytes())));
            *request.uri_mut() = format!("{path}?{QUERY}")
                .parse()
                .map_err(io::Error::other)?;
            decorate(request.headers_mut());
            let router = router.clone();
            let _ = said(|| {
                block_on(async {
                    let Ok(answer) = router.oneshot(request).await;
                    drop(answer.into_body().collect().await);
                });
            });
            requests += 1;
        }
    }
    // One of the two takes nothing; what both have is told by the planted ones.
    let _ = telemetry.flush(PATIENCE);
    scan(telemetry.prometheus().as_bytes(), &found);
    telemetry.shutdown(PATIENCE).map_err(io::Error::other)?;
    let spooled = Mutex::new(BTreeSet::new());
    for file in std::fs::read_dir(&folder)? {
        scan(&std::fs::read(file?.path())?, &spooled);
    }
    std::fs::remove_dir_all(&folder)?;
    let spooled = spooled.into_inner().unwrap_or_else(PoisonError::into_inner);
    let on_disk = spooled.iter().filter(|word| PLANTED.contains(word)).count();
    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
    let planted = found.iter().filter(|word| PLANTED.contains(word)).count();
    found.extend(spooled);
    let hits: Vec<&str> = found
        .iter()
        .copied()
        .filter(|word| !PLANTED.contains(word))
        .collect();
    let mut row = Row::new(
        "R13",
        format!(
            "{} secrets in headers (each asked for by name), queries, URLs, bodies, a prompt, SQL, errors, panics and baggage of {requests} requests; all exported bytes, the metrics page and the spool of a destination that is away scanned",
            corpus().len()
        ),
    );
    if !hits.is_empty() {
        row.done.push_str(&format!("; found: {}", hits.join(", ")));
    }
    row.put("hits", hits.len() as f64, "")
        .put("planted", PLANTED.len() as f64, "")
        .put("planted and found", planted as f64, "")
        .put("planted and found in the spool", on_disk as f64, "")
        .put(
            "control",
            f64::from([planted, on_disk] == [PLANTED.len(); 2]),
            "",
        );
    Ok(vec![row])
}

fn scan(bytes: &[u8], found: &Mutex<BTreeSet<&'static str>>) {
    let holds = |word: &str| {
        bytes
            .windows(word.len())
            .any(|part| part == word.as_bytes())
    };
    let words = corpus().into_iter().chain(PLANTED);
    let here: Vec<_> = words.filter(|word| holds(word)).collect();
    found
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .extend(here);
}

fn decorate(headers: &mut http::HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    headers.insert("baggage", HeaderValue::from_static(BAGGAGE));
    headers.insert("x-plain", HeaderValue::from_static(PLANTED[0]));
}

async fn handler<C, B>(client: C, request: Incoming) -> Answer
where
    C: Service<Request<Full<Bytes>>, Response = Response<B>, Error = Failure> + Clone,
    B: http_body::Body,
{
    let path = request.uri().path().to_owned();
    drop(request.into_body().collect().await);
    tracing::info!(planted = PLANTED[2], "asked");
    if path == "/panics" {
        panic!("{PANIC}");
    }
    if path != "/answers" {
        let mut call = Request::new(Full::new(Bytes::from_static(SQL.as_bytes())));
        let target = format!("http://{USERINFO}@upstream.example:8443{path}?{QUERY}");
        if let Ok(target) = target.parse() {
            *call.uri_mut() = target;
        }
        decorate(call.headers_mut());
        if let Ok(answer) = client.oneshot(call).await {
            drop(answer.into_body().collect().await);
        }
    }
    let mut answer = Response::new(ANSWER.into());
    decorate(answer.headers_mut());
    answer
}

/// Answers with secrets, or fails with them.
#[derive(Clone, Copy, Debug)]
struct Upstream;

impl<B> Service<Request<B>> for Upstream {
    type Response = Response<Full<Bytes>>;
    type Error = Failure;
    type Future = Ready<Result<Self::Response, Failure>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if request.uri().path() == "/fails" {
            return ready(Err(Failure));
        }
        let mut answer = Response::new(Full::new(Bytes::from_static(ANSWER.as_bytes())));
        decorate(answer.headers_mut());
        ready(Ok(answer))
    }
}

#[derive(Clone, Copy, Debug)]
struct Failure;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FAILURE)
    }
}

impl std::error::Error for Failure {}
