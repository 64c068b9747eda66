//! Beneath the HTTP exporters of `opentelemetry-otlp`: their requests, on our way (feature `http-client`).

mod cut;
mod walk;

use super::SignalCounts;
use super::source::warn_of_recorder;
use crate::courier::{Couriers, Signal};
use crate::encode::{BODY_LIMIT, Buffer};
use crate::engine::Engine;
use crate::fork::PerProcess;
use crate::setup::Telemetry;
use crate::sync::lock_std;
use cut::{Cut, cut};
use flate2::read::MultiGzDecoder;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use std::borrow::Cow;
use std::future::{Future, ready};
use std::io::Read;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

/// Takes the requests of `opentelemetry-otlp`'s HTTP exporters to the telemetry's destinations, for who keeps those exporters:
/// `SpanExporter::builder().with_http().with_http_client(telemetry.http_client())`.
///
/// The exporter is answered when its request is queued, not when it is delivered. So its own retry and timeout never come into
/// play, and what becomes of the request is in the telemetry's accounts.
///
/// | | with this client | with [`span_processor`](crate::Telemetry::span_processor) and its like |
/// |---|---|---|
/// | in the exporter's queue (`BatchSpanProcessor`) | bounded by the SDK in items, not in bytes; what it drops there is not counted here | there is no such queue |
/// | in a request | each span, record and point is counted, by reading its frame | counted where it is recorded |
/// | waiting for the destination | bounded in bytes, the oldest goes, counted | the same |
/// | the exporter's endpoint | only its path is read: `/v1/traces`, `/v1/metrics`, `/v1/logs`, or see [`for_signal`](Self::for_signal) | none |
/// | the exporter's headers, compression and timeout | not used: those of the telemetry's destination are | none |
/// | requests of more than 4 MiB, or a sixteenth of what the destination may hold | cut into several; an item of more than 4 MiB is dropped, counted, and told as a partial success | items are never more than a request has room for |
/// | protobuf, plain or gzip (up to 64 MiB unpacked) | taken | |
/// | JSON, zstd | refused with 415: destinations are sent protobuf | |
/// | what cannot be read | refused with 400; how many items were in it is unknown, so the request is counted ([`sdk_requests_refused`](crate::EngineCounts)) | |
/// | [redactors](crate::redact), [caps](crate::Builder::with_value_bytes) of texts | not asked, not applied: what comes is encoded already | each text is seen, and cut where a cap was set |
/// | after shutdown of the telemetry | refused with 410, counted by items | counted by items |
/// | more than the destination's queue holds | 507; counted there | counted there |
/// | shutdown of the provider | ends the SDK's queue only; [`Telemetry::flush`](crate::Telemetry::flush) says what is delivered | delivers, or says what is left |
/// | a suppressed context | the SDK's threads are in one; nothing of ours is recorded there | |
#[derive(Clone, Debug)]
pub struct CourierHttpClient {
    shared: Arc<Shared>,
    signal: Option<Signal>,
}

#[derive(Debug)]
struct Shared {
    engine: &'static Engine,
    couriers: Couriers,
    /// By [`Signal::index`].
    counted: PerProcess<Mutex<[SignalCounts; Signal::ALL.len()]>>,
}

impl CourierHttpClient {
    pub(super) fn new(telemetry: &Telemetry) -> Self {
        Self {
            shared: Arc::new(Shared {
                engine: telemetry.engine(),
                couriers: telemetry.couriers(),
                counted: PerProcess::default(),
            }),
            signal: None,
        }
    }

    /// The same for an exporter whose endpoint does not say which signal it is for.
    #[must_use]
    pub fn for_signal(&self, signal: Signal) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            signal: Some(signal),
        }
    }

    /// What became of the items of one signal that it was given. None of them waits here.
    pub fn counts(&self, signal: Signal) -> SignalCounts {
        let counted = lock_std(&self.shared.counted);
        counted.get(signal.index()).copied().unwrap_or_default()
    }

    fn take(&self, request: &Request<Bytes>) -> Answer {
        let Some(signal) = self.signal.or_else(|| signal_of(request.uri().path())) else {
            return Answer::refused(404, "the path is that of no signal: use `for_signal`");
        };
        if !self.shared.couriers.take(signal) {
            if signal == Signal::Traces && !self.shared.couriers.is_empty() {
                warn_of_recorder(self.shared.engine, "http_client");
            }
            return Answer::taken();
        }
        match body_of(request) {
            Ok(body) => self.shared.take(signal, &body),
            Err(refused) => refused,
        }
    }
}

