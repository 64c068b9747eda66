//! One request and its answer, as HTTP/2 has them.

use std::error::Error as StdError;
use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::transport::Channel;
use ureq::http::header::{HeaderMap, HeaderValue};
use ureq::http::uri::PathAndQuery;
use ureq::http::{Request, StatusCode, Uri};

#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) path: &'a PathAndQuery,
    pub(super) headers: &'a HeaderMap,
    /// With its prefix.
    pub(super) message: Bytes,
}

/// What came back before the stream ended.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Messages with their prefixes, the beginning of them.
    pub(super) data: Vec<u8>,
    /// Where the gRPC status is, unless there is nothing but headers.
    pub(super) trailers: Option<HeaderMap>,
}

type BoxError = Box<dyn StdError + Send + Sync>;

pub(super) async fn exchange(
    channel: &mut Channel,
    call: &Call<'_>,
    left: Duration,
) -> Result<Answer, BoxError> {
    let mut request = Request::new(Body::new(Full::new(call.message.clone())));
    *request.method_mut() = ureq::http::Method::POST;
    *request.uri_mut() = Uri::from(call.path.clone());
    request.headers_mut().clone_from(call.headers);
    if let Some(timeout) = timeout(left) {
        request.headers_mut().insert("grpc-timeout", timeout);
    }
    poll_fn(|cx| GrpcService::<Body>::poll_ready(channel, cx)).await?;
    let response = GrpcService::<Body>::call(channel, request).await?;
    let (head, mut body) = response.into_parts();
    let mut answer = Answer {
        status: head.status,
        headers: head.headers,
        data: Vec::new(),
        trailers: None,
    };
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            // Read to its end even if it is not kept: the trailers come last.
            Ok(data) => {
                let room = MAX_ANSWER_BYTES.saturating_sub(answer.data.len());
                answer.data.extend(data.iter().take(room));
            }
            Err(frame) => answer.trailers = frame.into_trailers().ok(),
        }
    }
    Ok(answer)
}

/// OTLP answers are a few bytes.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// `grpc-timeout`: at most eight digits and a unit. What does not fit is as good as none.
fn timeout(left: Duration) -> Option<HeaderValue> {
    let (number, unit) = match left.as_millis() {
        millis @ 0..100_000_000 => (millis, "m"),
        millis => (millis / 1_000, "S"),
    };
    let fits = number < 100_000_000;
    fits.then(|| HeaderValue::try_from(format!("{number}{unit}")).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_timeout(left: Duration, expect: Option<&str>) {
        let timeout = timeout(left);
        let shown = timeout.as_ref().and_then(|value| value.to_str().ok());
        assert_eq!(shown, expect);
    }

    #[test]
    fn a_timeout_has_eight_digits_at_most() {
        check_timeout(Duration::from_millis(1_500), Some("1500m"));
        check_timeout(Duration::from_micros(999), Some("0m"));
        check_timeout(Duration::from_millis(99_999_999), Some("99999999m"));
        check_timeout(Duration::from_secs(100_000), Some("100000S"));
        check_timeout(Duration::from_secs(100_000_000), None);
        check_timeout(Duration::MAX, None);
    }
}
