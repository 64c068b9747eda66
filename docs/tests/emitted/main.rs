//! The table of everything that is emitted, held against everything that arrives.

mod agent;
mod driver;
mod facts;
mod gpu;
mod gpu_used;
mod llm;
mod logs;
mod rpc;
mod seen;
mod table;
mod upkeep;

use obs_core::StatsLevel;
use obs_core::semconv::stability;
use obs_docs::page::{is_up_to_date, root};
use seen::Seen;
use std::fs;

/// Names of ours that no run here shows, each with why. What is shown nevertheless fails the test.
const UNSEEN: &[(&str, &str)] = &[
    (
        "obs.rpc.client.connect.duration",
        "takes channels with the feature `connector`: `obs-rpc/tests/connector.rs`",
    ),
    (
        "network.protocol.name",
        "the conventions leave it out where it is `http`, and nothing here speaks anything else",
    ),
    (
        "tls_start",
        "takes a TLS peer: `obs-http/tests/it/outgoing/tls.rs`",
    ),
    (
        "tls_finish",
        "takes a TLS peer: `obs-http/tests/it/outgoing/tls.rs`",
    ),
    (
        "obs.rpc.connection.reused",
        "of connections that a connector of obs-rpc makes",
    ),
    (
        "obs.rpc.peer.service",
        "of peers that are of Volo's or Kitex's: `obs-rpc/tests/volo_thrift`",
    ),
    (
        "obs.rpc.biz.status",
        "of Thrift's calls: `obs-rpc/tests/volo_thrift`",
    ),
    (
        "obs.rpc.exception.kind",
        "of Thrift's calls: `obs-rpc/tests/volo_thrift`",
    ),
];

#[test]
fn the_table_is_what_is_emitted() {
    let base = driver::run(StatsLevel::Base);
    let detailed = driver::run(StatsLevel::Detailed);
    let both = Seen::all([&base, &detailed]);

    let unnamed: Vec<_> = both
        .names()
        .into_iter()
        .filter(|name| !table::is_known(name))
        .collect();
    assert!(unnamed.is_empty(), "seen, and no row has it: {unnamed:?}");
    let excused = |name: &str| UNSEEN.iter().any(|(unseen, _)| *unseen == name);
    let names = both.names();
    let unseen: Vec<_> = table::known()
        .into_iter()
        .filter(|name| !names.contains(name))
        .collect();
    let missing: Vec<_> = unseen.iter().filter(|name| !excused(name)).collect();
    assert!(
        missing.is_empty(),
        "in the table, and never seen: {missing:?}"
    );
    for (name, _) in UNSEEN {
        assert!(unseen.iter().any(|unseen| unseen == name), "{name} is seen");
    }

    for (name, metric) in &both.metrics {
        if let Some(declared) = table::declared(name) {
            let mut seen = metric.attributes.clone();
            seen.remove("otel.metric.overflow");
            assert!(
                seen.is_subset(&declared),
                "{name}: {seen:?}, declared {declared:?}"
            );
        }
    }

    let path = root().join("emitted.md");
    let is = fs::read_to_string(&path).unwrap_or_default();
    is_up_to_date(&path, &is, &table::render(&base, &detailed, UNSEEN));
}

#[test]
fn stability_is_what_the_conventions_say() {
    let facts = facts::Facts::read();
    let mut compared = 0;
    for (name, says) in facts.stability() {
        let name = if name.ends_with(".header") || name.ends_with(".metadata") {
            format!("{name}.")
        } else {
            name
        };
        let ours = stability(&name).unwrap_or_else(|| panic!("{name} has none"));
        assert_eq!(ours.as_str(), says, "{name}");
        compared += 1;
    }
    // Nothing that is not ours escapes the comparison.
    let others = table::known()
        .into_iter()
        .filter(|name| facts.is_convention(name));
    assert!(compared >= others.count() && compared > 50, "{compared}");
    for name in table::known() {
        let is_point = stability(&name).is_none();
        // None is of this version's model: one is of the SDK's specification, one is to come, and one is referred to there and defined
        // nowhere in it.
        let apart = [
            "otel.metric.overflow",
            "rpc.status_code",
            "jsonrpc.request.id",
        ];
        let ours = name.starts_with("obs.") || apart.contains(&name.as_str());
        assert!(
            ours || is_point || facts.is_convention(&name),
            "{name}: not in conventions.tsv"
        );
    }
}

/// The published crate of the conventions hides behind a feature what is not stable: a second witness, of an older version.
#[test]
fn what_is_stable_here_is_stable_in_the_published_crate() {
    let stable = facts::published_stable();
    assert!(stable.contains("http.route") && !stable.contains("session.id"));
    for (name, says) in facts::Facts::read().of_crate() {
        if says == "stable" && !name.ends_with(".header") {
            let known = stable.contains(&name) || facts::BECAME_STABLE.contains(&name.as_str());
            assert!(known, "{name} is not stable in the published crate");
        } else if says != "stable" {
            assert!(
                !stable.contains(&name),
                "{name} is stable in the published crate"
            );
        }
    }
}

#[test]
fn units_and_instruments_are_those_of_the_conventions() {
    let facts = facts::Facts::read();
    let seen = driver::run(StatsLevel::Detailed);
    let mut compared = 0;
    for (name, metric) in &seen.metrics {
        if let Some((instrument, unit)) = facts.metric(name) {
            assert_eq!(
                (metric.instrument, metric.unit.as_str()),
                (instrument, unit),
                "{name}"
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 92);
}
