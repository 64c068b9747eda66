//! Exports one of everything, for software of others to read: `OTEL_EXPORTER_OTLP_ENDPOINT=… interop_emit [FILE]`.
//!
//! Spans with every type of attribute, events, links, an error and the event points of Detailed; a histogram, counters
//! and gauges, those of the process among them; events with every type of body. It ends with 0 once all of it is
//! delivered, and writes its metrics page to FILE, or to stdout.
#![forbid(unsafe_code)]

use obs_core::{
    Body, Builder, DURATION_BOUNDS, Descriptor, ErrorType, Event, ExponentialHistogram, Histogram,
    InFlight, Instrument, Key, Label, LabelId, Labels, LogEvent, Measure, Outcome, Parent,
    SIZE_BOUNDS, Scope, Session, Set, Severity, Stage, StatsLevel, Telemetry, Values, View,
    encode::PrometheusPage,
    metrics::Temporality,
    otel::{
        Array, KeyValue, StringValue, Value,
        trace::{SpanContext, SpanId, SpanKind, TraceFlags, TraceId, TraceState},
    },
    semconv,
    setup::resource::Resource,
};
use std::{error::Error, io::Write, net::Ipv6Addr, time::Duration};

static SCOPE: Scope = Scope {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    schema_url: semconv::SCHEMA_URL,
};

static TRIAL: Descriptor = Descriptor {
    name: "interop.trial",
    span_kind: SpanKind::Server,
    scope: &SCOPE,
    labels: &[
        Label {
            key: Key::new(&"interop.method"),
            values: Values::Closed(&["first", "second"]),
        },
        Label {
            key: Key::new(&"interop.route"),
            values: Values::Open { cap: 8 },
        },
        Label {
            key: Key::new(&"interop.code"),
            values: Values::Number,
        },
        Label {
            key: semconv::http::ERROR_TYPE,
            values: Values::Error,
        },
    ],
    method: Some(0),
    errors: &["refused"],
    duration: Some(Histogram {
        name: "interop.trial.duration",
        unit: "s",
        description: "Duration of trials.",
        bounds: DURATION_BOUNDS,
    }),
    stages: &[Stage {
        histogram: Histogram {
            name: "interop.trial.stage.duration",
            unit: "s",
            description: "Duration of the parts of trials.",
            bounds: DURATION_BOUNDS,
        },
        attribute: Some((Key::new(&"interop.stage"), "encode")),
        from: Event::ENCODE_START,
        to: Event::ENCODE_FINISH,
        level: StatsLevel::Detailed,
        by_hand: false,
    }],
    measures: &[Measure {
        key: Key::new(&"interop.trial.size"),
        histogram: Histogram {
            name: "interop.trial.size",
            unit: "By",
            description: "Size of trials.",
            bounds: SIZE_BOUNDS,
        },
    }],
    quantities: &[],
    in_flight: Some(InFlight {
        name: "interop.active_trials",
        unit: "{trial}",
        description: "Trials that are running.",
        labels: 0b1,
    }),
    span_name: |record, name| {
        record.write_label(0, name);
        name.push_str(" \u{201c}trial\u{201d}");
    },
};

fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = builder().build()?;
    for warning in telemetry.warnings() {
        writeln!(std::io::stderr(), "passed over: {warning}")?;
    }
    let running = spans(&telemetry);
    telemetry.observe_process();
    metrics(&telemetry);
    logs(&telemetry);
    // One trial is still running when the gauge is read.
    let page = page(&telemetry);
    telemetry.flush(Duration::from_secs(10))?;
    running.end(Outcome::ANSWERED);
    telemetry.shutdown(Duration::from_secs(10))?;
    match std::env::args_os().nth(1) {
        Some(file) => std::fs::write(file, page)?,
        None => std::io::stdout().write_all(page.as_bytes())?,
    }
    Ok(())
}

fn builder() -> Builder {
    let resource = Resource::builder()
        .with_service_name("interop \"emit\"")
        .with_service_version(env!("CARGO_PKG_VERSION"))
        .with_attribute("interop.list", Value::Array(Array::I64(vec![1, 2, 3])))
        .build();
    Telemetry::builder()
        .with_resource(resource)
        .with_otlp()
        .with_level(StatsLevel::Detailed)
        .with_measures(true)
        // The waits once as they are, and once more in exponential buckets.
        .with_view(View::of("interop.wait"))
        .with_view(
            View::of("interop.wait")
                .with_name("interop.wait.fine")
                .with_aggregation(ExponentialHistogram::default()),
        )
}

