//! The tables as data: every target of every engine is there once, and rows of one's own are as good.

use crate::server::Server;
use crate::{Rig, corpus};
use obs_core::semconv::stability;
use obs_llm::engines::{
    ALL, Coverage, DYNAMO, LLAMACPP, MISTRALRS, Mapping, Row, SGLANG, ScrapeTarget, Select,
    Semantics, Target, VLLM, XLLM,
};
use std::collections::BTreeSet;

#[test]
fn of_every_engine_every_target_is_said_or_it_is_said_why_not() {
    for mapping in ALL {
        for target in Target::ALL {
            let rows = mapping
                .rows
                .iter()
                .filter(|row| row.target == *target)
                .count();
            let why: Vec<_> = mapping
                .none
                .iter()
                .filter(|(none, _)| none == target)
                .collect();
            let engine = mapping.engine;
            assert_eq!(rows == 0, why.len() == 1, "{engine}: {target:?}");
            assert_eq!(mapping.coverage(*target) == Coverage::None, rows == 0);
            assert_eq!(mapping.why_none(*target), why.first().map(|(_, why)| *why));
        }
    }
}

#[test]
fn what_is_approximate_says_why_and_units_are_units() {
    for mapping in ALL {
        for row in mapping.rows {
            let what = format!("{}: {}", mapping.engine, row.source);
            assert!(row.per >= 1.0 && row.per.is_finite(), "{what}");
            if row.semantics == Semantics::Approximate {
                assert!(row.note.len() > 10, "{what}");
            }
            let ends = ["_bucket", "_created"];
            assert!(!ends.iter().any(|end| row.source.ends_with(end)), "{what}");
        }
    }
}

#[test]
fn engines_and_metrics_have_names_of_their_own() {
    let engines: BTreeSet<_> = ALL.iter().map(|mapping| mapping.engine).collect();
    assert_eq!(engines.len(), ALL.len());
    let metrics: BTreeSet<_> = Target::ALL.iter().map(|target| target.metric()).collect();
    assert_eq!(metrics.len(), Target::ALL.len());
    for metric in metrics {
        assert!(stability(metric).is_some(), "{metric}");
    }
}

/// What the task of a mapping is, for those engines that it is checked for by hand.
#[test]
fn coverage_is_what_the_engines_say() {
    use Coverage::{Approximate, Exact, None};
    let check = |mapping: &Mapping, expect: [Coverage; 7]| {
        let targets = [
            Target::RequestDuration,
            Target::TimeToFirstToken,
            Target::TimePerOutputToken,
            Target::InterToken,
            Target::KvCacheUsage,
            Target::PrefixCacheQueries,
            Target::FirstTokenQuantile,
        ];
        let is = targets.map(|target| mapping.coverage(target));
        assert_eq!(is, expect, "{}", mapping.engine);
    };
    // With speculative decoding a step brings several tokens, which are not one value each.
    check(
        &VLLM,
        [Exact, Exact, Exact, Approximate, Exact, Exact, None],
    );
    check(
        &SGLANG,
        [Exact, Exact, None, Approximate, Exact, None, None],
    );
    check(&DYNAMO, [Exact, Exact, None, Approximate, None, None, None]);
    check(
        &XLLM,
        [None, None, None, None, Approximate, None, Approximate],
    );
    check(&LLAMACPP, [None, None, None, None, Exact, None, None]);
    // The first token of a sequence is of no decoding step.
    assert_eq!(MISTRALRS.coverage(Target::OutputTokens), Approximate);
}

/// Each row is of a metric that the page has, or is an older spelling of one.
#[test]
fn rows_are_of_metrics_that_the_pages_have() {
    // What a page of the corpus is too young, too old or too plain for.
    let others = [
        "vllm:time_per_output_token_seconds",
        "vllm:gpu_cache_usage_perc",
        "vllm:gpu_prefix_cache_queries_total",
        "vllm:gpu_prefix_cache_hits_total",
        "dynamo_component_kvstats_gpu_cache_usage_percent",
        "llamacpp:kv_cache_usage_ratio",
    ];
    for mapping in ALL {
        let page = corpus(mapping.engine);
        for row in mapping.rows {
            let name = match row.target.shape() {
                obs_llm::engines::Shape::Histogram => format!("{}_bucket", row.source),
                _ => row.source.to_owned(),
            };
            let is = |line: &str| {
                let rest = line.strip_prefix(&*name);
                rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
            };
            let there = page.lines().any(is);
            assert_eq!(
                there,
                !others.contains(&row.source),
                "{}: {name}",
                mapping.engine
            );
        }
    }
}

