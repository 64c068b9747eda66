//! Devices in use: what goes wrong with them, whose they are, calls that run on them; the host, its control group, and the links.

use crate::driver::{PATIENCE, telemetry};
use crate::seen::Seen;
use obs_core::{Clock, ManualClock, Outcome, Parent, StatsLevel, Telemetry};
use obs_gpu::fabric::{Fabric, FabricSettings, Transfers};
use obs_gpu::host::{Host, HostSettings};
use obs_gpu::{
    Attribution, Claims, GateState, GpuContext, GpuHealth, GpuMonitor, GpuSettings, HealthSettings,
    NvmlSource,
};
use obs_gpu_fake::Fake;
use obs_llm::{LlmOperation, ModelServer, Provider};
use obs_testing::Receiver;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Two whole devices of which one has everything and the other a fan, and one in parts.
const SCRIPT: &str = "\
clock = virtual
gpus = H100 L40S H100
0 2 mig.mode=1
0 2 mig:0=1,0,3,40GiB
0 2 mig:0.used=5GiB
0 0 throttle=0x44
0 0 process:4711=8GiB
0 0 process:4711.sm=20
";

pub(crate) fn run(level: StatsLevel) -> Seen {
    let receiver = Receiver::start().expect("a receiver");
    let clock = ManualClock::new();
    let telemetry = telemetry(&receiver, |builder| {
        builder.with_level(level).with_clock(Clock::manual(&clock))
    });
    let kernel = tempfile::tempdir().expect("a directory");
    the_kernels(kernel.path());
    let machine = Machine::new(&telemetry, clock, kernel.path());
    machine.works(&telemetry);
    machine.breaks();
    telemetry.shutdown(PATIENCE).expect("delivered");
    Seen::of(&receiver)
}

struct Machine {
    telemetry: Telemetry,
    fake: Fake,
    clock: ManualClock,
    claims: Claims,
    health: GpuHealth,
    monitor: GpuMonitor,
    books: Arc<Attribution>,
}

impl Machine {
    fn new(telemetry: &Telemetry, clock: ManualClock, kernel: &Path) -> Self {
        let fake = Fake::install(kernel, &[], SCRIPT).expect("a script");
        let claims = Claims::new();
        let health = GpuHealth::new(telemetry, HealthSettings::new());
        let books = Attribution::with_proc(telemetry, &claims, kernel);
        let host = HostSettings::new()
            .with_proc(kernel)
            .with_cgroup(kernel.join("cgroup"));
        let fabric = FabricSettings::new().with_root(kernel.join("infiniband"));
        Host::observe(telemetry, &host);
        Fabric::observe(telemetry, &fabric);
        Transfers::new(telemetry)
            .of("kv", "decode-3")
            .record(1 << 20, Duration::from_millis(7));
        let of = health.clone();
        let context = GpuContext::by_claims(telemetry, &claims)
            .with_health(move |id| Some(of.report(id).state.as_str()))
            .with_host(&host)
            .with_fabric(&fabric)
            .with_energy(&books);
        assert!(telemetry.annotate(context.clone()));
        let settings = GpuSettings::new()
            .with_listener(Arc::new(health.clone()))
            .with_listener(books.clone())
            .with_listener(context.listener());
        let source = NvmlSource::with_library(telemetry, fake.library());
        let monitor = GpuMonitor::new(telemetry, source, settings).expect("no thread");
        let machine = Self {
            telemetry: *telemetry,
            fake,
            clock,
            claims,
            health,
            monitor,
            books,
        };
        machine.after(0);
        machine
    }

    /// So many milliseconds later all is read and sent.
    fn after(&self, millis: u64) {
        let time = Duration::from_millis(millis);
        self.fake.advance(time);
        self.clock.advance(time);
        self.telemetry.flush(PATIENCE).expect("delivered");
    }

