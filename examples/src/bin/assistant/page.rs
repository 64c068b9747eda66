//! `/metrics`, read as Prometheus would.

use crate::{client::Client, failure::Failure};
use std::net::SocketAddr;

/// What must be on the front's page: the beginning of a sample, and parts of it.
pub(crate) const FRONT: &[&[&str]] = &[
    &[
        "http_server_request_duration_seconds_count",
        r#"http_route="/ask/{topic}""#,
    ],
    &["assistant_answers_total", r#"="answered""#],
    &[
        "gen_ai_client_operation_time_to_first_chunk_seconds_count",
        CHAT,
    ],
    &[
        "gen_ai_client_token_usage_sum",
        CHAT,
        r#"gen_ai_token_type="output""#,
    ],
    &["obs_rpc_stage_duration_seconds_sum", WATCH, OK, AWAITED],
    &["obs_rpc_stage_duration_seconds_count", WATCH, OK, AWAITED],
];
/// What must be on the knowledge service's.
pub(crate) const KNOWLEDGE: &[&[&str]] = &[
    &[
        "http_server_request_duration_seconds_count",
        r#"http_route="/search/{topic}""#,
    ],
    &["assistant_search_documents_sum"],
];
/// And on the tool service's.
pub(crate) const TOOLS: &[&[&str]] = &[
    &["rpc_server_call_duration_seconds_count", WATCH, OK],
    &["obs_rpc_stage_duration_seconds_sum", WATCH, OK, HANDLED],
    &["obs_rpc_stage_duration_seconds_count", WATCH, OK, HANDLED],
];

const CHAT: &str = r#"gen_ai_operation_name="chat""#;
const WATCH: &str = r#"rpc_method="assistant.Tools/Watch""#;
const OK: &str = r#"rpc_response_status_code="OK""#;
/// What a caller waits for, and what of it the tool takes.
const AWAITED: &str = r#"obs_stage="wait_response""#;
const HANDLED: &str = r#"obs_stage="handle""#;

/// Reads the page as Prometheus would, through the socket, and looks for what must be on it.
pub(crate) async fn scrape(
    name: &str,
    service: SocketAddr,
    samples: &[&[&str]],
) -> Result<(), Failure> {
    let answer = Client::connect(service).await?.get("/metrics").await?;
    let page = String::from_utf8_lossy(&answer.body);
    let metrics = page
        .lines()
        .filter(|line| line.starts_with("# TYPE "))
        .count();
    println!(
        "\nMetrics page of {name}: http://{service}/metrics, {metrics} metrics when read just now; of its lines:"
    );
    for parts in samples {
        let fits = |line: &&str| {
            let begins = parts.first().is_some_and(|part| line.starts_with(part));
            begins && parts.iter().all(|part| line.contains(part))
        };
        let Some(sample) = page.lines().find(fits) else {
            return Err(Failure::new(format!(
                "telemetry is missing: http://{service}/metrics (status {}) has no {}",
                answer.status,
                parts.join(" with ")
            )));
        };
        println!("  {sample}");
    }
    Ok(())
}
