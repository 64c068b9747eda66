//! The page about delivery, held against what a telemetry says of itself when everything goes wrong.

use obs_core::courier::{Capture, DropReason, Sent, Signal};
use obs_core::metrics::{Data, Metric, Temporality};
use obs_core::sampling::HeadSampler;
use obs_core::setup::environment::Environment;
use obs_core::{
    Body, Delivery, Descriptor, InFlight, KeepPolicy, Labels, LogEvent, Outcome, Parent, Scope,
    Telemetry,
};
use obs_docs::page::{names_of_query, root};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

type Names = BTreeSet<String>;

static SCOPE: Scope = Scope {
    name: "delivery",
    version: "",
    schema_url: "",
};

static WORK: Descriptor = Descriptor {
    name: "work",
    span_kind: obs_core::otel::trace::SpanKind::Internal,
    scope: &SCOPE,
    labels: &[],
    method: None,
    errors: &[],
    duration: None,
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: Some(InFlight {
        name: "work.active",
        unit: "{work}",
        description: "What is running.",
        labels: 0,
    }),
    span_name: |_, into| into.push_str("work"),
};

fn page() -> String {
    std::fs::read_to_string(root().join("delivery.md")).expect("it is checked in")
}

/// First cells of the table after a mark, and its rows.
fn table(page: &str, mark: &str) -> BTreeMap<String, String> {
    let mark = format!("<!-- {mark} -->\n");
    let (_, rest) = page.split_once(&mark).expect("a table");
    let rows = rest
        .lines()
        .take_while(|line| line.starts_with('|'))
        .skip(2);
    rows.map(|row| {
        let name = row.split('`').nth(1).expect("a name in each row");
        (name.to_owned(), row.to_owned())
    })
    .collect()
}

/// A telemetry with everything in its books.
fn troubled() -> Telemetry {
    let mut answers = 0;
    let refusing = Capture::new().with_answer(move |_| {
        answers += 1;
        if answers < 4 {
            Sent::refused("no")
        } else {
            Sent::DELIVERED
        }
    });
    let never = Capture::new().with_answer(|_| Sent::retry("later"));
    let mut keep = KeepPolicy::default();
    keep.parked_children = 1;
    let destinations = obs_core::courier::Destinations::below("http://127.0.0.1:9");
    let telemetry = Telemetry::builder()
        .with_environment(Environment::default())
        .with_sampler(HeadSampler::ratio(0.0).expect("a share"))
        .with_keep(keep)
        .with_shutdown_grace(Duration::ZERO)
        .with_transport(refusing)
        .with_delivery(Delivery::through(never).named("never"))
        .with_otlp_to(destinations)
        .manual()
        .build()
        .expect("usable");
    let kind = telemetry.kind(&WORK);
    let family = |outcome| {
        let mut root = kind.start(Labels::NONE, Parent::Root);
        root.scope(|| {
            for _ in 0..2 {
                kind.start(Labels::NONE, Parent::Current)
                    .end(Outcome::ANSWERED);
            }
        });
        root.end(outcome);
    };
    family(Outcome::ANSWERED);
    family(Outcome::PANICKED);
    for _ in 0..1_000 {
        kind.start(Labels::NONE, Parent::Root)
            .end(Outcome::PANICKED);
    }
    telemetry.emit(LogEvent::new("said", Body::Text("x".into())));
    let soon = Duration::from_millis(50);
    for _ in 0..2 {
        telemetry.flush(soon).expect_err("one never takes anything");
    }
    let mut running = kind.start(Labels::NONE, Parent::Root);
    running.scope(|| {
        kind.start(Labels::NONE, Parent::Current)
            .end(Outcome::ANSWERED)
    });
    telemetry.emit(LogEvent::new("said", Body::Text("x".into())));
    telemetry.shutdown(soon).expect_err("much is lost");
    running.end(Outcome::PANICKED);
    telemetry
}

fn metrics(telemetry: &Telemetry) -> Vec<Metric> {
    telemetry.reader(Temporality::Cumulative).collect()
}

#[test]
fn every_metric_about_delivery_is_on_the_page_and_no_other() {
    let page = page();
    let mut shown: Names = table(&page, "ours").into_keys().collect();
    shown.extend(table(&page, "conventions").into_keys());
    let metrics = metrics(&troubled());
    let about = metrics.iter().map(|metric| metric.name.to_string());
    let of_books = |name: &String| {
        let own = name.starts_with("obs.telemetry.") && name != "obs.telemetry.anomalies";
        own || name.starts_with("otel.sdk.")
    };
    let said: Names = about.filter(of_books).collect();
    assert_eq!(said, shown);
    for (name, row) in table(&page, "ours") {
        let metric = metrics.iter().find(|metric| metric.name == *name);
        let keys = labels(metric.expect("it is said"));
        let cell = row.split('|').nth(2).expect("labels");
        let told: Names = { cell.split('`') }
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect();
        assert_eq!(keys, told, "{name}");
    }
}

