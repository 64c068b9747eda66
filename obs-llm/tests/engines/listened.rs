//! Who listens is told what pages say, model by model.

use crate::Rig;
use crate::server::Server;
use obs_llm::engines::{LLAMACPP, ScrapeTarget, Target, VLLM};
use std::sync::{Arc, Mutex};

const TWO: &str = "\
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine=\"0\",model_name=\"a\"} 3
vllm:num_requests_waiting{engine=\"1\",model_name=\"a\"} 4
vllm:num_requests_waiting{engine=\"0\",model_name=\"b\"} 0
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"a\"} 0.25
vllm:kv_cache_usage_perc{engine=\"1\",model_name=\"a\"} 0.75
# TYPE vllm:request_success_total counter
vllm:request_success_total{engine=\"0\",model_name=\"a\",finished_reason=\"stop\"} 10
vllm:request_success_total{engine=\"0\",model_name=\"a\",finished_reason=\"length\"} 5
";

type Told = Arc<Mutex<Vec<String>>>;

/// Each thing that is told, as a line.
fn listen(rig: &Rig) -> Told {
    let told = Told::default();
    let lines = told.clone();
    let listens = rig.scraper.listen(move |said| {
        let targets = [
            Target::Waiting,
            Target::KvCacheUsage,
            Target::Finished,
            Target::Preemptions,
        ];
        let values = targets.map(|target| said.value(target));
        let line = format!("{} {:?} {values:?}", said.engine, said.model);
        lines.lock().expect("no panic").push(line);
        assert_eq!((said.address, said.port > 0), ("127.0.0.1", true));
    });
    assert!(listens);
    told
}

fn lines(told: &Told) -> Vec<String> {
    std::mem::take(&mut told.lock().expect("no panic"))
}

#[test]
fn each_model_of_a_page_is_told_of_once() {
    let server = Server::page(TWO.to_owned());
    let rig = Rig::of(&server, &VLLM);
    let told = listen(&rig);
    rig.scrape();
    let expect = [
        "vllm Some(\"a\") [Some(7.0), Some(0.75), Some(15.0), None]",
        "vllm Some(\"b\") [Some(0.0), None, None, None]",
    ];
    let mut said = lines(&told);
    said.sort();
    assert_eq!(said, expect);
    // There is one who listens.
    assert!(!rig.scraper.listen(|_| {}));
    // Of a page that cannot be read nothing is told.
    drop(server);
    rig.scrape();
    assert!(lines(&told).is_empty());
}

#[test]
fn the_model_that_a_page_does_not_say_is_that_of_the_target() {
    let server = Server::page(
        "# TYPE llamacpp:requests_deferred gauge\nllamacpp:requests_deferred 2\n".to_owned(),
    );
    let rig = Rig::new();
    let target = ScrapeTarget::new(&server.url(), &LLAMACPP).expect("usable");
    rig.add(target.with_model("qwen3-8b"));
    let told = listen(&rig);
    rig.scrape();
    assert_eq!(
        lines(&told),
        ["llamacpp Some(\"qwen3-8b\") [Some(2.0), None, None, None]"]
    );
}

#[test]
fn a_listener_that_panics_costs_no_page() {
    let server = Server::page(TWO.to_owned());
    let rig = Rig::of(&server, &VLLM);
    assert!(rig.scraper.listen(|_| panic!("on purpose")));
    let shown = rig.scrape();
    assert_eq!(shown.number("obs.llm.engine.up"), 1.0);
    assert_eq!(rig.telemetry.counts().panics, 1);
}
