//! What a service of 1,000 requests a second sends, and what waits where, from what was measured.

use crate::measure::{Size, Sizes};
use std::fmt::Write as _;

const REQUESTS_PER_SECOND: f64 = 1_000.0;
/// Of requests, how many fail and are kept late whatever the head says.
const FAILING: f64 = 0.005;
/// Histogram series of a service: 50 of method, route and status, each to the end and to the head, on two sides.
const SERIES: f64 = 200.0;
const COLLECTIONS_PER_DAY: f64 = 24.0 * 60.0;
const SECONDS_PER_DAY: f64 = 86_400.0;

/// The memory of a courier for what waits, by default.
const QUEUE_BYTES: f64 = (56 << 20) as f64;
const SPOOL_BYTES: f64 = (1 << 30) as f64;
/// `TAIL_DECISION_WAIT`, by default.
const DECISION_WAIT: f64 = 20.0;
const HEADS: [(&str, f64); 3] = [("100 %", 1.0), ("10 %", 0.1), ("1 %", 0.01)];

pub(crate) fn table(sizes: &Sizes) -> String {
    let mut table = "| a service of 1,000 requests a second sends | items a second | OTLP, MB/s | gzip, MB/s | OTLP, GB a day | gzip, GB a day |\n\
                     |---|--:|--:|--:|--:|--:|\n"
        .to_owned();
    let mut row = |what: &str, items: f64, bytes: Size| {
        let (plain, gzip) = (bytes.plain / 1e6, bytes.gzip / 1e6);
        let _ = writeln!(
            table,
            "| {what} | {items:.1} | {plain:.4} | {gzip:.4} | {:.2} | {:.2} |",
            plain * SECONDS_PER_DAY / 1e3,
            gzip * SECONDS_PER_DAY / 1e3,
        );
    };
    for (what, head) in HEADS {
        let (items, bytes) = traces(sizes, head);
        row(
            &format!("traces, head rate {what}, and what fails"),
            items,
            bytes,
        );
    }
    row(
        "logs, one record a request",
        REQUESTS_PER_SECOND,
        logs(sizes),
    );
    let collections = COLLECTIONS_PER_DAY / SECONDS_PER_DAY;
    row(
        "metrics, 200 series, every 60 s",
        SERIES * collections,
        metrics(sizes),
    );
    table
}

/// How long what a destination does not take is kept, for all three signals together.
pub(crate) fn outages(sizes: &Sizes) -> String {
    let mut table = "| head rate | waits, MB/s | 56 MiB of memory last, minutes | 1 GiB of spool lasts, minutes |\n|---|--:|--:|--:|\n".to_owned();
    for (what, head) in HEADS {
        let waits = plus(plus(traces(sizes, head).1, logs(sizes)), metrics(sizes)).plain;
        let _ = writeln!(
            table,
            "| {what} | {:.3} | {:.1} | {:.1} |",
            waits / 1e6,
            QUEUE_BYTES / waits / 60.0,
            SPOOL_BYTES / waits / 60.0,
        );
    }
    table
}

/// What a gateway holds until it decides, as OTLP: half of the spans a server's, half a client's.
pub(crate) fn tail_sampling(sizes: &Sizes) -> String {
    let mut table = "| new traces a second, of one gateway | wait for 20 s | of 2 spans each, MB | of 20 spans each, MB |\n|--:|--:|--:|--:|\n".to_owned();
    let span = plus(sizes.server, sizes.client).plain / 2.0;
    for rate in [500.0, 1_000.0, 2_000.0] {
        let waiting = rate * DECISION_WAIT;
        let _ = writeln!(
            table,
            "| {rate:.0} | {waiting:.0} | {:.0} | {:.0} |",
            waiting * 2.0 * span / 1e6,
            waiting * 20.0 * span / 1e6,
        );
    }
    table
}

fn logs(sizes: &Sizes) -> Size {
    times(sizes.log, REQUESTS_PER_SECOND)
}

fn metrics(sizes: &Sizes) -> Size {
    let collection = plus(times(sizes.series, SERIES), sizes.collection);
    times(collection, COLLECTIONS_PER_DAY / SECONDS_PER_DAY)
}

/// A request is a span of the server and one of a client that it calls another service with. One that fails is kept late
/// where the head left it out, and what it called with it.
fn traces(sizes: &Sizes, head: f64) -> (f64, Size) {
    let sampled = REQUESTS_PER_SECOND * head;
    let late = REQUESTS_PER_SECOND * (1.0 - head) * FAILING;
    let server = plus(
        times(sizes.server, sampled),
        times(sizes.server_kept_late, late),
    );
    let client = times(sizes.client, sampled + late);
    (2.0 * (sampled + late), plus(server, client))
}

fn times(size: Size, by: f64) -> Size {
    Size {
        plain: size.plain * by,
        gzip: size.gzip * by,
    }
}

fn plus(one: Size, other: Size) -> Size {
    Size {
        plain: one.plain + other.plain,
        gzip: one.gzip + other.gzip,
    }
}
