//! What claims used of devices that are watched.

use crate::scripted::{self, Script};
use crate::{Rig, Shown, builder, eventually, quick};
use obs_core::metrics::Temporality;
use obs_core::{Clock, ManualClock};
use obs_gpu::{
    Attribution, Claims, DeviceId, GpuProcess, GpuSettings, GpuState, Owner, ProcessKind, Quantity,
    Reading, SourceError,
};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Devices of a telemetry without threads, with their books.
struct Claimed {
    rig: Rig,
    clock: ManualClock,
    claims: Claims,
    books: Arc<Attribution>,
    device: DeviceId,
}

impl Claimed {
    fn new(proc: &Path) -> Self {
        let clock = ManualClock::new();
        let telemetry = builder().manual().with_clock(Clock::manual(&clock)).build();
        let telemetry = telemetry.expect("usable");
        let claims = Claims::new();
        let books = Attribution::with_proc(&telemetry, &claims, proc);
        let settings = GpuSettings::new().with_listener(books.clone());
        let rig = Rig::on(telemetry, Script::of(2), settings);
        let claimed = Self {
            rig,
            clock,
            claims,
            books,
            device: DeviceId::new(scripted::uuid(0)),
        };
        // From here on it is counted.
        claimed.after(0, 0, 0);
        claimed
    }

    /// Seconds in which the first device used so many millijoules, and in so many hundredths of which something ran.
    fn after(&self, seconds: u64, millijoules: i64, percent: i64) -> Shown {
        self.after_millis(1_000 * seconds, millijoules, percent)
    }

    fn after_millis(&self, millis: u64, millijoules: i64, percent: i64) -> Shown {
        let script = &self.rig.script;
        script.device(0, |device| {
            let energy = device.values[&Quantity::Energy].value().expect("a number");
            let energy = Reading::Value(energy + millijoules);
            device.values.insert(Quantity::Energy, energy);
            let share = Reading::Value(percent * 10_000);
            device.values.insert(Quantity::Utilization, share);
        });
        self.clock.advance(Duration::from_millis(millis));
        Shown(self.rig.telemetry.reader(Temporality::Cumulative).collect())
    }
}

#[test]
fn joules_and_tokens_stand_beside_each_other_by_model() {
    let nowhere = tempfile::tempdir().expect("a directory");
    let claimed = Claimed::new(nowhere.path());
    let claim = { claimed.claims.claim(&claimed.device) }
        .model("qwen3-8b")
        .task("chat")
        .hold();
    claim.set_memory(&claimed.device, 17 << 30);
    claim.tokens(150);
    let shown = claimed.after(1, 450_000, 80);
    let model = ("gen_ai.request.model", "qwen3-8b");
    let whose = [
        ("hw.id", "GPU-00000000"),
        ("obs.gpu.owner", "claim"),
        model,
        ("obs.gpu.task", "chat"),
    ];
    let value = |name, labels: &[_]| shown.value(name, labels);
    assert_eq!(value("obs.gpu.attributed.energy", &whose), Some(450.0));
    assert_eq!(value("obs.gpu.attributed.busy_time", &whose), Some(0.8));
    assert_eq!(
        value("obs.gpu.attributed.memory.usage", &whose),
        Some((17_u64 << 30) as f64)
    );
    assert_eq!(value("obs.gpu.attributed.tokens", &[model]), Some(150.0));
    // The rest of the memory in use is somebody's, and nobody said whose.
    let rest = [("hw.id", "GPU-00000000"), ("obs.gpu.owner", "unattributed")];
    assert_eq!(
        value("obs.gpu.attributed.memory.usage", &rest),
        Some((3_u64 << 30) as f64)
    );
    // Nothing ran on it then.
    let shown = claimed.after(1, 80_000, 0);
    let idle = [("hw.id", "GPU-00000000"), ("obs.gpu.owner", "idle")];
    assert_eq!(shown.value("obs.gpu.attributed.energy", &idle), Some(80.0));
    let used: f64 = { shown.points("obs.gpu.attributed.energy") }
        .iter()
        .map(|point| point.value.as_f64())
        .sum();
    assert_eq!(used, 530.0);
    let settled = claimed.books.settled(&claimed.device).expect("settled");
    assert_eq!(settled.energy[&Owner::Idle], 80_000);
    assert_eq!(settled.over_claimed, 0);
    drop(claim);
}

