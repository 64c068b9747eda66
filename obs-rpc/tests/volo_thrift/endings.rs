//! Every way for a call to end, on real sockets: what each side calls it, one duration each, and nothing left running. The
//! table of the module's page is made from what is seen.

mod cases;

use crate::support::World;
use cases::CASES;
use obs_rpc::obs_core::End;
use obs_testing::CapturedRecord;
use std::fmt::Write;

/// What one side saw, in the words of the table.
fn told(world: &World, descriptor: &str) -> Vec<String> {
    let records = world.capture.records();
    let mut of_kind: Vec<_> = records
        .iter()
        .filter(|record| record.descriptor == descriptor)
        .collect();
    of_kind.sort_by_key(|record| record.start_ns);
    of_kind.into_iter().map(ending).collect()
}

fn ending(record: &CapturedRecord) -> String {
    let text = |key: &str| {
        let found = record.attributes.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.to_string().replace('"', ""))
    };
    let mut told = match record.outcome.end() {
        End::Answered => "answered".to_owned(),
        End::Failed => "failed".to_owned(),
        End::Cancelled => "cancelled".to_owned(),
        End::TimedOut => "timed out".to_owned(),
        End::Panicked => "panicked".to_owned(),
        other => format!("{other:?}"),
    };
    if let Some(error) = text("error.type") {
        write!(told, ", `{error}`").expect("a string");
    }
    if let Some(origin) = text("obs.rpc.cancel.origin") {
        write!(told, ", {origin}").expect("a string");
    }
    told
}

fn owned(side: &[&str]) -> Vec<String> {
    side.iter().map(|it| it.to_string()).collect()
}

fn cell(endings: &[String]) -> String {
    match endings {
        [] => "–".to_owned(),
        endings => endings.join("; "),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_ending_is_one_on_each_side_that_sees_it() {
    let mut table = String::from(
        "| ending | the call (`rpc.call`) | its attempts (`rpc.client`) | the server (`rpc.server`) |\n|---|---|---|---|\n",
    );
    for case in CASES {
        let world = World::new();
        (case.run)(&world).await;
        let (calls, attempts, served) = case.expect;
        let count = |side: &[&str]| side.len() as u64;
        world.settles(case.name, count(calls), count(attempts), count(served));
        let seen = ["rpc.call", "rpc.client", "rpc.server"].map(|kind| told(&world, kind));
        assert_eq!(
            seen,
            [calls, attempts, served].map(owned),
            "{}\n{}",
            case.name,
            world.capture.tree()
        );
        let [calls, attempts, served] = seen.map(|side| cell(&side));
        writeln!(table, "| {} | {calls} | {attempts} | {served} |", case.name).expect("a string");
    }
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/src/volo_thrift/endings.md");
    let stands = std::fs::read_to_string(page).unwrap_or_default();
    assert_eq!(stands, table, "the table of {page} is to be:\n{table}");
}
