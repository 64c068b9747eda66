//! Which name an error gets: a closed set, read off the errors of real crates.

use super::layer;
use http::Request;
use obs_http::client::BoxedClassify;

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use tower::{Layer, ServiceExt, service_fn};

type Boxed = Box<dyn Error + Send + Sync>;

fn named(error: impl Into<Boxed>) -> String {
    let capture = crate::support::capture();
    let mut error = Some(error.into());
    let fails = service_fn(move |_: Request<String>| {
        std::future::ready(Err::<http::Response<Silent>, _>(
            error.take().expect("once"),
        ))
    });
    let client = layer(&capture).with_classify(BoxedClassify).layer(fails);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let answer = runtime
        .expect("a runtime")
        .block_on(client.oneshot(Request::new(String::new())));
    assert!(answer.is_err());
    let record = capture.record();
    record.error_type().expect("an error").to_owned()
}

/// A body that there never is.
struct Silent;

impl http_body::Body for Silent {
    type Data = bytes::Bytes;
    type Error = Boxed;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Boxed>>> {
        std::task::Poll::Ready(None)
    }
}

#[track_caller]
fn check(error: impl Into<Boxed>, expect: &str) {
    let error = error.into();
    let text = format!("{error:?}");
    assert_eq!(named(error), expect, "{text}");
}

/// An error of somebody's, over another.
#[derive(Debug)]
struct Over(&'static str, Option<Boxed>);

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Over {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_ref().map(|error| &**error as _)
    }
}

fn over(text: &'static str, error: impl Into<Boxed>) -> Over {
    Over(text, Some(error.into()))
}

#[test]
fn the_operating_systems_errors_by_their_kind() {
    for (kind, expect) in [
        (ErrorKind::ConnectionRefused, "connection_refused"),
        (ErrorKind::ConnectionReset, "connection_reset"),
        (ErrorKind::ConnectionAborted, "connection_reset"),
        (ErrorKind::BrokenPipe, "connection_reset"),
        (ErrorKind::UnexpectedEof, "connection_closed"),
        (ErrorKind::HostUnreachable, "unreachable"),
        (ErrorKind::NetworkUnreachable, "unreachable"),
        (ErrorKind::TimedOut, "timeout"),
        (ErrorKind::PermissionDenied, "service_error"),
    ] {
        check(io::Error::from(kind), expect);
        check(over("somebody's", io::Error::new(kind, "why")), expect);
    }
}

#[test]
fn timeouts_of_tower_and_tokio() {
    check(tower::timeout::error::Elapsed::new(), "timeout");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let elapsed = runtime.block_on(async {
        let soon = std::time::Duration::ZERO;
        tokio::time::timeout(soon, std::future::pending::<()>()).await
    });
    let elapsed = elapsed.expect_err("it never ends");
    check(over("somebody's", elapsed), "timeout");
}

#[test]
fn certificates_and_alerts_of_rustls() {
    use rustls::{AlertDescription, CertificateError, Error as Tls, InvalidMessage};
    for tls in [
        Tls::InvalidCertificate(CertificateError::UnknownIssuer),
        Tls::InvalidCertificate(CertificateError::Expired),
        Tls::AlertReceived(AlertDescription::HandshakeFailure),
        Tls::InvalidMessage(InvalidMessage::InvalidContentType),
    ] {
        // As tokio-rustls hands them over, under hyper-util's.
        let io = io::Error::new(ErrorKind::InvalidData, tls);
        check(over("client error (Connect)", io), "tls_error");
    }
}

#[test]
fn a_name_that_cannot_be_resolved_is_one_however_the_resolver_fails() {
    let late = io::Error::from(ErrorKind::TimedOut);
    check(
        over("client error (Connect)", over("dns error", late)),
        "dns_error",
    );
}

#[test]
fn the_deepest_that_is_known_says_it_most_exactly() {
    let reset = io::Error::from(ErrorKind::ConnectionReset);
    check(over("client error (Connect)", reset), "connection_reset");
    let unknown = Over("nobody knows", None);
    check(over("client error (Connect)", unknown), "connect_error");
}

#[test]
fn what_nobody_knows_is_an_error_of_the_service() {
    check("no such user: 4711", "service_error");
    check("", "service_error");
    check("invalid user", "service_error");
    check("h\u{fc}tte ".repeat(1_000), "service_error");
}

/// Its source is itself.
#[derive(Debug)]
struct Circle;

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("round and round")
    }
}

impl Error for Circle {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self)
    }
}

/// It cannot even say what it is.
#[derive(Debug)]
struct Speechless;

impl fmt::Display for Speechless {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::panic::resume_unwind(Box::new("on purpose"))
    }
}

impl Error for Speechless {}

#[test]
fn an_error_that_panics_over_its_text_reaches_the_application_all_the_same() {
    check(Speechless, "service_error");
}

#[test]
fn a_chain_without_an_end_is_followed_for_a_while() {
    check(Circle, "service_error");
}
