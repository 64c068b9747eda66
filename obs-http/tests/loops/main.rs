//! Telemetry about the delivery of telemetry: with every client at its most talkative and log export on, there is none.
//!
//! A process of its own: `tracing` and `log` have one place for a subscriber each, and it is ours here.

mod transport;

use obs_core::courier::Destinations;
use obs_core::logs::LogLayer;
use obs_core::otel::trace::TracerProvider;
use obs_core::sampling::HeadSampler;
use obs_core::setup::environment::Environment;
use obs_core::{Delivery, Telemetry};
use obs_testing::Receiver;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use std::collections::BTreeMap;
use std::time::Duration;
use tracing_subscriber::layer::SubscriberExt;
use transport::{Instrumented, Server};

const LONG: Duration = Duration::from_secs(30);
const ROUNDS: usize = 50;

/// How many log records arrived, by whose they are.
fn by_target(receiver: &Receiver) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for record in receiver.log_records() {
        *found.entry(record.scope.name.clone()).or_default() += 1;
    }
    found
}

fn count(found: &BTreeMap<String, usize>, begins: &str) -> usize {
    let of = found
        .iter()
        .filter(|(target, _)| target.starts_with(begins));
    of.map(|(_, count)| count).sum()
}

#[test]
fn what_the_exporters_do_is_never_exported_however_often_they_do_it() {
    let receiver = Receiver::start().expect("loopback");
    let server = Server::start();
    // What it makes of the spans of h2 is its own affair; here it brings contexts along that are not suppressed.
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(InMemorySpanExporter::default())
        .build();
    let instrumented = Instrumented::new(server.address);
    let telemetry = Telemetry::builder()
        .with_environment(Environment::default())
        .with_sampler(HeadSampler::always_on())
        // The one that is built in, and a user's: hyper and h2 with our layer for clients around them.
        .with_delivery(Delivery::otlp(Destinations::below(&receiver.endpoint())))
        .with_delivery(Delivery::through(instrumented.clone()))
        .with_metric_interval(Duration::from_secs(3600))
        .build()
        .expect("usable");
    instrumented.observe(&telemetry);
    let layer = LogLayer::new(&telemetry).without_lines();
    let bridge = layer.bridge().with_max_level(log::LevelFilter::Trace);
    bridge.install().expect("the first of this process");
    let subscriber = tracing_subscriber::registry()
        .with(layer)
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("users")));
    tracing::subscriber::set_global_default(subscriber).expect("the first of this process");

    // Such a client with nothing to deliver is as talkative as it is told to be, and observed.
    let users = Instrumented::new(server.address);
    users.observe(&telemetry);
    users.ask();
    telemetry.flush(LONG).expect("delivered");
    let said = by_target(&receiver);
    assert!(count(&said, "h2") > 0, "h2 says nothing: {said:?}");
    assert!(count(&said, "ureq") == 0, "{said:?}");
    let spans_of_client = receiver.spans().len();
    assert_eq!(spans_of_client, 1, "the user's own call");

    tracing::info!("the service says something");
    telemetry.flush(LONG).expect("delivered");
    let before = by_target(&receiver);
    let requests = (receiver.requests().len(), server.requests());
    for round in 0..ROUNDS {
        // Metrics are delivered in each, by both.
        telemetry.flush(LONG).expect("delivered");
        assert_eq!(by_target(&receiver), before, "round {round}");
    }
    assert!(receiver.requests().len() >= requests.0 + ROUNDS);
    assert!(server.requests() >= requests.1 + ROUNDS);
    assert_eq!(
        receiver.spans().len(),
        spans_of_client,
        "of no delivery there is a span"
    );
    let points = receiver.points();
    let calls = points.histograms("http.client.request.duration", &[]);
    assert!(!calls.is_empty());
    assert!(calls.iter().all(|point| point.count == 1), "nor a duration");

    // A connection that was opened in the middle of something else, whose spans bring that along.
    instrumented.hang_up();
    instrumented.ask();
    telemetry.flush(LONG).expect("delivered");
    let before = by_target(&receiver);
    for round in 0..ROUNDS {
        telemetry.flush(LONG).expect("delivered");
        assert_eq!(by_target(&receiver), before, "round {round}");
    }
    assert_eq!(receiver.spans().len(), spans_of_client + 1);
    telemetry.shutdown(LONG).expect("delivered");
    assert_eq!(by_target(&receiver), before);
}
