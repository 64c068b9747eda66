//! R6: a shutdown whose collector is dead, wherever it is called from.

use std::io;

use crate::chaos::{
    Pace,
    receiver::{Fault, Receiver, Speaks},
    remote::{Remote, of},
    row::Row,
    service::{Host, Setup},
};

/// For the shutdown, in real milliseconds.
const DEADLINE: u64 = 500;

pub(super) fn dead(pace: Pace) -> io::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (what, fault) in [("refused", Fault::Refuses), ("hangs", Fault::Hangs)] {
        for speaks in [Speaks::Http, Speaks::Grpc] {
            for host in Host::ALL {
                rows.push(one(what, speaks, fault, host, pace)?);
            }
        }
    }
    Ok(rows)
}

fn one(what: &str, speaks: Speaks, fault: Fault, host: Host, pace: Pace) -> io::Result<Row> {
    let grpc = speaks == Speaks::Grpc;
    let mut row = Row::new(
        format!(
            "R6/{}{what}-{}",
            if grpc { "grpc-" } else { "" },
            host.name()
        ),
        format!(
            "shutdown({DEADLINE} ms) with a collector that {what}, called from {}",
            host.name()
        ),
    );
    let receiver = Receiver::speaking(speaks)?;
    receiver.set(fault)?;
    let mut setup = Setup::new(receiver.endpoint(), pace.speed);
    (setup.host, setup.grpc) = (host, grpc);
    let mut service = Remote::start(&setup)?;
    let run = service.run(pace.speed)?;
    let told = service.shutdown(DEADLINE)?;
    let after = service.read()?;
    let lost: f64 = [
        "traces.dropped",
        "metrics.dropped",
        "logs.dropped",
        "ring_full",
        "log_events_full",
    ]
    .map(|name| of(&after, name))
    .iter()
    .sum();
    row.put("requests", of(&run, "requests"), "")
        .put("took", of(&told, "took_ms"), "ms")
        .put(
            "over the deadline",
            (of(&told, "took_ms") - DEADLINE as f64).max(0.0),
            "ms",
        )
        .put("said Ok", of(&told, "was_ok"), "")
        .put("lost", lost, "")
        .put("told as lost", of(&told, "lost"), "")
        .put("lost unlike told", (lost - of(&told, "lost")).abs(), "");
    if let Some(Err(said)) = &told.account {
        row.done
            .push_str(&format!("; it said: {}", said.replace(['\t', '|'], " ")));
    }
    Ok(row)
}
