//! The layer: what it lets through, what it answers, and that every request is in flight for as long as it is, whatever its end.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{Empty, Full};
use obs_core::otel::trace::SpanKind;
use obs_core::{Descriptor, Scope, StatsLevel};
use obs_gpu::GateState::{Draining as Drains, Isolated, Serving};
use obs_gpu::{
    DeviceId, Draining, Event, GpuGate, GpuGateLayer, GpuGateSet, GpuHealth, GpuRefused,
    HealthSettings,
};
use obs_testing::endings::{Scripted, ScriptedBody, ScriptedError};
use obs_testing::{Capture, Endings};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use tower_layer::Layer;
use tower_service::Service;

#[global_allocator]
static ALLOCATED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

static SCOPE: Scope = Scope {
    name: "test",
    version: "1",
    schema_url: "",
};

/// Nothing is recorded by a gate: this names what is not there.
static NOTHING: Descriptor = Descriptor {
    name: "nothing",
    span_kind: SpanKind::Server,
    scope: &SCOPE,
    labels: &[],
    method: None,
    errors: &[],
    duration: None,
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: None,
    span_name: |_, name| name.push_str("nothing"),
};

/// Devices with their gates.
struct Gpus {
    capture: Capture,
    health: GpuHealth,
}

impl Gpus {
    fn new() -> Self {
        let capture = Capture::builder().with_level(StatsLevel::Disabled).build();
        let health = GpuHealth::new(capture.telemetry(), HealthSettings::new());
        Self { capture, health }
    }

    fn gate(&self, name: &str) -> GpuGate {
        self.health.gate(&DeviceId::new(name))
    }

    fn xid(&self, name: &str, code: u64) {
        let (gpu_instance, now) = (None, self.capture.telemetry().now());
        let event = Event::Xid { code, gpu_instance };
        self.health.event(&DeviceId::new(name), event, now);
    }
}

/// Looks at a gate while the service within is asked.
#[derive(Clone, Debug)]
struct Watching<S>(S, GpuGate);

impl<S: Service<R>, R> Service<R> for Watching<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        assert_eq!(self.1.in_flight(), 1, "its request is in flight");
        self.0.call(request)
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[test]
fn whatever_the_end_nothing_is_left_in_flight_and_the_service_is_as_without() {
    let gpus = Gpus::new();
    let gate = gpus.gate("GPU-0");
    let nobody = |_: GpuRefused| Ok::<_, ScriptedError>(Response::new(ScriptedBody::empty()));
    let layer = GpuGateLayer::new([gate.clone()])
        .until_body_ends()
        .with_answer(nobody);
    Endings::of(&NOTHING).check_untouched(&gpus.capture, |inner: Scripted| {
        assert_eq!(gate.in_flight(), 0);
        layer.layer(Watching(inner, gate.clone()))
    });
    assert_eq!(gate.in_flight(), 0);
    let layer = GpuGateLayer::new([gate.clone()]).with_answer(nobody);
    Endings::of(&NOTHING).check_untouched(&gpus.capture, |inner: Scripted| {
        assert_eq!(gate.in_flight(), 0);
        layer.layer(Watching(inner, gate.clone()))
    });
    assert_eq!(gate.in_flight(), 0);
}

/// Answers at once, with what it is made with.
#[derive(Clone, Debug)]
struct Answers<B>(B);

impl<R, B: Clone> Service<R> for Answers<B> {
    type Response = Response<B>;
    type Error = Infallible;
    type Future = Ready<Result<Response<B>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: R) -> Self::Future {
        ready(Ok(Response::new(self.0.clone())))
    }
}

fn full(text: &'static str) -> Full<Bytes> {
    Full::new(Bytes::from_static(text.as_bytes()))
}

fn unavailable(refused: GpuRefused) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut answer = Response::new(Full::new(refused.to_string().into()));
    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    Ok(answer)
}

/// What a service answers that is ready and answers at once.
fn ask<S: Service<R>, R>(service: &mut S, request: R) -> Result<S::Response, S::Error> {
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(
        service.poll_ready(&mut context),
        Poll::Ready(Ok(()))
    ));
    match pin!(service.call(request)).poll(&mut context) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it answers at once"),
    }
}

fn text<B: Body<Data = Bytes>>(body: B) -> String {
    let mut text = String::new();
    let mut body = pin!(body);
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut context) {
        let data = frame.into_data().unwrap_or_default();
        text.push_str(std::str::from_utf8(&data).expect("text"));
    }
    text
}

