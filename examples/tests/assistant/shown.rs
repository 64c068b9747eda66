//! What it prints, and what it says when that is not to be had.

use crate::program::{assert_gone, assistant, check_contains, quick};
use std::process::Output;

/// It fails, says so in its last words, shows no tree as if all were well, and leaves no process behind.
#[track_caller]
fn check_fails(run: &Output, words: &[&str]) {
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(1), "{stderr}");
    check_contains(&stderr, words);
    let stdout = String::from_utf8_lossy(&run.stdout);
    assert!(!stdout.contains("Requests by route"), "{stdout}");
    if !stdout.is_empty() {
        assert_gone(&stdout);
    }
}

#[test]
fn it_shows_every_ending_and_ends_well() {
    let run = quick(&[]);
    let stdout = String::from_utf8_lossy(&run.stdout);
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{stdout}{stderr}");
    assert_gone(&stdout);
    check_contains(
        &stdout,
        &[
            "assistant-front at http://127.0.0.1:",
            "assistant-knowledge at http://127.0.0.1:",
            "assistant-tools at http://127.0.0.1:",
            "model simulated-1 at http://127.0.0.1:",
            "simulated: this program's own server plays one\n",
            "its device ",
            "; claimed, though nothing runs on it\n",
            "telemetry of all to a receiver of its own at http://127.0.0.1:",
            "Traces, as received",
            "a normal request\n",
            "GET /ask/{topic} [server] ",
            "- service.name: \"assistant-front\"\n",
            "invoke_agent assistant [internal] ",
            "plan assistant [internal] ",
            "chat simulated-1 [client] ",
            "- gen_ai.response.finish_reasons: [\"tool_calls\"]\n",
            "execute_tool search_documents [internal] ",
            "GET /search/{topic} [internal] ",
            "GET /search/{topic} [client] ",
            "GET /search/{topic} [server] ",
            "- service.name: \"assistant-knowledge\"\n",
            "retrieve [internal] ",
            "- assistant.retrieval.hits: 3\n",
            "execute_tool consult_instrument [internal] ",
            "assistant.Tools/Call [internal] ",
            "- obs.rpc.call.attempts: 1\n",
            "assistant.Tools/Call [client] ",
            "- rpc.response.status_code: \"OK\"\n",
            "* write_request +",
            "* wait_response +",
            "* read_response +",
            "assistant.Tools/Call [server] ",
            "- rpc.response.status_code: \"OK\"\n",
            "- service.name: \"assistant-tools\"\n",
            "* read_request +",
            "* handle +",
            "* write_response +",
            "chat simulated-1 [client] ",
            "- gen_ai.provider.name: \"simulated\"\n",
            "- gen_ai.response.finish_reasons: [\"stop\"]\n",
            "- gen_ai.response.time_to_first_chunk: 0.0",
            "- gen_ai.usage.input_tokens: 23\n",
            "- gen_ai.usage.output_tokens: 11\n",
            "- hw.id: \"GPU-",
            "- obs.gpu.first_output.health: \"",
            "- obs.gpu.first_output.power: ",
            "- obs.gpu.first_output.sample_age: 0.",
            "- obs.gpu.first_output.utilization: ",
            "- obs.llm.response.chunks: 11\n",
            "POST [client] ",
            "- http.response.status_code: 200\n",
            "remember [internal] ",
            "a retried request",
            "GET /search/{topic} [client] error ",
            "- error.type: \"503\"\n",
            "- http.request.resend_count: 1\n",
            "a failed request",
            "GET /ask/{topic} [server] error ",
            "- error.type: \"503\"\n",
            "chat simulated-1 [client] error ",
            "- error.type: \"overloaded_error\"\n",
            "- gen_ai.response.finish_reasons: [\"error\"]\n",
            "a slow request",
            "chat simulated-1 [client] 4",
            "- gen_ai.response.time_to_first_chunk: 0.4",
            "- obs.gpu.slow.first_output.cause: \"",
            "a request that timed out",
            "- error.type: \"504\"\n",
            "- error.type: \"timeout\"\n",
            "GET /search/{topic} [server] error ",
            "- error.type: \"cancelled\"\n",
            "a cancelled request",
            "GET /ask/{topic} [server] error ",
            "- error.type: \"cancelled\"\n",
            "a tool that was late",
            "- http.response.status_code: 200\n",
            "assistant.Tools/Call [client] error ",
            "- error.type: \"timeout\"\n",
            "- obs.rpc.cancel.origin: \"deadline\"\n",
            // The tool service may say so first.
            "* wait_response +",
            "assistant.Tools/Call [server] error ",
            "- error.type: \"timeout\"\n",
            "- obs.rpc.cancel.origin: \"deadline\"\n",
            "* handle +",
            "{took: \"not over\"}",
            "a tool that failed, and failed again",
            "- http.response.status_code: 200\n",
            "assistant.Tools/Call [internal] error ",
            "- error.type: \"UNAVAILABLE\"\n",
            "- obs.rpc.call.attempts: 2\n",
            "assistant.Tools/Call [client] error ",
            "assistant.Tools/Call [server] error ",
            "assistant.Tools/Call [client] error ",
            "- obs.rpc.attempt: 1\n",
            "assistant.Tools/Call [server] error ",
            "a request that was given up while a tool streamed",
            "GET /ask/{topic} [server] error ",
            "assistant.Tools/Watch [client] error ",
            "- obs.rpc.cancel.origin: \"cascaded\"\n",
            "* read_response +",
            "{took: \"not over\"}",
            "assistant.Tools/Watch [server] error ",
            "- obs.rpc.cancel.origin: \"peer\"\n",
            "Log lines of a normal request",
            "assistant-front: {",
            "\"trace_id\":\"",
            "assistant-knowledge: {",
            "\"trace_id\":\"",
            "assistant-tools: {",
            "\"trace_id\":\"",
            "A conversation of 3 turns, by the front's ledger",
            "session a-conversation",
            "inferences     6\n",
            "search_documents         3,",
            "consult_instrument       2,",
            "Business metrics",
            "assistant.answers",
            "answered",
            "assistant.search.documents",
            "Energy of the model's device",
            "obs.gpu.attributed.energy   simulated-1 ",
            " J for each\n",
            "Requests by route",
            "assistant-front     /ask/{topic} ",
            "503: 1, 504: 1, cancelled: 2\n",
            "assistant-front     /documents/{id} ",
            "assistant-knowledge /search/{topic} ",
            "503: 1, cancelled: 1\n",
            "Calls by method",
            "assistant-front     assistant.Tools/Call ",
            "UNAVAILABLE: 2, timeout: 1\n",
            "assistant-front     assistant.Tools/Watch ",
            "cancelled: 1\n",
            "assistant-tools     assistant.Tools/Call ",
            "UNAVAILABLE: 2, timeout: 1\n",
            "assistant-tools     assistant.Tools/Watch ",
            "cancelled: 1\n",
            "Cost of the instrumentation",
            "measured just now on this machine",
            "median without ",
            "median with ",
            "ratio ",
            "Metrics page of assistant-front: http://127.0.0.1:",
            "http_server_request_duration_seconds_count{",
            "assistant_answers_total{",
            "obs_rpc_stage_duration_seconds_sum{",
            "obs_stage=\"wait_response\"",
            "obs_rpc_stage_duration_seconds_count{",
            "Metrics page of assistant-knowledge: http://127.0.0.1:",
            "http_server_request_duration_seconds_count{",
            "assistant_search_documents_sum ",
            "Metrics page of assistant-tools: http://127.0.0.1:",
            "rpc_server_call_duration_seconds_count{",
            "obs_rpc_stage_duration_seconds_sum{",
            "obs_stage=\"handle\"",
            "The knowledge service is stopped: stopped by SIGTERM; delivered ",
            "let go of: 0 on the way, 0 for want of room",
            "a request while the knowledge service is down",
            "- error.type: \"502\"\n",
            "- error.type: \"connection_refused\"\n",
            "The tool service is stopped: stopped by SIGTERM; delivered ",
            "let go of: 0 on the way, 0 for want of room",
            "The front: delivered ",
            "let go of: 0 on the way, 0 for want of room",
        ],
    );
}

