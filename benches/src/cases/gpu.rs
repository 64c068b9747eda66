//! What watching GPUs costs whoever serves requests beside it, and how soon a fault is known: devices of `obs-gpu-fake`, read by the
//! real loader.

use std::{
    any::Any,
    cell::Cell,
    hint::black_box,
    rc::Rc,
    time::{Duration, Instant},
};

use http::Response;
use obs_core::otel::trace::SpanKind;
use obs_core::semconv::gen_ai;
use obs_core::{
    DURATION_BOUNDS, Descriptor, Histogram, Kind, Label, Labels, Milestone, Outcome, Parent, Scope,
    StatsLevel, Telemetry, Values,
};
use obs_gpu::{
    Calls, Claims, DeviceId, Gpu, GpuContext, GpuGateLayer, GpuGates, GpuMonitor, GpuRefused,
    GpuSettings, GpuSource, NvmlSource, Quantity, Readings, Tier,
};
use obs_gpu_fake::Fake;

use super::flat::{Expect, Flat};
use super::http::{Kept, builder};
use super::sdk::same;
use crate::harness::{
    in_flight::InFlight,
    pair::Pair,
    scaling::Scaling,
    service::{Shape, around},
};
pub(crate) use list::ALL;

mod idle;
mod list;
mod peers;
mod share;
mod times;

/// Eight devices that work: levels of a loaded H100, which change as they do.
const SERVING: &str = "gpus = H100*8
0 * util=85~15/200
0 * util.memory=35~20/200
0 * power=540_000~90_000/100
0 * clock.sm=1980
0 * throttle=0
0 * memory.used=60GiB
0 * process:4711=60GiB
0 * process:4711.sm=84~14/200
";
const DEVICES: u32 = 8;

/// The fake that cargo built beside this program. There is one in a process, and each case has one of its own.
fn fake(clock: &str) -> Fake {
    Fake::start(&format!("{SERVING}clock = {clock}")).expect("it lies beside this program")
}

/// Waits until something is so; nothing of what waits so is measured but its last look.
fn until(what: &str, mut is: impl FnMut() -> bool) -> Result<(), String> {
    let began = Instant::now();
    while !is() {
        if began.elapsed() > Duration::from_secs(30) {
            return Err(format!("after half a minute not yet: {what}"));
        }
        std::thread::yield_now();
    }
    Ok(())
}

/// Waits until each device was read by its slowest tier, too.
fn until_all_are_read(monitor: &GpuMonitor) -> Result<(), String> {
    until("all are read", || {
        let gpus = monitor.gpus();
        let read = |gpu: &Gpu| gpu.read_at(Quantity::EccCorrected).is_some();
        gpus.len() == DEVICES as usize && gpus.iter().all(read)
    })
}

/// One device that is watched, and who watches it: read once, and then no more for as long as the case runs, so that what is counted
/// is always the same.
struct Watched {
    gpu: Gpu,
    _monitor: GpuMonitor,
}

impl Watched {
    fn new(telemetry: &Telemetry, fake: &Fake, settings: GpuSettings) -> Self {
        let hour = Duration::from_secs(3_600);
        let settings = Tier::ALL
            .into_iter()
            .fold(settings, |settings, tier| settings.with_period(tier, hour));
        let source = NvmlSource::with_library(telemetry, fake.library());
        let monitor = GpuMonitor::new(telemetry, source, settings).expect("threads");
        let read = || {
            monitor
                .gpus()
                .first()
                .is_some_and(|gpu| gpu.sample().is_some())
        };
        until("a device is read", read).expect("it is there");
        Self {
            gpu: monitor.gpus().remove(0),
            _monitor: monitor,
        }
    }
}

/// What a request pays to look at a device, over nothing.
pub(crate) fn snapshot() -> Pair {
    let telemetry = Telemetry::builder().build().expect("usable");
    let fake = fake("real");
    let watched = Watched::new(&telemetry, &fake, GpuSettings::new());
    looks_at(move || {
        black_box(black_box(&watched.gpu).sample());
        black_box(&fake);
    })
}

