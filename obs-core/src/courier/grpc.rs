//! OTLP over gRPC: the encoded request as it is, in one message, over a connection that is made again when it breaks.
//!
//! ```text
//! GrpcTransport ── route of the signal ──► Link (a private runtime, a channel of tonic's) ──► exchange ──► Sent
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tonic::metadata::{Binary, MetadataValue};
use ureq::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use ureq::http::uri::PathAndQuery;

use super::destination::{Compression, Destination, Destinations, Protocol, without_secrets};
use super::time::{after, now};
use super::{Batch, Remake, Sent, Signal, Transport, tls};
use crate::error::Error;

mod exchange;
mod link;
mod said;

use exchange::Call;
use link::{Broken, Link};

/// Delivers to OTLP/gRPC endpoints.
///
/// What it needs of an async runtime is its own, single-threaded, and runs only while a batch is being sent: on the thread
/// that sends, or, where that is inside a runtime of the host's (manual mode), on one made for the attempt and joined
/// before it returns. Nothing is left running between attempts, so a connection that the other side closed meanwhile is
/// noticed at the next, and made anew within it. A name is looked up on another thread: a resolver that hangs holds nobody
/// up for longer than the attempt's timeout, but that thread until it gives up.
///
/// `https` needs the feature `tls`, with the same certificates as [`HttpTransport`](super::HttpTransport). Proxies are not
/// used. What an answer means follows the OTLP specification, §"OTLP/gRPC Response".
#[derive(Debug)]
pub struct GrpcTransport {
    routes: [Option<Route>; Signal::ALL.len()],
    /// One for all destinations at the same place that trust the same: a connection is shared.
    links: Vec<Link>,
    /// Where it goes, for a forked child, which connects anew.
    destinations: Arc<Destinations>,
}

#[derive(Debug)]
struct Route {
    /// The place of its link.
    link: usize,
    /// The endpoint as it may be shown.
    shown: String,
    path: PathAndQuery,
    headers: HeaderMap,
    timeout: Duration,
    compression: Compression,
}

impl GrpcTransport {
    /// A client for these destinations. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// A [configuration error](Error::is_configuration) for a URL, header, certificate or compression that cannot be used, and
    /// for a destination of another protocol ([`OtlpTransport`](super::OtlpTransport) takes them mixed).
    pub fn new(destinations: &Destinations) -> Result<Self, Error> {
        for signal in Signal::ALL {
            if destinations.of(signal).protocol != Protocol::Grpc {
                return Err(Error::configuration(format!(
                    "OTLP endpoint for {signal}: it does not speak gRPC; `OtlpTransport` takes both protocols"
                )));
            }
        }
        Self::of_those_that_speak_grpc(destinations)
    }

    pub(super) fn of_those_that_speak_grpc(destinations: &Destinations) -> Result<Self, Error> {
        let mut links: Vec<(Link, &Destination)> = Vec::new();
        let mut route = |signal| {
            let destination = destinations.of(signal);
            if destination.protocol != Protocol::Grpc {
                return Ok(None);
            }
            Route::new(signal, destination, &mut links).map(Some)
        };
        Ok(Self {
            routes: [
                route(Signal::Traces)?,
                route(Signal::Metrics)?,
                route(Signal::Logs)?,
            ],
            links: links.into_iter().map(|(link, _)| link).collect(),
            destinations: Arc::new(destinations.clone()),
        })
    }
}

impl Transport for GrpcTransport {
    fn remake(&self) -> Option<Remake> {
        let destinations = self.destinations.clone();
        Some(Box::new(move || {
            Ok(Box::new(Self::of_those_that_speak_grpc(&destinations)?))
        }))
    }

    fn send(&mut self, batch: &Batch, deadline: Instant) -> Sent {
        let route = self
            .routes
            .get(batch.signal.index())
            .and_then(Option::as_ref);
        let Some((route, link)) =
            route.and_then(|route| Some((route, self.links.get_mut(route.link)?)))
        else {
            return Sent::refused(format_args!(
                "{} have no destination over gRPC",
                batch.signal
            ));
        };
        let now = now();
        let until = after(now, route.timeout).min(deadline);
        if until <= now {
            return Sent::retry("no time left for an attempt");
        }
        let message = match framed(&batch.body, route.compression) {
            Ok(message) => message,
            Err(error) => return Sent::refused(format_args!("compression: {error}")),
        };
        let call = Call {
            path: &route.path,
            headers: &route.headers,
            message,
        };
        let shown = &route.shown;
        match link.call(&call, until) {
            Ok(answer) => said::understood(answer, shown, &route.headers),
            Err(Broken::Late) => Sent::retry(format_args!("{shown}: no answer in time")),
            Err(Broken::System(error)) => Sent::retry(format_args!("{shown}: {error}")),
            Err(Broken::Connection(error)) => match tls::refusal(&*error) {
                Some(why) => Sent::refused(format_args!("{shown}: {why}")),
                None => Sent::retry(format_args!("{shown}: {}", causes(&*error))),
            },
        }
    }
}

