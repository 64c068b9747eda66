//! One shape for three kinds of operation: an exchange of a millisecond, a model call of minutes, an agent run of an
//! hour.

#[path = "support/support.rs"]
mod support;

use obs_core::metrics::Temporality;
use obs_core::otel::trace::SpanKind;
use obs_core::otel::{KeyValue, Value};
use obs_core::{
    Body, DURATION_BOUNDS, Descriptor, Event, Histogram, InFlight, Key, Label, LabelId, Labels,
    LogEvent, Measure, OpRef, Outcome, Parent, SIZE_BOUNDS, Session, Stage, StatsLevel, Values,
};
use std::collections::HashMap;
use std::time::Duration;
use support::points::{all, histogram, number};
use support::{Captured, SCOPE, Span, rig_with};

static EXCHANGE: Descriptor = Descriptor {
    name: "test.exchange",
    span_kind: SpanKind::Server,
    scope: &SCOPE,
    labels: &[
        Label {
            key: Key::new(&"test.method"),
            values: Values::Closed(&["GET", "POST"]),
        },
        Label {
            key: Key::new(&"test.route"),
            values: Values::Open { cap: 64 },
        },
        Label {
            key: Key::new(&"test.status"),
            values: Values::Number,
        },
    ],
    method: Some(1),
    errors: &[],
    duration: Some(Histogram {
        name: "test.exchange.duration",
        unit: "s",
        description: "How long exchanges take.",
        bounds: DURATION_BOUNDS,
    }),
    stages: &[Stage {
        histogram: Histogram {
            name: "test.exchange.head.duration",
            unit: "s",
            description: "Time to the head of the answer.",
            bounds: DURATION_BOUNDS,
        },
        attribute: None,
        from: Event::RPC_START,
        to: Event::WRITE_START,
        level: StatsLevel::Detailed,
        by_hand: false,
    }],
    measures: &[],
    quantities: &[],
    in_flight: Some(InFlight {
        name: "test.exchange.active",
        unit: "{exchange}",
        description: "How many exchanges run.",
        labels: 0b1,
    }),
    span_name: |record, into| {
        for index in [0, 1] {
            if let Some(value) = record.label_value(index) {
                into.push_str(if index == 1 { " " } else { "" });
                into.push_str(&value.to_text());
            }
        }
    },
};

#[test]
fn an_exchange_of_a_millisecond() {
    let rig = rig_with(true, |builder| builder.with_level(StatsLevel::Detailed));
    let kind = rig.telemetry.kind(&EXCHANGE);
    let get = Labels::NONE.with(0, LabelId::closed(0));
    let mut exchange = kind.start(get, Parent::Root);
    assert_eq!(
        number(
            &all(&rig.telemetry),
            "test.exchange.active",
            &[("test.method", "GET")]
        ),
        1.0
    );
    rig.clock.advance(Duration::from_micros(600));
    exchange.stamp(Event::WRITE_START);
    let mut active = exchange.active().expect("recording");
    active.set_label_text(1, "/things/{id}");
    active.set_label(2, LabelId::number(200));
    active.set_static(Key::new(&"url.scheme"), "https");
    active.set(Key::new(&"url.path"), "/things/7");
    rig.clock.advance(Duration::from_micros(400));
    exchange.end(Outcome::ANSWERED);

    let span = rig.span();
    assert_eq!(span.name, "GET /things/{id}");
    assert_eq!(span.end - span.start, 1_000_000);
    assert_eq!(span.attribute("test.status"), Some(&200_i64.into()));
    assert_eq!(span.attribute("url.path"), Some(&"/things/7".into()));
    assert_eq!(
        span.events,
        [("write_start".to_owned(), span.start + 600_000, Vec::new())]
    );
    let metrics = all(&rig.telemetry);
    let route = [
        ("test.method", "GET"),
        ("test.route", "/things/{id}"),
        ("test.status", "200"),
    ];
    let duration = histogram(&metrics, "test.exchange.duration", &route);
    assert_eq!((duration.count, duration.buckets[0]), (1, 1));
    let head = histogram(&metrics, "test.exchange.head.duration", &route);
    assert!((head.sum - 0.000_6).abs() < 1e-9, "{}", head.sum);
    assert_eq!(
        number(&metrics, "test.exchange.active", &[("test.method", "GET")]),
        0.0
    );
}

/// Boundaries that the conventions give for model calls.
const MODEL_BOUNDS: &[f64] = &[
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];