/// A directory like `/proc`, as whoever is in the first namespace or another sees it.
fn proc(namespace: &str) -> TempDir {
    let proc = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(proc.path().join("self/ns")).expect("a directory");
    symlink(namespace, proc.path().join("self/ns/pid")).expect("a link");
    proc
}

const FIRST: &str = "pid:[4026531836]";

/// A process in it, with the variables that it began with.
fn lives(proc: &TempDir, pid: u32, environment: &str) {
    let path = proc.path().join(pid.to_string());
    fs::create_dir_all(&path).expect("a directory");
    let stat = format!("{pid} (train) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 77 0 0");
    fs::write(path.join("stat"), stat).expect("a file");
    fs::write(path.join("environ"), environment).expect("a file");
}

#[test]
fn other_processes_are_looked_at_once_a_second_and_when_they_are_listed() {
    let proc = proc(FIRST);
    let claimed = Claimed::new(proc.path());
    let listed = |pids: &[u32]| {
        claimed.rig.script.device(0, |device| {
            let of = |pid: &u32| {
                let mut one = GpuProcess::new(*pid, ProcessKind::Compute);
                one.utilization = Reading::Value(400_000);
                one
            };
            device.processes = pids.iter().map(of).collect();
        });
    };
    let joules = |shown: &Shown, service: &str| {
        let whose = [("obs.gpu.owner", "process"), ("service.name", service)];
        shown.value("obs.gpu.attributed.energy", &whose)
    };
    lives(&proc, 4711, "OTEL_SERVICE_NAME=train");
    listed(&[4711]);
    // The slow tier is read behind the fast one: this process is known from here on, and its part is that of the next window.
    assert_eq!(joules(&claimed.after(10, 0, 80), "train"), None);
    let shown = claimed.after_millis(250, 100_000, 80);
    assert_eq!(joules(&shown, "train"), Some(50.0));
    // It ends: its part ends within a second, though the driver is not asked again until ten are over.
    fs::remove_dir_all(proc.path().join("4711")).expect("removed");
    let shown = claimed.after_millis(250, 100_000, 80);
    assert_eq!(joules(&shown, "train"), Some(100.0));
    let shown = claimed.after_millis(750, 100_000, 80);
    assert_eq!(joules(&shown, "train"), Some(100.0));
    lives(&proc, 4712, "OTEL_SERVICE_NAME=serve");
    listed(&[4712]);
    assert_eq!(joules(&claimed.after(9, 0, 80), "serve"), None);
    let shown = claimed.after_millis(250, 100_000, 80);
    assert_eq!(joules(&shown, "serve"), Some(50.0));
}

#[test]
fn other_processes_are_asked_where_their_numbers_are_the_drivers() {
    let variables = "OTEL_SERVICE_NAME=train\0OBS_TASK=finetune\0SECRET=x\0";
    let run = |namespace: &str| {
        let proc = proc(namespace);
        lives(&proc, 4711, variables);
        let claimed = Claimed::new(proc.path());
        claimed.rig.script.device(0, |device| {
            let mut one = GpuProcess::new(4711, ProcessKind::Compute);
            one.memory = Reading::Value(5 << 30);
            one.utilization = Reading::Value(400_000);
            // It draws, too, and stands in that list with the same.
            let mut again = one;
            again.kind = ProcessKind::Graphics;
            // A row of one that is gone.
            let mut gone = GpuProcess::new(4712, ProcessKind::Compute);
            gone.memory = Reading::Value(1 << 30);
            device.processes = vec![one, again, gone];
        });
        // Processes are read with the slow tier.
        claimed.after(10, 0, 80);
        claimed.after(1, 100_000, 80)
    };
    let shown = run(FIRST);
    let train = [
        ("hw.id", "GPU-00000000"),
        ("obs.gpu.owner", "process"),
        ("service.name", "train"),
        ("obs.gpu.task", "finetune"),
    ];
    assert_eq!(shown.value("obs.gpu.attributed.energy", &train), Some(50.0));
    let bytes = shown.value("obs.gpu.attributed.memory.usage", &train);
    assert_eq!(bytes, Some((5_u64 << 30) as f64));
    assert!(!format!("{:?}", shown.metric("obs.gpu.attributed.energy")).contains("SECRET"));
    // In a namespace of its own 4711 may be anybody.
    let shown = run("pid:[4026532201]");
    assert_eq!(
        shown.point("obs.gpu.attributed.energy", &[("obs.gpu.owner", "process")]),
        None
    );
    let rest = [("hw.id", "GPU-00000000"), ("obs.gpu.owner", "unattributed")];
    assert_eq!(shown.value("obs.gpu.attributed.energy", &rest), Some(100.0));
}

