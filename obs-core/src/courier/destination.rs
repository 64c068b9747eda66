//! Where each signal goes, and how: plain data, from code or from the environment.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::Signal;

/// One OTLP endpoint for one signal.
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct Destination {
    /// What is spoken there.
    pub protocol: Protocol,
    /// The whole URL, over HTTP path included; over gRPC a path means nothing.
    pub url: String,
    /// Sent with every request: as metadata over gRPC, where a value under a name that ends in `-bin` goes as base64.
    pub headers: Headers,
    /// For one attempt, from connecting to the last byte of the answer. [`Duration::MAX`] is no limit.
    pub timeout: Duration,
    /// Of request bodies.
    pub compression: Compression,
    /// A file of PEM certificates: over `https`, who signs the destination's, instead of the public authorities.
    pub certificate: Option<PathBuf>,
    /// A file of PEM certificates that say, over `https`, who we are: ours first, then those that lead to its authority.
    pub client_certificate: Option<PathBuf>,
    /// A file with the private key of the first of them, in PEM.
    pub client_key: Option<PathBuf>,
}

impl Destination {
    /// The service for `signal` below a base URL: `http://host:4318` becomes `http://host:4318/v1/traces`.
    pub fn below(base: &str, signal: Signal) -> Self {
        let end = base.find(['?', '#']).unwrap_or(base.len());
        let (path, query) = base.split_at(end);
        let query = query.split('#').next().unwrap_or_default();
        Self::at(format!("{}/v1/{signal}{query}", path.trim_end_matches('/')))
    }

    /// Exactly this URL, except that one without a path gets `/`, as the OTLP exporter specification asks.
    pub fn at(url: impl Into<String>) -> Self {
        let mut url = url.into();
        if let Some(rest) = url.split_once("://").map(|(_, rest)| rest)
            && !rest.contains(['/', '?', '#'])
        {
            url.push('/');
        }
        Self::new(Protocol::HttpProtobuf, url)
    }

    /// An OTLP/gRPC endpoint: `http://host:4317`, or `https://host`, with the ports of those schemes unless it names one.
    ///
    /// Without a scheme it is `https`, as the OTLP exporter specification has it (its `insecure` is `http://` here), and
    /// without a scheme and a port the port is 4317.
    pub fn grpc(endpoint: impl Into<String>) -> Self {
        Self::new(Protocol::Grpc, with_scheme(endpoint.into(), "https"))
    }

    fn new(protocol: Protocol, url: String) -> Self {
        Self {
            protocol,
            url,
            headers: Headers::default(),
            timeout: DEFAULT_TIMEOUT,
            compression: Compression::Gzip,
            certificate: None,
            client_certificate: None,
            client_key: None,
        }
    }

    /// Adds a header.
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.0.push((name.into(), value.into()));
        self
    }

    /// Limits one attempt.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Trusts the authorities in this file of PEM certificates, and no others.
    pub fn with_certificate(mut self, file: impl Into<PathBuf>) -> Self {
        self.certificate = Some(file.into());
        self
    }

    /// Shows a certificate to whoever asks for one (mutual TLS): two files, in PEM.
    pub fn with_client_certificate(
        mut self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.client_certificate = Some(certificate.into());
        self.client_key = Some(key.into());
        self
    }

    /// Chooses the encoding of request bodies.
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }
}

/// What an endpoint of gRPC without a scheme stands for.
pub(crate) fn with_scheme(endpoint: String, scheme: &str) -> String {
    if endpoint.contains("://") {
        return endpoint;
    }
    let authority = endpoint.split(['/', '?', '#']).next().unwrap_or_default();
    // The colons of an IPv6 address stand in brackets.
    let behind_address = authority.rsplit(']').next().unwrap_or_default();
    let port = if behind_address.contains(':') {
        ""
    } else {
        ":4317"
    };
    format!("{scheme}://{authority}{port}")
}

/// Whether the port that it names is one, if it names any: one beyond the last would be passed over for that of the scheme.
pub(crate) fn has_usable_port(authority: &str) -> bool {
    // The colons of an IPv6 address stand in brackets, and one may stand in a password.
    let place = authority.rsplit(['@', ']']).next().unwrap_or_default();
    let port = place.rsplit_once(':').map_or("", |(_, port)| port);
    port.is_empty() || port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Of OTLP exporters, by specification.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination")
            .field("protocol", &self.protocol)
            .field("url", &without_secrets(&self.url))
            .field("headers", &self.headers)
            .field("timeout", &self.timeout)
            .field("compression", &self.compression)
            .field("certificate", &self.certificate)
            .field("client_certificate", &self.client_certificate)
            .field("client_key", &self.client_key)
            .finish()
    }
}