static MODEL_CALL: Descriptor = Descriptor {
    name: "test.model",
    span_kind: SpanKind::Client,
    scope: &SCOPE,
    labels: &[Label {
        key: Key::new(&"test.model"),
        values: Values::Open { cap: 64 },
    }],
    method: Some(0),
    errors: &[],
    duration: Some(Histogram {
        name: "test.model.duration",
        unit: "s",
        description: "How long model calls take.",
        bounds: MODEL_BOUNDS,
    }),
    stages: &[Stage {
        histogram: Histogram {
            name: "test.model.first_chunk.duration",
            unit: "s",
            description: "Time to the first chunk.",
            bounds: MODEL_BOUNDS,
        },
        attribute: None,
        from: Event::RPC_START,
        to: Event::STREAM_RECV,
        level: StatsLevel::Detailed,
        by_hand: false,
    }],
    measures: &[
        Measure {
            key: Key::new(&"test.chunks"),
            histogram: Histogram {
                name: "test.model.chunks",
                unit: "{chunk}",
                description: "Chunks of a call.",
                bounds: SIZE_BOUNDS,
            },
        },
        Measure {
            key: Key::new(&"test.tokens"),
            histogram: Histogram {
                name: "test.model.tokens",
                unit: "{token}",
                description: "Tokens of a call.",
                bounds: SIZE_BOUNDS,
            },
        },
    ],
    quantities: &[],
    in_flight: None,
    span_name: |_, into| into.push_str("chat"),
};

static KEYS: [&str; 30] = [
    "test.a0", "test.a1", "test.a2", "test.a3", "test.a4", "test.a5", "test.a6", "test.a7",
    "test.a8", "test.a9", "test.a10", "test.a11", "test.a12", "test.a13", "test.a14", "test.a15",
    "test.a16", "test.a17", "test.a18", "test.a19", "test.a20", "test.a21", "test.a22", "test.a23",
    "test.a24", "test.a25", "test.a26", "test.a27", "test.a28", "test.a29",
];

#[test]
fn a_model_call_of_two_minutes_with_5000_chunks_and_a_content_event() {
    const CHUNKS: u64 = 5_000;
    let rig = rig_with(true, |builder| {
        builder.with_level(StatsLevel::Detailed).with_measures(true)
    });
    let kind = rig.telemetry.kind(&MODEL_CALL);
    let gaps = rig
        .telemetry
        .histogram(
            &obs_core::Instrument {
                name: "test.model.chunk.gap",
                unit: "s",
                description: "Time between chunks.",
                labels: &[],
                scope: &SCOPE,
            },
            MODEL_BOUNDS,
        )
        .bind(&[]);
    let labels = Labels::NONE.with(0, kind.label(0, "a-model"));
    let mut call = kind.start(labels, Parent::Root);
    let mut active = call.active().expect("recording");
    for (index, key) in KEYS.iter().enumerate() {
        match index % 3 {
            0 => active.set(Key::new(key), index as i64),
            1 => active.set(Key::new(key), format!("value {index}").as_str()),
            _ => active.set(Key::new(key), index as f64 / 2.0),
        }
    }
    active.set_dynamic(KeyValue::new(
        "test.finish_reasons",
        Value::Array(vec![obs_core::otel::StringValue::from("stop")].into()),
    ));
    let gap = Duration::from_secs(120) / CHUNKS as u32;
    for chunk in 0..CHUNKS {
        rig.clock.advance(gap);
        call.stamp(Event::STREAM_RECV);
        gaps.record(gap.as_secs_f64());
        call.active().expect("recording").set_measure(0, chunk + 1);
    }
    call.stamp(Event::STREAM_FINISH);
    call.active().expect("recording").set_measure(1, 4_321);
    let prompt = "p".repeat(32 << 10);
    let answer = "a".repeat(32 << 10);
    let ids = call.active().expect("recording").trace_parent();
    let emit = || {
        let content = Body::Map(vec![
            ("prompt".to_owned(), Body::Text(prompt.clone())),
            (
                "answer".to_owned(),
                Body::List(vec![Body::Text(answer.clone())]),
            ),
        ]);
        LogEvent::new("test.model.content", content)
    };
    call.scope(|| rig.telemetry.emit(emit()));
    call.end(Outcome::ANSWERED);

    let event = rig.events().pop().expect("the content event");
    assert_eq!(rig.telemetry.counts().log_events_full, 0);
    assert_eq!(
        (event.trace_id, event.span_id),
        (Some(ids.trace_id), Some(ids.span_id))
    );
    let Body::Map(body) = &event.body else {
        panic!("{event:?}")
    };
    assert_eq!(body[0].1, Body::Text(prompt));
    assert_eq!(body[1].1, Body::List(vec![Body::Text(answer)]));

    let span = rig.span();
    assert_eq!(event.unix_nanos, span.end);
    assert_eq!(span.end - span.start, 120_000_000_000);
    assert_eq!(span.dropped_attributes, 0);
    for (index, key) in KEYS.iter().enumerate() {
        let expected: Value = match index % 3 {
            0 => (index as i64).into(),
            1 => format!("value {index}").into(),
            _ => (index as f64 / 2.0).into(),
        };
        assert_eq!(span.attribute(key), Some(&expected), "{key}");
    }
    assert!(matches!(
        span.attribute("test.finish_reasons"),
        Some(Value::Array(_))
    ));
    assert_eq!(span.attribute("test.chunks"), Some(&(CHUNKS as i64).into()));
    assert_eq!(span.attribute("test.tokens"), Some(&4_321_i64.into()));
    let events: Vec<_> = span
        .events
        .iter()
        .map(|(name, at, _)| (name.as_str(), at - span.start))
        .collect();
    assert_eq!(
        events,
        [
            ("stream_recv", 24_000_000),
            ("stream_finish", 120_000_000_000)
        ]
    );

    let metrics = all(&rig.telemetry);
    let gaps = histogram(&metrics, "test.model.chunk.gap", &[]);
    assert_eq!(gaps.count, CHUNKS);
    assert!((gaps.sum - 120.0).abs() < 1e-6, "{}", gaps.sum);
    assert_eq!(
        histogram(&metrics, "test.model.chunks", &[]).sum,
        CHUNKS as f64
    );
    let first = histogram(
        &metrics,
        "test.model.first_chunk.duration",
        &[("test.model", "a-model")],
    );
    assert_eq!((first.count, first.buckets[2]), (1, 1));
    let duration = histogram(&metrics, "test.model.duration", &[]);
    assert!((duration.sum - 120.0).abs() < 1e-6, "{}", duration.sum);
    assert_eq!(duration.buckets[14], 1);
}

