//! `OTEL_EXPORTER_OTLP_*`: for each option, a signal's own variable beats the one for all signals.

use super::read::{Reader, excerpt, pairs};
use super::{Otlp, PerSignal};
use crate::courier::{
    Compression, Destination, Headers, Protocol, Signal, has_usable_port, with_scheme,
};
use std::path::PathBuf;

pub(super) fn read(read: &mut Reader<'_>) -> PerSignal<Otlp> {
    // The common variables are read once, so that a bad one is reported once.
    let mut base = Base::read(read);
    let common = options(read, "OTEL_EXPORTER_OTLP");
    let mut signal = |signal: Signal, prefix: &str| {
        let options = options(read, prefix);
        let protocol = options.otlp.protocol.or(common.otlp.protocol);
        let insecure = options.insecure.or(common.insecure).unwrap_or(false);
        let variable = format!("{prefix}_ENDPOINT");
        let own = read
            .text(&variable)
            .and_then(|text| endpoint(read, &variable, &text, protocol, insecure));
        let otlp = options.otlp;
        Otlp {
            endpoint: own
                .map(|url| match protocol {
                    Some(Protocol::Grpc) => url,
                    _ => Destination::at(url).url,
                })
                .or_else(|| base.of(read, signal, protocol, insecure)),
            protocol,
            headers: otlp.headers.or_else(|| common.otlp.headers.clone()),
            timeout: otlp.timeout.or(common.otlp.timeout),
            compression: otlp.compression.or(common.otlp.compression),
            certificate: otlp.certificate.or_else(|| common.otlp.certificate.clone()),
            client_certificate: otlp
                .client_certificate
                .or_else(|| common.otlp.client_certificate.clone()),
            client_key: otlp.client_key.or_else(|| common.otlp.client_key.clone()),
        }
    };
    PerSignal {
        traces: signal(Signal::Traces, "OTEL_EXPORTER_OTLP_TRACES"),
        metrics: signal(Signal::Metrics, "OTEL_EXPORTER_OTLP_METRICS"),
        logs: signal(Signal::Logs, "OTEL_EXPORTER_OTLP_LOGS"),
    }
}

/// The endpoint for all signals. What it means depends on the protocol of each.
struct Base {
    text: Option<String>,
    /// The protocols it has been warned about under.
    warned: Vec<Option<Protocol>>,
}

impl Base {
    const VARIABLE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

    fn read(read: &mut Reader<'_>) -> Self {
        Self {
            text: read.text(Self::VARIABLE),
            warned: Vec::new(),
        }
    }

    fn of(
        &mut self,
        read: &mut Reader<'_>,
        signal: Signal,
        protocol: Option<Protocol>,
        insecure: bool,
    ) -> Option<String> {
        let text = self.text.as_deref()?;
        let protocol = Some(protocol.unwrap_or_default());
        match usable(text, protocol, insecure) {
            Ok(url) if protocol == Some(Protocol::Grpc) => Some(url),
            Ok(url) => Some(Destination::below(&url, signal).url),
            Err(problem) => {
                if !self.warned.contains(&protocol) {
                    self.warned.push(protocol);
                    read.warn(Self::VARIABLE, format!("{problem}; ignored"));
                }
                None
            }
        }
    }
}

/// What one prefix says; `insecure` is gone once an endpoint is whole.
struct Options {
    otlp: Otlp,
    insecure: Option<bool>,
}

fn options(read: &mut Reader<'_>, prefix: &str) -> Options {
    let file = |read: &mut Reader<'_>, what: &str| file(read, &format!("{prefix}_{what}"));
    let certificate = file(read, "CERTIFICATE");
    let client_certificate = file(read, "CLIENT_CERTIFICATE");
    let client_key = file(read, "CLIENT_KEY");
    let otlp = Otlp {
        endpoint: None,
        protocol: protocol(read, &format!("{prefix}_PROTOCOL")),
        headers: headers(read, &format!("{prefix}_HEADERS")),
        timeout: read.timeout(&format!("{prefix}_TIMEOUT")),
        compression: compression(read, &format!("{prefix}_COMPRESSION")),
        certificate,
        client_certificate,
        client_key,
    };
    Options {
        otlp,
        insecure: read.decided(&format!("{prefix}_INSECURE")),
    }
}