#[test]
fn what_a_spool_holds_is_on_the_page_and_no_loss_at_the_end() {
    use obs_core::courier::{Settings, SpoolSettings};
    let folder = std::env::temp_dir().join(format!("obs-docs-spool-{}", std::process::id()));
    let spool = SpoolSettings::at(&folder).with_patience(Duration::ZERO);
    let never = Capture::new().with_answer(|_| Sent::retry("later"));
    let telemetry = Telemetry::builder()
        .with_environment(Environment::default())
        .with_delivery(
            Delivery::through(never).with_settings(Settings::default().with_spool(spool)),
        )
        .manual()
        .build()
        .expect("usable");
    let work = telemetry.kind(&WORK);
    work.start(Labels::NONE, Parent::Root)
        .end(Outcome::ANSWERED);
    telemetry
        .flush(Duration::from_millis(50))
        .expect_err("it never takes anything");
    let said = metrics(&telemetry);
    let spooled = said
        .iter()
        .find(|metric| metric.name == "obs.telemetry.spooled");
    assert!(page().contains(&format!("`{}`", spooled.expect("it is said").name)));
    let end = telemetry.shutdown(Duration::from_secs(5));
    let book = *telemetry.books().of(Signal::Traces);
    std::fs::remove_dir_all(&folder).expect("removed");
    end.expect("nothing is lost");
    assert_eq!((book.created, book.spooled, book.pending), (1, 1, 1));
}

fn labels(metric: &Metric) -> Names {
    let mut keys = Names::new();
    match &metric.data {
        Data::Sum { points, .. } | Data::Gauge { points } => {
            let all = points.iter().flat_map(|point| &point.attributes);
            keys.extend(all.map(|(key, _)| key.to_string()));
        }
        Data::Histogram { points, .. } => {
            let all = points.iter().flat_map(|point| &point.attributes);
            keys.extend(all.map(|(key, _)| key.to_string()));
        }
        other => panic!("{other:?}"),
    }
    keys
}

#[test]
fn every_reason_is_on_the_page_with_whether_it_is_a_loss() {
    let rows = table(&page(), "reasons");
    let reasons: Names = DropReason::ALL
        .map(|reason| reason.as_str().to_owned())
        .into();
    assert_eq!(rows.keys().cloned().collect::<Names>(), reasons);
    for reason in DropReason::ALL {
        let row = &rows[reason.as_str()];
        let loss = row.split('|').nth(4).expect("a cell").trim();
        assert_eq!(loss == "yes", reason.is_loss(), "{row}");
        assert!(
            reason != DropReason::KeepTruncated || loss.starts_with("if "),
            "{row}"
        );
    }
}

#[test]
fn every_name_in_the_alerts_is_on_a_metrics_page() {
    let telemetry = troubled();
    let page = page();
    let (_, queries) = page.split_once("```promql\n").expect("queries");
    let (queries, _) = queries.split_once("```").expect("their end");
    // Without comments, and without what stands in quotes: values.
    let lines = queries.lines().filter(|line| !line.starts_with('#'));
    let unquoted: String = lines
        .flat_map(|line| line.split('"').step_by(2).chain([" "]))
        .collect();
    let asked = names_of_query(&unquoted);
    assert!(asked.len() > 8, "{asked:?}");
    let shown = telemetry.prometheus();
    for name in asked {
        let as_metric = shown.contains(&format!("# TYPE {name} "));
        let as_label = shown.contains(&format!("{name}=\""));
        assert!(as_metric || as_label, "{name} is in no sample of {shown}");
    }
}

#[test]
fn the_books_as_they_are_exported_are_balanced() {
    let telemetry = troubled();
    let metrics = metrics(&telemetry);
    let sum = |name: &str, signal: Signal| {
        let metric = metrics.iter().find(|metric| metric.name == *name);
        let Some(Data::Sum { points, .. }) = metric.map(|metric| &metric.data) else {
            panic!("{name}")
        };
        let own = points.iter().filter(|point| {
            let of = |(key, value): &(_, obs_core::LabelValue)| {
                *key == *"obs.signal" && value.to_text() == signal.as_str()
            };
            point.attributes.iter().any(of)
        });
        own.map(|point| point.value.as_f64()).sum::<f64>()
    };
    for signal in Signal::ALL {
        let over = ["delivered", "dropped", "pending"];
        let over = over.map(|name| sum(&format!("obs.telemetry.{name}"), signal));
        let created = sum("obs.telemetry.created", signal);
        assert!(created > 0.0, "{signal}");
        assert_eq!(created, over.iter().sum::<f64>(), "{signal}: {over:?}");
        let book = *telemetry.books().of(signal);
        assert_eq!(book.created as f64, created, "{signal}");
    }
}