#[test]
fn a_content_event_without_room_is_dropped_and_counted() {
    let rig = support::rig(true);
    let big = || LogEvent::new("test.big", Body::Bytes(vec![7; 1 << 20]));
    (0..20).for_each(|_| rig.telemetry.emit(big()));
    let dropped = rig.telemetry.counts().log_events_full;
    assert!((1..20).contains(&dropped), "{dropped}");
    assert_eq!(rig.events().len() as u64 + dropped, 20);
    rig.telemetry.emit(big());
    assert_eq!(rig.events().len(), 1, "collected, there is room again");
}

static STEP: Descriptor = Descriptor {
    name: "test.agent",
    span_kind: SpanKind::Internal,
    scope: &SCOPE,
    labels: &[Label {
        key: Key::new(&"test.operation"),
        values: Values::Closed(&["invoke_agent", "execute_tool"]),
    }],
    method: Some(0),
    errors: &[],
    duration: Some(Histogram {
        name: "test.agent.duration",
        unit: "s",
        description: "How long steps take.",
        bounds: DURATION_BOUNDS,
    }),
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: Some(InFlight {
        name: "test.agent.active",
        unit: "{step}",
        description: "How many steps run.",
        labels: 0b1,
    }),
    span_name: |record, into| {
        if let Some(operation) = record.label_value(0) {
            into.push_str(&operation.to_text());
        }
    },
};

const CHILDREN: u64 = 2_000;
const OUTLIVING: u64 = 50;

