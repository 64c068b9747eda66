//! What a user's options say stays as it is.

use crate::answers::EVENTS;
use crate::server::{serve, soon, streamed};
use crate::support::{Counts, bare, client, hello, int, llm, openai, over};
use futures_util::StreamExt;
use genai::chat::ChatOptions;
use obs_llm::adapters::genai::Client;
use obs_testing::Capture;
use std::sync::Arc;
use std::sync::atomic::Ordering;

async fn read(client: &Client, server: &crate::server::Server, options: Option<&ChatOptions>) {
    let asking = client.exec_chat_stream(openai(server), hello(), options);
    let stream = soon(asking).await.expect("a stream").stream;
    let events: Vec<_> = soon(stream.collect()).await;
    assert!(events.iter().all(Result::is_ok), "{events:?}");
}

#[tokio::test]
async fn a_sink_of_the_users_sees_every_frame() {
    let server = serve(streamed(EVENTS)).await;
    let capture = Capture::new();
    let counts = Arc::new(Counts::default());
    let options = ChatOptions::default().with_raw_frame_sink_arc(counts.clone());
    read(&client(&capture), &server, Some(&options)).await;
    counts.has_seen_all();
    let record = over(&capture, None);
    assert_eq!(int(&record, "gen_ai.usage.input_tokens"), Some(8));
}

/// Options of a call would hide the client's stop sequences, and its sink.
#[tokio::test]
async fn a_client_with_defaults_is_asked_nothing_else() {
    let server = serve(streamed(EVENTS)).await;
    let counts = Arc::new(Counts::default());
    let defaults = ChatOptions::default()
        .with_stop_sequence("END")
        .with_temperature(0.5)
        .with_capture_usage(true)
        .with_raw_frame_sink_arc(counts.clone());
    let inner = bare().with_chat_options(defaults.clone());
    let inner = inner.build().expect("a client");

    let capture = Capture::new();
    read(&Client::new(inner.clone(), &llm(&capture)), &server, None).await;
    counts.has_seen_all();
    // By genai's events: what it gathers at the end, and no more.
    let record = over(&capture, None);
    assert_eq!(int(&record, "obs.llm.response.chunks"), Some(2));
    assert_eq!(int(&record, "gen_ai.usage.input_tokens"), Some(8));
    assert_eq!(int(&record, "gen_ai.usage.output_tokens"), Some(2));
    let reasons = record.attr("gen_ai.response.finish_reasons");
    assert_eq!(reasons, Some(&vec!["stop"].into()));
    assert_eq!(record.text("gen_ai.response.model"), None);
    assert_eq!(record.attr("gen_ai.request.temperature"), None);

    // Told of them, it reads frames, and asks the same.
    let capture = Capture::new();
    let told = Client::new(inner, &llm(&capture)).with_chat_options(defaults);
    read(&told, &server, None).await;
    assert_eq!(counts.ends.load(Ordering::Relaxed), 2);
    let record = over(&capture, None);
    let model = record.text("gen_ai.response.model");
    assert_eq!(model, Some("gpt-4o-mini-2024-07-18"));
    assert_eq!(record.attr("gen_ai.request.temperature"), Some(&0.5.into()));
    let stops = record.attr("gen_ai.request.stop_sequences");
    assert_eq!(stops, Some(&vec!["END"].into()));
    let asked = server.bodies();
    assert_eq!(asked[0], asked[1]);
    assert!(asked[0].contains("END"), "{}", asked[0]);
}

#[tokio::test]
async fn a_report_of_tokens_is_asked_for_where_it_is_wanted_and_nowhere_else() {
    let server = serve(streamed(EVENTS)).await;
    let capture = Capture::new();
    let plain = client(&capture);
    let wants = client(&capture).asking_for_usage();
    let refuses = ChatOptions::default().with_capture_usage(false);
    read(&plain, &server, None).await;
    read(&wants, &server, Some(&refuses)).await;
    read(&wants, &server, None).await;
    let asked = server.bodies();
    let asks: Vec<bool> = asked
        .iter()
        .map(|asked| asked.contains("include_usage"))
        .collect();
    assert_eq!(asks, [false, false, true]);
}
