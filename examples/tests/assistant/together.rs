//! What all processes tell, held against each other: one trace, its log lines, the numbers of the business.

use crate::program::{assistant, check_contains};
use obs_testing::Receiver;
use obs_testing::receiver::ReceivedSpan;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const FRONT: &str = "assistant-front";
const KNOWLEDGE: &str = "assistant-knowledge";
const TOOLS: &str = "assistant-tools";
const SERVER: i32 = 2;

/// A small run whose telemetry went to somebody else's receiver.
struct Run {
    receiver: Receiver,
    spans: Vec<ReceivedSpan>,
    logs: PathBuf,
}

impl Run {
    fn quick(logs: &str) -> Self {
        let receiver = Receiver::start().expect("a receiver");
        let logs = Path::new(env!("CARGO_TARGET_TMPDIR")).join(logs);
        let folder = logs.to_str().expect("text");
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", &*receiver.endpoint());
        let run = assistant(&["--quick", "--logs", folder], &[endpoint]).output();
        let run = run.expect("the program was built with this test");
        let stdout = String::from_utf8_lossy(&run.stdout);
        let stderr = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{stdout}{stderr}");
        check_contains(
            &stdout,
            &[
                "telemetry of all to where OTEL_EXPORTER_OTLP_* says",
                "Traces, as seen by a subscriber in the front's process",
                "a cancelled request",
                "503: 1, 504: 1, cancelled: 2\n",
            ],
        );
        Self {
            spans: receiver.spans(),
            receiver,
            logs,
        }
    }

    /// The spans of the trace that begins with a request of `path`.
    fn trace(&self, path: &str) -> Vec<&ReceivedSpan> {
        let begins =
            |span: &&ReceivedSpan| service(span) == FRONT && attr(span, "url.path") == path;
        let root = self.spans.iter().find(begins).expect("the request");
        let trace = self.spans.iter();
        trace
            .filter(|span| span.trace_id() == root.trace_id())
            .collect()
    }
}

fn service(span: &ReceivedSpan) -> String {
    let name = span.resource_attr("service.name");
    name.expect("whose it is").to_string()
}

fn attr(span: &ReceivedSpan, key: &str) -> String {
    let value = span.attr(key).map(|value| value.to_string());
    value.unwrap_or_default()
}

/// `service name` of each span and of its parent.
fn edges(trace: &[&ReceivedSpan]) -> Vec<(String, String)> {
    let said = |span: &&ReceivedSpan| {
        let kind = format!("{:?}", span.span.kind());
        format!("{} {} {kind}", service(span), span.name())
    };
    let by_id: BTreeMap<_, _> = trace.iter().map(|span| (span.span_id(), span)).collect();
    let mut edges: Vec<_> = trace
        .iter()
        .map(|span| {
            let parent = span.parent_span_id().map(|id| match by_id.get(&id) {
                Some(parent) => said(parent),
                None => String::from("not here"),
            });
            (parent.unwrap_or_default(), said(span))
        })
        .collect();
    edges.sort();
    edges
}

