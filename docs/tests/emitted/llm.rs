//! Calls of models, once: streamed and whole, answered and failed, by hand, on the side that answers, and engines' pages; by the
//! names of both dialects.

use crate::driver::{PATIENCE, telemetry};
use crate::seen::Seen;
use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use obs_core::{Body, Outcome, Parent, StatsLevel, Telemetry};
use obs_docs::page::root;
use obs_llm::client::RequestBody;
use obs_llm::content::{Capture, Exchange, Message, Upload, Uploaded};
use obs_llm::engines::{EngineScraper, LLAMACPP, SGLANG, ScrapeSettings, ScrapeTarget, VLLM, XLLM};
use obs_llm::evaluation::Evaluation;
use obs_llm::server::OUT_OF_MEMORY;
use obs_llm::wire::{Content, RequestSink, ResponseSink};
use obs_llm::{
    Bill, CountTokens, Dialect, Llm, LlmClientLayer, LlmOperation, ModelServer, Price, Provider,
    Tokens, Usage,
};
use obs_testing::Receiver;
use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tower::{Layer, ServiceExt, service_fn};

/// What there is at this level, by either dialect, and of engines.
pub(crate) fn run(level: StatsLevel) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let dialects = [Dialect::V1_41, Dialect::Main].map(|dialect| {
        let receiver = Receiver::start().expect("a receiver");
        let telemetry = telemetry(&receiver, |builder| builder.with_level(level));
        runtime.block_on(calls(&telemetry, dialect));
        by_hand(&telemetry, dialect);
        said(&telemetry, dialect);
        answered(&telemetry, dialect);
        telemetry.shutdown(PATIENCE).expect("delivered");
        Seen::of(&receiver)
    });
    Seen::all([&Seen::all(&dialects), &engines(level)])
}

/// Every call costs the same.
#[derive(Debug)]
struct Flat;

impl Price for Flat {
    fn price(&self, _: &Bill<'_>) -> Option<f64> {
        Some(0.001)
    }
}

/// Everything is slow.
const SLOW: Option<Duration> = Some(Duration::from_nanos(1));

fn llm(telemetry: &Telemetry, dialect: Dialect) -> Llm {
    Llm::new(telemetry)
        .with_dialect(dialect)
        .with_slow(SLOW, SLOW)
        .with_prices(Arc::new(Flat))
}

const CHAT: &str = r#"{"model":"gpt-4o","stream":true,"max_tokens":100,"temperature":0.5,"top_p":0.9,"top_k":40,
    "frequency_penalty":0.1,"presence_penalty":0.2,"seed":7,"stop":["END"],"n":2,"service_tier":"auto",
    "reasoning_effort":"high","response_format":{"type":"json_object"},"messages":[]}"#;
const RESPONSES: &str = r#"{"model":"gpt-4.1","stream":true,"previous_response_id":"resp_1","conversation":"conv_1",
    "reasoning":{"effort":"high"},"input":[]}"#;
const EMBEDDINGS: &str =
    r#"{"model":"text-embedding-3-small","encoding_format":"base64","dimensions":256,"input":"a"}"#;

/// Over HTTP, as it is on the wires.
async fn calls(telemetry: &Telemetry, dialect: Dialect) {
    let layer = LlmClientLayer::of(&llm(telemetry, dialect));
    let own = layer.clone().with_provider(Provider::named("own"));
    let (openai, local) = ("https://api.openai.com/v1", "http://localhost:8080");
    let asked = [
        (
            &layer,
            format!("{openai}/chat/completions"),
            CHAT,
            "openai_chat/streamed.sse",
        ),
        (
            &layer,
            format!("{openai}/chat/completions"),
            r#"{"model":"gpt-4o","messages":[]}"#,
            "openai_chat/unary.json",
        ),
        (
            &layer,
            format!("{openai}/chat/completions"),
            r#"{"model":"gpt-4o","messages":[]}"#,
            "openai_chat/error.json",
        ),
        (
            &layer,
            format!("{openai}/responses"),
            RESPONSES,
            "openai_responses/streamed.sse",
        ),
        (
            &layer,
            format!("{openai}/embeddings"),
            EMBEDDINGS,
            "openai_chat/embeddings.json",
        ),
        (
            &own,
            format!("{local}/v1/chat/completions"),
            CHAT,
            "openai_chat/llama_cpp.sse",
        ),
        (
            &own,
            format!("{local}/api/chat"),
            r#"{"model":"qwen3:4b","messages":[]}"#,
            "ollama/chat.ndjson",
        ),
    ];
    for (layer, url, body, answer) in asked {
        ask(layer, (&url, body), answer).await;
    }
}

