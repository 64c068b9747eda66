//! What is scraped leaves over OTLP as it was counted, told by the official definitions.

use crate::server::Server;
use crate::{builder, corpus};
use obs_core::courier::Destinations;
use obs_llm::engines::{EngineScraper, ScrapeSettings, ScrapeTarget, VLLM};
use obs_testing::{AttrValue, Receiver, attrs};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn buckets_starts_and_labels_arrive_as_the_engine_has_them() {
    let receiver = Receiver::start().expect("a receiver");
    let telemetry = builder()
        .with_otlp_to(Destinations::below(&receiver.endpoint()))
        .manual()
        .build()
        .expect("usable");
    let scraper = EngineScraper::new(&telemetry, ScrapeSettings::new());
    let server = Server::page(corpus("vllm"));
    let target = ScrapeTarget::new(&server.url(), &VLLM).expect("usable");
    scraper.add(target).expect("a target");
    telemetry.flush(PATIENCE).expect("delivered");

    let points = receiver.points();
    let of = attrs!["obs.llm.engine.index" => "0"];
    let first = points
        .histogram("gen_ai.server.time_to_first_token", &of)
        .expect("a point");
    assert_eq!((first.count, first.sum), (4, Some(31.9375)));
    assert_eq!(first.bounds.len(), 22);
    assert_eq!(first.bounds.last(), Some(&2560.0));
    let attributes = &first.series.attributes;
    let value = |key: &str| {
        attributes
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value.clone())
    };
    let text = |text: &str| Some(AttrValue::from(text));
    assert_eq!(value("gen_ai.request.model"), text("Qwen/Qwen3-8B"));
    assert_eq!(value("obs.llm.engine"), text("vllm"));
    assert_eq!(value("server.address"), text("127.0.0.1"));
    assert_eq!(
        value("server.port"),
        Some(AttrValue::from(i64::from(server.port())))
    );
    assert_eq!(first.series.scope, "obs-llm");
    assert_eq!(first.series.unit, "s");
}
