//! The corpus of every format through the layer: what is recorded is what is told of it, whatever the frames and the coding are.

use crate::answers::layer;
use crate::support::{Frames, request};
use http::{Request, Response, header};
use http_body_util::BodyExt;
use obs_core::End;
use obs_llm::client::RequestBody;
use obs_llm::wire::{Framing, ResponseScanner, of_path};
use obs_testing::{AttrValue, Capture};
use std::convert::Infallible;
use std::fs;
use std::path::Path;
use tower::util::service_fn;
use tower::{Layer, ServiceExt};

#[path = "../wire_others/amazon.rs"]
mod amazon;
#[path = "../wire/properties.rs"]
#[allow(dead_code, reason = "what is told is wanted, and nothing else of it")]
mod properties;

/// Each folder, whom to ask, and how many answers it has at least.
const FOLDERS: [(&str, &str, usize); 7] = [
    (
        "openai_chat",
        "https://api.openai.com/v1/chat/completions",
        25,
    ),
    (
        "openai_responses",
        "https://api.openai.com/v1/responses",
        10,
    ),
    ("anthropic", "https://api.anthropic.com/v1/messages", 10),
    (
        "gemini",
        "https://generativelanguage.googleapis.com/v1beta/models/g:streamGenerateContent",
        13,
    ),
    ("ollama", "http://localhost:11434/api/chat", 8),
    (
        "bedrock_converse",
        "https://bedrock-runtime.eu-west-1.amazonaws.com/model/m/converse-stream",
        6,
    ),
    (
        "bedrock_invoke",
        "https://bedrock-runtime.eu-west-1.amazonaws.com/model/m/invoke-with-response-stream",
        17,
    ),
];

struct Case {
    name: String,
    url: &'static str,
    kind: &'static str,
    bytes: Vec<u8>,
    told: String,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (folder, url, least) in FOLDERS {
        let before = cases.len();
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
        for entry in fs::read_dir(corpus.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let kind = match path.extension().and_then(|extension| extension.to_str()) {
                Some("json") => "application/json",
                Some("sse") => "text/event-stream",
                Some("ndjson") => "application/x-ndjson",
                Some("messages") => "application/vnd.amazon.eventstream",
                _ => continue,
            };
            let mut bytes = fs::read(&path).unwrap();
            if kind == "application/vnd.amazon.eventstream" {
                bytes = amazon::stream(&bytes);
            }
            cases.push(Case {
                name: path.display().to_string(),
                url,
                kind,
                bytes,
                told: fs::read_to_string(path.with_extension("told")).unwrap(),
            });
        }
        assert!(cases.len() >= before + least, "{folder}");
    }
    cases
}

impl Case {
    fn lines<'a>(&'a self, of: &str) -> impl Iterator<Item = &'a str> {
        let of = format!("{of} ");
        { self.told.lines() }.filter_map(move |line| line.strip_prefix(&of))
    }

    fn has(&self, line: &str) -> bool {
        self.told.lines().any(|told| told == line)
    }

    /// The last report of tokens of this kind.
    fn tokens(&self, kind: &str) -> Option<i64> {
        let of = format!("{kind}=");
        let counts = self.lines("usage").flat_map(str::split_whitespace);
        let counts = counts.filter_map(|count| count.strip_prefix(&of));
        counts.last().map(|count| count.parse().expect("a number"))
    }

    /// How many events brought content.
    fn contents(&self) -> Option<i64> {
        let counts = self
            .lines("content")
            .map(|line| match line.split_once('*') {
                Some((_, count)) => count.parse().expect("a number"),
                None => 1,
            });
        Some(counts.sum()).filter(|count: &i64| *count > 0)
    }
}

/// Asks, and reads the answer to its end, which is as it was sent.
async fn replay(case: &Case, capture: &Capture, coding: Option<&'static str>, pieces: &[&[u8]]) {
    let service = service_fn(|request: Request<RequestBody<Frames>>| async move {
        request.into_body().collect().await?;
        let mut head = Response::builder().header(header::CONTENT_TYPE, case.kind);
        if let Some(coding) = coding {
            head = head.header(header::CONTENT_ENCODING, coding);
        }
        Ok::<_, Infallible>(head.body(Frames::of(pieces)).unwrap())
    });
    let asked = request(
        case.url,
        r#"{"model":"m","stream":true,"n":1,"service_tier":"auto"}"#,
    );
    let answer = layer(capture).layer(service).oneshot(asked).await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, pieces.concat(), "{}", case.name);
}

#[track_caller]
fn check(case: &Case, capture: &Capture, how: &str) {
    let record = capture.take_records().remove(0);
    let int = |name: &str| record.attr(name).and_then(AttrValue::as_i64);
    let name = format!("{} {how}", case.name);
    for (attribute, kind) in [
        ("gen_ai.usage.input_tokens", "Input"),
        ("gen_ai.usage.output_tokens", "Output"),
        ("gen_ai.usage.cache_read.input_tokens", "CacheRead"),
        ("gen_ai.usage.cache_creation.input_tokens", "CacheWrite"),
        ("gen_ai.usage.reasoning.output_tokens", "Reasoning"),
    ] {
        assert_eq!(int(attribute), case.tokens(kind), "{name}: {kind}");
    }
    assert_eq!(int("obs.llm.response.chunks"), case.contents(), "{name}");
    let ids = ["gen_ai.response.id", "gen_ai.response.model"];
    for (attribute, line) in ids.into_iter().zip(["id", "model"]) {
        let told = case.lines(line).next();
        assert_eq!(record.text(attribute), told, "{name}: {line}");
    }
    if case.lines("error").next().is_some() {
        assert!(record.error_type().is_some(), "{name}");
    } else if case.has("complete") {
        assert_eq!(record.error_type(), None, "{name}");
    }
    // Another's tier is no attribute of OpenAI's.
    let openais = { record.attributes.iter() }.any(|(key, _)| key.starts_with("openai."));
    assert_eq!(openais, case.url.contains("openai"), "{name}");
    for (line, anomaly) in [("Json", "malformed_json"), ("Frame", "malformed_frame")] {
        let told = case.lines("malformed").filter(|told| *told == line);
        let of = [("obs.anomaly", AttrValue::from(anomaly))];
        let counted = capture.points().sum("obs.llm.anomalies", &of);
        let counted = counted.map_or(0.0, |point| point.as_f64());
        assert_eq!(counted, told.count() as f64, "{name}: {anomaly}");
    }
}

