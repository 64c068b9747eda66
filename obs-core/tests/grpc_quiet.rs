//! Under the courier's own gRPC nothing is said that could become telemetry: whatever tonic, hyper, h2 and tower log at
//! TRACE on its threads is logged in OpenTelemetry's suppressed scope. A binary of its own, for the global subscriber.
#![cfg(all(feature = "grpc", not(loom)))]
#![forbid(unsafe_code)]

#[path = "grpc/server.rs"]
#[allow(dead_code, reason = "it is made for more")]
mod server;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use obs_core::courier::{Batch, Courier, Destinations, GrpcTransport, Settings, Signal};
use obs_core::otel::Context;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context as LayerContext, Layer, SubscriberExt};

use server::{Collector, PATIENCE};

#[derive(Clone, Debug)]
struct Said {
    target: String,
    thread: String,
    suppressed: bool,
}

#[derive(Clone, Default)]
struct Listening(Arc<Mutex<Vec<Said>>>);

impl<S: Subscriber> Layer<S> for Listening {
    fn on_event(&self, event: &Event<'_>, _: LayerContext<'_, S>) {
        let thread = std::thread::current();
        self.0.lock().unwrap().push(Said {
            target: event.metadata().target().to_owned(),
            thread: thread.name().unwrap_or_default().to_owned(),
            suppressed: Context::is_current_telemetry_suppressed(),
        });
    }
}

impl Listening {
    /// What was said since the last time, but for the server's own words.
    fn take(&self) -> Vec<Said> {
        let mut said = std::mem::take(&mut *self.0.lock().unwrap());
        said.retain(|said| said.thread != server::THREAD);
        said
    }
}

#[track_caller]
fn check_quiet(said: &[Said], threads: &str) {
    assert!(
        said.iter().any(|said| said.target.starts_with("h2")),
        "the library was heard: {said:?}"
    );
    assert!(said.iter().any(|said| said.thread == threads), "{said:?}");
    let loud: Vec<_> = said.iter().filter(|said| !said.suppressed).collect();
    assert!(loud.is_empty(), "{loud:?}");
}

#[test]
fn all_that_is_logged_below_a_delivery_is_logged_in_the_suppressed_scope() {
    let listening = Listening::default();
    let subscriber = tracing_subscriber::registry().with(listening.clone());
    tracing::subscriber::set_global_default(subscriber).expect("the only one");
    let collector = Collector::start([]);
    // By name, so that it is looked up.
    let endpoint = format!("http://localhost:{}", collector.address.port());
    let courier = || {
        let transport = GrpcTransport::new(&Destinations::grpc(&endpoint)).expect("usable");
        let courier = Courier::new(transport, Settings::default());
        courier
            .outbox()
            .push(Batch::new(Signal::Logs, Vec::new(), 1));
        courier
    };
    let soon = || Instant::now() + PATIENCE;

    let threaded = courier();
    threaded.start().expect("a thread");
    threaded.shutdown(soon()).expect("delivered");
    check_quiet(&listening.take(), "obs-courier");

    let manual = courier();
    manual.flush(soon()).expect("delivered");
    let here = std::thread::current();
    check_quiet(&listening.take(), here.name().expect("the test's"));

    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let inside = courier();
    runtime.expect("a runtime").block_on(async {
        inside.flush(soon()).expect("delivered");
    });
    check_quiet(&listening.take(), "obs-courier-grpc");
    assert_eq!(collector.seen().len(), 3);
}