#[test]
fn points_as_deltas_add_up_to_the_same_table() {
    let preference = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    let run = quick(&[(preference, "delta")]);
    let stdout = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    // Each of nine endings once, a conversation of three turns, and two in each of three rounds of four clients.
    let requests = (9 + 3 + 2 * 3 * 4).to_string();
    check_contains(
        &stdout,
        &[
            "assistant-front     /ask/{topic} ",
            &requests,
            "503: 1, 504: 1, cancelled: 2\n",
        ],
    );
}

#[test]
fn without_traces_it_fails_and_says_what_is_missing() {
    check_fails(
        &quick(&[("OTEL_TRACES_EXPORTER", "none")]),
        &["telemetry is missing: ", "spans of a normal request"],
    );
}

#[test]
fn without_metrics_it_fails_and_says_what_is_missing() {
    check_fails(
        &quick(&[("OTEL_METRICS_EXPORTER", "none")]),
        &[
            "telemetry is missing: ",
            "of /ask/{topic} are in the metrics",
        ],
    );
}

#[test]
fn with_telemetry_switched_off_it_fails() {
    check_fails(
        &quick(&[("OTEL_SDK_DISABLED", "true")]),
        &["telemetry is missing: "],
    );
}

#[test]
fn a_receiver_that_is_not_there_is_named_as_the_reason() {
    // A free port of the others would be another test's in a moment; nobody listens on the first one.
    check_fails(
        &quick(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")]),
        &["telemetry could not be delivered to where OTEL_EXPORTER_OTLP_* says"],
    );
}

#[test]
fn an_unknown_argument_is_refused() {
    let refused = |arguments: &[&str], words| {
        let run = assistant(arguments, &[]).output().expect("the program");
        check_fails(&run, &[words]);
    };
    refused(
        &["--fast"],
        "`--fast` is none of --serve, --quick, --logs FOLDER",
    );
    refused(&["--logs"], "`--logs` wants something after it");
    for behind in ["knowledge", "tools"] {
        refused(
            &[behind, "--quick"],
            "`--quick` is none of --attached, --telemetry-to URL, --log FILE",
        );
    }
}