/// An hour of an agent: 2,000 tool calls on tasks of a runtime, each with an explicit parent, the last 50 of them
/// ending after the run. Gives what each of three subscribers saw.
fn agent_run(sampled: bool, outcome: Outcome) -> (Vec<Vec<Span>>, support::Rig) {
    let others = [Captured::default(), Captured::default()];
    let rig = rig_with(sampled, |builder| {
        let [one, two] = others.clone();
        builder.with_subscriber(one).with_subscriber(two)
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("a runtime");
    let kind = rig.telemetry.kind(&STEP);
    let tool = Labels::NONE.with(0, LabelId::closed(1));
    let mut run = kind.start(Labels::NONE.with(0, LabelId::closed(0)), Parent::Root);
    let mut active = run.active().expect("recording");
    active.set_session(Session::new("s-1").with_user("u-1"));
    let handle: OpRef = active.handle();
    let mut mine = Vec::new();
    let mut left = Vec::new();
    runtime.block_on(async {
        for index in 0..CHILDREN {
            // By handle, by ids alone, or by being current: all three are the run's children.
            let call = match index % 3 {
                0 => kind.start(tool, Parent::Operation(&handle)),
                1 => run.scope(|| kind.start(tool, Parent::Current)),
                _ => {
                    let work = async move { kind.start(tool, Parent::Current) };
                    tokio::spawn(handle.wrap(work)).await.expect("no panic")
                }
            };
            if index >= CHILDREN - OUTLIVING {
                left.push(call);
                continue;
            }
            let work = call.instrument(tokio::task::yield_now(), |()| Outcome::ANSWERED);
            tokio::spawn(work).await.expect("no panic");
            rig.clock.advance(Duration::from_millis(1_800));
            if index % 100 == 0 {
                mine.extend(rig.spans());
            }
        }
    });
    run.end(outcome);
    for call in left {
        runtime.block_on(async {
            let later = async move { call.end(Outcome::ANSWERED) };
            tokio::spawn(later).await.expect("no panic");
        });
    }
    mine.extend(rig.spans());
    drop(handle);
    let all = std::iter::once(mine)
        .chain(others.map(|other| other.take_spans()))
        .collect();
    (all, rig)
}

#[track_caller]
fn check_run(seen: &[Span], expected_children: usize) {
    let run: Vec<_> = seen
        .iter()
        .filter(|span| span.name == "invoke_agent")
        .collect();
    let [run] = run[..] else {
        panic!("one run expected, not {}", run.len())
    };
    let length = Duration::from_nanos(run.end - run.start);
    assert_eq!(
        length,
        Duration::from_millis(1_800) * (CHILDREN - OUTLIVING) as u32
    );
    let children: Vec<_> = seen
        .iter()
        .filter(|span| span.name == "execute_tool")
        .collect();
    assert_eq!(children.len(), expected_children);
    for child in &children {
        assert_eq!(
            (child.trace_id, child.parent),
            (run.trace_id, Some(run.span_id))
        );
        assert_eq!(child.attribute("session.id"), Some(&"s-1".into()));
        assert_eq!(child.attribute("user.id"), Some(&"u-1".into()));
    }
    let ids: HashMap<_, _> = seen.iter().map(|span| (span.span_id, ())).collect();
    assert_eq!(ids.len(), seen.len(), "each once");
}

#[track_caller]
fn check_numbers(rig: &support::Rig) {
    let metrics = rig.telemetry.reader(Temporality::Cumulative).collect();
    let count = |operation| {
        histogram(
            &metrics,
            "test.agent.duration",
            &[("test.operation", operation)],
        )
        .count
    };
    assert_eq!(
        (count("invoke_agent"), count("execute_tool")),
        (1, CHILDREN)
    );
    for operation in ["invoke_agent", "execute_tool"] {
        let active = number(
            &metrics,
            "test.agent.active",
            &[("test.operation", operation)],
        );
        assert_eq!(active, 0.0);
    }
    let counts = rig.telemetry.counts();
    assert_eq!(
        (counts.parked_bytes, counts.ring_full, counts.late_calls),
        (0, 0, 0)
    );
}

#[test]
fn an_agent_run_of_an_hour_with_2000_children() {
    let (seen, rig) = agent_run(true, Outcome::ANSWERED);
    for seen in &seen {
        check_run(seen, CHILDREN as usize);
    }
    assert_eq!(rig.telemetry.counts().keep_truncated, 0);
    check_numbers(&rig);
}

#[test]
fn an_agent_run_that_fails_after_an_hour_is_kept_with_the_children_that_were_not_let_go() {
    let (seen, rig) = agent_run(false, Outcome::failed(obs_core::ErrorType::OTHER));
    let truncated = rig.telemetry.counts().keep_truncated;
    // The run was older than the patience when all but its first children ended; what outlived it reads the verdict.
    let kept = CHILDREN - truncated;
    assert!((OUTLIVING..CHILDREN / 2).contains(&kept), "{kept} kept");
    for seen in &seen {
        check_run(seen, kept as usize);
        let run = seen
            .iter()
            .find(|span| span.name == "invoke_agent")
            .expect("the run");
        assert_eq!(
            run.attribute("obs.keep.truncated"),
            Some(&(truncated as i64).into())
        );
        assert_eq!((run.reason, run.is_partial()), (Some("error"), true));
    }
    check_numbers(&rig);
}

#[test]
fn an_agent_run_that_nobody_wants_leaves_only_its_numbers() {
    let (seen, rig) = agent_run(false, Outcome::ANSWERED);
    assert!(seen.iter().all(Vec::is_empty));
    check_numbers(&rig);
}
