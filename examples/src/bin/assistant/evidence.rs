//! What arrived, and whether it is all there.

use crate::{
    business::ANSWERS,
    failure::Failure,
    front::{self, Process},
    knowledge,
    load::{ASK, Case, NORMAL, Sent},
    logs::Log,
    source::{Seen, Source},
    stages, tools,
};
use obs_core::{
    Key, Telemetry,
    semconv::{
        gen_ai,
        http::{ROUTE, SERVER_REQUEST_DURATION, URL_PATH},
        resource::SERVICE_NAME,
        session,
    },
};
use obs_testing::{
    TreeSpan,
    metrics::{HistogramPoint, NumberPoint, PointSet, Series},
};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::{Instant, sleep};

/// How long telemetry may take to arrive.
const PATIENCE: Duration = Duration::from_secs(5);

/// All of them.
pub(crate) const SERVICES: [&str; 3] = [front::NAME, knowledge::NAME, tools::NAME];

/// The services, and where what they tell is read back.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) telemetry: Telemetry,
    pub(crate) source: Source,
    pub(crate) knowledge: Process,
    pub(crate) tools: Process,
    /// In the order of [`SERVICES`].
    pub(crate) logs: [Log; 3],
}

/// What arrived.
#[derive(Debug)]
pub(crate) struct Evidence {
    spans: Vec<Seen>,
    points: PointSet,
    /// Whether spans and points are there of the services behind the front too.
    of_all: bool,
    /// Of the normal request, by service.
    pub(crate) lines: Vec<(&'static str, Vec<String>)>,
}

impl Watched {
    /// Everything that has ended, in each service, is delivered when this returns.
    pub(crate) async fn flush(&self) -> Result<(), Failure> {
        let telemetry = self.telemetry;
        // Waits for the network, so not on a thread that serves.
        let flushed = tokio::task::spawn_blocking(move || telemetry.flush(PATIENCE)).await;
        let flushed = flushed.map_err(|error| Failure::new(error.to_string()))?;
        flushed.map_err(|error| {
            Failure::new(format!(
                "telemetry could not be delivered to {}: {error}",
                self.source
            ))
        })?;
        self.knowledge.flush().await?;
        self.tools.flush().await
    }

    /// Waits until nothing is missing.
    async fn until(
        &self,
        missing: impl Fn(&Evidence) -> Option<String>,
    ) -> Result<Evidence, Failure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.flush().await?;
            let evidence = Evidence::read(self)?;
            match missing(&evidence) {
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
}

impl Evidence {
    /// Waits until everything that was sent has left its traces.
    pub(crate) async fn gather(
        watched: &Watched,
        cases: &[Case],
        sent: &Sent,
    ) -> Result<Self, Failure> {
        let missing = |evidence: &Self| evidence.missing(cases, sent);
        watched.until(missing).await
    }

    /// Waits for the trace of one request.
    pub(crate) async fn of_case(watched: &Watched, case: &Case) -> Result<Self, Failure> {
        watched.until(|evidence| evidence.missing_of(case)).await
    }

    fn read(watched: &Watched) -> Result<Self, Failure> {
        let source = &watched.source;
        let mut evidence = Self {
            spans: source.spans(),
            points: source.points(&watched.telemetry),
            of_all: source.sees_all(),
            lines: Vec::new(),
        };
        if let Some(root) = evidence.root(&NORMAL) {
            let trace_id = root.span.trace_id;
            for (service, log) in SERVICES.into_iter().zip(&watched.logs) {
                evidence.lines.push((service, log.of_trace(trace_id)?));
            }
        }
        Ok(evidence)
    }

    /// The spans of the request of `case`. Where a trace enters a service, the span says which; those of calls over gRPC come
    /// with their stages.
    pub(crate) fn trace(&self, case: &Case) -> Vec<TreeSpan> {
        let Some(root) = self.root(case) else {
            return Vec::new();
        };
        let spans = self.spans.iter();
        let trace: Vec<_> = spans
            .filter(|seen| seen.span.trace_id == root.span.trace_id)
            .collect();
        let service_of: BTreeMap<_, _> = trace
            .iter()
            .map(|seen| (seen.span.span_id, &seen.service))
            .collect();
        let shown = trace.iter().map(|seen| {
            let parent = seen.span.parent_span_id;
            let parents = parent.and_then(|parent| service_of.get(&parent));
            let mut span = seen.span.clone();
            if parents != Some(&&seen.service) {
                let name = seen.service.as_str().into();
                span.attributes.push((SERVICE_NAME.to_owned(), name));
            }
            stages::show(&mut span);
            span
        });
        shown.collect()
    }

