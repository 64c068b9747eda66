//! A machine that a script plays: its device by the fake library, which the real loader loads and the real source reads; its host and
//! its ports by directories that stand for the kernel's.

use crate::scene::{Call, Scene};
use obs_core::otel::trace::SpanKind;
use obs_core::semconv::gen_ai;
use obs_core::{
    Descriptor, Event, Kind, Label, Labels, Milestone, Moment, Operation, Outcome, Parent, Scope,
    Values,
};
use obs_gpu::explain::Phase;
use obs_gpu::fabric::FabricSettings;
use obs_gpu::host::HostSettings;
use obs_gpu::{
    Claim, Claims, EngineState, EngineStates, GpuContext, GpuMonitor, GpuSettings, NvmlSource, Tier,
};
use obs_gpu_fake::Fake;
use obs_testing::Capture;
use std::fs;
use std::path::Path;
use std::time::Duration;

static SCOPE: Scope = Scope {
    name: "test",
    version: "",
    schema_url: "",
};

/// What a crate that knows nothing of devices says of its calls.
static CALL: Descriptor = Descriptor {
    name: "test.call",
    span_kind: SpanKind::Client,
    scope: &SCOPE,
    labels: &[Label {
        key: gen_ai::REQUEST_MODEL,
        values: Values::Open { cap: 8 },
    }],
    method: None,
    errors: &[],
    duration: None,
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: None,
    span_name: |_, name| name.push_str("call"),
};

/// Something that the kernel or an engine counts: so much a second, and more or less for a while.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter {
    pub(crate) total: f64,
    pub(crate) usual: f64,
    /// From when to when, and how much a second then.
    pub(crate) otherwise: Vec<(u64, u64, f64)>,
}

impl Counter {
    pub(crate) fn rate(&self, at: u64) -> f64 {
        let others = self.otherwise.iter();
        let others = others.filter(|(from, to, _)| (*from..*to).contains(&at));
        let most = others.map(|(_, _, rate)| *rate).reduce(f64::max);
        most.unwrap_or(self.usual)
    }

    /// In steps of ten milliseconds.
    fn count(&mut self, from: u64, to: u64) {
        for at in (from..to).step_by(10) {
            let part = (to - at).min(10) as f64 / 1e3;
            self.total += self.rate(at) * part;
        }
    }
}

pub(crate) struct Machine {
    fake: Fake,
    capture: Capture,
    engines: EngineStates,
    _monitor: GpuMonitor,
    _claim: Claim,
    kind: &'static Kind,
    kernel: tempfile::TempDir,
    /// Milliseconds since it was switched on, when it is read next, and when its engine says something.
    now: u64,
    next: u64,
    says: u64,
}

