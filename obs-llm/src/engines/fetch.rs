//! Gets one page, within a deadline, and reads it as it comes.

use super::page::{Counts, PageReader, Sample};
use std::io::{ErrorKind, Read};
use std::time::Duration;
use ureq::Agent;
use ureq::http::header::{self, HeaderMap, HeaderValue};
use ureq::http::{Request, StatusCode, Uri};

/// Why a page was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Failure {
    /// Nobody answered in time, or not to the end.
    Timeout,
    /// There was no connection, or it broke before the end.
    Connection,
    /// An answer of another status than 200; a redirect, which is not followed, is one.
    Status(StatusCode),
    /// The answer is no text of either format.
    ContentType,
    /// It is compressed, although nobody asked for that.
    Encoding,
    /// It is longer than a page may be.
    TooLarge,
    /// It has more samples than are read.
    TooMany,
    /// It breaks off.
    CutOff,
    /// Something that is no HTTP.
    Protocol,
}

impl Failure {
    /// A word of a closed set, or the number of a status, as `error.type` has it.
    pub(crate) fn error_type(&self) -> &str {
        match self {
            Self::Timeout => "timeout",
            Self::Connection => "connection_error",
            Self::Status(status) => status.as_str(),
            Self::ContentType => "unexpected_content_type",
            Self::Encoding => "unexpected_encoding",
            Self::TooLarge => "page_too_large",
            Self::TooMany => "too_many_samples",
            Self::CutOff => "page_cut_off",
            Self::Protocol => "protocol_error",
        }
    }
}

/// A client for pages: one connection for each, so that a server that began anew is met anew, and a forked child uses none of its
/// parent's. It goes by no proxy and follows no redirect, which could lead the credentials of one host to another.
pub(crate) fn client() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .max_idle_connections(0)
        .max_response_header_size(64 << 10)
        .user_agent(concat!("obs-llm/", env!("CARGO_PKG_VERSION")))
        .accept("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4")
        .build()
        .into()
}

const OPEN_METRICS: &str = "application/openmetrics-text";

/// Reads a page, and gives each sample on. What was given on of one that fails is not to be used: half a page has half of
/// sums.
pub(crate) fn page(
    agent: &Agent,
    uri: &Uri,
    headers: &HeaderMap,
    (deadline, most): (Duration, u64),
    sample: &mut dyn FnMut(Sample<'_>),
) -> Result<Counts, Failure> {
    let mut request = Request::get(uri.clone());
    if let Some(of_request) = request.headers_mut() {
        of_request.clone_from(headers);
    }
    let request = request.body(()).map_err(|_| Failure::Protocol)?;
    let request = agent
        .configure_request(request)
        .timeout_global(Some(deadline));
    let mut answer = agent
        .run(request.build())
        .map_err(|error| failure(&error))?;
    if answer.status() != StatusCode::OK {
        return Err(Failure::Status(answer.status()));
    }
    let headers = answer.headers();
    if headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|coding| coding != "identity")
    {
        return Err(Failure::Encoding);
    }
    let open_metrics = match headers.get(header::CONTENT_TYPE) {
        // Prometheus took such a page for text for ten years.
        None => false,
        Some(kind) => is_open_metrics(kind)?,
    };
    if answer
        .body()
        .content_length()
        .is_some_and(|length| length > most)
    {
        return Err(Failure::TooLarge);
    }
    let mut reader = PageReader::new();
    let mut body = answer.body_mut().as_reader();
    let mut piece = [0; 16 << 10];
    let mut read = 0;
    loop {
        let many = match body.read(&mut piece) {
            Ok(0) => break,
            Ok(many) => many,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(Failure::CutOff),
            Err(error) => return Err(failure(&ureq::Error::from(error))),
        };
        read += many as u64;
        if read > most {
            return Err(Failure::TooLarge);
        }
        reader.feed(&piece[..many], sample);
    }
    let counts = reader.counts();
    // Where no length is said, this is all that tells an end from a connection that is gone.
    if !counts.whole_lines || open_metrics && !counts.eof {
        return Err(Failure::CutOff);
    }
    Ok(counts)
}

fn is_open_metrics(kind: &HeaderValue) -> Result<bool, Failure> {
    let kind = kind.to_str().map_err(|_| Failure::ContentType)?;
    let media = kind.split(';').next().unwrap_or_default().trim();
    if media.eq_ignore_ascii_case(OPEN_METRICS) {
        Ok(true)
    } else if media.eq_ignore_ascii_case("text/plain") {
        Ok(false)
    } else {
        Err(Failure::ContentType)
    }
}

fn failure(error: &ureq::Error) -> Failure {
    match error {
        ureq::Error::Timeout(_) => Failure::Timeout,
        ureq::Error::Io(error) if error.kind() == ErrorKind::TimedOut => Failure::Timeout,
        ureq::Error::Io(error) if error.kind() == ErrorKind::InvalidData => Failure::Protocol,
        ureq::Error::Io(_) | ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => {
            Failure::Connection
        }
        _ => Failure::Protocol,
    }
}
