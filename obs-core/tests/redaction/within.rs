//! A redactor that records something itself: operations, metrics, logs.

use crate::support::{METHOD, Rig, WORK, rig_with};
use obs_core::redact::{Place, Redaction, Redactor, Text};
use obs_core::{Key, Labels, Outcome, Parent, Telemetry};
use std::sync::{Arc, OnceLock};

const OWN: Key = Key::new(&"own");

/// Its redactor ends an operation of its own, named as the text that it was shown, for each text.
fn recording() -> Rig {
    let known: Arc<OnceLock<Telemetry>> = Arc::default();
    let knows = known.clone();
    let redactor = move |text: Text<'_>| {
        if let Some(telemetry) = knows.get() {
            let kind = telemetry.kind(&WORK);
            let label = kind.label(METHOD, text.value);
            let mut own = kind.start(Labels::NONE.with(METHOD, label), Parent::Root);
            own.set(OWN, "own");
            own.end(Outcome::ANSWERED);
        }
        match text.place {
            Place::SpanAttribute => Redaction::replace("seen"),
            _ => Redaction::Keep,
        }
    };
    let rig = rig_with(true, |builder| builder.with_redactor(redactor));
    known.set(rig.telemetry).expect("once");
    rig
}

#[test]
fn a_text_that_a_redactor_used_as_a_label_is_no_other_for_the_service_afterwards() {
    let rig = recording();
    let mut first = rig.root("first");
    first.set(OWN, "later");
    first.end(Outcome::ANSWERED);
    rig.root("later").end(Outcome::ANSWERED);
    let names = rig.exported();
    assert!(names.contains(&"first".to_owned()), "{names:?}");
    assert!(names.contains(&"later".to_owned()), "{names:?}");
    let page = rig.telemetry.prometheus();
    assert!(page.contains(r#"test_step="later""#), "{page}");
    rig.assert_at_rest();
}

#[cfg(feature = "metrics")]
#[test]
fn what_a_redactor_counts_is_no_other_series_for_the_service_afterwards() {
    use obs_core::metrics_facade::MetricsRecorder;
    let rig = rig_with(true, |builder| {
        builder.with_redactor(|_: Text<'_>| {
            metrics::counter!("said_total", "rule" => "card").increment(1);
            Redaction::Keep
        })
    });
    let recorder = MetricsRecorder::new(&rig.telemetry);
    metrics::with_local_recorder(&recorder, || {
        let mut operation = rig.root("first");
        operation.set(OWN, "text");
        operation.end(Outcome::ANSWERED);
        metrics::counter!("said_total", "rule" => "card").increment(1000);
    });
    let page = rig.telemetry.prometheus();
    assert!(page.contains("said_total{rule=\"card\"} 1000\n"), "{page}");
}

#[test]
fn what_a_redactor_throws_may_panic_again_when_it_is_dropped() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("dropped"))
        }
    }
    struct Throws;
    impl Redactor for Throws {
        fn redact(&self, text: Text<'_>) -> Redaction {
            match text.place {
                Place::SpanAttribute => std::panic::resume_unwind(Box::new(Bomb)),
                _ => Redaction::Keep,
            }
        }
    }
    let rig = rig_with(true, |builder| builder.with_redactor(Throws));
    let mut operation = rig.root("first");
    operation.set(OWN, "text");
    operation.end(Outcome::ANSWERED);
    assert_eq!(rig.telemetry.counts().panics, 1);
    assert_eq!(
        rig.span().attribute("own").map(ToString::to_string),
        Some("[withheld]".into())
    );
}
