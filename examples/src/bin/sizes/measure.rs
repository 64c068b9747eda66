//! What each thing takes, by sending many and counting.

use crate::traffic::{self, Answer};
use obs_core::setup::environment::Environment;
use obs_core::{Builder, StatsLevel, Telemetry};
use obs_http::HttpServerLayer;
use obs_testing::Receiver;
use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// So many that what a request of OTLP has around its items is in proportion: four full batches of spans.
const MANY: usize = 2048;
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes of one item: as OTLP, and packed as it goes over the wire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) plain: f64,
    pub(crate) gzip: f64,
}

/// What docs/sizing.md computes with.
#[derive(Debug)]
pub(crate) struct Sizes {
    pub(crate) server: Size,
    pub(crate) server_detailed: Size,
    pub(crate) server_kept_late: Size,
    pub(crate) client: Size,
    pub(crate) client_detailed: Size,
    pub(crate) log: Size,
    pub(crate) log_line: f64,
    pub(crate) series: Size,
    pub(crate) collection: Size,
    pub(crate) page_series: f64,
}

pub(crate) fn all() -> Result<Sizes> {
    let base = |builder: Builder| builder;
    let detailed = |builder: Builder| builder.with_level(StatsLevel::Detailed);
    let lines = Arc::new(AtomicUsize::new(0));
    let log = logs(&lines)?;
    let (series, collection, page_series) = metrics()?;
    Ok(Sizes {
        server: server(base, &[], Answer::Item)?,
        server_detailed: server(detailed, &[], Answer::Item)?,
        // Nothing is sampled; what fails is kept all the same.
        server_kept_late: server(
            base,
            &[("OTEL_TRACES_SAMPLER", "always_off")],
            Answer::Broken,
        )?,
        client: client(base)?,
        client_detailed: client(detailed)?,
        log,
        log_line: lines.load(Ordering::Relaxed) as f64 / MANY as f64,
        series,
        collection,
        page_series,
    })
}

/// A telemetry in manual mode that packs what it sends, and whom it sends to.
fn telemetry(
    set: impl FnOnce(Builder) -> Builder,
    more: &[(&str, &str)],
) -> Result<(Telemetry, Receiver)> {
    let receiver = Receiver::start()?;
    let endpoint = receiver.endpoint();
    let variable = |name: &str| {
        match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
        "OTEL_EXPORTER_OTLP_COMPRESSION" => Some("gzip".into()),
        "OTEL_SERVICE_NAME" => Some("front".into()),
        // As deploy/kubernetes/sample-service has it.
        "OTEL_RESOURCE_ATTRIBUTES" => Some(
            "service.namespace=sample,service.version=1.0.0,k8s.pod.uid=0c6ddc9a-4f2e-4b1b-9d0e-7a0a4f6c1a11,\
             k8s.pod.name=front-7c9d5b8f6-x2x4z,k8s.node.name=node-17"
                .into(),
        ),
        _ => more
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).into()),
    }
    };
    let environment = Environment::from_fn(variable);
    let builder = Telemetry::builder()
        .with_environment(environment)
        .with_otlp();
    Ok((set(builder).manual().build()?, receiver))
}

/// Of a path, per item.
fn counted(receiver: &Receiver, path: &str, items: usize) -> Result<Size> {
    let (mut plain, mut gzip) = (0, 0);
    for request in receiver.requests() {
        if request.path == path {
            plain += request.unpacked_bytes;
            gzip += request.wire_bytes;
        }
    }
    if plain == 0 {
        return Err(format!("nothing came to {path}").into());
    }
    let items = items as f64;
    Ok(Size {
        plain: plain as f64 / items,
        gzip: gzip as f64 / items,
    })
}

fn spans(receiver: &Receiver) -> Result<Size> {
    let arrived = receiver.spans().len();
    if arrived != MANY {
        return Err(format!("{arrived} spans of {MANY} arrived").into());
    }
    counted(receiver, "/v1/traces", MANY)
}

fn server(
    set: impl FnOnce(Builder) -> Builder,
    more: &[(&str, &str)],
    answer: Answer,
) -> Result<Size> {
    let (telemetry, receiver) = telemetry(set, more)?;
    traffic::on_a_runtime(async {
        let address = traffic::serve(Some(HttpServerLayer::new(&telemetry)), 1).await?;
        traffic::requests(&telemetry, address, MANY, |n| traffic::path(answer, n)).await
    })?;
    telemetry.shutdown(PATIENCE)?;
    spans(&receiver)
}