/// A URL fit for messages: user information and query may hold keys.
pub(crate) fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let (rest, query) = rest.split_at(end);
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let separator = if scheme.is_empty() { "" } else { "://" };
    let query = if query.is_empty() { "" } else { "?…" };
    format!("{scheme}{separator}{host}{path}{query}")
}

/// Where each of the three signals goes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Destinations {
    /// Spans.
    pub traces: Destination,
    /// Metrics.
    pub metrics: Destination,
    /// Log records.
    pub logs: Destination,
}

impl Destinations {
    /// All three services below one base URL, e.g. `http://localhost:4318`.
    pub fn below(base: &str) -> Self {
        Self {
            traces: Destination::below(base, Signal::Traces),
            metrics: Destination::below(base, Signal::Metrics),
            logs: Destination::below(base, Signal::Logs),
        }
    }

    /// All three services at one OTLP/gRPC [endpoint](Destination::grpc).
    pub fn grpc(endpoint: impl Into<String>) -> Self {
        let destination = Destination::grpc(endpoint);
        Self {
            traces: destination.clone(),
            metrics: destination.clone(),
            logs: destination,
        }
    }

    /// The destination of one signal.
    pub fn of(&self, signal: Signal) -> &Destination {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
            Signal::Logs => &self.logs,
        }
    }
}

impl Default for Destinations {
    /// A collector on this host, at OTLP/HTTP's port.
    fn default() -> Self {
        Self::below("http://localhost:4318")
    }
}

/// What is spoken with a destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// OTLP/HTTP with protobuf bodies: `http/protobuf`.
    #[default]
    HttpProtobuf,
    /// OTLP/gRPC: `grpc`. With the feature `grpc`; without it, set-up is refused.
    Grpc,
}

/// Of request bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// As they are.
    None,
    /// gzip, at its fastest.
    #[default]
    Gzip,
    /// zstd, at its fastest. With the feature `zstd`; without it, set-up is refused.
    Zstd,
}

/// Header names and values. Values are credentials more often than not, so they are not shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, String)>);

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.0.iter().map(|(name, _)| (name, "…")))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_below(base: &str, expect: &str) {
        assert_eq!(Destination::below(base, Signal::Traces).url, expect);
    }

    #[test]
    fn a_base_url_gets_the_path_of_the_signal() {
        check_below("http://collector:4318", "http://collector:4318/v1/traces");
        check_below("http://collector:4318/", "http://collector:4318/v1/traces");
        check_below(
            "https://host/otlp/team/",
            "https://host/otlp/team/v1/traces",
        );
        check_below(
            "https://host/otlp?tenant=a#x",
            "https://host/otlp/v1/traces?tenant=a",
        );
    }

    #[test]
    fn a_signal_url_is_used_as_it_is() {
        assert_eq!(
            Destination::at("http://host/custom").url,
            "http://host/custom"
        );
        assert_eq!(Destination::at("http://host/").url, "http://host/");
        assert_eq!(Destination::at("http://host:4318").url, "http://host:4318/");
    }

    #[track_caller]
    fn check_grpc(endpoint: &str, expect: &str) {
        assert_eq!(Destination::grpc(endpoint).url, expect);
    }

    #[test]
    fn an_endpoint_of_grpc_may_lack_scheme_and_port_and_gets_no_path() {
        check_grpc("http://collector:4317", "http://collector:4317");
        check_grpc("https://collector", "https://collector");
        check_grpc("collector", "https://collector:4317");
        check_grpc("collector:443/", "https://collector:443");
        check_grpc("[::1]", "https://[::1]:4317");
        check_grpc("[::1]:1", "https://[::1]:1");
    }

    #[test]
    fn secrets_do_not_reach_messages() {
        let target = Destination::at("https://me:pass@host/v1/traces?key=abc")
            .with_header("x-api-key", "abc");
        let shown = format!("{target:?}");
        assert!(
            shown.contains("https://host/v1/traces?…") && shown.contains("x-api-key"),
            "{shown}"
        );
        assert!(!shown.contains("abc") && !shown.contains("pass"), "{shown}");
    }
}
