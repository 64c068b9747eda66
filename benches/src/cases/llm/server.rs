//! The side that answers: what a token costs whoever runs the model, and what a request does.

use obs_core::{Outcome, Parent};
use obs_llm::{Dialect, InferenceRequest, LlmOperation, ModelServer, Provider};

use super::super::flat::{Expect, Flat};
use super::super::sdk::same;
use super::{BURST, CHUNKS, flat};
use crate::harness::pair::Pair;

const DURATION: &str = "gen_ai.server.request.duration";
const PER_TOKEN: &str = "gen_ai.server.time_per_output_token";

/// Requests that a step advances.
const BATCH: u64 = 32;

fn server(flat: &Flat) -> ModelServer {
    ModelServer::new(&flat.telemetry, Provider::named("bench"), "model")
        .with_dialect(Dialect::V1_41)
        .with_slots(BATCH as u32)
}

fn begun(server: &ModelServer) -> InferenceRequest {
    let mut request = server.request(LlmOperation::Chat, Parent::Root);
    request.scheduled();
    request.prefilled(100);
    request
}

fn pair(with: impl FnMut() + 'static) -> Pair {
    Pair::new(
        || {
            std::hint::black_box(BATCH);
        },
        with,
    )
}

/// A token of one of 32 requests that are advanced together, with its share of the step and of its request.
pub(crate) fn token() -> Pair {
    let flat = flat();
    let server = server(&flat);
    // The requests are in a room that is there before: what is counted is theirs.
    let mut batch = Vec::with_capacity(BATCH as usize);
    let pair = pair(move || {
        batch.extend((0..BATCH).map(|_| begun(&server)));
        for _ in 0..CHUNKS {
            let done = server.step(std::hint::black_box(batch.len()));
            for request in &mut batch {
                request.token_at(done);
            }
        }
        for request in batch.drain(..) {
            request.end(Outcome::ANSWERED);
        }
    });
    hold(&flat, pair, BATCH).with_per_call(BATCH * CHUNKS)
}

/// A request of two tokens, from the queue to its end; its record is dropped.
pub(crate) fn request() -> Pair {
    let flat = flat();
    let server = server(&flat);
    let pair = pair(move || {
        let mut request = begun(&server);
        request.token();
        request.token();
        request.end(Outcome::ANSWERED);
    });
    hold(&flat, pair, 1)
}

/// A duration and a time per token for each request.
fn hold(flat: &Flat, pair: Pair, requests: u64) -> Pair {
    let (held, settled) = (flat.clone(), flat.clone());
    pair.with_burst(BURST)
        .with_settle(move || settled.settle())
        .with_account(move |calls| {
            same(PER_TOKEN, held.points_of(PER_TOKEN), calls * requests)?;
            same(DURATION, held.points_of(DURATION), calls * requests)?;
            held.account(calls, Expect::default())
        })
}