/// Two threads that look at the same device.
pub(crate) fn contended_snapshot() -> Scaling {
    let telemetry = Telemetry::builder().build().expect("usable");
    let fake = fake("real");
    let watched = Watched::new(&telemetry, &fake, GpuSettings::new());
    let gpu = watched.gpu.clone();
    Scaling::new(
        move || {
            let gpu = gpu.clone();
            Box::new(move || {
                black_box(black_box(&gpu).sample());
            })
        },
        move |_| {
            black_box((&watched, &fake));
            Ok(String::from("nothing leaves this case"))
        },
    )
}

fn looks_at(look: impl FnMut() + 'static) -> Pair {
    Pair::new(
        || {
            black_box(0);
        },
        look,
    )
}

/// Calls of the library in one sweep, by whoever makes it: for each device its shares, memory, two field values, two clocks, and why they
/// are held down.
const CALLS_OF_A_SWEEP: u64 = 7 * DEVICES as u64;

/// What is read four times a second, of eight devices, in turn.
pub(crate) fn sweep8() -> Pair {
    let telemetry = Telemetry::builder().manual().build().expect("usable");
    let fake = fake("virtual");
    let source = NvmlSource::with_library(&telemetry, fake.library());
    let mut calls = Calls::unwatched();
    let infos = source.devices(&mut calls).expect("eight");
    let opened = infos.iter().map(|info| source.open(&info.id, &mut calls));
    let mut devices: Vec<_> = opened.map(|device| device.expect("it answers")).collect();
    let mut readings = Readings::new();
    let sweep = move || {
        for device in &mut devices {
            let read = device.read(Tier::Fast, &mut readings, &mut calls);
            black_box(&readings);
            read.expect("it answers");
        }
    };
    swept(fake, sweep)
}

/// A sweep over nothing, which makes as many calls as another.
fn swept(fake: Fake, mut sweep: impl FnMut() + 'static) -> Pair {
    // What is not there is asked for once.
    sweep();
    let before = fake.calls("*", None);
    looks_at(sweep).with_burst(100).with_account(move |sweeps| {
        let made = fake.calls("*", None) - before;
        same("calls of the library", made, sweeps * CALLS_OF_A_SWEEP)?;
        Ok(format!(
            "{CALLS_OF_A_SWEEP} calls of the library in a sweep"
        ))
    })
}

const DURATION: &str = "bench.call.duration";

/// What a crate says of its calls of models.
static CALL: Descriptor = Descriptor {
    name: "bench.call",
    span_kind: SpanKind::Client,
    scope: &Scope {
        name: "obs-benches",
        version: "0",
        schema_url: "",
    },
    labels: &[Label {
        key: gen_ai::REQUEST_MODEL,
        values: Values::Open { cap: 8 },
    }],
    method: None,
    errors: &[],
    duration: Some(Histogram {
        name: DURATION,
        unit: "s",
        description: "",
        bounds: DURATION_BOUNDS,
    }),
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: None,
    span_name: |_, name| name.push_str("call"),
};

const MODEL: &str = "llama-3-8b";

/// A call that is told of its device when the first of its output is there and when it ends, over the same that nobody tells.
pub(crate) fn call() -> Pair {
    told(false)
}

/// The same, whose first output came late: why is looked for in the last minutes.
pub(crate) fn call_slow() -> Pair {
    told(true)
}

