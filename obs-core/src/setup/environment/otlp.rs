//! `OTEL_EXPORTER_OTLP_*`: for each option, a signal's own variable beats the one for all signals.

use super::read::{Reader, excerpt, pairs};
use super::{Otlp, PerSignal};
use crate::courier::{Compression, Destination, Headers, Signal};
use std::path::PathBuf;

pub(super) fn read(read: &mut Reader<'_>) -> PerSignal<Otlp> {
    // The common variables are read once, so that a bad one is reported once.
    let base = endpoint(read, "OTEL_EXPORTER_OTLP_ENDPOINT");
    let common = options(read, "OTEL_EXPORTER_OTLP");
    let mut signal = |signal: Signal, prefix: &str| {
        let below = || {
            base.as_deref()
                .map(|base| Destination::below(base, signal).url)
        };
        let own = endpoint(read, &format!("{prefix}_ENDPOINT"));
        let options = options(read, prefix);
        Otlp {
            endpoint: own.map(|url| Destination::at(url).url).or_else(below),
            headers: options.headers.or_else(|| common.headers.clone()),
            timeout: options.timeout.or(common.timeout),
            compression: options.compression.or(common.compression),
            certificate: options.certificate.or_else(|| common.certificate.clone()),
        }
    };
    PerSignal {
        traces: signal(Signal::Traces, "OTEL_EXPORTER_OTLP_TRACES"),
        metrics: signal(Signal::Metrics, "OTEL_EXPORTER_OTLP_METRICS"),
        logs: signal(Signal::Logs, "OTEL_EXPORTER_OTLP_LOGS"),
    }
}

fn options(read: &mut Reader<'_>, prefix: &str) -> Otlp {
    protocol(read, &format!("{prefix}_PROTOCOL"));
    Otlp {
        endpoint: None,
        headers: headers(read, &format!("{prefix}_HEADERS")),
        timeout: read.timeout(&format!("{prefix}_TIMEOUT")),
        compression: read.choice(
            &format!("{prefix}_COMPRESSION"),
            &[("gzip", Compression::Gzip), ("none", Compression::None)],
        ),
        certificate: certificate(read, &format!("{prefix}_CERTIFICATE")),
    }
}

fn certificate(read: &mut Reader<'_>, variable: &str) -> Option<PathBuf> {
    let path = read.text(variable)?;
    if !cfg!(feature = "tls") {
        read.warn(
            variable,
            "without the feature `tls` there is nobody to trust; ignored",
        );
        return None;
    }
    Some(path.into())
}

/// Only `http/protobuf` is spoken; whoever asks for another is told.
fn protocol(read: &mut Reader<'_>, variable: &str) {
    if let Some(asked) = read.text(variable)
        && !asked.eq_ignore_ascii_case("http/protobuf")
    {
        read.warn(
            variable,
            format!(
                "`{}` is not supported; `http/protobuf` is used",
                excerpt(&asked)
            ),
        );
    }
}

fn endpoint(read: &mut Reader<'_>, variable: &str) -> Option<String> {
    let url = read.text(variable)?;
    let (scheme, rest) = url.split_once("://").unwrap_or(("", &url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let problem = if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        "not a URL beginning with `http://` or `https://`"
    } else if authority.is_empty() || authority.starts_with(':') {
        "a URL without a host"
    } else if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        "a URL with white space in it"
    } else {
        return Some(url);
    };
    // Not shown: a URL may hold a password.
    read.warn(variable, format!("{problem}; ignored"));
    None
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
        .map_err(|problem| read.warn(variable, format!("{problem}; no header is sent")))
        .ok()
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
