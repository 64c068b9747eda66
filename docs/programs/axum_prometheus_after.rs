//! The page of ours, joined with that of the application's own counters.

mod shop;

use metrics_exporter_prometheus::PrometheusBuilder;
use obs_core::Telemetry;
use obs_http::{HttpServerLayer, MetricsPage};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let handle = PrometheusBuilder::new().install_recorder()?;
    let telemetry = Telemetry::builder().build()?;
    let app = shop::routes().layer(HttpServerLayer::new(&telemetry));
    let page = MetricsPage::new(&telemetry).with_joined("metrics", move || handle.render())?;
    shop::serve(app.route_service("/metrics", page)).await?;
    Ok(())
}