#[test]
fn a_request_is_answered_by_the_service_or_for_it() {
    let gpus = Gpus::new();
    let layer = GpuGateLayer::new([gpus.gate("GPU-0")])
        .with_answer(unavailable)
        .until_body_ends();
    let mut service = layer.layer(Answers(full("tokens")));
    let answer = ask(&mut service, Request::new(())).expect("infallible");
    assert_eq!(
        (answer.status(), text(answer.into_body())),
        (StatusCode::OK, "tokens".into())
    );
    gpus.xid("GPU-0", 48);
    let answer = ask(&mut service, Request::new(())).expect("infallible");
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        text(answer.into_body()),
        "GPU-0 is draining: XID 48 (double bit error)"
    );
    gpus.xid("GPU-0", 79);
    let answer = ask(&mut service, Request::new(())).expect("infallible");
    assert_eq!(
        text(answer.into_body()),
        "GPU-0 is isolated: XID 79 (fallen off the bus)"
    );
    gpus.health
        .clear(&DeviceId::new("GPU-0"), gpus.capture.telemetry().now());
    let answer = ask(&mut service, Request::new(())).expect("infallible");
    assert_eq!(answer.status(), StatusCode::OK);
    // The body of an answer that was refused holds no pass, that of this one does.
    let gate = gpus.gate("GPU-0");
    assert_eq!(gate.in_flight(), 1);
    drop(answer);
    assert_eq!(gate.in_flight(), 0);
}

#[test]
fn without_an_answer_the_error_says_it() {
    #[derive(Debug)]
    struct Fails;
    impl Service<()> for Fails {
        type Response = ();
        type Error = BoxError;
        type Future = Ready<Result<(), BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, (): ()) -> Self::Future {
            ready(Err("its own".into()))
        }
    }
    let gpus = Gpus::new();
    let mut service = GpuGateLayer::new([gpus.gate("GPU-0")]).layer(Fails);
    assert_eq!(
        ask(&mut service, ()).expect_err("it fails").to_string(),
        "its own"
    );
    gpus.gate("GPU-0").hold(Isolated, "burns");
    let error = ask(&mut service, ()).expect_err("it is refused");
    let refused: &GpuRefused = error.downcast_ref().expect("the refusal itself");
    assert_eq!((refused.gate(), refused.held()), (Isolated, Some("burns")));
}

#[test]
fn while_it_drains_new_requests_go_as_the_service_says() {
    for (draining, expected) in [
        (Draining::Refuse, StatusCode::SERVICE_UNAVAILABLE),
        (Draining::Pass, StatusCode::OK),
    ] {
        let gpus = Gpus::new();
        let layer = GpuGateLayer::new([gpus.gate("GPU-0")])
            .with_draining(draining)
            .with_answer(unavailable);
        let mut service = layer.layer(Answers(full("")));
        gpus.xid("GPU-0", 48);
        assert_eq!(
            ask(&mut service, ()).expect("infallible").status(),
            expected
        );
        gpus.xid("GPU-0", 79);
        let answer = ask(&mut service, ()).expect("infallible");
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}

#[test]
fn a_request_says_which_devices_it_takes() {
    let gpus = Gpus::new();
    let sets: [GpuGateSet; 2] = [
        gpus.gate("GPU-0").into(),
        GpuGateSet::new([gpus.gate("GPU-1"), gpus.gate("GPU-2")]),
    ];
    let layer = GpuGateLayer::by(move |request: &Request<()>| match request.uri().path() {
        "/small" => Some(sets[0].clone()),
        "/large" => Some(sets[1].clone()),
        _ => None,
    })
    .with_answer(unavailable);
    let mut service = layer.layer(Answers(full("")));
    let mut status = |path: &'static str| {
        let request = Request::builder().uri(path).body(()).expect("a request");
        ask(&mut service, request)
            .expect("infallible")
            .status()
            .as_u16()
    };
    assert_eq!(
        ["/small", "/large", "/health"].map(&mut status),
        [200, 200, 200]
    );
    gpus.xid("GPU-2", 79);
    assert_eq!(
        ["/small", "/large", "/health"].map(&mut status),
        [200, 503, 200]
    );
    gpus.xid("GPU-0", 79);
    assert_eq!(
        ["/small", "/large", "/health"].map(&mut status),
        [503, 503, 200]
    );
    let gates = ["GPU-0", "GPU-1", "GPU-2"].map(|name| gpus.gate(name));
    assert_eq!(gates.map(|gate| gate.in_flight()), [0, 0, 0]);
}

