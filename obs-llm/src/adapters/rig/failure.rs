//! How a call failed, as far as rig's errors say it.

use crate::call::LlmCall;
use crate::descriptor::{BODY_ERROR, INCOMPLETE, SERVICE_ERROR};
use crate::wire::{Framing, ResponseSink, Wire};
use obs_core::{ErrorType, Outcome};
use rig_core::error::ProviderError;
use rig_core::http_client;
use std::error::Error;

/// Ends a call with an error of rig's, after so much of an answer.
pub(super) fn end(call: &mut LlmCall, error: &ProviderError, wire: Option<Wire>, began: bool) {
    let outcome = match error {
        ProviderError::Http(error) => match &**error {
            http_client::Error::InvalidStatusCodeWithDetails { status, body, .. } => {
                call.set_status(status.as_u16());
                read(call, body, wire);
                call.outcome()
            }
            http_client::Error::InvalidContentType(_) => Outcome::failed(INCOMPLETE),
            error if is_timeout(error) => Outcome::TIMED_OUT,
            _ if began => Outcome::failed(BODY_ERROR),
            _ => Outcome::failed(SERVICE_ERROR),
        },
        ProviderError::ProviderResponse(_)
        | ProviderError::InvalidAuthentication(_)
        | ProviderError::CacheExpired { .. }
        | ProviderError::Relayed(_) => {
            if let Some(response) = error.provider_response() {
                if let Some(status) = response.status {
                    call.set_status(status.as_u16());
                }
                read(call, &response.body, wire);
                if let Some(code) = &response.code {
                    call.error(code);
                }
            }
            Outcome::failed(ErrorType::OTHER)
        }
        ProviderError::Json(_)
        | ProviderError::Response(_)
        | ProviderError::MismatchedDimensions { .. }
        | ProviderError::Truncated => Outcome::failed(INCOMPLETE),
        ProviderError::Url(_) | ProviderError::Request(_) | ProviderError::UnsupportedOption(_) => {
            Outcome::failed(SERVICE_ERROR)
        }
        _ => Outcome::failed(ErrorType::OTHER),
    };
    // What the answer itself said of it is more exact.
    match call.outcome() {
        told if told.is_error() => call.end_in_place(told),
        _ => call.end_in_place(outcome),
    }
}

/// Reads an error in the provider's format. A page of a proxy's is none.
fn read(call: &mut LlmCall, body: &str, wire: Option<Wire>) {
    if let (Some(wire), true) = (wire, body.trim_ascii_start().starts_with(['{', '['])) {
        let mut scanner = call.scanner(wire, Framing::Json);
        call.read(&mut scanner, body.as_bytes());
        scanner.end(call);
    }
}

/// Whoever sends says it in a way of its own: as the system does, or in words, which are asked for where it failed already.
fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    const WORDS: [&str; 3] = [
        "operation timed out",
        "request timed out",
        "deadline has elapsed",
    ];
    let mut error = Some(error);
    while let Some(cause) = error {
        let of_system = cause.downcast_ref::<std::io::Error>();
        if of_system.is_some_and(|cause| cause.kind() == std::io::ErrorKind::TimedOut)
            || WORDS.contains(&cause.to_string().as_str())
        {
            return true;
        }
        error = cause.source();
    }
    false
}
