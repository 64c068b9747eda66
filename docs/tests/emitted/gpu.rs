//! GPUs, by the library that stands in for their driver's: one in parts, one that hangs for a while.

use crate::driver::PATIENCE;
use crate::seen::Seen;
use obs_core::Telemetry;
use obs_core::setup::environment::Environment;
use obs_gpu::{
    GateState, GpuHealth, GpuMonitor, GpuSettings, GpuState, HealthSettings, NvmlSource, Quantity,
    Tier,
};
use obs_gpu_fake::Fake;
use obs_testing::Receiver;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SCRIPT: &str = "
gpus = A100 H100
0 0 fan=40
0 0 power.module=900_000
0 0 retired.single=1
0 0 retired.double=0
0 0 retired.pending=1
0 1 mig.mode=1
0 1 mig:0=1,0,3,40GiB

";

pub(crate) fn run() -> Seen {
    let receiver = Receiver::start().expect("a receiver");
    let endpoint = receiver.endpoint();
    let variable = |name: &str| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.clone());
    // With threads: who does not answer is found by one of them.
    let telemetry = Telemetry::builder()
        .with_environment(Environment::from_fn(variable))
        .with_otlp()
        .build()
        .expect("settings that can be used");
    let fake = Fake::start(SCRIPT).expect("a script");
    let health = GpuHealth::new(&telemetry, HealthSettings::new());
    let settings = GpuSettings::new()
        .with_period(Tier::Fast, ms(20))
        .with_period(Tier::Second, ms(120))
        .with_period(Tier::Slow, ms(120))
        .with_deadline(ms(100))
        // Whatever else this machine does: how long calls take is no matter here.
        .without_budget()
        .with_listener(Arc::new(health.clone()));
    let source = NvmlSource::with_library(&telemetry, fake.library());
    let monitor = GpuMonitor::new(&telemetry, source, settings).expect("threads");
    eventually(|| {
        let gpus = monitor.gpus();
        let read = |quantity| gpus.iter().all(|gpu| gpu.read_at(quantity).is_some());
        let counters = |gpu: &obs_gpu::Gpu| gpu.readings().value(Quantity::SmActive).is_some();
        gpus.len() == 3 && read(Quantity::EccCorrected) && gpus.iter().any(counters)
    });
    let first = monitor.gpus().remove(0);
    fake.push("+0 0 xid=48").expect("steps");
    eventually(|| health.gate(first.id()).state() == GateState::Draining);
    fake.push("+0 0 stall:nvmlDeviceGetTemperature=forever")
        .expect("steps");
    eventually(|| matches!(first.state(), GpuState::NotAnswering { .. }));
    fake.push("+0 0 stall:nvmlDeviceGetTemperature=0")
        .expect("steps");
    eventually(|| first.state() == GpuState::Answering);
    eventually(|| telemetry.prometheus().contains("xid_48"));
    let gate = health.gate(first.id());
    gate.hold(GateState::Draining, "for a new driver");
    gate.enter().expect_err("it is held");
    // What belongs to slow tiers is fresh again.
    std::thread::sleep(ms(300));
    telemetry.flush(PATIENCE).expect("delivered");
    telemetry.shutdown(PATIENCE).expect("delivered");
    Seen::of(&receiver)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[track_caller]
fn eventually(mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < PATIENCE, "not yet");
        std::thread::sleep(ms(5));
    }
}
