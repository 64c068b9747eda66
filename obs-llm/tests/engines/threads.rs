//! With a thread of its own: it scrapes by itself, targets come and go, and it ends with whoever wanted it.

use crate::server::{Server, send};
use crate::{Shown, builder, corpus};
use obs_core::metrics::Temporality;
use obs_core::semconv::obs;
use obs_core::{StatsLevel, Telemetry};
use obs_llm::engines::{ALL, EngineScraper, LLAMACPP, ScrapeSettings, ScrapeTarget, VLLM};
use obs_testing::eventually;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
const TOKENS: &str = "obs.llm.engine.output_tokens";

fn telemetry() -> Telemetry {
    let telemetry = builder().with_level(StatsLevel::Base).build();
    telemetry.expect("usable")
}

fn every(millis: u64) -> ScrapeSettings {
    ScrapeSettings::new().with_interval(Duration::from_millis(millis))
}

fn shown(telemetry: &Telemetry) -> Shown {
    Shown(telemetry.reader(Temporality::Cumulative).collect())
}

fn target(server: &Server) -> ScrapeTarget {
    ScrapeTarget::new(&server.url(), &VLLM).expect("usable")
}

fn page(tokens: u64) -> String {
    format!("vllm:generation_tokens_total {tokens}\n")
}

#[test]
fn it_scrapes_by_itself_and_nobody_who_collects_waits_for_it() {
    let telemetry = telemetry();
    let scraper = EngineScraper::new(&telemetry, every(20));
    let server = Server::page(page(1));
    scraper.add(target(&server)).expect("a target");
    assert!(eventually(PATIENCE, || shown(&telemetry).numbers(TOKENS) == [" 1"]));
    server.then_page(page(2));
    assert!(eventually(PATIENCE, || shown(&telemetry).numbers(TOKENS) == [" 2"]));
    // It hangs, and collections do not.
    server.then(|_, _| std::thread::sleep(Duration::from_secs(4)));
    let asked = server.asked();
    assert!(eventually(PATIENCE, || server.asked() > asked));
    let began = std::time::Instant::now();
    drop(shown(&telemetry));
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_target_that_is_added_is_scraped_at_once_and_one_that_is_removed_is_gone() {
    let telemetry = telemetry();
    // The next round is never.
    let scraper = EngineScraper::new(&telemetry, every(1_000_000));
    let servers = [1, 2, 3].map(|tokens| Server::page(page(tokens)));
    for (at, server) in servers.iter().enumerate() {
        scraper.add(target(server)).expect("a target");
        assert!(eventually(PATIENCE, || shown(&telemetry)
            .numbers(TOKENS)
            .len()
            == at + 1));
    }
    let up = || {
        scraper
            .targets()
            .iter()
            .all(|status| status.up == Some(true) && status.series == 1)
    };
    assert!(eventually(PATIENCE, up), "{:?}", scraper.targets());
    assert!(scraper.remove("vllm", "127.0.0.1", servers[1].port()));
    assert_eq!(shown(&telemetry).numbers(TOKENS), [" 1", " 3"]);
    assert_eq!(shown(&telemetry).number_points(obs::LLM_ENGINE_UP).len(), 2);
}

#[test]
fn one_that_is_removed_while_it_is_scraped_is_gone() {
    let telemetry = telemetry();
    let scraper = EngineScraper::new(&telemetry, every(1_000_000));
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let server = Server::start(move |_, stream| {
        let _ = wait.recv_timeout(PATIENCE);
        send(stream, &page(1));
    });
    scraper.add(target(&server)).expect("a target");
    assert!(eventually(PATIENCE, || server.asked() == 1));
    assert!(scraper.remove("vllm", "127.0.0.1", server.port()));
    go.send(()).expect("the server waits");
    // Another one is scraped after it on the same thread: then it is over.
    let other = Server::page(page(2));
    scraper.add(target(&other)).expect("a target");
    assert!(eventually(PATIENCE, || shown(&telemetry)
        .numbers(TOKENS)
        .contains(&" 2".into())));
    assert_eq!(shown(&telemetry).numbers(TOKENS), [" 2"]);
}

#[test]
fn many_that_are_down_do_not_keep_the_others_from_their_turn() {
    let telemetry = telemetry();
    let settings = every(400).with_deadline(Duration::from_secs(1));
    let scraper = EngineScraper::new(&telemetry, settings);
    let quick = Server::page(page(1));
    scraper.add(target(&quick)).expect("a target");
    assert!(eventually(PATIENCE, || quick.asked() > 0));
    let slow = [(); 4].map(|()| Server::start(|_, _| std::thread::sleep(Duration::from_secs(60))));
    // Their first times are not of a round.
    for server in &slow {
        scraper.add(target(server)).expect("a target");
    }
    let down = || {
        scraper
            .targets()
            .iter()
            .filter(|it| it.up == Some(false))
            .count()
            == 4
    };
    assert!(
        eventually(Duration::from_secs(60), down),
        "{:?}",
        scraper.targets()
    );
    let (asked, began) = (quick.asked(), std::time::Instant::now());
    assert!(eventually(PATIENCE, || quick.asked() >= asked + 5));
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
}

/// Threads of this process that scrape.
fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("threads");
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
    let names = tasks.flatten().filter_map(|task| name(task).ok());
    names.filter(|name| name.trim() == "obs-engines").count()
}

