//! What a line says.

use crate::rig::Logs;
use obs_core::logs::Limits;
use obs_core::{Outcome, Session};
use serde_json::json;
use std::error::Error;
use std::fmt;

#[test]
fn a_line_has_time_level_target_message_and_typed_fields() {
    let logs = Logs::new();
    logs.rig.advance_ms(1_234);
    let line = logs.line_of(|| {
        tracing::info!(
            target: "shop::cart",
            items = 3_u64,
            balance = -7_i64,
            ratio = 0.25,
            full = true,
            user = "ada",
            kind = ?Some(1),
            shown = %1.5,
            big = u64::MAX,
            huge = i128::MAX,
            "added {}",
            "tea"
        );
    });
    assert_eq!(
        line,
        json!({
            "timestamp": "2026-01-01T00:00:01.234000000Z",
            "level": "INFO",
            "target": "shop::cart",
            "message": "added tea",
            "fields": {
                "items": 3, "balance": -7, "ratio": 0.25, "full": true, "user": "ada", "kind": "Some(1)",
                "shown": "1.5", "big": u64::MAX, "huge": i128::MAX.to_string(),
            },
        })
    );
}

#[test]
fn levels_are_called_as_they_are() {
    let logs = Logs::new();
    logs.run(|| {
        tracing::trace!("x");
        tracing::debug!("x");
        tracing::info!("x");
        tracing::warn!("x");
        tracing::error!("x");
    });
    let levels: Vec<_> = logs
        .written
        .lines()
        .iter()
        .map(|line| line["level"].as_str().expect("text").to_owned())
        .collect();
    assert_eq!(levels, ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"]);
}

#[test]
fn numbers_that_json_has_not_are_text() {
    let logs = Logs::new();
    let line = logs.line_of(|| {
        tracing::info!(
            a = f64::NAN,
            b = f64::INFINITY,
            c = f64::NEG_INFINITY,
            d = 1e300,
            e = 5e-324
        );
    });
    assert_eq!(
        line["fields"],
        json!({"a": "NaN", "b": "inf", "c": "-inf", "d": 1e300, "e": 5e-324})
    );
    assert_eq!(line.get("message"), None);
}

#[derive(Debug)]
struct Failed(&'static str, Option<Box<Failed>>);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Failed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

#[test]
fn an_error_tells_where_it_came_from() {
    let logs = Logs::new();
    let failed = Failed(
        "no answer",
        Some(Box::new(Failed(
            "connection lost",
            Some(Box::new(Failed("cable cut", None))),
        ))),
    );
    let line = logs.line_of(|| {
        tracing::error!(
            error = &failed as &(dyn Error + 'static),
            after = 2,
            "gave up"
        );
    });
    assert_eq!(
        line["fields"],
        json!({"error": "no answer", "error.sources": ["connection lost", "cable cut"], "after": 2})
    );
}

#[test]
fn a_line_has_the_ids_and_the_session_of_its_operation() {
    let logs = Logs::new();
    let mut operation = logs.rig.root("w");
    let ids = {
        let mut active = operation.active().expect("recording");
        active.set_session(Session::new("s-1").with_user("ada"));
        active.trace_parent()
    };
    let line = logs.line_of(|| operation.scope(|| tracing::info!("inside")));
    assert_eq!(line["trace_id"], ids.trace_id.to_string());
    assert_eq!(line["span_id"], ids.span_id.to_string());
    assert_eq!(line["trace_flags"], format!("{:02x}", ids.flags.to_u8()));
    assert!(ids.flags.is_sampled());
    assert_eq!(line["session.id"], "s-1");
    assert_eq!(line["user.id"], "ada");
    operation.end(Outcome::ANSWERED);
    let line = logs.line_of(|| tracing::info!("outside"));
    for key in [
        "trace_id",
        "span_id",
        "trace_flags",
        "session.id",
        "user.id",
    ] {
        assert_eq!(line.get(key), None, "{key}");
    }
}

#[test]
fn spans_around_it_are_told_on_request() {
    let logs = Logs::with(|layer| layer.with_span_fields(true));
    let line = logs.line_of(|| {
        let outer = tracing::info_span!("outer", tenant = "blue", seen = tracing::field::Empty);
        outer.in_scope(|| {
            outer.record("seen", 1);
            outer.record("seen", 2);
            tracing::info_span!("inner", tenant = 7).in_scope(|| tracing::info!("deep"));
        });
    });
    assert_eq!(
        line["spans"],
        json!([
            {"name": "outer", "fields": {"tenant": "blue", "seen": 2}},
            {"name": "inner", "fields": {"tenant": 7}},
        ])
    );
    let line = Logs::new().line_of(|| {
        tracing::info_span!("outer", tenant = "blue").in_scope(|| tracing::info!("deep"));
    });
    assert_eq!(line.get("spans"), None);
}

#[test]
fn two_layers_keep_the_fields_of_spans_apart() {
    use obs_core::logs::LogLayer;
    use tracing_subscriber::layer::SubscriberExt;
    let first = Logs::new();
    let (one, two) = (first.written.clone(), crate::rig::Written::default());
    let into = two.clone();
    let layer = |telemetry| LogLayer::new(telemetry).with_span_fields(true);
    let subscriber = tracing_subscriber::registry()
        .with(layer(&first.rig.telemetry).with_lines(move || one.clone()))
        .with(
            layer(&first.rig.telemetry)
                .with_lines(move || into.clone())
                .with_limits(Limits::default().with_value(2)),
        );
    tracing::subscriber::with_default(subscriber, || {
        tracing::info_span!("outer", tenant = "blue").in_scope(|| tracing::info!("x"));
    });
    let fields = |written: &crate::rig::Written| written.line()["spans"][0]["fields"].clone();
    assert_eq!(fields(&first.written), json!({"tenant": "blue"}));
    assert_eq!(fields(&two), json!({"tenant": "bl…[+2 bytes]"}));
}

#[test]
fn the_place_in_the_source_is_told_on_request() {
    let logs = Logs::with(|layer| layer.with_location(true).with_thread(true));
    let expected = line!() + 1;
    let line = logs.line_of(|| tracing::info!("here"));
    assert_eq!(line["code.line.number"], expected);
    assert_eq!(line["code.file.path"], file!());
    let thread = std::thread::current();
    assert_eq!(
        line["thread.name"],
        thread.name().expect("tests have names")
    );
}

#[test]
fn what_is_too_large_is_cut_and_says_so() {
    let limits = Limits::default().with_value(10).with_fields(2);
    let logs = Logs::with(|layer| layer.with_limits(limits));
    let line = logs.line_of(|| {
        tracing::info!(a = "0123456789ab", b = ?"grün".repeat(3), c = 1, d = 2, "{}", "m".repeat(11));
    });
    assert_eq!(line["message"], "mmmmmmmmmm…[+1 bytes]");
    assert_eq!(
        line["fields"],
        json!({"a": "0123456789…[+2 bytes]", "b": "\"grüngrü…[+7 bytes]"})
    );
    assert_eq!(line["obs.log.cut_fields"], 2);
}

#[test]
fn a_line_is_never_longer_than_its_bound() {
    let limits = Limits::default().with_line(4_096).with_value(usize::MAX);
    let logs = Logs::with(|layer| {
        layer
            .with_limits(limits)
            .with_location(true)
            .with_span_fields(true)
    });
    for text in ["\u{1}", "\u{e0041}", "x", "ü", "\""] {
        let text = text.repeat(5_000);
        logs.run(|| {
            let span = tracing::info_span!("outer", a = &*text, b = &*text);
            span.in_scope(|| tracing::info!(a = &*text, b = &*text, c = 1, "{text}"));
        });
        let line = logs.written.text();
        assert!(
            line.len() <= 4_096,
            "{} bytes for {:?}",
            line.len(),
            &text[..4]
        );
        let line = logs.written.line();
        assert!(
            line["message"]
                .as_str()
                .is_some_and(|text| text.contains("…[+"))
        );
        assert!(line["obs.log.cut_fields"].as_u64() >= Some(3), "{line:#}");
        assert_eq!(line["level"], "INFO");
    }
}

#[test]
fn a_value_that_panics_is_marked_and_its_event_is_not_lost() {
    struct Bad;
    impl fmt::Debug for Bad {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("half")?;
            panic!("no");
        }
    }
    struct Refuses;
    impl fmt::Debug for Refuses {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Err(fmt::Error)
        }
    }
    let logs = Logs::new();
    let line = logs.line_of(|| tracing::info!(bad = ?Bad, refuses = ?Refuses, good = 1, "said"));
    assert_eq!(
        line["fields"],
        json!({"bad": "half[panicked]", "refuses": "[not printable]", "good": 1})
    );
    assert_eq!(line["message"], "said");
    assert!(logs.rig.telemetry.counts().panics >= 1);
    let records = logs.records();
    assert_eq!(records.len(), 1, "{records:?}");
}