#[test]
fn one_trace_goes_through_all_processes() {
    let run = Run::quick("one_trace");
    let trace = run.trace("/ask/tides");
    let (front, knowledge, tools) = (
        |what| format!("{FRONT} {what}"),
        |what| format!("{KNOWLEDGE} {what}"),
        |what| format!("{TOOLS} {what}"),
    );
    let server = || front("GET /ask/{topic} Server");
    let agent = || front("invoke_agent assistant Internal");
    let plan = || front("plan assistant Internal");
    let search = || front("execute_tool search_documents Internal");
    let consult = || front("execute_tool consult_instrument Internal");
    let mut expected = vec![
        (String::new(), server()),
        (server(), agent()),
        (agent(), plan()),
        (plan(), front("chat simulated-1 Client")),
        (agent(), search()),
        (agent(), consult()),
        (search(), front("GET /search/{topic} Internal")),
        (
            front("GET /search/{topic} Internal"),
            front("GET /search/{topic} Client"),
        ),
        (
            front("GET /search/{topic} Client"),
            knowledge("GET /search/{topic} Server"),
        ),
        (
            knowledge("GET /search/{topic} Server"),
            knowledge("retrieve Internal"),
        ),
        (consult(), front("assistant.Tools/Call Internal")),
        (
            front("assistant.Tools/Call Internal"),
            front("assistant.Tools/Call Client"),
        ),
        (
            front("assistant.Tools/Call Client"),
            tools("assistant.Tools/Call Server"),
        ),
        (agent(), front("chat simulated-1 Client")),
        (front("chat simulated-1 Client"), front("POST Client")),
        (front("chat simulated-1 Client"), front("POST Client")),
        (server(), front("remember Internal")),
    ];
    expected.sort();
    assert_eq!(edges(&trace), expected);

    // Three processes, not three names.
    let ids: BTreeSet<_> = trace
        .iter()
        .map(|span| {
            (
                service(span),
                span.resource_attr("process.pid").map(|id| id.to_string()),
            )
        })
        .collect();
    let numbers: BTreeSet<_> = ids.iter().filter_map(|(_, id)| id.as_ref()).collect();
    assert_eq!((ids.len(), numbers.len()), (3, 3), "{ids:?}");

    // The parents of the other services' parts came in from outside, and nobody else's did.
    for span in &trace {
        const IS_REMOTE: u32 = 1 << 9;
        let entered = service(span) != FRONT && span.span.kind == SERVER;
        assert_eq!(span.span.flags & IS_REMOTE != 0, entered, "{}", span.name());
    }
}

#[test]
fn log_lines_and_records_of_all_carry_ids_of_exported_spans() {
    let run = Run::quick("log_lines");
    let names: BTreeMap<_, _> = run
        .spans
        .iter()
        .map(|span| {
            let of = (service(span), span.trace_id(), span.span_id());
            (of, span.name())
        })
        .collect();
    for (name, message, within) in [
        (FRONT, "question answered", "GET /ask/{topic}"),
        (KNOWLEDGE, "searched", "retrieve"),
        (TOOLS, "tool used", "assistant.Tools/Call"),
    ] {
        let file = run.logs.join(format!("{name}.jsonl"));
        let text = fs::read_to_string(&file).expect("the lines stay where they were asked for");
        let mut found = 0;
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
            let id = |key: &str| line[key].as_str().unwrap_or_default();
            let trace_id = u128::from_str_radix(id("trace_id"), 16).expect("a trace id");
            let span_id = u64::from_str_radix(id("span_id"), 16).expect("a span id");
            let span = names.get(&(name.to_owned(), trace_id, span_id));
            let span = span.unwrap_or_else(|| panic!("of no span that was exported: {line}"));
            if line["message"] == message {
                assert_eq!(*span, within, "{line}");
                found += 1;
            }
        }
        let spans = names.iter().filter(|((of, ..), _)| of == name);
        let answered = spans.filter(|(_, span)| **span == within).count();
        assert!(found > 0 && found <= answered, "{found} of {answered}");

        let records = run.receiver.log_records();
        let own = records
            .iter()
            .filter(|log| log.resource_attr("service.name") == Some(name.into()));
        // An event of telemetry's own is no line of the service's. The session's last one comes with the end.
        let own = own.filter(|log| log.record.event_name != "obs.agent.session.summary");
        let (slow, own): (Vec<_>, Vec<_>) =
            own.partition(|log| log.record.event_name == "obs.llm.slow");
        assert_eq!(own.len(), text.lines().count(), "{name}");
        assert_eq!(!slow.is_empty(), name == FRONT, "{name}: {slow:?}");
        for log in &slow {
            let of = (name.to_owned(), log.trace_id(), log.span_id());
            assert_eq!(names.get(&of), Some(&"chat simulated-1"), "{log:?}");
        }
        for log in own {
            let of = (name.to_owned(), log.trace_id(), log.span_id());
            assert!(names.contains_key(&of), "{log:?}");
        }
    }
}

