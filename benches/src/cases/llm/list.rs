//! The cases, by name.

use super::super::{Case, added, held, scaling};
use super::{
    call, chunk_gemini, chunk_padded, chunk_vllm, chunk200, chunk200_anthropic, chunk200_gemini,
    chunk200_ollama, contended, gap, peers, scan, scan_long, server, state, streams,
};

pub(crate) static ALL: &[Case] = &[
    added(
        "llm/chunk200",
        "a chunk of 200 bytes of OpenAI's stream, by the layer's body: content, times, tokens, reasons",
        chunk200,
    ),
    added(
        "llm/chunk200-anthropic",
        "same, of Anthropic's",
        chunk200_anthropic,
    ),
    added("llm/chunk200-gemini", "same, of Gemini's", chunk200_gemini),
    added("llm/chunk200-ollama", "same, of Ollama's", chunk200_ollama),
    added(
        "llm/chunk-openai",
        "a chunk as OpenAI sends it where usage is asked for: tier, fingerprint, no usage yet, padding",
        chunk_padded,
    ),
    added(
        "llm/chunk-vllm",
        "a chunk of vLLM's with usage in each",
        chunk_vllm,
    ),
    added(
        "llm/chunk-gemini",
        "a chunk of Google's with all that stands in each",
        chunk_gemini,
    ),
    added(
        "llm/gap",
        "a chunk told to a call by hand: the time since the one before",
        gap,
    ),
    added(
        "llm/call",
        "a unary call: request and answer of 1 KiB scanned, a record dropped",
        call,
    ),
    added(
        "llm/scan",
        "a KiB of events of 200 bytes, scanned alone",
        scan,
    ),
    added("llm/scan-long", "same, of events of 2 KiB", scan_long),
    added(
        "llm/streams",
        "a chunk of one of 1,000 streams at once, in turn",
        streams,
    ),
    held(
        "llm/stream-state",
        "bytes that a stream holds between two chunks, of 10,000",
        state,
    ),
    added(
        "llm/server-token",
        "a token of a request on the side that answers, 32 in a step, with its share of step and request",
        server::token,
    ),
    added(
        "llm/server-request",
        "a request there, of two tokens: queue, prefill, decode, a record dropped",
        server::request,
    ),
    scaling(
        "contention/llm",
        "streamed answers: 2 threads / 1, the bodies alone taken for 2",
        contended,
    ),
    added(
        "peer/serde-json-typed",
        "each event of that stream, cut already, into a struct of what is wanted",
        peers::typed,
    ),
    added("peer/serde-json-value", "same, into a tree", peers::value),
    added(
        "peer/eventsource-stream",
        "as client libraries do it: events by eventsource-stream, each into a struct",
        peers::eventsource,
    ),
];
