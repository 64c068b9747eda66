//! The driver finds what is wrong: a small layer, right at first, and then with one defect at a time.

use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use obs_core::otel::trace::SpanKind;
use obs_core::{
    DURATION_BOUNDS, Descriptor, Entered, ErrorType, Histogram, InFlight, Key, Kind, Label, Labels,
    Operation, Outcome, Parent, Scope, StatsLevel, Values,
};
use obs_testing::endings::{Scripted, ScriptedBody, ScriptedError};
use obs_testing::{Capture, Endings};
use pin_project_lite::pin_project;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tower_service::Service;

const DEADLINE: Duration = Duration::from_secs(1);

static SCOPE: Scope = Scope {
    name: "obs-testing-tests",
    version: "1",
    schema_url: "",
};

static SERVE: Descriptor = Descriptor {
    name: "serve",
    span_kind: SpanKind::Server,
    scope: &SCOPE,
    labels: &[Label {
        key: Key::new(&"error.type"),
        values: Values::Error,
    }],
    method: None,
    errors: &["service_error", "body_error"],
    duration: Some(Histogram {
        name: "serve.duration",
        unit: "s",
        description: "How long it takes.",
        bounds: DURATION_BOUNDS,
    }),
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: Some(InFlight {
        name: "serve.active",
        unit: "{request}",
        description: "How many are under way.",
        labels: 0,
    }),
    span_name: |_, name| name.push_str("serve"),
};

/// What is wrong with the layer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Defect {
    None,
    EndsWithTheHead,
    ForgetsWhatIsDropped,
    RecordsTwice,
    HidesTheLength,
    IgnoresTheStatus,
    IgnoresBrokenBodies,
    WaitsForTheEndOfTheBody,
    KnowsNoDeadline,
    CatchesNoPanic,
    SwallowsFrames,
    KeepsTheService,
    StartsWithTheFirstPoll,
}

struct Observed {
    inner: Scripted,
    kind: &'static Kind,
    defect: Defect,
}

pin_project! {
    struct Future<F> {
        #[pin]
        inner: F,
        operation: Operation,
        kind: &'static Kind,
        defect: Defect,
    }
}

pin_project! {
    struct ObservedBody<B> {
        #[pin]
        inner: B,
        operation: Operation,
        outcome: Outcome,
        defect: Defect,
    }
}

fn start(kind: &'static Kind, defect: Defect) -> Operation {
    if defect == Defect::RecordsTwice {
        kind.start(Labels::NONE, Parent::Root)
            .end(Outcome::ANSWERED);
    }
    let mut operation = kind.start(Labels::NONE, Parent::Root);
    if defect != Defect::KnowsNoDeadline
        && let Some(mut active) = operation.active()
    {
        active.set_deadline(DEADLINE);
    }
    operation
}

/// Without it a panic that is caught looks like a cancellation.
fn entered(operation: &mut Operation, defect: Defect) -> Option<Entered<'_>> {
    (defect != Defect::CatchesNoPanic).then(|| operation.enter())
}

impl Service<Request<ScriptedBody>> for Observed {
    type Response = Response<ObservedBody<ScriptedBody>>;
    type Error = ScriptedError;
    type Future = Future<<Scripted as Service<Request<ScriptedBody>>>::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ScriptedError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ScriptedBody>) -> Self::Future {
        let mut operation = match self.defect {
            Defect::StartsWithTheFirstPoll => Operation::disabled(),
            _ => start(self.kind, self.defect),
        };
        if self.defect == Defect::KeepsTheService {
            std::mem::forget(self.inner.clone());
        }
        let guard = entered(&mut operation, self.defect);
        let inner = self.inner.call(request);
        drop(guard);
        Future {
            inner,
            operation,
            kind: self.kind,
            defect: self.defect,
        }
    }
}