#[test]
fn what_the_business_counts_is_what_was_asked() {
    let run = Run::quick("business");
    let mut asked = BTreeMap::<_, f64>::new();
    for span in &run.spans {
        if service(span) == FRONT && attr(span, "http.route") == "/ask/{topic}" {
            // One that was given up while the answer was written had its head.
            let is_given_up = attr(span, "error.type") == "cancelled";
            let ending = match attr(span, "http.response.status_code").as_str() {
                _ if is_given_up => "abandoned",
                "200" => "answered",
                "502" => "knowledge_failed",
                "503" => "overloaded",
                "504" => "knowledge_late",
                other => panic!("nobody asks for what is answered with {other}"),
            };
            *asked.entry(ending.to_owned()).or_default() += 1.0;
        }
    }
    assert_eq!(asked.len(), 5, "one of each at least: {asked:?}");
    let points = run.receiver.points();
    assert_eq!(
        points.sum_by("assistant.answers", "assistant.outcome"),
        asked
    );

    let sum_of = |key: &str| -> f64 {
        let values = run.spans.iter().filter_map(|span| span.attr(key));
        values
            .map(|value| value.to_string().parse::<f64>().expect("a number"))
            .sum()
    };
    let tokens = points.sum_by("assistant.tokens", "assistant.token.type");
    // What the front read of the answers is what was seen as they passed.
    assert_eq!(tokens["input"], sum_of("gen_ai.usage.input_tokens"));
    assert_eq!(tokens["output"], sum_of("gen_ai.usage.output_tokens"));
    let all = points.histograms("gen_ai.client.token.usage", &[]);
    let all: f64 = all.iter().filter_map(|point| point.sum).sum();
    assert_eq!(all, tokens["input"] + tokens["output"]);
    // The device worked for each of them, and for answers that nobody read to their end.
    let of_device = points.sum_by("obs.gpu.attributed.tokens", "gen_ai.request.model");
    let of_device = of_device["simulated-1"];
    assert!(of_device >= all, "{of_device} of {all}");
    let found = points.histogram("assistant.search.documents", &[]);
    let found = found.expect("searches were made");
    assert_eq!(found.sum, Some(sum_of("assistant.retrieval.hits")));
    let searches = run
        .spans
        .iter()
        .filter(|span| span.attr("assistant.retrieval.hits").is_some());
    assert_eq!(found.count, searches.count() as u64);
}

#[test]
fn stages_of_calls_are_points_of_spans_and_a_histogram() {
    let run = Run::quick("stages");
    let calls = |service_name: &str, event: &str| {
        let spans = run.spans.iter();
        let calls = spans.filter(|span| {
            let has = |name: &str| span.span.events.iter().any(|it| it.name == name);
            service(span) == service_name && attr(span, "rpc.system.name") == "grpc" && has(event)
        });
        calls.count() as u64
    };
    let points = run.receiver.points();
    for (service, stage, ends) in [
        (FRONT, "write_request", "write_finish"),
        (FRONT, "wait_response", "wait_read_finish"),
        (FRONT, "read_response", "read_finish"),
        (TOOLS, "read_request", "read_finish"),
        (TOOLS, "handle", "server_handle_finish"),
        (TOOLS, "write_response", "write_finish"),
    ] {
        let points = points.histograms("obs.rpc.stage.duration", &[("obs.stage", stage.into())]);
        let counted: u64 = points.iter().map(|point| point.count).sum();
        let passed = calls(service, ends);
        // At least the calls of the load, each of which gets to its end.
        assert!(passed > 12, "{service} {stage}: {passed}");
        assert_eq!(counted, passed, "{service} {stage}");
    }
}

#[test]
fn calls_of_the_model_say_how_its_device_was_and_the_others_say_nothing() {
    let run = Run::quick("device");
    let mut devices = BTreeSet::new();
    let moments = ["start", "first_output", "end"];
    for span in &run.spans {
        let chat = span.name() == "chat simulated-1";
        let has_output = span.attr("gen_ai.response.time_to_first_chunk").is_some();
        for moment in moments {
            let told = span.attr(&format!("obs.gpu.{moment}.sample_age")).is_some();
            let expected = chat && (moment != "first_output" || has_output);
            assert_eq!(told, expected, "{moment} of {}", span.name());
        }
        if chat {
            devices.insert(attr(span, "hw.id"));
        }
    }
    // One is claimed.
    assert_eq!(devices.len(), 1, "{devices:?}");
    let points = run.receiver.points();
    let energy = points.sum_by("obs.gpu.attributed.energy", "obs.gpu.owner");
    assert!(energy["claim"] > 0.0, "{energy:?}");
}