fn told(slow: bool) -> Pair {
    let bare = Flat::build(builder(StatsLevel::Base, Kept::All)).telemetry;
    let flat = Flat::build(builder(StatsLevel::Base, Kept::All));
    let fake = fake("real");
    let claims = Claims::new();
    // As old as the case gets.
    let hour = Duration::from_secs(3_600);
    let context = GpuContext::by_claims(&flat.telemetry, &claims).with_too_old(hour);
    assert!(flat.telemetry.annotate(context.clone()), "it is the first");
    let settings = GpuSettings::new().with_listener(context.listener());
    let watched = Watched::new(&flat.telemetry, &fake, settings);
    let claim = claims.claim(watched.gpu.id()).model(MODEL).hold();
    let pair = Pair::new(
        calls(bare.kind(&CALL), slow),
        calls(flat.telemetry.kind(&CALL), slow),
    );
    let held = flat.clone();
    flat.hold(pair, Expect::default())
        .with_settle(move || {
            flat.settle();
            let _ = bare.collect(Duration::from_secs(10));
        })
        .with_account(move |calls| {
            black_box((&watched, &claim, &fake));
            let expect = Expect {
                points: Some(DURATION),
                records: 1,
                // Moments are looked at in spans of HTTP and gRPC.
                stamps: usize::MAX,
            };
            held.account(calls, expect)
        })
}

fn calls(kind: &'static Kind, slow: bool) -> impl FnMut() + 'static {
    move || {
        let labels = Labels::NONE.with(0, kind.label(0, MODEL));
        let mut call = kind.start(labels, Parent::Root);
        let first = kind.now();
        if let Some(mut active) = call.active() {
            kind.annotate(|| Milestone::FirstOutput { at: first, slow }, &mut active);
        }
        let at = kind.now();
        let ending = Milestone::Ending {
            at,
            first_output: Some(first),
            slow: false,
        };
        if let Some(mut active) = call.active() {
            kind.annotate(|| ending, &mut active);
        }
        call.end(Outcome::ANSWERED);
    }
}

/// Tokens told to a claim, over nothing.
pub(crate) fn claim_tokens() -> Pair {
    let claims = Claims::new();
    let device = DeviceId::new("GPU-1");
    let claim = claims.claim(&device).model(MODEL).task("chat").hold();
    looks_at(move || {
        black_box(&claim).tokens(black_box(3));
    })
}

/// What a router asks before it sends work to a device, over nothing.
pub(crate) fn gate_state() -> Pair {
    let telemetry = Telemetry::builder().manual().build().expect("usable");
    let gate = GpuGates::new(&telemetry).of(&DeviceId::new("GPU-1"));
    looks_at(move || {
        black_box(black_box(&gate).state());
    })
}

/// The layer whose gate is open, until the answer's body ends, over the same service without it.
pub(crate) fn gate_layer() -> Pair {
    let telemetry = Telemetry::builder().manual().build().expect("usable");
    let gate = GpuGates::new(&telemetry).of(&DeviceId::new("GPU-1"));
    let layer = GpuGateLayer::new([gate.clone()])
        .until_body_ends()
        .with_answer(|_: GpuRefused| Ok(Response::default()));
    around(Shape::Plain, &layer).with_account(move |_| {
        same("in flight", gate.in_flight(), 0)?;
        Ok(String::from("nothing is in flight at its end"))
    })
}

/// What each watched device has of the heap, ten minutes of samples and all, of a source that says nothing.
pub(crate) fn ring_bytes() -> InFlight {
    let ring = Rc::new(Cell::new(0));
    let seen = ring.clone();
    let watch = move |devices: usize| -> Box<dyn Any> {
        let telemetry = Telemetry::builder().manual().build().expect("usable");
        let source = idle::Idle(devices as u32);
        let monitor = GpuMonitor::new(&telemetry, source, GpuSettings::new()).expect("no threads");
        // Without threads devices are found where metrics are collected.
        telemetry.prometheus();
        let gpus = monitor.gpus();
        assert_eq!(gpus.len(), devices, "all are found");
        if let Some(gpu) = gpus.first() {
            seen.set(gpu.history_bytes());
        }
        Box::new(monitor)
    };
    let none = watch.clone();
    InFlight::of(
        move |_| none(0),
        move |devices| watch(devices),
        move |_| Ok(format!("{} bytes of them are the ring", ring.get())),
    )
    .with_open(16)
}