#[test]
fn with_threads_sums_are_what_the_device_counted() {
    let telemetry = builder().build().expect("usable");
    let claims = Claims::new();
    let nowhere = tempfile::tempdir().expect("a directory");
    let books = Attribution::with_proc(&telemetry, &claims, nowhere.path());
    let rig = Rig::on(
        telemetry,
        Script::of(1),
        quick().with_listener(books.clone()),
    );
    let device = DeviceId::new(scripted::uuid(0));
    eventually("books", || books.settled(&device).is_some());
    let claim = claims.claim(&device).model("a").hold();
    for _ in 0..100 {
        claim.tokens(3);
        rig.script.device(0, |device| {
            let energy = device.values[&Quantity::Energy].value().expect("a number");
            device
                .values
                .insert(Quantity::Energy, Reading::Value(energy + 1_000));
        });
        std::thread::sleep(Duration::from_millis(2));
    }
    let sum = || {
        books
            .settled(&device)
            .map(|settled| settled.energy.values().sum::<u64>())
    };
    eventually("all of it", || sum() == Some(100_000));
    let energy = rig.shown().points("obs.gpu.attributed.energy").len();
    assert!(energy >= 1);
    drop(claim);
}

#[test]
fn processes_that_the_driver_does_not_list_any_more_have_nothing_before_long() {
    let proc = proc(FIRST);
    let claimed = Claimed::new(proc.path());
    lives(&proc, 4711, "OTEL_SERVICE_NAME=train");
    claimed.rig.script.device(0, |device| {
        let mut one = GpuProcess::new(4711, ProcessKind::Compute);
        one.memory = Reading::Value(5 << 30);
        one.utilization = Reading::Value(400_000);
        device.processes = vec![one];
    });
    let train = [("obs.gpu.owner", "process"), ("service.name", "train")];
    claimed.after(10, 0, 80);
    let shown = claimed.after(1, 100_000, 80);
    let joules = shown.value("obs.gpu.attributed.energy", &train);
    assert_eq!(joules, Some(50.0));
    // It lives, and for an hour nobody can say whether it uses the device.
    let fails =
        |device: &mut scripted::Device| device.processes_error = Some(SourceError::Failed(999));
    claimed.rig.script.device(0, fails);
    claimed.after(3_600, 0, 80);
    let before = claimed
        .after(1, 0, 80)
        .value("obs.gpu.attributed.energy", &train);
    let shown = claimed.after(1, 100_000, 80);
    assert_eq!(shown.value("obs.gpu.attributed.energy", &train), before);
    assert_eq!(shown.value("obs.gpu.attributed.memory.usage", &train), None);
}

#[test]
fn time_in_which_a_device_was_not_there_is_nobodys() {
    for error in [
        None,
        Some(SourceError::Lost(15)),
        Some(SourceError::Failed(999)),
    ] {
        let nowhere = tempfile::tempdir().expect("a directory");
        let claimed = Claimed::new(nowhere.path());
        let claim = claimed.claims.claim(&claimed.device).model("a").hold();
        claimed.after(1, 1_000, 80);
        let busy = || {
            let settled = claimed.books.settled(&claimed.device).expect("books");
            settled.busy.values().sum::<u64>() as f64 / 1e9
        };
        assert_eq!(busy(), 0.8);
        let listed = claimed.rig.script.world().listed.clone();
        claimed.rig.script.device(0, |device| device.error = error);
        if error.is_none() {
            let gone = |world: &mut scripted::World| drop(world.listed.remove(0));
            claimed.rig.script.change(gone);
        }
        claimed.after(11, 0, 80);
        claimed.after(600, 0, 80);
        claimed.rig.script.device(0, |device| device.error = None);
        claimed.rig.script.change(|world| world.listed = listed);
        claimed.after(31, 0, 80);
        claimed.after(1, 1_000, 80);
        claimed.after(1, 1_000, 80);
        let busy = busy();
        assert!(
            busy <= 12.0,
            "{error:?}: busy for {busy} s of a few that it was there"
        );
        drop(claim);
    }
}