/// A small trace, and an operation of it that still runs.
fn spans(telemetry: &Telemetry) -> obs_core::Operation {
    let kind = telemetry.kind(&TRIAL);
    let first = Labels::NONE.with(0, LabelId::closed(0));
    let mut root = kind.start_with(first, Some((1, "/trials/{id}")), Parent::Root);
    root.set(Key::new(&"interop.bool"), true);
    root.set(Key::new(&"interop.int"), i64::MIN);
    root.set(Key::new(&"interop.double"), -0.5);
    root.set(Key::new(&"interop.text"), "a\n\"b\"\\ \u{e9}\u{1f30a}");
    root.set(Key::new(&"interop.static"), Set::Static("static"));
    root.set(Key::new(&"interop.empty"), "");
    root.set(
        Key::new(&"interop.address"),
        Set::Ip(Ipv6Addr::LOCALHOST.into()),
    );
    root.stamp(Event::ENCODE_START);
    root.stamp(Event::ENCODE_FINISH);
    if let Some(mut root) = root.active() {
        root.set_label(2, LabelId::number(200));
        root.set_measure(0, 1_000);
        root.set_session(Session::new("session-1").with_user("user-1"));
        for (key, list) in lists() {
            root.set_dynamic(KeyValue::new(key, list));
        }
        let said = vec![KeyValue::new("interop.event.number", 1)];
        root.add_event("interop.said", said);
        let linked = vec![KeyValue::new("interop.link.why", "shown")];
        root.add_link(elsewhere(), linked);
    }
    let handle = root.handle();
    let parent = handle.as_ref().map_or(Parent::Root, Parent::Operation);
    let mut failed = kind.start(first, parent);
    if let Some(mut failed) = failed.active() {
        failed.record_exception("interop::Refused", "no room", Some("at a\nat b"));
    }
    failed.end(Outcome::failed(ErrorType::own(0)));
    let second = Labels::NONE.with(0, LabelId::closed(1));
    drop(kind.start(second, Parent::Of(&elsewhere())));
    root.end(Outcome::ANSWERED);
    kind.start(second, Parent::Root)
}

fn lists() -> [(&'static str, Value); 4] {
    [
        (
            "interop.bools",
            Value::Array(Array::Bool(vec![true, false])),
        ),
        ("interop.ints", Value::Array(Array::I64(vec![i64::MAX, -1]))),
        (
            "interop.doubles",
            Value::Array(Array::F64(vec![1.5, 1e300])),
        ),
        (
            "interop.texts",
            Value::Array(Array::String(vec![
                StringValue::from("a"),
                StringValue::from(""),
            ])),
        ),
    ]
}

/// A span of another process.
fn elsewhere() -> SpanContext {
    SpanContext::new(
        TraceId::from(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c),
        SpanId::from(0x00f0_67aa_0ba9_02b7),
        TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    )
}

fn metrics(telemetry: &Telemetry) {
    const COLOUR: &[Label] = &[Label {
        key: Key::new(&"interop.colour"),
        values: Values::Open { cap: 8 },
    }];
    let instrument = |name, unit, description| Instrument {
        name,
        unit,
        description,
        labels: COLOUR,
        scope: &SCOPE,
    };
    let items = telemetry.counter(&instrument("interop.items", "{item}", "Items that passed."));
    let mirrored = telemetry.absolute_counter(&instrument(
        "interop.mirrored",
        "By",
        "Bytes, counted elsewhere.",
    ));
    let level = telemetry.gauge(&instrument("interop.level", "1", "How full it is."));
    let waits = telemetry.histogram(
        &instrument("interop.wait", "s", "How long it took."),
        &[0.1, 1.0, 10.0],
    );
    for (colour, value) in [("red", 1_u8), ("a \"b\" \\ \n \u{e9}", 2), ("", 3)] {
        items.bind(&[colour]).add(u64::from(value));
        mirrored
            .bind(&[colour])
            .set_absolute(u64::from(value) << 40);
        level.bind(&[colour]).set(f64::from(value) / 4.0);
        let waits = waits.bind(&[colour]);
        for wait in [0.1, 0.25, 100.0] {
            waits.record(wait * f64::from(value));
        }
    }
}

fn logs(telemetry: &Telemetry) {
    let map = Body::Map(vec![
        ("bool".into(), Body::Bool(true)),
        ("int".into(), Body::I64(-1)),
        ("double".into(), Body::F64(0.5)),
        ("bytes".into(), Body::Bytes(vec![0, 255])),
        (
            "list".into(),
            Body::List(vec![Body::Text("a".into()), Body::Empty]),
        ),
        ("map".into(), Body::Map(vec![])),
    ]);
    for (body, severity) in [
        (map, Severity::Info),
        (Body::Text("plain".into()), Severity::Warn),
        (Body::Empty, Severity::Error),
    ] {
        let event = LogEvent::new("interop.event", body)
            .with_severity(severity)
            .with_attribute(KeyValue::new("interop.key", "value"));
        telemetry.emit(event);
    }
}

fn page(telemetry: &Telemetry) -> String {
    let resource = telemetry
        .resource()
        .into_iter()
        .flat_map(|resource| resource.iter());
    let mut page = String::new();
    let skipped = PrometheusPage::new(resource).render(
        &telemetry.reader(Temporality::Cumulative).collect(),
        &mut page,
    );
    assert!(skipped.is_empty(), "not on the page: {skipped:?}");
    page
}