/// Alone in its process, or the others' threads would be counted: it runs itself again.
#[test]
#[cfg(target_os = "linux")]
fn it_has_one_thread_which_ends_with_it_and_with_the_telemetry() {
    const ALONE: &str = "OBS_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let name = "threads::it_has_one_thread_which_ends_with_it_and_with_the_telemetry";
        let this = std::env::current_exe().expect("this test");
        let mut again = std::process::Command::new(this);
        let again = again.args([name, "--exact", "--nocapture"]).env(ALONE, "1");
        let said = again.output().expect("it runs");
        let text = String::from_utf8_lossy(&said.stdout);
        assert!(
            said.status.success() && text.contains("1 passed"),
            "{said:?}"
        );
        return;
    }
    let server = Server::page(page(1));
    let first = telemetry();
    let scraper = EngineScraper::new(&first, every(10));
    assert_eq!(threads(), 0);
    scraper.add(target(&server)).expect("a target");
    let others = [(); 3].map(|()| Server::page(page(1)));
    others
        .iter()
        .for_each(|server| scraper.add(target(server)).expect("a target"));
    assert!(eventually(PATIENCE, || server.asked() > 5));
    // Beside it the look-up of an address has one for a moment, under the name of whoever asks.
    assert!(eventually(PATIENCE, || threads() == 1));
    drop(scraper);
    assert!(eventually(PATIENCE, || threads() == 0));
    assert!(shown(&first).numbers(TOKENS).is_empty());

    let scraper = EngineScraper::new(&first, every(10));
    scraper.add(target(&server)).expect("a target");
    assert!(eventually(PATIENCE, || threads() == 1));
    first.shutdown(PATIENCE).expect("nothing is lost");
    assert!(eventually(PATIENCE, || threads() == 0));
    // Afterwards nothing begins.
    scraper.add(target(&others[0])).expect("nothing to do");
    assert_eq!((threads(), scraper.targets().len()), (0, 1));

    let manual = builder().manual().build().expect("usable");
    let scraper = EngineScraper::new(&manual, every(10));
    scraper.add(target(&server)).expect("a target");
    assert_eq!(shown(&manual).numbers(TOKENS), [" 1"]);
    assert_eq!(threads(), 0);
}

#[test]
fn without_threads_it_is_at_each_collection_until_it_is_dropped() {
    let telemetry = builder().manual().build().expect("usable");
    let server = Server::page(corpus("llamacpp"));
    let scraper = EngineScraper::new(&telemetry, ScrapeSettings::new());
    let target = ScrapeTarget::new(&server.url(), &LLAMACPP).expect("usable");
    scraper.add(target).expect("a target");
    assert_eq!(server.asked(), 0);
    for asked in 1..4 {
        assert_eq!(shown(&telemetry).numbers(TOKENS), [" 60"]);
        assert_eq!(server.asked(), asked);
    }
    drop(scraper);
    assert!(shown(&telemetry).numbers(TOKENS).is_empty());
    assert_eq!(server.asked(), 3);
}

#[test]
fn one_that_records_nothing_scrapes_nothing() {
    let server = Server::page(page(1));
    let scraper = EngineScraper::new(&Telemetry::noop(), ScrapeSettings::new());
    scraper.add(target(&server)).expect("nothing to do");
    assert!(scraper.targets().is_empty());
    assert_eq!(server.asked(), 0);
}

/// All engines on one page of ours, which `.ci/interop promtool` reads.
#[test]
fn everything_stands_on_one_page_whose_lines_are_all_samples() {
    let telemetry = builder().manual().build().expect("usable");
    let scraper = EngineScraper::new(&telemetry, ScrapeSettings::new());
    let servers: Vec<_> = ALL
        .iter()
        .map(|mapping| Server::page(corpus(mapping.engine)))
        .collect();
    for (mapping, server) in ALL.iter().zip(&servers) {
        let target = ScrapeTarget::new(&server.url(), mapping).expect("usable");
        scraper.add(target).expect("a target");
    }
    let page = telemetry.prometheus();
    let mut reader = obs_llm::engines::page::PageReader::new();
    let mut up = 0;
    reader.feed(page.as_bytes(), &mut |sample| {
        up += usize::from(sample.name == "obs_llm_engine_up" && sample.value == 1.0);
    });
    assert_eq!((up, reader.counts().malformed), (ALL.len(), 0), "{page}");
    assert!(!page.contains("# not shown"), "{page}");
    let line = "gen_ai_server_time_to_first_token_seconds_bucket{obs_llm_engine=\"triton\",";
    assert!(page.contains(line), "{page}");
    let place = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("engines.prom");
    std::fs::write(place, page).expect("a file");
}

/// Whoever wants no deadline says the longest there is.
#[test]
fn the_longest_times_end_no_scraping() {
    let telemetry = telemetry();
    let settings = ScrapeSettings::new()
        .with_interval(Duration::MAX)
        .with_deadline(Duration::MAX);
    let scraper = EngineScraper::new(&telemetry, settings);
    let (one, other) = (Server::page(page(1)), Server::page(page(2)));
    scraper.add(target(&one)).expect("a target");
    assert!(eventually(PATIENCE, || shown(&telemetry).numbers(TOKENS) == [" 1"]));
    // What is added is scraped at once, by the thread that is still there.
    scraper.add(target(&other)).expect("a target");
    assert!(eventually(PATIENCE, || shown(&telemetry)
        .numbers(TOKENS)
        .len()
        == 2));
}
