//! Requests that go from the task that took them in to the thread that works on them, and what becomes of them there.

use crate::support::{Rig, server_of};
use obs_core::semconv::{gen_ai, http, obs};
use obs_core::{Outcome, Parent};
use obs_llm::{InferenceRequest, LlmOperation};
use obs_testing::{Capture, assert_tree};
use std::sync::mpsc;
use std::thread;

fn is_send<T: Send>(_: &T) {}

#[test]
fn a_request_is_worked_on_by_one_thread_after_another() {
    let rig = Rig::new();
    let mut request = rig.request();
    is_send(&request);
    rig.pass(10);
    // Read by one thread, written by another, as where prefill and decode are apart.
    let mut request = thread::scope(|scope| {
        let worker = scope.spawn(|| {
            request.scheduled();
            request.prefilled(7);
            rig.pass(20);
            request.token();
            request
        });
        worker.join().expect("no panic")
    });
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..2 {
                rig.pass(10);
                request.token();
            }
            request.end(Outcome::ANSWERED);
        });
    });
    assert_eq!((rig.active(), rig.waiting()), (0, 0));
    assert_eq!(rig.point(gen_ai::SERVER_TIME_TO_FIRST_TOKEN).count, 1);
    for stage in ["queue", "prefill", "decode"] {
        assert_eq!(
            rig.stage(stage).map(|point| point.count),
            Some(1),
            "{stage}"
        );
    }
    assert_eq!(rig.total(obs::LLM_SERVER_OUTPUT_TOKENS), 3);
}

/// A scheduler that is told to go on until it dies in the way that it is told: by returning or by panicking.
fn scheduler(requests: &mpsc::Receiver<InferenceRequest>, slots: usize, panics: bool) {
    let mut running = Vec::new();
    for mut request in requests.iter().take(slots) {
        request.scheduled();
        request.token();
        running.push(request);
    }
    assert!(!panics, "the scheduler dies");
}

#[track_caller]
fn dies(panics: bool, expect: &str) {
    let rig = Rig::new();
    let (send, receive) = mpsc::channel();
    for _ in 0..5 {
        send.send(rig.request()).expect("somebody receives");
    }
    drop(send);
    assert_eq!((rig.active(), rig.waiting()), (5, 5));
    let died = thread::spawn(move || scheduler(&receive, 2, panics)).join();
    assert_eq!(died.is_err(), panics);
    assert_eq!((rig.active(), rig.waiting()), (0, 0));
    assert_eq!(rig.durations(), [(expect.to_owned(), 5)]);
    assert_eq!(rig.capture.count(gen_ai::SERVER_TIME_TO_FIRST_TOKEN), 0);
    let tokens = rig.total(obs::LLM_SERVER_OUTPUT_TOKENS);
    assert_eq!(tokens, 2, "what was written before is counted");
}

#[test]
fn a_scheduler_that_goes_away_cancels_what_it_has_and_what_waits_for_it() {
    dies(false, "cancelled");
}

#[test]
fn a_scheduler_that_panics_takes_what_it_has_and_what_waits_for_it_along() {
    dies(true, "panic");
}

#[test]
fn one_thread_takes_in_and_another_ends_for_many() {
    const REQUESTS: u64 = 200;
    let rig = Rig::new();
    let (send, receive) = mpsc::channel::<InferenceRequest>();
    thread::scope(|scope| {
        for _ in 0..4 {
            let (send, rig) = (send.clone(), &rig);
            scope.spawn(move || {
                for _ in 0..REQUESTS / 4 {
                    send.send(rig.request()).expect("somebody receives");
                }
            });
        }
        drop(send);
        for (number, mut request) in receive.iter().enumerate() {
            request.scheduled();
            request.tokens(2);
            match number % 2 {
                0 => request.end(Outcome::ANSWERED),
                _ => drop(request),
            }
        }
    });
    assert_eq!((rig.active(), rig.waiting()), (0, 0));
    let half = REQUESTS / 2;
    let expect = [(String::new(), half), ("cancelled".to_owned(), half)];
    assert_eq!(rig.durations(), expect);
    assert_eq!(
        rig.total(obs::LLM_SERVER_OUTPUT_TOKENS),
        2 * REQUESTS as i64
    );
}

#[test]
fn it_is_the_child_of_what_brought_it_wherever_it_begins() {
    let capture = Capture::new();
    let server = server_of(&capture);
    let mut outer = server.request(LlmOperation::Chat, Parent::Root);
    let brought = outer.handle().expect("it records");
    let work = {
        let server = server.clone();
        thread::spawn(move || {
            let mut request = server.request(LlmOperation::Embeddings, Parent::Operation(&brought));
            // What the model's thread does for it is its child in turn.
            let inner = request.scope(|| server.request(LlmOperation::Chat, Parent::Current));
            inner.end(Outcome::ANSWERED);
            request.end(Outcome::ANSWERED);
        })
    };
    work.join().expect("no panic");
    let of = outer.handle().expect("it records").span_context();
    let by_ids = server.request(LlmOperation::TextCompletion, Parent::Of(&of));
    by_ids.end(Outcome::ANSWERED);
    outer.end(Outcome::ANSWERED);
    assert_tree(
        capture.tree().without_attributes(),
        r#"
        trace 1
          chat tiny-llama [server]
            embeddings tiny-llama [server]
              chat tiny-llama [server]
            text_completion tiny-llama [server]
        "#,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_of_one_request_are_read_by_tasks() {
    let rig = Rig::new();
    let (send, receive) = mpsc::channel::<InferenceRequest>();
    let worker = thread::spawn(move || {
        let mut batch: Vec<_> = receive.iter().collect();
        for request in &mut batch {
            request.scheduled();
            request.tokens(4);
        }
        for request in batch {
            request.end(Outcome::ANSWERED);
        }
    });
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (send, server) = (send.clone(), rig.server.clone());
            tokio::spawn(async move {
                tokio::task::yield_now().await;
                let request = server.request(LlmOperation::Chat, Parent::Current);
                send.send(request).expect("somebody receives");
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    drop(send);
    worker.join().expect("no panic");
    assert_eq!((rig.active(), rig.waiting()), (0, 0));
    assert_eq!(rig.total(obs::LLM_SERVER_OUTPUT_TOKENS), 32);
    let points = rig.capture.points();
    let errors = points.histogram_by(gen_ai::SERVER_REQUEST_DURATION, http::ERROR_TYPE.as_str());
    assert_eq!(errors.len(), 1, "{errors:?}");
}
