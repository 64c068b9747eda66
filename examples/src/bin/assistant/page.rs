//! `/metrics`, read as Prometheus would.

use crate::{client::Client, failure::Failure};
use std::net::SocketAddr;

/// What must be on the front's page: the beginning of a sample, and a part of it.
pub(crate) const FRONT: [[&str; 2]; 2] = [
    [
        "http_server_request_duration_seconds_count",
        r#"http_route="/ask/{topic}""#,
    ],
    ["assistant_answers_total", r#"="answered""#],
];
/// What must be on the knowledge service's.
pub(crate) const KNOWLEDGE: [[&str; 2]; 2] = [
    [
        "http_server_request_duration_seconds_count",
        r#"http_route="/search/{topic}""#,
    ],
    ["assistant_search_documents_sum", ""],
];

/// Reads the page as Prometheus would, through the socket, and looks for what must be on it.
pub(crate) async fn scrape(
    name: &str,
    service: SocketAddr,
    samples: [[&str; 2]; 2],
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
    for [beginning, part] in samples {
        let sample = page
            .lines()
            .find(|line| line.starts_with(beginning) && line.contains(part));
        let Some(sample) = sample else {
            return Err(Failure::new(format!(
                "telemetry is missing: http://{service}/metrics (status {}) has no {beginning} with {part}",
                answer.status
            )));
        };
        println!("  {sample}");
    }
    Ok(())
}