impl<F> std::future::Future for Future<F>
where
    F: std::future::Future<Output = Result<Response<ScriptedBody>, ScriptedError>>,
{
    type Output = Result<Response<ObservedBody<ScriptedBody>>, ScriptedError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if *this.defect == Defect::StartsWithTheFirstPoll && !this.operation.is_recording() {
            *this.operation = start(this.kind, *this.defect);
        }
        let guard = entered(this.operation, *this.defect);
        let polled = this.inner.poll(context);
        drop(guard);
        let mut operation = std::mem::replace(this.operation, Operation::disabled());
        match polled {
            Poll::Pending if *this.defect == Defect::ForgetsWhatIsDropped => {
                std::mem::forget(operation);
                Poll::Pending
            }
            Poll::Pending => {
                *this.operation = operation;
                Poll::Pending
            }
            Poll::Ready(Err(error)) => {
                operation.end(Outcome::failed(ErrorType::own(0)));
                Poll::Ready(Err(error))
            }
            Poll::Ready(Ok(response)) => {
                let failed = response.status().is_server_error();
                let outcome = if failed && *this.defect != Defect::IgnoresTheStatus {
                    Outcome::failed(ErrorType::code(response.status().as_u16()))
                } else {
                    Outcome::ANSWERED
                };
                if *this.defect == Defect::EndsWithTheHead || response.body().is_end_stream() {
                    operation.end_in_place(outcome);
                }
                let defect = *this.defect;
                Poll::Ready(Ok(response.map(|inner| ObservedBody {
                    inner,
                    operation,
                    outcome,
                    defect,
                })))
            }
        }
    }
}

impl<B: Body> Body for ObservedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let guard = entered(this.operation, *this.defect);
        let polled = this.inner.as_mut().poll_frame(context);
        drop(guard);
        let frame = ready!(polled);
        let over = match &frame {
            Some(Ok(frame)) => {
                *this.defect != Defect::WaitsForTheEndOfTheBody
                    && (frame.is_trailers() || this.inner.is_end_stream())
            }
            Some(Err(_)) if *this.defect == Defect::IgnoresBrokenBodies => true,
            Some(Err(_)) => {
                *this.outcome = Outcome::failed(ErrorType::own(1));
                true
            }
            None => true,
        };
        if over {
            this.operation.end_in_place(*this.outcome);
        }
        if *this.defect == Defect::SwallowsFrames && frame.as_ref().is_some_and(Result::is_ok) {
            return Poll::Ready(None);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.defect {
            Defect::HidesTheLength => SizeHint::default(),
            _ => self.inner.size_hint(),
        }
    }
}

fn drive(defect: Defect) {
    let capture = Capture::new();
    let kind = capture.telemetry().kind(&SERVE);
    Endings::of(&SERVE)
        .with_deadline(DEADLINE)
        .check(&capture, |inner| Observed {
            inner,
            kind,
            defect,
        });
}

#[track_caller]
fn finds(defect: Defect, expect: &[&str]) {
    let found = catch_unwind(AssertUnwindSafe(|| drive(defect)));
    let message = found.expect_err("the defect was not found");
    let message = message
        .downcast_ref::<String>()
        .expect("assertions say what is wrong");
    for expect in expect {
        assert!(message.contains(expect), "{defect:?}: {message}");
    }
}

#[test]
fn a_layer_without_a_defect_passes() {
    drive(Defect::None);
}

#[test]
fn each_defect_is_found_and_named() {
    finds(Defect::EndsWithTheHead, &["in flight, with Body under way"]);
    finds(Defect::ForgetsWhatIsDropped, &["serve.active afterwards"]);
    finds(Defect::RecordsTwice, &["points of serve.duration"]);
    finds(Defect::HidesTheLength, &["KnownLength", "does not behave"]);
    finds(Defect::IgnoresTheStatus, &["ErrorStatus", "error.type"]);
    finds(Defect::IgnoresBrokenBodies, &["BodyError", "error.type"]);
    finds(Defect::WaitsForTheEndOfTheBody, &["KnownLength"]);
    finds(Defect::KnowsNoDeadline, &["TimedOut", "error.type"]);
    finds(Defect::CatchesNoPanic, &["Panic", "error.type"]);
    finds(Defect::SwallowsFrames, &["does not behave"]);
    finds(Defect::KeepsTheService, &["still in memory"]);
    finds(Defect::StartsWithTheFirstPoll, &["in flight, with Head"]);
}

#[test]
fn a_layer_that_records_although_it_is_off_is_found() {
    let capture = Capture::new();
    let kind = capture.telemetry().kind(&SERVE);
    let found = catch_unwind(AssertUnwindSafe(|| {
        Endings::of(&SERVE).check_untouched(&capture, |inner| Observed {
            inner,
            kind,
            defect: Defect::None,
        });
    }));
    assert!(found.is_err());

    let capture = Capture::builder().with_level(StatsLevel::Disabled).build();
    let kind = capture.telemetry().kind(&SERVE);
    Endings::of(&SERVE).check_untouched(&capture, |inner| Observed {
        inner,
        kind,
        defect: Defect::None,
    });
}
