//! OTLP over HTTP: protobuf bodies, compressed, one kept-alive connection per host.
//!
//! What an answer means follows the OTLP specification, §"OTLP/HTTP Response": 429, 502, 503 and 504 and failures of the
//! connection may pass; every other status outside 2xx is final.

use std::io::Read;
use std::mem;
use std::net::IpAddr;
use std::path::Path;
use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use ureq::http::{Request, Response, StatusCode, Uri};
use ureq::{Agent, Body};

use super::destination::{
    Compression, Destination, Destinations, Protocol, has_usable_port, without_secrets,
};
use super::time::now;
use super::tls::{self, Trust};
use super::{Batch, Remake, Sent, Signal, Transport, USER_AGENT};
use crate::error::Error;

use self::names::Names;

pub(super) mod answer;
mod names;
pub(super) mod told;

/// Delivers to OTLP/HTTP endpoints with a blocking client. Needs no runtime.
///
/// Proxies are taken from the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`), never for this host itself.
/// `https` needs the feature `tls`; who is trusted is [`Destination::certificate`]'s to say, who we are
/// [`Destination::client_certificate`]'s, and a side that does not trust the other is a refusal, not a reason to try again.
/// Redirects are not followed: they would carry credentials elsewhere. A name is looked up on a thread of its own: a
/// resolver that hangs holds nobody up for longer than the attempt's timeout, but that thread until it gives up. A
/// numeric address is not looked up.
#[derive(Debug)]
pub struct HttpTransport {
    routes: [Option<Route>; Signal::ALL.len()],
    /// One for all destinations that trust the same authorities and show the same certificate: connections are shared.
    agents: Vec<Agent>,
    /// Whose connections they are.
    process: u32,
    /// Where it goes, for a forked child, which connects anew.
    destinations: Arc<Destinations>,
}

#[derive(Debug)]
struct Route {
    /// The place of its agent.
    agent: usize,
    uri: Uri,
    /// The URL as it may be shown.
    shown: String,
    headers: HeaderMap,
    timeout: Duration,
    compression: Compression,
    loopback: bool,
}

impl HttpTransport {
    /// A client for these destinations. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// A [configuration error](Error::is_configuration) for a URL, header, certificate or compression that cannot be used, and
    /// for a destination of another protocol ([`OtlpTransport`](super::OtlpTransport) takes them mixed).
    pub fn new(destinations: &Destinations) -> Result<Self, Error> {
        for signal in Signal::ALL {
            if destinations.of(signal).protocol != Protocol::HttpProtobuf {
                return Err(Error::configuration(format!(
                    "OTLP endpoint for {signal}: it does not speak HTTP; `OtlpTransport` takes both protocols"
                )));
            }
        }
        Self::of_those_that_speak_http(destinations)
    }

    pub(super) fn of_those_that_speak_http(destinations: &Destinations) -> Result<Self, Error> {
        let mut agents = Agents::default();
        let mut route = |signal| {
            let destination = destinations.of(signal);
            if destination.protocol != Protocol::HttpProtobuf {
                return Ok(None);
            }
            let agent = agents.place(destination);
            Route::new(signal, destination, agent).map(Some)
        };
        Ok(Self {
            routes: [
                route(Signal::Traces)?,
                route(Signal::Metrics)?,
                route(Signal::Logs)?,
            ],
            agents: agents.agents,
            process: process::id(),
            destinations: Arc::new(destinations.clone()),
        })
    }

    /// Connections that a forked child finds are its parent's: it makes its own, and touches those no more.
    fn after_a_fork(&mut self) {
        let process = process::id();
        if process == self.process {
            return;
        }
        self.process = process;
        for agent in &mut self.agents {
            let own = Names::asked_by(agent.config().clone());
            // Dropping could say goodbye on a connection that the parent goes on using.
            mem::forget(mem::replace(agent, own));
        }
    }
}

impl Transport for HttpTransport {
    fn remake(&self) -> Option<Remake> {
        let destinations = self.destinations.clone();
        Some(Box::new(move || {
            Ok(Box::new(Self::of_those_that_speak_http(&destinations)?))
        }))
    }