fn file(read: &mut Reader<'_>, variable: &str) -> Option<PathBuf> {
    let path = read.text(variable)?;
    if !cfg!(feature = "tls") {
        read.warn(
            variable,
            "certificates need the feature `tls` of obs-core; ignored",
        );
        return None;
    }
    Some(path.into())
}

fn compression(read: &mut Reader<'_>, variable: &str) -> Option<Compression> {
    let known = [
        ("gzip", Compression::Gzip),
        ("none", Compression::None),
        ("zstd", Compression::Zstd),
    ];
    let chosen = read.choice(variable, &known)?;
    if chosen == Compression::Zstd && !cfg!(feature = "zstd") {
        read.warn(
            variable,
            "`zstd` needs the feature `zstd` of obs-core; ignored",
        );
        return None;
    }
    Some(chosen)
}

/// `http/json` is not spoken, and gRPC not by every build; whoever asks for what is missing is told.
fn protocol(read: &mut Reader<'_>, variable: &str) -> Option<Protocol> {
    let asked = read.text(variable)?;
    let why = if asked.eq_ignore_ascii_case("http/protobuf") {
        return Some(Protocol::HttpProtobuf);
    } else if !asked.eq_ignore_ascii_case("grpc") {
        "is not supported"
    } else if cfg!(feature = "grpc") {
        return Some(Protocol::Grpc);
    } else {
        "needs the feature `grpc` of obs-core"
    };
    let asked = excerpt(&asked);
    read.warn(
        variable,
        format!("`{asked}` {why}; `http/protobuf` is used"),
    );
    // Not unset: that another is spoken is what has just been said.
    Some(Protocol::HttpProtobuf)
}

fn endpoint(
    read: &mut Reader<'_>,
    variable: &str,
    text: &str,
    protocol: Option<Protocol>,
    insecure: bool,
) -> Option<String> {
    usable(text, protocol, insecure)
        .map_err(|problem| read.warn(variable, format!("{problem}; ignored")))
        .ok()
}

/// The URL, or what is wrong with it. That is not shown: it may hold a password.
fn usable(text: &str, protocol: Option<Protocol>, insecure: bool) -> Result<String, &'static str> {
    let url = match (protocol, insecure) {
        (Some(Protocol::Grpc), true) => with_scheme(text.to_owned(), "http"),
        (Some(Protocol::Grpc), false) => with_scheme(text.to_owned(), "https"),
        _ => text.to_owned(),
    };
    let (scheme, rest) = url.split_once("://").unwrap_or(("", &url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        Err("not a URL beginning with `http://` or `https://`")
    } else if authority.is_empty() || authority.starts_with(':') {
        Err("a URL without a host")
    } else if !has_usable_port(authority) {
        Err("a URL whose port is none")
    } else if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        Err("a URL with white space in it")
    } else {
        Ok(url)
    }
}

fn headers(read: &mut Reader<'_>, variable: &str) -> Option<Headers> {
    let list = read.text(variable)?;
    let checked = pairs(&list).and_then(|pairs| {
        for (index, (name, value)) in pairs.iter().enumerate() {
            if !name.bytes().all(is_token) {
                return Err(format!(
                    "the name of header {} has characters that no header may have",
                    index + 1
                ));
            }
            if value
                .bytes()
                .any(|byte| byte < b' ' && byte != b'\t' || byte == 0x7f)
            {
                return Err(format!("the value of `{name}` has control characters"));
            }
        }
        Ok(Headers(pairs))
    });
    checked
        .map_err(|problem| read.warn(variable, format!("{problem}; ignored")))
        .ok()
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
