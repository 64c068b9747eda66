//! Why a request failed, read off an error whose type nobody here knows.
//!
//! Errors of clients are chains: hyper-util's over hyper's over h2's over the operating system's, and reqwest's around
//! them. `std::io::Error` is recognised by its kind. The others are recognised by what they say: their texts are
//! constants of their crates, and the tests compare them with the real crates. A dependency on each would be exact, and
//! would make what is emitted depend on features.

use obs_core::ErrorType;
use std::error::Error;
use std::fmt::{self, Write};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The place of each in the descriptor's list of errors.
const DNS: ErrorType = ErrorType::own(2);
const CONNECT: ErrorType = ErrorType::own(3);
const REFUSED: ErrorType = ErrorType::own(4);
const RESET: ErrorType = ErrorType::own(5);
const CLOSED: ErrorType = ErrorType::own(6);
const UNREACHABLE: ErrorType = ErrorType::own(7);
const TLS: ErrorType = ErrorType::own(8);
const STREAM_RESET: ErrorType = ErrorType::own(9);
const GOAWAY: ErrorType = ErrorType::own(10);
const PROTOCOL: ErrorType = ErrorType::own(11);
const REQUEST_BODY: ErrorType = ErrorType::own(12);

/// Chains are short; one that bites its tail must not hang the host.
const DEEPEST: usize = 16;

/// What the error is, if anything in its chain is known: the deepest says it most exactly.
#[cold]
pub(crate) fn of(error: &(dyn Error + 'static)) -> Option<ErrorType> {
    let mut found = None;
    let mut next = Some(error);
    for _ in 0..DEEPEST {
        let Some(error) = next else { break };
        let (this, inner) = match error.downcast_ref::<io::Error>() {
            // What it wraps is not its source, but has one.
            Some(io) => (of_io(io.kind()), io.get_ref().map(|inner| inner as _)),
            None => (None, None),
        };
        let this = this.or_else(|| said(error));
        // A name that cannot be resolved fails with whatever the resolver says.
        if this == Some(DNS) {
            return this;
        }
        found = this.or(found);
        next = inner.or_else(|| error.source());
    }
    found
}

fn of_io(kind: io::ErrorKind) -> Option<ErrorType> {
    use io::ErrorKind as Kind;
    Some(match kind {
        Kind::ConnectionRefused => REFUSED,
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => RESET,
        Kind::UnexpectedEof | Kind::NotConnected => CLOSED,
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => UNREACHABLE,
        Kind::TimedOut => ErrorType::TIMEOUT,
        _ => return None,
    })
}

/// How messages begin, and what that means. The first that fits.
const SAYINGS: &[(&str, ErrorType)] = &[
    // hyper-util
    ("dns error", DNS),
    ("tcp connect error", CONNECT),
    ("client error (Connect)", CONNECT),
    // tower, tokio, reqwest
    ("request timed out", ErrorType::TIMEOUT),
    ("deadline has elapsed", ErrorType::TIMEOUT),
    ("operation timed out", ErrorType::TIMEOUT),
    // h2
    ("stream error received: ", STREAM_RESET),
    ("stream error", PROTOCOL),
    ("stream closed because of a broken pipe", RESET),
    ("connection error received: ", GOAWAY),
    ("connection error detected: ", PROTOCOL),
    ("protocol error: ", PROTOCOL),
    // hyper
    ("connection closed before message completed", CLOSED),
    ("channel closed", CLOSED),
    ("operation was canceled", CLOSED),
    ("connection error", RESET),
    ("error from user's Body stream", REQUEST_BODY),
    ("user body write aborted", REQUEST_BODY),
    ("message head is too large", PROTOCOL),
    ("received unexpected message from connection", PROTOCOL),
    ("invalid HTTP ", PROTOCOL),
    ("invalid content-length parsed", PROTOCOL),
    ("invalid transfer-encoding parsed", PROTOCOL),
    ("unexpected transfer-encoding parsed", PROTOCOL),
    // rustls; h2 says only the text of an operating system's error
    ("invalid peer certificate", TLS),
    ("received fatal alert", TLS),
    ("received corrupt message", TLS),
    ("Connection reset", RESET),
    ("connection reset", RESET),
    ("Broken pipe", RESET),
    ("broken pipe", RESET),
];

fn said(error: &(dyn Error + 'static)) -> Option<ErrorType> {
    let mut text = Beginning {
        bytes: [0; 48],
        len: 0,
    };
    // It fails where the text is longer than what is looked at. An error that panics over its text is not ours to let
    // through: its host goes on with it as it would without us.
    let _ = catch_unwind(AssertUnwindSafe(|| write!(text, "{error}")));
    let text = text.as_bytes();
    let fits = SAYINGS
        .iter()
        .filter(|(saying, _)| text.starts_with(saying.as_bytes()));
    // The longest beginning is the one that is meant.
    fits.max_by_key(|(saying, _)| saying.len())
        .map(|(_, means)| *means)
}

/// The beginning of a text, without an allocation.
struct Beginning {
    bytes: [u8; 48],
    len: u8,
}

impl Beginning {
    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let at = usize::from(self.len);
        let taken = text.len().min(self.bytes.len() - at);
        self.bytes[at..at + taken].copy_from_slice(&text.as_bytes()[..taken]);
        self.len += taken as u8;
        if taken == text.len() {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}