    fn send(&mut self, batch: &Batch, deadline: Instant) -> Sent {
        self.after_a_fork();
        let route = self
            .routes
            .get(batch.signal.index())
            .and_then(Option::as_ref);
        let Some((route, agent)) =
            route.and_then(|route| Some((route, self.agents.get(route.agent)?)))
        else {
            return Sent::refused(format_args!(
                "{} have no destination over HTTP",
                batch.signal
            ));
        };
        let left = deadline.saturating_duration_since(now()).min(route.timeout);
        if left.is_zero() {
            return Sent::retry("no time left for an attempt");
        }
        let body = match route.compression.apply(&batch.body) {
            Ok(body) => body,
            Err(error) => return Sent::refused(format_args!("compression: {error}")),
        };
        let mut request = Request::post(route.uri.clone());
        if let Some(headers) = request.headers_mut() {
            headers.clone_from(&route.headers);
        }
        let request = match request.body(&*body) {
            Ok(request) => request,
            Err(error) => return Sent::refused(format_args!("{}: {error}", route.shown)),
        };
        let mut config = agent.configure_request(request).timeout_global(Some(left));
        if route.loopback {
            config = config.proxy(None);
        }
        let error = match agent.run(config.build()) {
            Ok(response) => return understand(response, route),
            Err(error) => error,
        };
        match tls::refusal_by_http(&error) {
            Some(why) => Sent::refused(format_args!("{}: {why}", route.shown)),
            None if may_pass(&error) => Sent::retry(format_args!("{}: {error}", route.shown)),
            None => Sent::refused(format_args!("{}: {error}", route.shown)),
        }
    }
}

impl Route {
    fn new(
        signal: Signal,
        destination: &Destination,
        agent: Result<usize, Error>,
    ) -> Result<Self, Error> {
        let shown = without_secrets(&destination.url);
        let unusable = |what: &str| {
            Error::configuration(format!("OTLP endpoint for {signal} `{shown}`: {what}"))
        };
        let uri: Uri = destination
            .url
            .parse()
            .map_err(|error| unusable("not a URL").with_source(error))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") if cfg!(feature = "tls") => {}
            Some("https") => {
                return Err(unusable(
                    "`https` needs the feature `tls` of obs-core; enable it, or use `http` to a collector nearby",
                ));
            }
            _ => return Err(unusable("it must begin with `http://` or `https://`")),
        }
        let host = uri
            .host()
            .filter(|host| !host.is_empty())
            .ok_or_else(|| unusable("it has no host"))?;
        if !{ uri.authority() }.is_none_or(|it| has_usable_port(it.as_str())) {
            return Err(unusable("its port is none"));
        }
        destination
            .compression
            .check()
            .map_err(|error| unusable(&error.to_string()))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &destination.headers.0 {
            let bad = || unusable(&format!("`{}` is not a usable header", name.escape_debug()));
            let key =
                HeaderName::try_from(name.as_str()).map_err(|error| bad().with_source(error))?;
            let mut value =
                HeaderValue::try_from(value.as_str()).map_err(|error| bad().with_source(error))?;
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-protobuf"),
        );
        // How long a body is, is not known beforehand.
        for ours in [
            header::CONTENT_LENGTH,
            header::TRANSFER_ENCODING,
            header::CONTENT_ENCODING,
        ] {
            headers.remove(ours);
        }
        if let Some(encoding) = destination.compression.encoding() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        Ok(Self {
            agent: agent.map_err(|error| unusable("its certificates").with_source(error))?,
            loopback: is_loopback(host),
            headers,
            timeout: destination.timeout,
            compression: destination.compression,
            uri,
            shown,
        })
    }
}

/// The files that say whom to believe and who we are.
type Files<'a> = [Option<&'a Path>; 3];

#[derive(Default)]
struct Agents<'a> {
    agents: Vec<Agent>,
    /// Of the agents, in their order.
    files: Vec<Files<'a>>,
}

impl<'a> Agents<'a> {
    fn place(&mut self, destination: &'a Destination) -> Result<usize, Error> {
        let files = [
            &destination.certificate,
            &destination.client_certificate,
            &destination.client_key,
        ]
        .map(|file| file.as_deref());
        if let Some(place) = self.files.iter().position(|known| *known == files) {
            return Ok(place);
        }
        let trust = Trust::of(destination)?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(USER_AGENT);
        self.agents
            .push(Names::asked_by(trust.given_to(config).build()));
        self.files.push(files);
        Ok(self.agents.len() - 1)
    }
}