    /// The spans of a session that are of this operation, as `gen_ai.operation.name` has it.
    pub(crate) fn of_session<'a>(
        &'a self,
        session: &'a str,
        operation: &'a str,
    ) -> impl Iterator<Item = &'a TreeSpan> {
        let has = |span: &TreeSpan, key: Key, value: &str| {
            let mut attributes = span.attributes.iter();
            attributes.any(|(of, is)| of == key.as_str() && is.as_str() == Some(value))
        };
        let spans = self.spans.iter().map(|seen| &seen.span);
        spans.filter(move |span| {
            has(span, session::ID, session) && has(span, gen_ai::OPERATION_NAME, operation)
        })
    }

    /// The durations of requests that a service served, by route.
    pub(crate) fn durations(&self, service: &str) -> BTreeMap<String, Vec<HistogramPoint>> {
        self.durations_by(service, SERVER_REQUEST_DURATION, ROUTE)
    }

    /// The same of anything that is measured, by anything that is told apart.
    pub(crate) fn durations_by(
        &self,
        service: &str,
        metric: &str,
        key: Key,
    ) -> BTreeMap<String, Vec<HistogramPoint>> {
        let mut by_value = BTreeMap::<_, Vec<_>>::new();
        for point in self.points.histograms(metric, &[]) {
            if let Some(value) = point.series.attr(key.as_str())
                && is_of(&point.series, service)
            {
                by_value.entry(value.to_string()).or_default().push(point);
            }
        }
        by_value
    }

    /// A counter, by its labels.
    pub(crate) fn sums(&self, name: &str) -> Vec<NumberPoint> {
        self.points.sums(name, &[])
    }

    /// A histogram without labels.
    pub(crate) fn histogram(&self, name: &str) -> Option<HistogramPoint> {
        self.points.histograms(name, &[]).into_iter().next()
    }

    /// The front's part of a request.
    fn root(&self, case: &Case) -> Option<&Seen> {
        let path = |seen: &&Seen| {
            let mut attributes = seen.span.attributes.iter();
            attributes
                .any(|(key, value)| key == URL_PATH.as_str() && value.as_str() == Some(case.path))
        };
        self.spans.iter().find(path)
    }

    fn missing(&self, cases: &[Case], sent: &Sent) -> Option<String> {
        let no_trace = cases.iter().find_map(|case| self.missing_of(case));
        no_trace
            .or_else(|| self.missing_requests(sent))
            .or_else(|| {
                let counted: f64 = self.sums(ANSWERS).iter().map(NumberPoint::as_f64).sum();
                let asked = sent.get(ASK).copied().unwrap_or_default();
                (counted != asked as f64)
                    .then(|| format!("{counted} of {asked} questions are in {ANSWERS}"))
            })
            .or_else(|| {
                let mut lines = self.lines.iter();
                lines.find_map(|(service, lines)| {
                    let none = lines.is_empty();
                    none.then(|| format!("no log line of {} of {service}", NORMAL.title))
                })
            })
    }

    fn missing_of(&self, case: &Case) -> Option<String> {
        let expected = case.front + if self.of_all { case.behind } else { 0 };
        let found = self.trace(case).len();
        (found < expected).then(|| {
            format!(
                "{found} of {expected} spans of {} (GET {}) arrived",
                case.title, case.path
            )
        })
    }

    fn missing_requests(&self, sent: &Sent) -> Option<String> {
        let routes = self.durations(front::NAME);
        sent.iter().find_map(|(route, requests)| {
            let points = routes.get(*route).into_iter().flatten();
            let counted: u64 = points.map(|point| point.count).sum();
            (counted != *requests).then(|| {
                format!(
                    "{counted} of {requests} requests of {route} are in the metrics that arrived"
                )
            })
        })
    }
}

fn is_of(series: &Series, service: &str) -> bool {
    let mut resource = series.resource.iter();
    resource.any(|(key, value)| key == SERVICE_NAME && value.as_str() == Some(service))
}