impl Route {
    fn new<'a>(
        signal: Signal,
        destination: &'a Destination,
        links: &mut Vec<(Link, &'a Destination)>,
    ) -> Result<Self, Error> {
        let shown = without_secrets(&destination.url);
        let unusable = |what: &str| {
            Error::configuration(format!("OTLP/gRPC endpoint for {signal} `{shown}`: {what}"))
        };
        destination
            .compression
            .check()
            .map_err(|error| unusable(&error.to_string()))?;
        let link = match links.iter().position(|(_, of)| same_place(of, destination)) {
            Some(known) => known,
            None => {
                let link = Link::new(destination).map_err(|error| {
                    let known = unusable(&error.to_string());
                    match std::error::Error::source(&error) {
                        Some(_) => known.with_source(error),
                        None => known,
                    }
                })?;
                links.push((link, destination));
                links.len() - 1
            }
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &destination.headers.0 {
            let bad = || {
                unusable(&format!(
                    "`{}` is not usable as metadata",
                    name.escape_debug()
                ))
            };
            let key =
                HeaderName::try_from(name.as_str()).map_err(|error| bad().with_source(error))?;
            let binary = key.as_str().ends_with("-bin");
            let mut value = if binary {
                let encoded = MetadataValue::<Binary>::from_bytes(value.as_bytes());
                HeaderValue::from_bytes(encoded.as_encoded_bytes())
            } else {
                HeaderValue::try_from(value.as_str())
            }
            .map_err(|error| bad().with_source(error))?;
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/grpc"),
        );
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        let encoding = HeaderName::from_static("grpc-encoding");
        headers.remove(&encoding);
        if let Some(name) = destination.compression.encoding() {
            headers.insert(encoding, HeaderValue::from_static(name));
        }
        Ok(Self {
            link,
            path: PathAndQuery::from_static(service(signal)),
            headers,
            timeout: destination.timeout,
            compression: destination.compression,
            shown,
        })
    }
}

fn same_place(one: &Destination, other: &Destination) -> bool {
    let parts = |of: &Destination| {
        (
            of.url.clone(),
            of.certificate.clone(),
            of.client_certificate.clone(),
            of.client_key.clone(),
        )
    };
    parts(one) == parts(other)
}

/// The methods of OTLP, from `opentelemetry/proto/collector/*/v1/*_service.proto`.
fn service(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    }
}

/// A message as gRPC has it on the wire: whether it is compressed, its length, itself.
fn framed(body: &[u8], compression: Compression) -> std::io::Result<Bytes> {
    let message = compression.apply(body)?;
    let length = u32::try_from(message.len()).map_err(std::io::Error::other)?;
    let mut framed = Vec::with_capacity(PREFIX + message.len());
    framed.push(u8::from(compression != Compression::None));
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(&message);
    Ok(framed.into())
}

/// The bytes before each message.
const PREFIX: usize = 5;

/// An error with what caused it: tonic's own say no more than `transport error`.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    for _ in 0..16 {
        let Some(cause) = next else { break };
        let said = cause.to_string();
        // Some repeat what caused them.
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(destination: Destination, expect: &str) {
        let destinations = Destinations {
            logs: destination,
            ..Destinations::grpc("http://localhost:4317")
        };
        let error = GrpcTransport::new(&destinations).expect_err("must be refused");
        assert!(error.is_configuration());
        assert!(error.to_string().contains(expect), "{error}");
        assert!(
            !format!("{error} {error:?}").contains("secret"),
            "{error:?}"
        );
    }

    #[test]
    fn unusable_destinations_are_refused_at_set_up() {
        check_refused(Destination::grpc("ftp://collector"), "must begin with");
        check_refused(Destination::grpc("http://:1"), "no host");
        check_refused(Destination::grpc("http://host:65536"), "its port is none");
        check_refused(Destination::grpc("http://a b"), "not a URL");
        check_refused(
            Destination::grpc("http://user:secret@collector:4317"),
            "user information",
        );
        let endpoint = || Destination::grpc("http://collector:4317");
        check_refused(endpoint().with_header("a b", "c"), "`a b` is not usable");
        check_refused(endpoint().with_header("x-key", "secret\n"), "`x-key`");
        check_refused(Destination::at("http://collector:4318"), "OtlpTransport");
    }

    #[test]
    #[cfg(not(feature = "tls"))]
    fn https_without_tls_says_which_feature_is_missing() {
        check_refused(Destination::grpc("https://host"), "feature `tls`");
    }

    #[test]
    fn one_place_is_one_connection_and_another_is_another() {
        let same = Destinations::grpc("http://collector:4317");
        assert_eq!(GrpcTransport::new(&same).expect("usable").links.len(), 1);
        let other = Destinations {
            metrics: Destination::grpc("http://elsewhere:4317"),
            ..same
        };
        let transport = GrpcTransport::new(&other).expect("usable");
        let places = transport.routes.map(|route| route.map(|route| route.link));
        assert_eq!(places, [Some(0), Some(1), Some(0)]);
    }

    #[test]
    fn a_message_goes_behind_its_length() {
        let framed = |body, how| framed(body, how).expect("framed");
        assert_eq!(&framed(b"abc", Compression::None)[..], b"\0\0\0\0\x03abc");
        let small = framed(b"abc", Compression::Gzip);
        assert_eq!(small[0], 1);
        assert_eq!(small.len() - PREFIX, usize::from(small[4]));
    }

    #[test]
    fn binary_metadata_goes_as_base64_and_names_in_lower_case() {
        let destination = Destination::grpc("http://h:1")
            .with_header("X-Raw-Bin", "\u{e9}")
            .with_header("Api-Key", "k");
        let transport = GrpcTransport::new(&Destinations {
            traces: destination,
            ..Destinations::grpc("http://h:1")
        });
        let [Some(route), ..] = transport.expect("usable").routes else {
            panic!("traces have a route")
        };
        assert_eq!(route.headers["x-raw-bin"], "w6k");
        assert_eq!(route.headers["api-key"], "k");
    }
}
