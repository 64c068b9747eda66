//! What arrived, and whether it is all there.

use crate::{
    failure::Failure,
    load::{CASES, Case, Sent},
    source::Source,
};
use obs_core::{
    Telemetry,
    semconv::http::{ROUTE, SERVER_REQUEST_DURATION, URL_PATH},
};
use obs_testing::{TreeSpan, metrics::HistogramPoint, metrics::PointSet};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long telemetry may take to arrive.
const PATIENCE: Duration = Duration::from_secs(5);

/// What arrived.
#[derive(Debug)]
pub(crate) struct Evidence {
    spans: Vec<TreeSpan>,
    points: PointSet,
}

/// Waits until everything that was sent has left its traces.
pub(crate) async fn gather(
    telemetry: Telemetry,
    source: &Source,
    sent: &Sent,
) -> Result<Evidence, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        flush(telemetry, source).await?;
        let evidence = Evidence {
            spans: source.spans(),
            points: source.points(&telemetry),
        };
        match evidence.missing(sent) {
            None => return Ok(evidence),
            Some(missing) if Instant::now() > deadline => {
                return Err(Failure::new(format!(
                    "telemetry is missing: {missing} within {PATIENCE:?}. Is a signal switched off or sampled by an OTEL_* variable?"
                )));
            }
            // A request that was hung up on ends when the server notices, a task after its request.
            Some(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Everything that has ended is delivered when this returns.
pub(crate) async fn flush(telemetry: Telemetry, source: &Source) -> Result<(), Failure> {
    // Waits for the network, so not on a thread that serves.
    let flushed = tokio::task::spawn_blocking(move || telemetry.flush(PATIENCE)).await;
    let flushed = flushed.map_err(|error| Failure::new(error.to_string()))?;
    flushed.map_err(|error| {
        Failure::new(format!(
            "telemetry could not be delivered to {source}: {error}"
        ))
    })
}

impl Evidence {
    /// The spans of the request of `case`; its own is the first.
    pub(crate) fn trace(&self, case: &Case) -> Vec<TreeSpan> {
        let path = |span: &TreeSpan| {
            let mut attributes = span.attributes.iter();
            attributes
                .any(|(key, value)| key == URL_PATH.as_str() && value.as_str() == Some(case.path))
        };
        let Some(root) = self.spans.iter().find(|span| path(span)) else {
            return Vec::new();
        };
        let spans = self.spans.iter();
        spans
            .filter(|span| span.trace_id == root.trace_id)
            .cloned()
            .collect()
    }

    /// The durations of requests, one series per outcome.
    pub(crate) fn durations(&self, route: &str) -> Vec<HistogramPoint> {
        let route = [(ROUTE.as_str(), route.into())];
        self.points.histograms(SERVER_REQUEST_DURATION, &route)
    }

    fn missing(&self, sent: &Sent) -> Option<String> {
        let no_trace = CASES.iter().find_map(|case| {
            let found = self.trace(case).len();
            (found < case.spans).then(|| {
                format!(
                    "{found} of {} spans of {} (GET {}) arrived",
                    case.spans, case.title, case.path
                )
            })
        });
        no_trace.or_else(|| {
            sent.iter().find_map(|(route, requests)| {
                let counted: u64 = self.durations(route).iter().map(|point| point.count).sum();
                (counted != *requests).then(|| {
                    format!("{counted} of {requests} requests of {route} are in the metrics that arrived")
                })
            })
        })
    }
}
