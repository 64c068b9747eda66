//! How a call failed, as far as genai's errors say it.

use crate::call::LlmCall;
use crate::descriptor::{BODY_ERROR, INCOMPLETE, SERVICE_ERROR};
use crate::wire::{Framing, Wire};
use genai::webc::{self, StreamTimeout};
use genai::{BoxError, Error};
use obs_core::{ErrorType, Outcome};

/// Ends a call with an error of genai's.
pub(super) fn end(call: &mut LlmCall, error: &Error, wire: Option<Wire>) {
    let outcome = match error {
        Error::WebStream { error, .. } => match error.downcast_ref::<Error>() {
            Some(error) => of_answer(call, error, wire),
            None => of_transport(error),
        },
        Error::WebModelCall { webc_error, .. } | Error::WebAdapterCall { webc_error, .. } => {
            match webc_error {
                webc::Error::Reqwest(error) => of_reqwest(error),
                webc::Error::ResponseFailedStatus { status, body, .. } => {
                    status_and_body(call, status.as_u16(), body, wire)
                }
                // An answer that is none of the format.
                _ => Outcome::failed(INCOMPLETE),
            }
        }
        error => of_answer(call, error, wire),
    };
    // What the answer itself said of it is more exact.
    match call.outcome() {
        told if told.is_error() => call.end_in_place(told),
        _ => call.end_in_place(outcome),
    }
}

fn of_answer(call: &mut LlmCall, error: &Error, wire: Option<Wire>) -> Outcome {
    match error {
        Error::HttpError { status, body, .. } => status_and_body(call, status.as_u16(), body, wire),
        Error::ChatResponse { body, .. } => {
            // genai shows what stands in it; the format has it under this name.
            if call.outcome() == Outcome::ANSWERED {
                read(call, &format!("{{\"error\":{body}}}"), wire);
            }
            Outcome::failed(ErrorType::OTHER)
        }
        Error::StreamParse { .. }
        | Error::ChatResponseGeneration { .. }
        | Error::NoChatResponse { .. }
        | Error::InvalidJsonResponseElement { .. }
        | Error::JsonValueExt(_)
        | Error::SerdeJson(_) => Outcome::failed(INCOMPLETE),
        // It was never sent: no key, no such model, nothing that this provider can be asked.
        _ => Outcome::failed(SERVICE_ERROR),
    }
}

fn status_and_body(call: &mut LlmCall, status: u16, body: &str, wire: Option<Wire>) -> Outcome {
    call.set_status(status);
    read(call, body, wire);
    call.outcome()
}

/// Reads an error in the provider's format. A page of a proxy's is none.
fn read(call: &mut LlmCall, body: &str, wire: Option<Wire>) {
    if let (Some(wire), true) = (wire, body.trim_ascii_start().starts_with(['{', '['])) {
        let mut scanner = call.scanner(wire, Framing::Json);
        call.read(&mut scanner, body.as_bytes());
        scanner.end(call);
    }
}

fn of_transport(error: &BoxError) -> Outcome {
    if error.is::<StreamTimeout>() {
        return Outcome::TIMED_OUT;
    }
    match error.downcast_ref::<reqwest::Error>() {
        Some(error) => of_reqwest(error),
        None => Outcome::failed(BODY_ERROR),
    }
}

fn of_reqwest(error: &reqwest::Error) -> Outcome {
    match error {
        error if error.is_timeout() => Outcome::TIMED_OUT,
        error if error.is_body() || error.is_decode() => Outcome::failed(BODY_ERROR),
        _ => Outcome::failed(SERVICE_ERROR),
    }
}