fn client(set: impl FnOnce(Builder) -> Builder) -> Result<Size> {
    let (telemetry, receiver) = telemetry(set, &[])?;
    traffic::on_a_runtime(async {
        let address = traffic::serve(None, 1).await?;
        traffic::calls(&telemetry, address, MANY).await
    })?;
    telemetry.shutdown(PATIENCE)?;
    spans(&receiver)
}

/// An event of `tracing` with five fields in each request. `lines` gets the bytes of the lines of JSON.
fn logs(lines: &Arc<AtomicUsize>) -> Result<Size> {
    let (telemetry, receiver) = telemetry(|builder| builder, &[])?;
    traffic::on_a_runtime(async {
        let _logging = traffic::log_to(&telemetry, lines);
        let address = traffic::serve(Some(HttpServerLayer::new(&telemetry)), 1).await?;
        traffic::requests(&telemetry, address, MANY, |n| {
            traffic::path(Answer::Logged, n)
        })
        .await
    })?;
    telemetry.shutdown(PATIENCE)?;
    let arrived = receiver.log_records().len();
    if arrived != MANY {
        return Err(format!("{arrived} log records of {MANY} arrived").into());
    }
    counted(&receiver, "/v1/logs", MANY)
}

/// A series, what a collection has besides, and a series on the page: from few routes and many.
fn metrics() -> Result<(Size, Size, f64)> {
    const FEW: usize = 10;
    const MORE: usize = 90;
    let few = collected(FEW)?;
    let many = collected(FEW + MORE)?;
    let series = (many.series - few.series) as f64;
    if series != 2.0 * MORE as f64 {
        return Err(format!(
            "{series} series for {MORE} routes: its duration, to the end and to the head"
        )
        .into());
    }
    let slope = |of: fn(&Collected) -> f64| (of(&many) - of(&few)) / series;
    let (plain, gzip) = (
        |of: &Collected| of.size.plain,
        |of: &Collected| of.size.gzip,
    );
    let size = Size {
        plain: slope(plain),
        gzip: slope(gzip),
    };
    let rest = Size {
        plain: plain(&few) - size.plain * 2.0 * FEW as f64,
        gzip: gzip(&few) - size.gzip * 2.0 * FEW as f64,
    };
    Ok((size, rest, slope(|of| of.page as f64)))
}

struct Collected {
    size: Size,
    series: usize,
    page: usize,
}

/// One collection after every route was asked for, sixteen times on average and some more often.
fn collected(routes: usize) -> Result<Collected> {
    let (telemetry, receiver) = telemetry(|builder| builder, &[])?;
    traffic::on_a_runtime(async {
        let address = traffic::serve(Some(HttpServerLayer::new(&telemetry)), routes).await?;
        traffic::requests(&telemetry, address, routes * 16, |n| {
            traffic::route(n, routes)
        })
        .await
    })?;
    // The collection that is looked at is the last.
    telemetry.flush(PATIENCE)?;
    receiver.clear();
    let page = telemetry.prometheus().len();
    telemetry.flush(PATIENCE)?;
    let collections = receiver.metrics().len();
    if collections != 1 {
        return Err(format!("{collections} collections arrived, not one").into());
    }
    let points = receiver.points();
    let series = [
        "http.server.request.duration",
        "obs.http.server.head.duration",
    ]
    .map(|name| points.histograms(name, &[]).len())
    .iter()
    .sum();
    let size = counted(&receiver, "/v1/metrics", 1)?;
    telemetry.shutdown(PATIENCE)?;
    Ok(Collected { size, series, page })
}

impl Sizes {
    /// In Markdown. A quotient says what packing makes of it.
    pub(crate) fn table(&self) -> String {
        let mut table =
            "| what | OTLP, bytes | gzip, bytes | packed to |\n|---|--:|--:|--:|\n".to_owned();
        let rows = [
            ("span of a server, Base", self.server),
            ("the same, Detailed, with its events", self.server_detailed),
            (
                "the same, Base, kept late because it failed",
                self.server_kept_late,
            ),
            ("span of a client, Base", self.client),
            ("the same, Detailed, with its events", self.client_detailed),
            ("log record with five fields, in a request", self.log),
            (
                "series: a histogram of 14 buckets, in a collection",
                self.series,
            ),
            ("a collection, besides its series", self.collection),
        ];
        for (what, size) in rows {
            let packed = 100.0 * size.gzip / size.plain;
            let _ = writeln!(
                table,
                "| {what} | {:.0} | {:.0} | {packed:.0} % |",
                size.plain, size.gzip
            );
        }
        for (what, bytes) in [
            ("the log record as a line of JSON", self.log_line),
            ("the series on a `/metrics` page", self.page_series),
        ] {
            let _ = writeln!(table, "| {what} | {bytes:.0} | – | – |");
        }
        table
    }
}