/// Of an answer's body; OTLP answers are a few bytes, unless a proxy sends a page.
const MAX_ANSWER_BYTES: u64 = 64 << 10;

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// What is text of it, which may have been cut within a character.
fn text_of_page(body: &[u8]) -> Option<String> {
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(body.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    Some(text.to_owned())
}

fn understand(mut response: Response<Body>, route: &Route) -> Sent {
    let status = response.status();
    let after = answer::retry_after(response.headers());
    let protobuf = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_none_or(|value| {
            value
                .as_bytes()
                .windows(8)
                .any(|part| part.eq_ignore_ascii_case(b"protobuf"))
        });
    // Read to its end even if unused, or the connection could not be kept. A body that breaks off changes nothing about the status.
    let mut body = Vec::new();
    let reading = response.body_mut().with_config().limit(MAX_ANSWER_BYTES);
    let _ = reading.reader().read_to_end(&mut body);
    if status.is_success() {
        let partial = if protobuf {
            answer::partial_success(&body)
        } else {
            Default::default()
        };
        return Sent::Delivered {
            rejected: partial.rejected,
            message: { partial.message }.map(|said| told::without_headers(said, &route.headers)),
        };
    }
    let said = if protobuf {
        answer::status_message(&body)
    } else {
        text_of_page(&body)
    };
    let said = said.map(|said| told::without_headers(said, &route.headers));
    let mut why = format!("{}: HTTP {status}", route.shown);
    if let Some(said) = said
        .as_deref()
        .map(str::trim)
        .filter(|said| !said.is_empty())
    {
        why.push_str(": ");
        why.push_str(said);
    }
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Sent::Retry { after, why },
        _ => Sent::Refused { why },
    }
}

/// Whether the next attempt could fare better: everything but a request that can never be made.
fn may_pass(error: &ureq::Error) -> bool {
    !matches!(
        error,
        ureq::Error::BadUri(_)
            | ureq::Error::Http(_)
            | ureq::Error::InvalidProxyUrl
            | ureq::Error::RequireHttpsOnly(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(destination: Destination, expect: &str) {
        let destinations = Destinations {
            logs: destination,
            ..Destinations::default()
        };
        let error = HttpTransport::new(&destinations).expect_err("must be refused");
        assert!(error.is_configuration());
        assert!(error.to_string().contains(expect), "{error}");
    }

    #[test]
    fn unusable_destinations_are_refused_at_set_up() {
        check_refused(Destination::at("collector:4318"), "must begin with");
        check_refused(Destination::at("ftp://collector/"), "must begin with");
        check_refused(Destination::at("http://"), "`http:///`");
        check_refused(Destination::at("http://host:99999/"), "its port is none");
        check_refused(Destination::at("http://me@[::1]:0/"), "its port is none");
        check_refused(Destination::at("http://host /v1/logs"), "not a URL");
        check_refused(
            Destination::at("http://h").with_header("a b", "c"),
            "`a b` is not a usable header",
        );
    }

    #[test]
    fn a_refused_header_does_not_leak_its_value() {
        let destination = Destination::at("http://h").with_header("x-key", "secret\n");
        let destinations = Destinations {
            traces: destination,
            ..Destinations::default()
        };
        let error = HttpTransport::new(&destinations).expect_err("must be refused");
        assert!(
            !format!("{error} {error:?}").contains("secret"),
            "{error:?}"
        );
    }

    #[test]
    #[cfg(not(feature = "tls"))]
    fn https_without_tls_says_which_feature_is_missing() {
        check_refused(Destination::at("https://host/v1/logs"), "feature `tls`");
    }

    #[test]
    #[cfg(feature = "tls")]
    fn https_is_accepted_with_tls() {
        HttpTransport::new(&Destinations::below("https://host")).expect("accepted");
    }

    #[test]
    fn this_host_is_never_reached_through_a_proxy() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.0.1", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["collector", "10.0.0.1", "localhost.example"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