/// Is ready when it is told to be, and counts calls.
#[derive(Clone, Debug, Default)]
struct Busy {
    ready: Rc<Cell<Option<Result<(), ()>>>>,
    polls: Rc<Cell<u32>>,
    calls: Rc<Cell<u32>>,
}

impl Service<()> for Busy {
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = Ready<Result<Response<Full<Bytes>>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.polls.set(self.polls.get() + 1);
        match self.ready.get() {
            None => Poll::Pending,
            Some(ready) => Poll::Ready(ready.map_err(|()| "closed".into())),
        }
    }

    fn call(&mut self, (): ()) -> Self::Future {
        self.calls.set(self.calls.get() + 1);
        ready(Ok(Response::new(full(""))))
    }
}

#[test]
fn it_is_ready_when_the_service_within_is_whatever_the_gate_says() {
    let gpus = Gpus::new();
    let busy = Busy::default();
    let mut service = GpuGateLayer::new([gpus.gate("GPU-0")]).layer(busy.clone());
    let mut context = Context::from_waker(Waker::noop());
    for code in [None, Some(48), Some(79)] {
        code.inspect(|code| gpus.xid("GPU-0", *code));
        busy.ready.set(None);
        assert!(service.poll_ready(&mut context).is_pending());
        busy.ready.set(Some(Ok(())));
        assert!(matches!(
            service.poll_ready(&mut context),
            Poll::Ready(Ok(()))
        ));
        busy.ready.set(Some(Err(())));
        let Poll::Ready(Err(error)) = service.poll_ready(&mut context) else {
            panic!("the service within is closed");
        };
        assert_eq!(error.to_string(), "closed");
    }
    // One that is refused does not reach it, and takes nothing from what it was ready for.
    busy.ready.set(Some(Ok(())));
    assert!(ask(&mut service, ()).is_err());
    assert_eq!((busy.calls.get(), busy.polls.get()), (0, 10));
    let refused = gpus
        .capture
        .points()
        .sum_by("obs.gpu.gate.refusals", "obs.gpu.gate.state");
    assert_eq!(refused.get("isolated"), Some(&1.0));
    assert_eq!(service.get_ref().calls.get(), 0);
    service.get_mut().calls.set(7);
    assert_eq!(service.into_inner().calls.get(), 7);
}

#[test]
fn a_service_is_cloned_for_each_request_and_they_count_together() {
    let gpus = Gpus::new();
    let layer = GpuGateLayer::new([gpus.gate("GPU-0")])
        .until_body_ends()
        .with_answer(unavailable);
    let service = layer.layer(Answers(full("x")));
    let answers: Vec<_> = (0..5).map(|_| ask(&mut service.clone(), ())).collect();
    assert_eq!(gpus.gate("GPU-0").in_flight(), 5);
    drop(answers);
    assert_eq!(gpus.gate("GPU-0").in_flight(), 0);
}

#[test]
fn a_body_that_has_ended_or_failed_is_in_flight_no_longer_whoever_holds_it() {
    /// Says one frame after the other.
    #[derive(Clone, Debug)]
    struct Frames(&'static [Result<&'static str, &'static str>]);
    impl Body for Frames {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
            let Some((first, rest)) = self.0.split_first() else {
                return Poll::Ready(None);
            };
            self.0 = rest;
            Poll::Ready(Some(first.map(|text| Frame::data(text.into()))))
        }
    }
    let gpus = Gpus::new();
    let gate = gpus.gate("GPU-0");
    let none = |_: GpuRefused| Ok(Response::new(Frames(&[])));
    let layer = GpuGateLayer::new([gate.clone()])
        .until_body_ends()
        .with_answer(none);
    let in_flight = |frames: &'static [_]| {
        let answer = ask(&mut layer.layer(Answers(Frames(frames))), ());
        let mut body = pin!(answer.expect("infallible").into_body());
        let mut context = Context::from_waker(Waker::noop());
        let after = |_: &_| {
            let _ = body.as_mut().poll_frame(&mut context);
            gate.in_flight()
        };
        [0; 3].iter().map(after).collect::<Vec<_>>()
    };
    assert_eq!(in_flight(&[Ok("a"), Ok("b")]), [1, 1, 0]);
    assert_eq!(in_flight(&[Ok("a"), Err("cut"), Ok("c")]), [1, 0, 0]);
    assert_eq!(in_flight(&[]), [0, 0, 0]);
    // One whose length is known is over with its last frame: nobody asks for another.
    let known = layer.with_answer(|_: GpuRefused| Ok(Response::new(full(""))));
    let answer = ask(&mut known.layer(Answers(full("all of it"))), ());
    let mut body = pin!(answer.expect("infallible").into_body());
    assert_eq!(gate.in_flight(), 1);
    let mut context = Context::from_waker(Waker::noop());
    let frame = body.as_mut().poll_frame(&mut context);
    assert!(matches!(frame, Poll::Ready(Some(Ok(_)))));
    assert_eq!(gate.in_flight(), 0);
}