#[test]
fn rows_of_ones_own_are_read_beside_the_engines() {
    const OWN: &[Row] = &[
        Row::exact("gateway_first_token_ms", Target::TimeToFirstToken)
            .per(1e3)
            .selecting(&[Select::Is("kind", "chat")]),
        Row::exact("gateway_share", Target::KvCacheUsage).per(100.0),
    ];
    let own = "gateway_first_token_ms_bucket{kind=\"chat\",le=\"300\"} 1\n\
               gateway_first_token_ms_bucket{kind=\"chat\",le=\"+Inf\"} 2\n\
               gateway_first_token_ms_sum{kind=\"chat\"} 1250\n\
               gateway_first_token_ms_bucket{kind=\"else\",le=\"+Inf\"} 9\n\
               gateway_first_token_ms_sum{kind=\"else\"} 1\n\
               gateway_share 25\n";
    let server = Server::page(corpus("llamacpp") + own);
    let rig = Rig::new();
    let target = ScrapeTarget::new(&server.url(), &LLAMACPP).expect("usable");
    rig.add(target.with_rows(OWN));
    let shown = rig.scrape();
    let first = &shown.histograms("gen_ai.server.time_to_first_token")[0];
    assert_eq!(
        (&first.bounds[..], &first.buckets[..], first.sum),
        (&[0.3][..], &[1, 1][..], 1.25)
    );
    assert_eq!(shown.number("obs.llm.engine.kv_cache.usage"), 0.25);
    assert_eq!(shown.number("obs.llm.engine.output_tokens"), 60.0);
}

#[track_caller]
fn check_refused(url: &str, why: &str) {
    let error = ScrapeTarget::new(url, &VLLM).expect_err("refused");
    assert!(error.is_configuration());
    assert!(error.to_string().contains(why), "{error}");
}

#[test]
fn targets_that_cannot_be_are_refused() {
    check_refused("127.0.0.1:8000", "must begin with");
    check_refused("ftp://host/", "must begin with");
    check_refused("http://", "not a URL");
    check_refused("http://host :80/", "not a URL");
    check_refused("http://host:99999/", "its port is none");
    check_refused("http://host:/", "its port is none");
    check_refused("http://host:0/", "its port is none");
    check_refused("http://user:s3cret@host/", "credentials go into a header");
    if !cfg!(feature = "engines-tls") {
        check_refused("https://host/", "`engines-tls`");
    }
    let error = ScrapeTarget::new("http://user:s3cret@host:0/?key=s3cret", &VLLM);
    assert!(!error.expect_err("refused").to_string().contains("s3cret"));
    let target = ScrapeTarget::new("http://host", &VLLM).expect("usable");
    let error = target.with_header("a b", "s3cret\n").expect_err("refused");
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    for url in [
        "http://host",
        "http://host/",
        "http://host:80",
        "http://[::1]:8000",
    ] {
        assert!(ScrapeTarget::new(url, &VLLM).is_ok(), "{url}");
    }
}

#[test]
fn one_engine_at_one_place_is_scraped_once() {
    let rig = Rig::new();
    let target = |mapping| ScrapeTarget::new("http://127.0.0.1:1", mapping).expect("usable");
    rig.add(target(&VLLM));
    let error = rig.scraper.add(target(&VLLM)).expect_err("it is there");
    assert!(error.to_string().contains("is there already"), "{error}");
    // Another engine behind the same page is another target.
    rig.add(target(&DYNAMO));
    assert_eq!(rig.scraper.targets().len(), 2);
    assert!(rig.scraper.remove("vllm", "127.0.0.1", 1));
    assert!(!rig.scraper.remove("vllm", "127.0.0.1", 1));
    rig.add(target(&VLLM));
    let status = &rig.scraper.targets()[1];
    assert_eq!(
        (status.engine, &*status.address, status.port),
        ("vllm", "127.0.0.1", 1)
    );
    assert_eq!((status.up, status.series), (None, 0));
}