    fn works(&self, telemetry: &Telemetry) {
        let device = self.monitor.gpus()[0].id().clone();
        let claim = self.claims.claim(&device).model("m").task("chat").hold();
        claim.set_memory(&device, 1 << 50);
        let server = ModelServer::new(telemetry, Provider::named("acme"), "m")
            .with_slow(Some(Duration::ZERO), Some(Duration::ZERO));
        self.after(1000);
        let mut request = server.request(LlmOperation::Chat, Parent::Root);
        self.fake
            .push("+0 0 clock.sm=500; +0 0 util=90")
            .expect("steps");
        claim.tokens(1);
        self.after(1000);
        request.token();
        claim.tokens(1);
        self.fake.push("+0 0 gpm:10=97").expect("steps");
        // Ten steps of the energy counter, which is read once a second at first.
        for _ in 0..40 {
            claim.tokens(1);
            self.after(250);
        }
        request.token();
        claim.tokens(1);
        request.end(Outcome::ANSWERED);
        self.after(10_000);
        assert!(self.books.settled(&device).is_some());
    }

    fn breaks(&self) {
        // One that is well, and is taken out all the same.
        let device = self.monitor.gpus()[1].id().clone();
        let gate = self.health.gate(&device);
        self.fake
            .push("+0 0 xid=95; +0 0 recovery=1")
            .expect("steps");
        self.after(1000);
        gate.hold(GateState::Draining, "looked at");
        assert!(gate.enter().is_err());
        self.after(10_000);
        self.fake.push("+0 1 err:*=999").expect("steps");
        self.after(10_000);
    }
}

/// Files of the kernel's, each with something in it.
fn the_kernels(root: &Path) {
    let pressure = "some avg10=1.00 avg60=1.00 avg300=1.00 total=5\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1\n";
    let container = "8a3c0b1d2e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d7e8f9a0b";
    let pod = "0f4a6f0e_52b5_4c3d_9b0a_2f7d6c1e8a90";
    let group = format!("0::/kubepods-pod{pod}.slice/cri-containerd-{container}.scope\n");
    let files = [
        (
            "stat",
            "cpu  1 2 3 4 5 6 7 8 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\nbtime 1\n",
        ),
        (
            "meminfo",
            "MemTotal: 9 kB\nMemFree: 1 kB\nMemAvailable: 2 kB\nBuffers: 1 kB\nCached: 1 kB\n",
        ),
        ("diskstats", "252 0 vda 11 0 8 13 14 0 16 17 0 18 19\n"),
        ("net/dev", " eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n"),
        ("pressure/cpu", pressure),
        ("self/cgroup", "0::/\n"),
        (
            "4711/stat",
            "4711 (other) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 77 0 0\n",
        ),
        ("4711/environ", "OTEL_SERVICE_NAME=other\0"),
        ("4711/cgroup", group.as_str()),
        ("cgroup/cgroup.controllers", "cpu memory io\n"),
        (
            "cgroup/cpu.stat",
            "user_usec 1\nsystem_usec 1\nnr_throttled 1\nthrottled_usec 1\n",
        ),
        ("cgroup/cpu.max", "150000 100000\n"),
        ("cgroup/memory.current", "3\n"),
        ("cgroup/memory.max", "9\n"),
        ("cgroup/memory.stat", "anon 1\ninactive_file 1\n"),
        ("cgroup/memory.events", "oom_kill 1\n"),
        ("cgroup/io.pressure", pressure),
        ("infiniband/mlx5_0/ports/1/state", "4: ACTIVE\n"),
        ("infiniband/mlx5_0/ports/1/rate", "400 Gb/sec (4X NDR)\n"),
        ("infiniband/mlx5_0/ports/1/link_layer", "InfiniBand\n"),
        ("infiniband/mlx5_0/ports/1/counters/port_rcv_data", "1\n"),
        ("infiniband/mlx5_0/ports/1/counters/port_rcv_packets", "1\n"),
        ("infiniband/mlx5_0/ports/1/counters/symbol_error", "1\n"),
        ("infiniband/mlx5_0/ports/1/counters/port_xmit_wait", "1\n"),
        ("infiniband/mlx5_0/ports/1/hw_counters/np_cnp_sent", "1\n"),
    ];
    for (name, text) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().expect("one")).expect("a directory");
        fs::write(path, text).expect("a file");
    }
    fs::create_dir_all(root.join("self/ns")).expect("a directory");
    symlink("pid:[4026531836]", root.join("self/ns/pid")).expect("a link");
}