/// Sends this, and reads the answer that stands in the corpus, event by event.
async fn ask(layer: &LlmClientLayer, (url, body): (&str, &'static str), answer: &str) {
    let text = corpus(answer);
    let kind = match answer.rsplit('.').next() {
        Some("sse") => "text/event-stream",
        Some("ndjson") => "application/x-ndjson",
        _ => "application/json",
    };
    let status = if answer.contains("error") { 429 } else { 200 };
    let pieces: Vec<Bytes> = match kind {
        "application/json" => vec![text.into()],
        _ => text
            .split_inclusive('\n')
            .map(|line| line.to_owned().into())
            .collect(),
    };
    let answers = service_fn(move |request: Request<RequestBody<Full<Bytes>>>| {
        let pieces = pieces.clone();
        async move {
            request.into_body().collect().await.expect("it is whole");
            let frames = pieces
                .into_iter()
                .map(|piece| Ok::<_, Infallible>(Frame::data(piece)));
            let head = Response::builder()
                .status(status)
                .header("content-type", kind);
            let body = StreamBody::new(stream::iter(frames));
            Ok::<_, Infallible>(head.body(body).expect("a head"))
        }
    });
    let request = Request::post(url).body(Full::from(body));
    let answered = layer
        .layer(answers)
        .oneshot(request.expect("a request"))
        .await;
    let body = answered.expect("infallible").into_body();
    body.collect().await.expect("infallible");
}

fn corpus(name: &str) -> String {
    let path = root().join("../obs-llm/tests/corpus").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn all_tokens() -> Usage {
    let counts = Tokens::ALL
        .into_iter()
        .zip([100, 50, 8, 6, 2, 5, 70, 20, 10, 30, 15, 5]);
    counts.fold(Usage::new(), |usage, (tokens, count)| {
        usage.with(tokens, count)
    })
}

/// What no wire says: a prompt's name, and all kinds of tokens at once.
fn by_hand(telemetry: &Telemetry, dialect: Dialect) {
    let llm = llm(telemetry, dialect);
    let mut call = llm.call(LlmOperation::Chat, &Provider::ANTHROPIC);
    call.set_server("api.anthropic.com", Some(443));
    call.model("claude-sonnet-4-5");
    call.set_prompt("greeting", Some("3"));
    call.response_model("claude-sonnet-4-5-20250929");
    call.usage(&all_tokens());
    call.finish_reason(0, "end_turn");
    call.end();
    // Nobody says what it took, and it is cut.
    let mut call = llm.call(LlmOperation::Chat, &Provider::ANTHROPIC);
    call.model("claude-sonnet-4-5");
    drop(call);
    let mut call = llm.call(LlmOperation::Chat, &Provider::ANTHROPIC);
    call.model("claude-sonnet-4-5");
    call.end();
}

/// A token for each word.
#[derive(Debug)]
struct Words;

impl CountTokens for Words {
    fn count(&self, _: &str, text: &str) -> Option<u64> {
        u64::try_from(text.split_whitespace().count()).ok()
    }
}

#[derive(Debug)]
struct Outside;

impl Upload for Outside {
    fn upload(&self, _: &mut Exchange) -> Uploaded {
        let at = |what| Some(format!("store://1/{what}"));
        Uploaded {
            input: at("input"),
            output: at("output"),
            system: at("system"),
            tools: at("tools"),
        }
    }
}

/// What was said, where it is asked for, tokens that are counted here, and what the answer was worth.
fn said(telemetry: &Telemetry, dialect: Dialect) {
    let content = Capture::spans_and_events().with_text_bytes(32);
    let llm = llm(telemetry, dialect)
        .with_content(content.with_upload(Arc::new(Outside)))
        .with_estimates(Arc::new(Words));
    let mut call = llm.call(LlmOperation::Chat, &Provider::ANTHROPIC);
    call.set_server("api.anthropic.com", Some(443));
    parameters(&mut call);
    call.model("claude-sonnet-4-5");
    call.response_id("msg_1");
    call.response_model("claude-sonnet-4-5-20250929");
    call.system_instruction("Be brief.");
    call.input_message(Message::new("user").with_text("more than a text may have ".repeat(2)));
    let name = ("name".to_owned(), Body::Text("weather".to_owned()));
    call.tool_definition(Body::Map(vec![name]));
    call.content(Content::Text);
    call.text(Content::Text, 0, "Briefly.");
    call.output_message(Message::new("assistant").with_text("Briefly."));
    call.finish_reason(0, "end_turn");
    let evaluation = Evaluation::new("relevance").with_score(0.5);
    let evaluation = evaluation.with_label("fair").with_explanation("It is.");
    call.evaluate(evaluation.with_error_type("timeout"));
    call.end();
    // It tells its tokens, and fails.
    let mut call = llm.call(LlmOperation::Chat, &Provider::ANTHROPIC);
    call.model("claude-sonnet-4-5");
    call.usage(&all_tokens());
    call.input_message(Message::new("user").with_text("hi"));
    call.end_with(Outcome::failed(obs_llm::INCOMPLETE));
}

/// The side that answers.
fn answered(telemetry: &Telemetry, dialect: Dialect) {
    let server = ModelServer::new(telemetry, Provider::named("own"), "tiny-llama")
        .with_dialect(dialect)
        .with_address("models.example", Some(8000))
        .with_slots(4)
        .with_token_gaps(true)
        .with_slow(SLOW, SLOW);
    let mut request = server.request(LlmOperation::Chat, Parent::Root);
    parameters(&mut request);
    request.scheduled_at(server.now());
    request.cached(3);
    request.prefilled(4);
    request.token_at(server.step(1));
    request.preempted();
    request.scheduled();
    for _ in 0..3 {
        request.token_at(server.step(1));
    }
    server.kv_cache_usage(0.25);
    // There is no such share.
    server.kv_cache_usage(2.5);
    request.response_id("r-1");
    request.response_model("tiny-llama");
    request.system_fingerprint("fp_1");
    request.status("completed");
    request.finish_reason(0, "stop");
    request.end(Outcome::ANSWERED);
    let mut request = server.request(LlmOperation::Embeddings, Parent::Root);
    request.model("tiny-llama");
    request.encoding_format("float");
    request.dimensions(64);
    request.end(Outcome::failed(OUT_OF_MEMORY));
    let mut request = server.request(LlmOperation::Chat, Parent::Root);
    request.usage(&all_tokens());
    request.end(Outcome::ANSWERED);
}

/// All that a request can say.
fn parameters(request: &mut impl RequestSink) {
    request.model("tiny-llama");
    request.stream(true);
    request.max_tokens(256);
    request.temperature(0.5);
    request.top_p(0.9);
    request.top_k(40.0);
    request.frequency_penalty(0.1);
    request.presence_penalty(0.2);
    request.seed(7);
    request.choice_count(2);
    request.stop_sequence("END");
    request.service_tier("auto");
    request.reasoning_level("high");
    request.output_type("json");
    request.previous_response("r-0");
    request.conversation("conv_1");
}

/// Pages of engines: one with everything that histograms have, one with quantiles, one that is not there, one of something else.
fn engines(level: StatsLevel) -> Seen {
    let receiver = Receiver::start().expect("a receiver");
    let telemetry = telemetry(&receiver, |builder| builder.with_level(level));
    let pages = Pages::start();
    let scraper = EngineScraper::new(&telemetry, ScrapeSettings::new());
    for (path, mapping) in [
        ("/vllm", &VLLM),
        ("/xllm", &XLLM),
        ("/gone", &LLAMACPP),
        ("/other", &SGLANG),
    ] {
        let target = ScrapeTarget::new(&format!("{}{path}", pages.url), mapping);
        scraper.add(target.expect("usable")).expect("a target");
    }
    for _ in 0..2 {
        telemetry.flush(PATIENCE).expect("delivered");
    }
    drop(scraper);
    telemetry.shutdown(PATIENCE).expect("delivered");
    Seen::of(&receiver)
}

/// A loopback server of pages, until it is dropped.
struct Pages {
    url: String,
    gone: Arc<AtomicBool>,
}

impl Pages {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let gone = Arc::new(AtomicBool::new(false));
        let going = gone.clone();
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                if going.load(Ordering::SeqCst) {
                    return;
                }
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                    head.push(byte[0]);
                }
                let head = String::from_utf8_lossy(&head);
                let (status, page) = match head.split(' ').nth(1) {
                    Some("/vllm") => ("200 OK", corpus("metrics_vllm.prom")),
                    Some("/xllm") => ("200 OK", corpus("metrics_xllm.prom")),
                    Some("/other") => ("200 OK", "something_else 1\n".to_owned()),
                    _ => ("404 Not Found", String::new()),
                };
                let length = page.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {length}\r\n\r\n{page}"
                );
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { url, gone }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::SeqCst);
        // It waits for a connection.
        let address = self.url.trim_start_matches("http://");
        drop(std::net::TcpStream::connect(address));
    }
}
