//! The page about the health of GPUs is what the catalogue says.

use obs_docs::page::{is_up_to_date, root};
use obs_gpu::{Cause, Verdict, Xid, XidAction, XidCatalogue};
use std::fmt::Write;
use std::fs;

const HEAD: &str = "\
<!-- Written by `OBS_WRITE=1 cargo test -p obs-docs --test gpu_health`, which fails where this is stale. -->
# Health of GPUs

What `obs_gpu::GpuHealth` makes of what is read of GPUs and of what they report, and what follows from it. It only ever says so:
nothing resets a device, cancels what runs on it, or refuses a request, but the layer that a service has placed.

It is a listener of a `GpuMonitor` (`GpuSettings::with_listener`). A router reads its gates, one load each (`GpuHealth::gate`,
`GpuGate::state`), or a service places a `GpuGateLayer`, which asks them for each request and counts what is in flight. What
listens to gates (`GpuGates::on_change`) is called one change at a time, on a thread that finds faults.

| state (`hw.status`, `hw.state`) | gate (`obs.gpu.gate.status`) | new work | what is in flight |
|---|---|---|---|
| `ok` | `serving` | goes there | |
| `degraded` | `serving` | goes there; work on several devices does not where a link is at fault | |
| `predicted_failure` | `draining`, or `serving` for a row to be replaced | goes elsewhere | may end; `gate.drained().await` is ready when it has |
| `failed` | `isolated` | goes elsewhere | may never end |

- Each change is an event, `obs.gpu.health`: the states before and after, how long it was in the one before, the cause, its code, and
  the evidence. A gate that an operator holds (`hold`, `clear`) is one, too: `obs.gpu.gate`, with why.
- From an XID to a closed gate it is well below ten milliseconds, from a call that does not come back its deadline and as little, both by
  the fake library (`obs-gpu/tests/health_scenarios`). What is read counts at the next reading of its tier.
- Where several faults come before anybody has asked, NVML gives the last one's number to all of them; what comes while nobody waits,
  before the first wait or in the pause after one that failed, it keeps for nobody. What those would have said is known only as far as
  it can be read: what the driver asks for, errors that are counted, a device that is lost or does not answer.
- `hw.status` says what is known of the device, `obs.gpu.gate.status` what is made of it; they differ where an operator holds a gate.
  A part that went, as its whole was divided anew, is in no state in either, and its gate is isolated, held or not, until one of its name
  is there.

## What it is by

The more believed first. What stays does so until the device comes back from a reset (it was lost or not listed and can be read again,
or all that it counts has begun anew), or an operator says that it is well (`GpuHealth::clear`); the rest goes when it has been well for a
while. A service that is started anew knows only what can be read then; a device that is lost by then has no name, and is one that
`obs.gpu.devices` counts and `obs.gpu.answering` does not tell of. Every verdict can be another (`HealthSettings::with_verdict`), as can every limit.

| cause (`obs.gpu.health.cause`) | by default | stays |
|---|---|---|
";

/// What is made of each cause, by default.
fn by_default(cause: Cause) -> &'static str {
    match cause {
        Cause::RecoveryAction => {
            "what the driver asks for: reset, bus reset, reboots isolate; draining, and what is not known, drain; until it has been read, degraded"
        }
        Cause::Lost => {
            "the driver answers 15 or 16, or says by an event that it cannot be used, or the device is not in its list: isolated"
        }
        Cause::NotAnswering => "a call is not back at its deadline: isolated",
        Cause::Xid => "the table below",
        Cause::RemapFailed => "isolated",
        Cause::RemapPending => "predicted failure, and serving",
        Cause::EccUncorrected => {
            "drains after a second; degraded where the driver says by then that one application had it alone (XID 94), or where it is from before it was watched"
        }
        Cause::EccCorrected => "degraded from 1 a second on, drains from 1,000 a second on",
        Cause::Other => "degraded",
        Cause::Throttled => {
            "a quarter of the time for 5 s, by heat or the power supply's brake: degraded, until it is a twentieth for 30 s. The power limit does not count"
        }
        Cause::TooHot => {
            "memory at 95 °C, or no degree left until it is slowed down, for 5 s: degraded, until it is 90 °C, or 5 degrees are left, for 30 s"
        }
        Cause::LinkDown => {
            "a link that was up is down: degraded, until all are up for 30 s, or an operator says that it is well without"
        }
        Cause::ReadsFailing => {
            "three errors in a row in one tier: degraded, until that can be read"
        }
        _ => panic!("{cause} is not told of"),
    }
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for cause in Cause::ALL {
        let stays = if cause.latches() { "●" } else { "" };
        let _ = writeln!(page, "| `{cause}` | {} | {stays} |", by_default(*cause));
    }
    let _ = write!(
        page,
        "
## XIDs

Numbers and NVIDIA's actions by the [catalogue]({}) of {}; names and verdicts are ours, and a service's to change, in code or in a text:
`XidCatalogue::with_text(\"162-165 note\")`. Each is counted by its verdict (`obs.gpu.xid.verdicts`), the silent ones too, and by
its number in `hw.errors`.

- `note`, `app`: counted, and the device goes on. `degraded`, `drain`, `isolate`: the states above.
- {} is nothing beside another number within 10 s, before or after; alone it has the verdict here.
- {} is the driver's word on something else, which is read and then counts for itself.

| XID | what | NVIDIA says | verdict |
|--:|---|---|---|
",
        XidCatalogue::SOURCE,
        XidCatalogue::VERSION,
        Xid::CLEANUP,
        Xid::RECOVERY_ACTION,
    );
    let catalogue = XidCatalogue::new();
    let is_unused = |xid: &Xid| xid.name.starts_with("unused") && xid.verdict == Verdict::Degraded;
    for xid in catalogue.known().filter(|xid| !is_unused(xid)) {
        let action = match xid.action {
            XidAction::Unlisted => "–".to_owned(),
            action => format!("`{action}`"),
        };
        let Xid {
            code,
            name,
            verdict,
            ..
        } = xid;
        let _ = writeln!(page, "| {code} | {name} | {action} | {verdict} |");
    }
    let unused: Vec<_> = { catalogue.known() }
        .filter(is_unused)
        .map(|xid| xid.code.to_string())
        .collect();
    let _ = writeln!(
        page,
        "\nWhat is not in the table is `degraded`, never silent. NVIDIA has some of that as unused, for its support: {}.",
        unused.join(", ")
    );
    page
}

#[test]
fn the_page_is_what_the_catalogue_says() {
    let path = root().join("gpu_health.md");
    let is = fs::read_to_string(&path).unwrap_or_default();
    is_up_to_date(&path, &is, &page());
}
