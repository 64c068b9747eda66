//! R8 and R9: requests that nobody waits for, and code that panics around ours.

use std::{
    any::Any,
    convert::Infallible,
    future::Future,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Empty;
use obs_core::{
    Builder, Delivery, Telemetry,
    courier::Destinations,
    metrics::{Data, Temporality},
    setup::environment::Environment,
};
use obs_http::HttpServerLayer;
use opentelemetry_proto::tonic::{common::v1::any_value::Value, trace::v1::Span};
use tower_layer::Layer;
use tower_service::Service;

use crate::chaos::{Pace, receiver::Receiver, row::Row};

const DURATION: &str = "http.server.request.duration";
const ACTIVE: &str = "http.server.active_requests";
const PATIENCE: Duration = Duration::from_secs(60);

/// A telemetry with its threads that exports there.
pub(super) fn exporting(endpoint: &str) -> Builder {
    let destinations = Destinations::below(endpoint);
    Telemetry::builder()
        .with_environment(Environment::default())
        .with_service_name("chaos")
        .with_delivery(Delivery::otlp(destinations))
        .with_collect_interval(Duration::from_millis(1))
}

/// Text of an attribute of a span.
pub(super) fn text<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    let attribute = span
        .attributes
        .iter()
        .find(|attribute| attribute.key == key)?;
    match &attribute.value.as_ref()?.value {
        Some(Value::StringValue(text)) => Some(text),
        _ => None,
    }
}

/// Values of the duration of requests that ended like this, and how many are in flight.
pub(super) fn durations(telemetry: &Telemetry, error: &str) -> (u64, f64) {
    let (mut count, mut active) = (0, 0.0);
    for metric in telemetry.reader(Temporality::Cumulative).collect() {
        match &metric.data {
            Data::Histogram { points, .. } if metric.name == DURATION => {
                let ended =
                    |attributes: &[(std::borrow::Cow<'static, str>, obs_core::LabelValue)]| {
                        attributes
                            .iter()
                            .any(|(key, value)| key == "error.type" && value.to_text() == error)
                    };
                let like_this = points.iter().filter(|point| ended(&point.attributes));
                count += like_this.map(|point| point.count).sum::<u64>();
            }
            Data::Sum { points, .. } if metric.name == ACTIVE => {
                active += points.iter().map(|point| point.value.as_f64()).sum::<f64>();
            }
            _ => {}
        }
    }
    (count, active)
}

/// 100,000 futures and bodies dropped, each after a random number of polls before its end.
pub(super) fn dropped(_: Pace) -> io::Result<Vec<Row>> {
    const EXCHANGES: u64 = 100_000;
    const THREADS: u64 = 2;
    let cancelled = Arc::new(AtomicU64::new(0));
    let others = Arc::new(AtomicU64::new(0));
    let receiver = Receiver::showing({
        let (cancelled, others) = (cancelled.clone(), others.clone());
        move |_, payload| {
            for span in payload.spans() {
                let as_meant = text(span, "error.type") == Some("cancelled");
                let of = if as_meant { &cancelled } else { &others };
                of.fetch_add(1, Ordering::Relaxed);
            }
        }
    })?;
    let telemetry = exporting(&receiver.endpoint())
        .build()
        .map_err(io::Error::other)?;
    let (futures, bodies) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for seed in 1..=THREADS {
            let (futures, bodies) = (&futures, &bodies);
            scope.spawn(move || {
                let service = HttpServerLayer::new(&telemetry).layer(Slow);
                let mut random = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
                for made in 0..EXCHANGES / THREADS {
                    let in_body = drop_one(&service, &mut random);
                    if in_body { bodies } else { futures }.fetch_add(1, Ordering::Relaxed);
                    // A thread's ring holds 256: it is emptied often enough for all of them to be seen.
                    while made % 32 == 0
                        && futures.load(Ordering::Relaxed) + bodies.load(Ordering::Relaxed)
                            > telemetry.counts().collected + 128
                    {
                        thread::sleep(Duration::from_micros(100));
                    }
                }
            });
        }
    });
    telemetry.shutdown(PATIENCE).map_err(io::Error::other)?;
    let (points, active) = durations(&telemetry, "cancelled");
    let mut row = Row::new(
        "R8",
        format!(
            "{EXCHANGES} exchanges dropped at random points on {THREADS} threads, spans and all exported"
        ),
    );
    let (futures, bodies) = (futures.into_inner(), bodies.into_inner());
    let (cancelled, others) = (
        cancelled.load(Ordering::Relaxed),
        others.load(Ordering::Relaxed),
    );
    row.put("dropped futures", futures as f64, "")
        .put("dropped bodies", bodies as f64, "")
        .put("in flight", active, "")
        .put("durations missing", EXCHANGES.abs_diff(points) as f64, "")
        .put(
            "spans missing",
            EXCHANGES.abs_diff(cancelled + others) as f64,
            "",
        )
        .put("not cancelled", others as f64, "");
    Ok(vec![row])
}

/// Drives one exchange for a while; whether it came as far as its body.
fn drop_one<S, B>(service: &S, random: &mut Random) -> bool
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error = Infallible> + Clone,
    B: Body<Data = Bytes>,
{
    let mut context = Context::from_waker(Waker::noop());
    let mut service = service.clone();
    assert!(service.poll_ready(&mut context).is_ready());
    // Of STEPS polls until the head and as many frames, never all.
    let mut polls = random.below(2 * STEPS);
    let mut future = pin!(service.call(Request::new(Empty::new())));
    let response = loop {
        let Some(left) = polls.checked_sub(1) else {
            return false;
        };
        polls = left;
        if let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut context) {
            break response;
        }
    };
    let mut body = pin!(response.into_body());
    for _ in 0..polls {
        assert!(matches!(
            body.as_mut().poll_frame(&mut context),
            Poll::Ready(Some(Ok(_)))
        ));
    }
    true
}

const STEPS: u64 = 5;

/// Answers at its fifth poll, with a body of five frames and an end of its own.
#[derive(Clone, Copy, Debug)]
struct Slow;

impl<B> Service<Request<B>> for Slow {
    type Response = Response<Left>;
    type Error = Infallible;
    type Future = Left;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Left {
        Left(STEPS)
    }
}

/// Polls until the head, or frames until the end.
#[derive(Debug)]
struct Left(u64);

impl Future for Left {
    type Output = Result<Response<Self>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        self.0 -= 1;
        match self.0 {
            0 => Poll::Ready(Ok(Response::new(Self(STEPS)))),
            _ => Poll::Pending,
        }
    }
}

impl Body for Left {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.checked_sub(1).map(|left| {
            self.0 = left;
            Ok(Frame::data(Bytes::from_static(b"frame")))
        }))
    }
}

/// A sequence that is the same in each run.
#[derive(Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// What a panic said; nothing where there was none.
pub(super) fn said<R>(work: impl FnOnce() -> R) -> Option<String> {
    let payload: Box<dyn Any + Send> = catch_unwind(AssertUnwindSafe(work)).err()?;
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
}