impl Shared {
    fn take(&self, signal: Signal, body: &[u8]) -> Answer {
        let closed = self.engine.is_closed();
        let mut unheard = 0;
        let mut push = |body: &[u8], items: u64| {
            if !closed && !self.couriers.push(signal, body, items) {
                unheard += items;
            }
        };
        let limit = self.couriers.body_limit(BODY_LIMIT);
        let Ok(Cut { items, too_large }) = cut(signal, body, limit, BODY_LIMIT, &mut push) else {
            return Answer::refused(400, "this is not a request of OTLP");
        };
        let after_shutdown = if closed { items - too_large } else { 0 };
        self.count(
            signal,
            SignalCounts {
                created: items,
                handed_over: items - too_large - after_shutdown,
                too_large,
                after_shutdown,
                waiting: 0,
            },
        );
        if closed {
            return Answer::counted(410, "the telemetry is shut down");
        }
        if unheard > 0 {
            return Answer::counted(507, "a destination's queue has no room for it");
        }
        if too_large > 0 && too_large == items {
            return Answer::counted(413, "larger than a request may be");
        }
        Answer::partly(too_large)
    }

    fn count(&self, signal: Signal, now: SignalCounts) {
        self.engine.counts.of_sdk(signal).add(&now);
        if let Some(sum) = lock_std(&self.counted).get_mut(signal.index()) {
            sum.add(&now);
        }
    }
}

/// What `async_trait` makes of the trait, written out: a macro less to build.
impl HttpClient for CourierHttpClient {
    fn send_bytes<'life0, 'async_trait>(
        &'life0 self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        let answer = self.take(&request);
        if !answer.counted {
            self.shared.engine.counts.sdk_requests_refused.add(1);
        }
        Box::pin(ready(answer.response()))
    }
}

struct Answer {
    status: u16,
    body: Vec<u8>,
    /// Whether its items are counted, or there are none to count.
    counted: bool,
}

impl Answer {
    fn taken() -> Self {
        Self {
            status: 200,
            body: Vec::new(),
            counted: true,
        }
    }

    /// An `Export…Response`, which has its fields in one place for all signals.
    fn partly(rejected: u64) -> Self {
        const PARTIAL_SUCCESS: u8 = 1;
        const REJECTED: u8 = 1;
        const MESSAGE: u8 = 2;
        if rejected == 0 {
            return Self::taken();
        }
        let mut body = Buffer::new();
        body.nested::<1>(PARTIAL_SUCCESS, |into| {
            into.uint(REJECTED, rejected);
            into.text(MESSAGE, "larger than a request may be");
        });
        Self {
            body: body.as_slice().to_vec(),
            ..Self::taken()
        }
    }

    fn counted(status: u16, why: &str) -> Self {
        Self {
            status,
            body: why.into(),
            counted: true,
        }
    }

    fn refused(status: u16, why: &str) -> Self {
        Self {
            counted: false,
            ..Self::counted(status, why)
        }
    }

    fn response(self) -> Result<Response<Bytes>, HttpError> {
        let response = Response::builder().status(self.status);
        Ok(response.body(Bytes::from(self.body))?)
    }
}

fn signal_of(path: &str) -> Option<Signal> {
    let last = path.trim_end_matches('/').rsplit('/').next()?;
    Signal::ALL
        .into_iter()
        .find(|signal| signal.as_str() == last)
}

/// The protobuf of a request.
fn body_of(request: &Request<Bytes>) -> Result<Cow<'_, [u8]>, Answer> {
    let header = |name: &str| {
        let value = request.headers().get(name)?;
        Some(value.to_str().unwrap_or("?").trim())
    };
    let kind = header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    // Who says nothing means protobuf.
    if !kind.is_empty() && !kind.eq_ignore_ascii_case("application/x-protobuf") {
        return Err(Answer::refused(
            415,
            "destinations are sent protobuf: set the exporter's protocol to `http/protobuf`",
        ));
    }
    match header("content-encoding") {
        None | Some("" | "identity") => Ok(Cow::Borrowed(request.body())),
        Some(packed) if packed.eq_ignore_ascii_case("gzip") => {
            unpack(request.body()).map(Cow::Owned)
        }
        Some(_) => Err(Answer::refused(
            415,
            "only gzip is unpacked; compression is the destination's own setting",
        )),
    }
}

/// Not more than an exporter sends unpacked: what says otherwise is no telemetry.
fn unpack(packed: &[u8]) -> Result<Vec<u8>, Answer> {
    let mut body = Vec::new();
    let mut unpacking = MultiGzDecoder::new(packed).take(UNPACKED + 1);
    if unpacking.read_to_end(&mut body).is_err() {
        return Err(Answer::refused(400, "this is not gzip"));
    }
    if body.len() as u64 > UNPACKED {
        return Err(Answer::refused(413, "more than 64 MiB unpacked"));
    }
    Ok(body)
}

/// What `opentelemetry-otlp` sends at most, unless told otherwise.
const UNPACKED: u64 = 64 << 20;
