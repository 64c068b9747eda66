//! What an answer means: OTLP specification, §"OTLP/gRPC Response".

use tonic::Code;
use tonic::metadata::MetadataMap;
use ureq::http::StatusCode;
use ureq::http::header::{self, HeaderMap, HeaderValue};

use super::PREFIX;
use super::exchange::Answer;
use crate::courier::Sent;
use crate::courier::http::answer::{self, RetryInfo};
use crate::courier::http::told;
use crate::propagation::percent;

/// `sent`: the metadata of the request.
pub(super) fn understood(answer: Answer, shown: &str, sent: &HeaderMap) -> Sent {
    let status = answer.trailers.as_ref().and_then(GrpcStatus::of);
    // An answer without a message has its status where the headers are.
    let Some(status) = status.or_else(|| GrpcStatus::of(&answer.headers)) else {
        return without_status(&answer, shown);
    };
    if status.code == Code::Ok {
        let partial = answer::partial_success(message(&answer.data));
        return Sent::Delivered {
            rejected: partial.rejected,
            message: { partial.message }.map(|said| told::without_headers(said, sent)),
        };
    }
    let mut why = format!("{shown}: gRPC {:?}", status.code);
    if !status.message.is_empty() {
        why.push_str(": ");
        why.push_str(&told::without_headers(status.message.clone(), sent));
    }
    let after = status.info.and_then(|info| info.delay);
    let passes = match status.code {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::Unavailable
        | Code::DataLoss => true,
        Code::OutOfRange => !is_size(&status.message),
        // Recovers only if the server says that it will.
        Code::ResourceExhausted => status.info.is_some(),
        _ => false,
    };
    if passes {
        Sent::Retry { after, why }
    } else {
        Sent::Refused { why }
    }
}

/// What servers of tonic's answer, with OUT_OF_RANGE, to a message that is larger than they take. OTLP lets that be tried
/// again, and it would be for good, with everything else standing behind it; servers of grpc-go answer RESOURCE_EXHAUSTED.
fn is_size(message: &str) -> bool {
    message.contains("message length too large")
}

/// Somebody in between, or nobody who speaks gRPC.
fn without_status(answer: &Answer, shown: &str) -> Sent {
    let status = answer.status;
    let why = format!("{shown}: HTTP {status} without a gRPC status");
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Sent::Retry {
            after: answer::retry_after(&answer.headers),
            why,
        },
        // Cut short on the way.
        StatusCode::OK if speaks_grpc(&answer.headers) => Sent::Retry { after: None, why },
        _ => Sent::Refused {
            why: format!("{why}; does it speak OTLP/gRPC?"),
        },
    }
}

fn speaks_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

struct GrpcStatus {
    code: Code,
    message: String,
    info: Option<RetryInfo>,
}

impl GrpcStatus {
    /// Not by `tonic::Status`: it panics at details that are no base64, and forgets the code over a message that is no UTF-8.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let code = headers.get("grpc-status")?.as_bytes();
        let message = headers.get("grpc-message").map(HeaderValue::as_bytes);
        let metadata = MetadataMap::from_headers(headers.clone());
        let details = metadata.get_bin("grpc-status-details-bin");
        let details = details.and_then(|encoded| encoded.to_bytes().ok());
        Some(Self {
            code: Code::from_bytes(code),
            // Whatever is there, as text: it is for people.
            message: String::from_utf8_lossy(&percent::decode_bytes(message.unwrap_or_default()))
                .into_owned(),
            info: details.and_then(|details| answer::retry_info(&details)),
        })
    }
}

/// The first message, or its beginning where it is long. We did not say that we read compressed ones.
fn message(data: &[u8]) -> &[u8] {
    let Some((&[0, a, b, c, d], rest)) = data.split_first_chunk::<PREFIX>() else {
        return &[];
    };
    usize::try_from(u32::from_be_bytes([a, b, c, d]))
        .ok()
        .and_then(|length| rest.get(..length.min(rest.len())))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use proptest::prelude::*;

    fn answer(status: u16, headers: &[(&'static str, &[u8])], data: &[u8]) -> Answer {
        let headers = headers.iter().map(|(name, value)| {
            let value = HeaderValue::from_bytes(value).expect("a value");
            (header::HeaderName::from_static(name), value)
        });
        Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            headers: headers.collect(),
            data: data.to_vec(),
            trailers: None,
        }
    }

    #[test]
    fn what_is_broken_in_a_status_leaves_the_rest_of_it() {
        let broken: &[(&str, &[u8])] = &[
            ("grpc-status", b"14"),
            ("grpc-message", b"later%20%e2%9c %zz%"),
            ("grpc-status-details-bin", b"!"),
        ];
        let sent = understood(answer(200, broken, b""), "here", &HeaderMap::new());
        let expect = Sent::Retry {
            after: None,
            why: "here: gRPC Unavailable: later \u{fffd} %zz%".into(),
        };
        assert_eq!(sent, expect);
    }

    #[test]
    fn somebody_in_between_without_a_status() {
        let check = |status, kind: &[u8], passes| {
            let sent = understood(
                answer(status, &[("content-type", kind)], b""),
                "here",
                &HeaderMap::new(),
            );
            assert_eq!(matches!(sent, Sent::Retry { .. }), passes, "{sent:?}");
        };
        for status in [429, 502, 503, 504] {
            check(status, b"text/html", true);
        }
        for status in [301, 400, 401, 403, 404, 500] {
            check(status, b"text/html", false);
        }
        check(200, b"text/html", false);
        check(200, b"application/grpc+proto", true);
        let busy: &[(&str, &[u8])] = &[("retry-after", b"7")];
        let Sent::Retry { after, .. } =
            understood(answer(503, busy, b""), "here", &HeaderMap::new())
        else {
            panic!("503 passes")
        };
        assert_eq!(after, Some(Duration::from_secs(7)));
    }

    proptest! {
        #[test]
        fn any_answer_is_survived(
            status in 200u16..600,
            code in proptest::collection::vec(32u8..127, 0..4),
            text in proptest::collection::vec(32u8..255, 0..20),
            details in proptest::collection::vec(32u8..127, 0..60),
            data in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            prop_assume!(!text.contains(&127));
            let headers: &[(&str, &[u8])] = &[
                ("grpc-status", &code),
                ("grpc-message", &text),
                ("grpc-status-details-bin", &details),
            ];
            understood(answer(status, headers, &data), "here", &HeaderMap::new());
            understood(answer(status, &[("grpc-status", b"0")], &data), "here", &HeaderMap::new());
        }
    }
}