/// A service that fails each request.
#[derive(Clone)]
struct Fails;

impl Service<()> for Fails {
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = Ready<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        ready(Err("it does not work".into()))
    }
}

#[test]
fn a_request_that_is_over_is_in_flight_no_longer_whoever_holds_its_future() {
    let gpus = Gpus::new();
    let gate = gpus.gate("GPU-0");
    let mut context = Context::from_waker(Waker::noop());
    let mut answered = pin!(
        GpuGateLayer::new([gate.clone()])
            .with_answer(unavailable)
            .layer(Answers(full("")))
            .call(())
    );
    assert_eq!(gate.in_flight(), 1);
    assert!(answered.as_mut().poll(&mut context).is_ready());
    assert_eq!(gate.in_flight(), 0);
    let layer = GpuGateLayer::new([gate.clone()]);
    let mut failed = pin!(layer.until_body_ends().layer(Fails).call(()));
    assert_eq!(gate.in_flight(), 1);
    assert!(matches!(
        failed.as_mut().poll(&mut context),
        Poll::Ready(Err(_))
    ));
    assert_eq!(gate.in_flight(), 0);
}

#[test]
fn an_answer_without_a_body_is_over_with_its_head() {
    let gpus = Gpus::new();
    let empty = |_: GpuRefused| Ok(Response::new(Empty::<Bytes>::new()));
    let layer = GpuGateLayer::new([gpus.gate("GPU-0")])
        .until_body_ends()
        .with_answer(empty);
    let answer = ask(&mut layer.layer(Answers(Empty::<Bytes>::new())), ());
    assert_eq!(gpus.gate("GPU-0").in_flight(), 0);
    assert!(answer.expect("infallible").into_body().is_end_stream());
}

#[test]
fn a_closure_that_panics_leaves_nothing_in_flight() {
    let gpus = Gpus::new();
    let set = GpuGateSet::from(gpus.gate("GPU-0"));
    let layer = GpuGateLayer::by(move |fails: &bool| {
        assert!(!fails, "a bug of its own");
        Some(set.clone())
    })
    .with_answer(unavailable);
    let service = layer.layer(Answers(full("")));
    let asked = |fails: bool| {
        let mut service = service.clone();
        let asked = AssertUnwindSafe(|| ask(&mut service, fails));
        std::panic::catch_unwind(asked).is_ok()
    };
    assert_eq!([asked(true), asked(false)], [false, true]);
    assert_eq!(gpus.gate("GPU-0").in_flight(), 0);
}

#[test]
fn it_takes_no_memory_to_let_a_request_through_or_to_look() {
    let gpus = Gpus::new();
    let gate = gpus.gate("GPU-0");
    let layer = GpuGateLayer::new([gate.clone()])
        .until_body_ends()
        .with_answer(unavailable);
    let service = layer.layer(Answers(full("x")));
    ask(&mut service.clone(), ()).expect("infallible");
    // Other tests run beside this one: of many, one at least is alone.
    let mut least = usize::MAX;
    for _ in 0..1_000 {
        let region = Region::new(ALLOCATED);
        drop(ask(&mut service.clone(), ()));
        drop(gate.enter());
        assert_eq!(gate.state(), Serving);
        least = least.min(region.change().allocations);
    }
    assert_eq!(least, 0);
}

#[test]
fn a_future_that_has_answered_may_be_asked_again() {
    let gpus = Gpus::new();
    gpus.gate("GPU-0").hold(Drains, "test");
    let layer = GpuGateLayer::new([gpus.gate("GPU-0")]).with_answer(unavailable);
    let mut future = Box::pin(layer.layer(Answers(full(""))).call(()));
    let mut poll = || -> bool {
        let mut context = Context::from_waker(Waker::noop());
        Pin::as_mut(&mut future).poll(&mut context).is_ready()
    };
    assert_eq!([poll(), poll()], [true, false]);
}
