//! `/metrics`, read as Prometheus would.

use crate::{client::Client, failure::Failure};
use std::net::SocketAddr;

/// Reads the page as Prometheus would, through the socket, and looks for what must be on it.
pub(crate) async fn scrape(service: SocketAddr) -> Result<(), Failure> {
    let answer = Client::connect(service).await?.get("/metrics").await?;
    let page = String::from_utf8_lossy(&answer.body);
    let sample = page.lines().find(|line| {
        line.starts_with("http_server_request_duration_seconds_count")
            && line.contains(r#"http_route="/ask/{topic}""#)
    });
    let Some(sample) = sample else {
        return Err(Failure::new(format!(
            "telemetry is missing: http://{service}/metrics (status {}) has no durations of /ask/{{topic}}",
            answer.status
        )));
    };
    let metrics = page
        .lines()
        .filter(|line| line.starts_with("# TYPE "))
        .count();
    println!(
        "\nMetrics page: http://{service}/metrics, {metrics} metrics when read just now; one of its lines:"
    );
    println!("  {sample}");
    Ok(())
}
