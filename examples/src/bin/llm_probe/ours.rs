//! What our side says of each call, and of all: read back from what an OTLP receiver got.

use crate::Result;
use crate::engine::{Account, Engine};
use crate::load::NUMBER;
use obs_core::semconv::{gen_ai, http, obs};
use obs_llm::engines::{EngineScraper, LLAMACPP, ScrapeSettings, ScrapeTarget};
use obs_testing::metrics::PointSet;
use obs_testing::receiver::ReceivedSpan;
use obs_testing::{AttrValue, Capture, Receiver};
use std::collections::BTreeMap;

/// What a span says of a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Told {
    pub(crate) id: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) asked_model: Option<String>,
    pub(crate) streamed: bool,
    pub(crate) first_chunk: Option<f64>,
    pub(crate) chunks: u64,
    pub(crate) finish: Vec<String>,
    pub(crate) input: Option<u64>,
    pub(crate) output: Option<u64>,
    pub(crate) cached: Option<u64>,
    pub(crate) error: Option<String>,
    pub(crate) reading: Option<f64>,
    pub(crate) writing: Option<f64>,
}

/// What the metrics say of all calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Totals {
    pub(crate) calls: u64,
    /// By type.
    pub(crate) errors: BTreeMap<String, u64>,
    pub(crate) first_chunks: u64,
    pub(crate) gaps: u64,
    pub(crate) input: u64,
    pub(crate) output: u64,
    /// Calls that told tokens.
    pub(crate) counted: u64,
    pub(crate) in_flight: i64,
    /// By what they are.
    pub(crate) anomalies: BTreeMap<String, u64>,
}

/// By the number of the case. One that has several spans has several entries.
pub(crate) fn told(receiver: &Receiver) -> Vec<(u64, Told)> {
    let spans = receiver.spans();
    let numbers: BTreeMap<u64, u64> = spans
        .iter()
        .filter_map(|span| Some((span.span_id(), number(span, NUMBER)?)))
        .collect();
    let calls = spans.iter().filter_map(|span| {
        let case = numbers.get(&span.parent_span_id()?)?;
        Some((*case, Told::of(span)))
    });
    calls.collect()
}

impl Told {
    fn of(span: &ReceivedSpan) -> Self {
        let finish = match span.attr(gen_ai::RESPONSE_FINISH_REASONS.as_str()) {
            Some(AttrValue::Array(reasons)) => reasons.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        };
        Self {
            id: text(span, gen_ai::RESPONSE_ID.as_str()),
            model: text(span, gen_ai::RESPONSE_MODEL.as_str()),
            asked_model: text(span, gen_ai::REQUEST_MODEL.as_str()),
            streamed: span.attr(gen_ai::REQUEST_STREAM.as_str()) == Some(AttrValue::Bool(true)),
            first_chunk: float(span, gen_ai::RESPONSE_TIME_TO_FIRST_CHUNK.as_str()),
            chunks: number(span, obs::LLM_CHUNKS.as_str()).unwrap_or_default(),
            finish,
            input: number(span, gen_ai::USAGE_INPUT_TOKENS.as_str()),
            output: number(span, gen_ai::USAGE_OUTPUT_TOKENS.as_str()),
            cached: number(span, gen_ai::USAGE_CACHE_READ_INPUT_TOKENS.as_str()),
            error: text(span, http::ERROR_TYPE.as_str()),
            reading: float(span, obs::LLM_SERVER_PREFILL.as_str()),
            writing: float(span, obs::LLM_SERVER_DECODE.as_str()),
        }
    }
}

fn text(span: &ReceivedSpan, key: &str) -> Option<String> {
    Some(span.attr(key)?.to_string())
}

fn number(span: &ReceivedSpan, key: &str) -> Option<u64> {
    match span.attr(key)? {
        AttrValue::Int(number) => u64::try_from(number).ok(),
        _ => None,
    }
}

fn float(span: &ReceivedSpan, key: &str) -> Option<f64> {
    match span.attr(key)? {
        AttrValue::Double(number) => Some(number),
        _ => None,
    }
}

/// What our scraper says that the engine counted since it began.
pub(crate) fn scraped(engine: Engine) -> Result<Account> {
    let capture = Capture::builder().with_real_clock().build();
    let scraper = EngineScraper::new(capture.telemetry(), ScrapeSettings::new());
    scraper.add(ScrapeTarget::new(
        &format!("http://{}", engine.0),
        &LLAMACPP,
    )?)?;
    // Without threads, it scrapes as it is collected.
    let points = capture.points();
    let count = |name: &str| {
        let points = points.sums(name, &[]);
        let count: f64 = points.iter().map(|point| point.as_f64()).sum();
        (!points.is_empty()).then_some(count as u64)
    };
    let account = count(obs::LLM_ENGINE_INPUT_TOKENS)
        .zip(count(obs::LLM_ENGINE_PREFIX_CACHE_HITS))
        .zip(count(obs::LLM_ENGINE_OUTPUT_TOKENS));
    let ((read, cached), written) =
        account.ok_or_else(|| format!("the scraper says {:?}", scraper.targets()))?;
    Ok(Account {
        read,
        cached,
        written,
    })
}

impl Totals {
    pub(crate) fn of(points: &PointSet) -> Self {
        let histograms = |name: &str, labels: &[(&str, AttrValue)]| points.histograms(name, labels);
        let count = |name: &str| histograms(name, &[]).iter().map(|point| point.count).sum();
        let tokens = |kind: &str| {
            let kind = AttrValue::Str(kind.to_owned());
            let found = histograms(
                gen_ai::CLIENT_TOKEN_USAGE,
                &[(gen_ai::TOKEN_TYPE.as_str(), kind)],
            );
            let sum: f64 = found.iter().filter_map(|point| point.sum).sum();
            (sum as u64, found.iter().map(|point| point.count).sum())
        };
        let errors =
            points.histogram_by(gen_ai::CLIENT_OPERATION_DURATION, http::ERROR_TYPE.as_str());
        let errors = errors.into_iter().filter(|(error, _)| !error.is_empty());
        let anomalies = points.sum_by(obs::LLM_ANOMALIES, obs::ANOMALY.as_str());
        let anomalies = anomalies.into_iter().filter(|(_, count)| *count > 0.0);
        let in_flight = points.sums(obs::LLM_CLIENT_ACTIVE, &[]);
        let (input, counted) = tokens("input");
        Self {
            calls: count(gen_ai::CLIENT_OPERATION_DURATION),
            errors: errors.map(|(error, point)| (error, point.count)).collect(),
            first_chunks: count(gen_ai::CLIENT_TIME_TO_FIRST_CHUNK),
            gaps: count(gen_ai::CLIENT_TIME_PER_OUTPUT_CHUNK),
            input,
            output: tokens("output").0,
            counted,
            in_flight: in_flight.iter().map(|point| point.as_f64() as i64).sum(),
            anomalies: anomalies
                .map(|(anomaly, count)| (anomaly, count as u64))
                .collect(),
        }
    }
}