#[tokio::test]
async fn what_is_recorded_is_what_is_told_of_each() {
    for case in cases() {
        for size in [1, 7, usize::MAX] {
            let capture = Capture::new();
            let pieces: Vec<&[u8]> = case.bytes.chunks(size.min(case.bytes.len())).collect();
            replay(&case, &capture, None, &pieces).await;
            check(&case, &capture, &format!("in pieces of {size}"));
        }
    }
}

/// Asks, reads so many pieces, and drops the rest.
async fn give_up(case: &Case, capture: &Capture, pieces: &[&[u8]], after: usize) {
    let service = service_fn(|request: Request<RequestBody<Frames>>| async move {
        request.into_body().collect().await?;
        let head = Response::builder().header(header::CONTENT_TYPE, case.kind);
        Ok::<_, Infallible>(head.body(Frames::of(pieces)).unwrap())
    });
    let asked = request(case.url, r#"{"model":"m","stream":true,"n":1}"#);
    let answer = layer(capture).layer(service).oneshot(asked).await.unwrap();
    let mut body = answer.into_body();
    for piece in &pieces[..after] {
        let frame = body.frame().await.expect("a frame").unwrap();
        assert_eq!(frame.into_data().expect("data"), *piece);
    }
}

/// Of each answer of each format: what is recorded is what the pieces that were read tell.
#[tokio::test]
async fn dropped_after_each_piece_it_ends_once_with_what_was_told_by_then() {
    for case in cases() {
        let url: http::Uri = case.url.parse().unwrap();
        let wire = of_path(url.path(), url.query()).expect("a model's").wire;
        let framing = match case.kind {
            "application/json" => Framing::Json,
            "text/event-stream" => Framing::EventStream,
            "application/x-ndjson" => Framing::Lines,
            _ => Framing::AmazonEventStream,
        };
        // Events and lines, each with what ends it.
        let ends = |at: &usize| case.bytes[..*at].ends_with(b"\n\n") || at.is_multiple_of(256);
        let lines = |at: &usize| framing == Framing::Lines && case.bytes[..*at].ends_with(b"\n");
        let places = (1..case.bytes.len()).filter(|at| ends(at) || lines(at));
        let places: Vec<usize> = [0]
            .into_iter()
            .chain(places)
            .chain([case.bytes.len()])
            .collect();
        let pieces = places.windows(2).map(|ends| &case.bytes[ends[0]..ends[1]]);
        let pieces: Vec<&[u8]> = pieces.collect();
        let mut scanner = ResponseScanner::new(wire, framing);
        let mut log = properties::Log::default();
        for after in 0..=pieces.len() {
            if let Some(piece) = after.checked_sub(1).and_then(|last| pieces.get(last)) {
                scanner.feed(piece, &mut log);
            }
            let capture = Capture::new();
            give_up(&case, &capture, &pieces, after).await;
            let told = Case {
                name: format!("{} after {after}", case.name),
                told: log.lines.iter().map(|line| format!("{line}\n")).collect(),
                bytes: Vec::new(),
                ..case
            };
            let expect = if told.lines("error").next().is_some() {
                End::Failed
            } else if told.has("complete") || told.lines("finish").next().is_some() {
                End::Answered
            } else {
                End::Cancelled
            };
            let record = capture.record();
            assert_eq!(record.outcome.end(), expect, "{}", told.name);
            let contents = told.contents().unwrap_or(0) as u64;
            for (metric, count) in [
                ("gen_ai.client.operation.duration", 1),
                (
                    "gen_ai.client.operation.time_to_first_chunk",
                    contents.min(1),
                ),
                (
                    "gen_ai.client.operation.time_per_output_chunk",
                    contents.saturating_sub(1),
                ),
            ] {
                assert_eq!(capture.count(metric), count, "{} {metric}", told.name);
            }
            assert_eq!(capture.in_flight("obs.llm.client.active_calls"), 0);
            check(&told, &capture, "");
        }
    }
}

#[cfg(feature = "compression")]
#[tokio::test]
async fn what_is_recorded_of_coded_ones_is_the_same() {
    type Encode = fn(&[u8]) -> Vec<u8>;
    let codings: [(&str, Encode); 4] = [
        ("gzip", crate::coded::gzip),
        ("deflate", crate::coded::zlib),
        ("br", |plain| crate::coded::brotli(plain, 18)),
        ("zstd", |plain| crate::coded::zstd(plain, 17)),
    ];
    for case in cases() {
        for (coding, encode) in codings {
            let capture = Capture::new();
            let coded = encode(&case.bytes);
            let pieces: Vec<&[u8]> = coded.chunks(11).collect();
            replay(&case, &capture, Some(coding), &pieces).await;
            check(&case, &capture, coding);
        }
    }
}