#[test]
fn time_in_which_a_device_did_not_answer_is_nobodys() {
    let telemetry = builder().build().expect("usable");
    let claims = Claims::new();
    let nowhere = tempfile::tempdir().expect("a directory");
    let books = Attribution::with_proc(&telemetry, &claims, nowhere.path());
    let settings = quick().with_listener(books.clone());
    let rig = Rig::on(telemetry, Script::of(1), settings);
    let share = Reading::Value(1_000_000);
    rig.script.set(0, Quantity::Utilization, share);
    let gpu = rig.read(0);
    let busy = || {
        let settled = books.settled(gpu.id()).expect("books");
        Duration::from_nanos(settled.busy.values().sum())
    };
    eventually("busy", || !busy().is_zero());
    let (began, before) = (Instant::now(), busy());
    rig.script.device(0, |device| device.stalls = true);
    rig.becomes(&gpu, "not answering", |state| {
        matches!(state, GpuState::NotAnswering { .. })
    });
    std::thread::sleep(Duration::from_millis(500));
    let reads = || rig.script.device(0, |device| device.reads[0]);
    let read = reads();
    rig.script.device(0, |device| device.stalls = false);
    eventually("read again", || reads() > read + 3);
    let (passed, grew) = (began.elapsed(), busy() - before);
    assert!(
        grew + Duration::from_millis(500) <= passed,
        "busy for {grew:?} of {passed:?}, of which it hung for half a second and more"
    );
}

#[test]
fn memory_of_a_device_that_cannot_be_read_is_absent_before_long() {
    for error in [SourceError::Lost(15), SourceError::Failed(999)] {
        let nowhere = tempfile::tempdir().expect("a directory");
        let claimed = Claimed::new(nowhere.path());
        let name = "obs.gpu.attributed.memory.usage";
        let of = [("hw.id", "GPU-00000000")];
        let used = (20_u64 << 30) as f64;
        assert_eq!(claimed.after(1, 0, 80).value(name, &of), Some(used));
        claimed
            .rig
            .script
            .device(0, |device| device.error = Some(error));
        claimed.after(10, 0, 80);
        let shown = claimed.after(10, 0, 80);
        assert_eq!(shown.value("hw.gpu.memory.usage", &of), None);
        assert_eq!(shown.value(name, &of), None, "{error:?}");
        let settled = claimed.books.settled(&claimed.device).expect("books");
        assert_eq!(settled.memory.len(), 0, "{error:?}");
        // What is not in doubt stays.
        let other = [("hw.id", "GPU-00000001")];
        assert_eq!(shown.value(name, &other), Some(used));
        claimed.rig.script.device(0, |device| device.error = None);
        claimed.after(31, 0, 80);
        assert_eq!(claimed.after(1, 0, 80).value(name, &of), Some(used));
    }
}

#[test]
fn a_part_that_is_made_anew_of_the_same_name_has_its_memory() {
    let nowhere = tempfile::tempdir().expect("a directory");
    let claimed = Claimed::new(nowhere.path());
    let part = crate::found::part(0, 1);
    let listed = |is: bool| {
        claimed.rig.script.change(|world| {
            world.listed.retain(|known| known.id != part.id);
            if is {
                world.devices.entry(part.id.as_str().into()).or_default();
                world.listed.push(part.clone());
            }
        });
        claimed.after(11, 0, 80)
    };
    let has = |shown: &Shown| {
        let of = [("hw.id", part.id.as_str())];
        shown.value("obs.gpu.attributed.memory.usage", &of)
    };
    for _ in 0..2 {
        listed(true);
        assert_eq!(has(&claimed.after(1, 0, 80)), Some((20_u64 << 30) as f64));
        assert_eq!(has(&listed(false)), None);
    }
}