impl Machine {
    /// `dear`: how often what is dear to read is read.
    pub(crate) fn new(dear: Duration) -> Self {
        // In memory, where there is such a place: much is written.
        let kernel = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let kernel = kernel.expect("a directory");
        for port in ["mlx5_0", "mlx5_1"] {
            for folder in ["counters", "hw_counters"] {
                let place = format!("infiniband/{port}/ports/1/{folder}");
                fs::create_dir_all(kernel.path().join(place)).expect("a folder");
            }
        }
        for folder in ["self", "pressure", "cgroup"] {
            fs::create_dir(kernel.path().join(folder)).expect("a folder");
        }
        write(kernel.path(), "self/cgroup", "0::/\n");
        write(
            kernel.path(),
            "cgroup/cgroup.controllers",
            "cpu memory io\n",
        );
        for port in ["mlx5_0", "mlx5_1"] {
            for (file, text) in [
                ("link_layer", "InfiniBand\n"),
                ("rate", "400 Gb/sec (4X NDR)\n"),
            ] {
                write(
                    kernel.path(),
                    &format!("infiniband/{port}/ports/1/{file}"),
                    text,
                );
            }
        }
        let fake =
            Fake::install(kernel.path(), &[], "gpus = H100; clock = virtual").expect("a script");
        let capture = Capture::new();
        let telemetry = *capture.telemetry();
        let claims = Claims::new();
        let engines = EngineStates::new(&telemetry);
        let host = HostSettings::new()
            .with_proc(kernel.path())
            .with_cgroup(kernel.path().join("cgroup"));
        let fabric = FabricSettings::new()
            .with_root(kernel.path().join("infiniband"))
            .with_tick(Duration::from_micros(1));
        let context = GpuContext::by_claims(&telemetry, &claims)
            .with_host(&host)
            .with_fabric(&fabric)
            .with_engines(&engines);
        assert!(telemetry.annotate(context.clone()));
        let settings = GpuSettings::new()
            .with_period(Tier::Second, dear)
            .with_links(false)
            .with_listener(context.listener());
        let source = NvmlSource::with_library(&telemetry, fake.library());
        let monitor = GpuMonitor::new(&telemetry, source, settings).expect("no thread");
        let _ = capture.points();
        let device = monitor.gpus()[0].id().clone();
        Self {
            kind: telemetry.kind(&CALL),
            _claim: claims.claim(&device).model("m").hold(),
            fake,
            capture,
            engines,
            _monitor: monitor,
            kernel,
            now: 0,
            next: 0,
            says: 0,
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// Plays a scene, and gives what the slow call in it was told.
    pub(crate) fn play(&mut self, scene: &mut Scene) -> String {
        self.fake.push(&scene.steps).expect("steps");
        let Call {
            start,
            first,
            end,
            scheduled,
            slow,
        } = scene.call;
        self.until(start, scene);
        let labels = Labels::NONE.with(0, self.kind.label(0, "m"));
        let mut call = self.kind.start(labels, Parent::Root);
        if let Some(at) = scheduled {
            self.until(at, scene);
            let mut active = call.active().expect("recording");
            active.stamp(Event::SCHEDULED);
        }
        self.until(first, scene);
        let first = self.reaches(&mut call, |at| Milestone::FirstOutput {
            at,
            slow: slow == Phase::FirstOutput,
        });
        self.until(end, scene);
        self.reaches(&mut call, |at| Milestone::Ending {
            at,
            first_output: Some(first),
            slow: slow == Phase::Output,
        });
        call.end(Outcome::ANSWERED);
        let name = match slow {
            Phase::FirstOutput => "obs.gpu.slow.first_output.cause",
            Phase::Output => "obs.gpu.slow.output.cause",
        };
        let records = self.capture.take_records();
        let cause = records[0].text(name).expect("it was slow").to_owned();
        self.until(scene.over, scene);
        cause
    }

    fn reaches(&self, call: &mut Operation, milestone: impl FnOnce(Moment) -> Milestone) -> Moment {
        let at = self.kind.now();
        let mut active = call.active().expect("recording");
        self.kind.annotate(|| milestone(at), &mut active);
        at
    }

    /// Lets time pass. What is due meanwhile is read at its time, a little late as threads are.
    fn until(&mut self, to: u64, scene: &mut Scene) {
        while self.next.min(self.says) <= to {
            let at = self.next.min(self.says);
            self.pass(at, scene);
            if at == self.says {
                self.engines.tell("m", "", engine(scene, at));
                self.says = at + 1_000;
            }
            if at == self.next {
                self.write_kernel(scene);
                let _ = self.capture.points();
                self.next = (at / 250 + 1) * 250 + scene.dice.below(20);
            }
        }
        self.pass(to, scene);
    }

    fn pass(&mut self, to: u64, scene: &mut Scene) {
        scene.counters().for_each(|one| one.count(self.now, to));
        let time = Duration::from_millis(to - self.now);
        self.fake.advance(time);
        self.capture.clock().advance(time);
        self.now = to;
    }

    fn write_kernel(&self, scene: &Scene) {
        let root = self.kernel.path();
        let pressure = |one: &Counter| {
            let total = one.total as u64;
            format!("some avg10=0.00 total={total}\nfull avg10=0.00 total={total}\n")
        };
        write(root, "pressure/cpu", &pressure(&scene.cpu));
        write(root, "pressure/memory", &pressure(&scene.memory));
        write(root, "pressure/io", &pressure(&scene.io));
        let held = scene.held.total as u64;
        write(
            root,
            "cgroup/cpu.stat",
            &format!("usage_usec 1\nthrottled_usec {held}\n"),
        );
        for port in ["mlx5_0", "mlx5_1"] {
            let place = format!("infiniband/{port}/ports/1");
            let state = match port == "mlx5_1" && scene.port_is_down(self.now) {
                true => "1: DOWN\n",
                false => "4: ACTIVE\n",
            };
            write(root, &format!("{place}/state"), state);
            let wait = format!("{}\n", scene.wait.total as u64);
            write(root, &format!("{place}/counters/port_xmit_wait"), &wait);
            let retries = format!("{}\n", scene.retries.total as u64);
            write(
                root,
                &format!("{place}/hw_counters/out_of_sequence"),
                &retries,
            );
        }
    }
}

fn engine(scene: &Scene, at: u64) -> EngineState {
    EngineState::new()
        .with_waiting(scene.waiting.rate(at).round() as u64)
        .with_finished(scene.finished.total as u64)
        .with_cache(scene.cache.rate(at))
        .with_preemptions(scene.preemptions.total as u64)
}

fn write(root: &Path, file: &str, text: &str) {
    fs::write(root.join(file), text).expect("a file");
}
