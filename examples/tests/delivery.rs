//! Set-up, flush and shutdown as a service does them: on every kind of runtime and outside any, with a receiver that
//! answers, one that never does, and none at all.

use axum::body::Body;
use axum::http::{Request, Response};
use obs_core::courier::Destinations;
use obs_core::{Error, Telemetry};
use obs_http::HttpServerLayer;
use obs_testing::Receiver;
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tower::{Layer, Service};

const DEADLINE: Duration = Duration::from_millis(700);
/// What a call may take beyond its deadline.
const GRACE: Duration = Duration::from_millis(300);

/// One observed exchange, driven by hand: it needs no runtime.
fn exchange(telemetry: &Telemetry) {
    let answer = |_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) };
    let mut service = HttpServerLayer::new(telemetry).layer(tower::service_fn(answer));
    let mut answered = pin!(service.call(Request::new(Body::empty())));
    let polled = answered
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Ok(_))));
}

fn telemetry_to(endpoint: &str) -> Telemetry {
    let destinations = Destinations::below(endpoint);
    Telemetry::builder()
        .with_otlp_to(destinations)
        .build()
        .expect("set up")
}

/// Runs `work` outside any runtime, on a current-thread one, and on a multi-thread one.
fn everywhere(work: fn()) {
    work();
    let current = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    current.block_on(async { work() });
    let several = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    several
        .expect("a runtime")
        .block_on(async { tokio::spawn(async move { work() }).await.expect("no panic") });
}

#[test]
fn shutdown_delivers_everything_on_every_kind_of_runtime() {
    everywhere(|| {
        let receiver = Receiver::start().expect("a receiver");
        let telemetry = telemetry_to(&receiver.endpoint());
        (0..10).for_each(|_| exchange(&telemetry));
        telemetry
            .shutdown(Duration::from_secs(10))
            .expect("delivered");
        assert_eq!(receiver.spans().len(), 10);
        let accounts = telemetry.accounts().total();
        assert!(
            accounts.is_balanced() && accounts.pending == 0,
            "{accounts:?}"
        );
        // Inert from here on, and a second shutdown is none.
        exchange(&telemetry);
        telemetry
            .shutdown(Duration::from_secs(1))
            .expect("nothing to do");
        assert_eq!(receiver.spans().len(), 10);
    });
}

#[track_caller]
fn ends_in_time(end: impl FnOnce() -> Result<(), Error>) -> Error {
    let begun = Instant::now();
    let ended = end();
    let took = begun.elapsed();
    assert!(took < DEADLINE + GRACE, "took {took:?}");
    ended.expect_err("nobody took it")
}

#[test]
fn a_receiver_that_never_answers_holds_nobody_past_the_deadline() {
    everywhere(|| {
        let receiver = Receiver::start().expect("a receiver");
        receiver.never_answer(true);
        let telemetry = telemetry_to(&receiver.endpoint());
        exchange(&telemetry);
        let late = ends_in_time(|| telemetry.flush(DEADLINE));
        assert!(
            late.is_timeout() && late.pending() > 0 && !late.is_lost(),
            "{late}"
        );
        let lost = ends_in_time(|| telemetry.shutdown(DEADLINE));
        assert!(lost.is_lost(), "{lost}");
    });
}

#[test]
fn without_a_receiver_the_loss_is_said() {
    everywhere(|| {
        let telemetry = telemetry_to("http://127.0.0.1:9");
        exchange(&telemetry);
        let lost = ends_in_time(|| telemetry.shutdown(DEADLINE));
        assert!(lost.lost() > 0, "{lost}");
        assert_eq!(telemetry.accounts().total().delivered, 0);
    });
}

#[test]
fn manual_mode_delivers_inside_the_calls() {
    let receiver = Receiver::start().expect("a receiver");
    let destinations = Destinations::below(&receiver.endpoint());
    let telemetry = Telemetry::builder()
        .manual()
        .with_otlp_to(destinations)
        .build()
        .expect("set up");
    exchange(&telemetry);
    assert_eq!(
        receiver.spans().len(),
        0,
        "nothing happens between the calls"
    );
    telemetry.flush(Duration::from_secs(10)).expect("delivered");
    assert_eq!(receiver.spans().len(), 1);
    assert!(!receiver.points().names().is_empty());
}

#[test]
fn a_guard_ends_what_main_forgot() {
    let receiver = Receiver::start().expect("a receiver");
    let telemetry = telemetry_to(&receiver.endpoint());
    {
        let _guard = telemetry.shutdown_on_drop(Duration::from_secs(10));
        exchange(&telemetry);
    }
    assert_eq!(receiver.spans().len(), 1);
}

#[test]
fn a_second_global_is_refused_and_nothing_is_global_by_itself() {
    let telemetry = || Telemetry::builder().manual().build().expect("set up");
    exchange(&Telemetry::global());
    telemetry().install_global().expect("the first");
    let refused = telemetry().install_global().expect_err("there is one");
    assert!(refused.is_configuration(), "{refused}");
}
