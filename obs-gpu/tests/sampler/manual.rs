//! A telemetry without threads.

use crate::scripted::Script;
use crate::{Rig, Shown, builder};
use obs_core::metrics::Temporality;
use obs_core::{Clock, ManualClock};
use obs_gpu::{Event, GpuSettings, GpuState, Quantity, Reading, SourceError};
use std::time::Duration;

struct Manual {
    rig: Rig,
    clock: ManualClock,
}

impl Manual {
    fn of(many: u32) -> Self {
        let clock = ManualClock::new();
        let telemetry = builder().manual().with_clock(Clock::manual(&clock)).build();
        let telemetry = telemetry.expect("usable");
        let rig = Rig::on(telemetry, Script::of(many), GpuSettings::new());
        Self { rig, clock }
    }

    fn after(&self, seconds: u64) -> Shown {
        self.clock.advance(Duration::from_secs(seconds));
        Shown(self.rig.telemetry.reader(Temporality::Cumulative).collect())
    }

    fn reads(&self, index: u32) -> [u32; 3] {
        self.rig.script.device(index, |device| device.reads)
    }
}

fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let name = |task: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    };
    tasks
        .filter_map(name)
        .filter(|name| name.starts_with("obs-gpu-manual"))
        .count()
}

#[test]
fn devices_are_read_inside_collections_each_tier_in_its_time() {
    let manual = Manual::of(2);
    assert_eq!(manual.reads(0), [0; 3]);
    let shown = manual.after(1);
    assert_eq!(shown.points("hw.power").len(), 2);
    assert_eq!(
        shown.value(
            "obs.gpu.sample.age",
            &[("hw.id", "GPU-00000001"), ("obs.gpu.tier", "slow")]
        ),
        Some(0.0)
    );
    assert_eq!((manual.reads(0), manual.reads(1)), ([1; 3], [1; 3]));
    manual.after(0);
    assert_eq!(manual.reads(0), [1; 3]);
    manual.after(1);
    assert_eq!(manual.reads(0), [2, 2, 1]);
    manual.after(9);
    assert_eq!(manual.reads(0), [3, 3, 2]);
    // What was read before and is not due is still shown, with when it was read.
    assert!(
        manual
            .after(5)
            .value(
                "hw.errors",
                &[("hw.id", "GPU-00000000"), ("error.type", "corrected")]
            )
            .is_some()
    );
    assert_eq!(threads(), 0);
}

#[test]
fn totals_and_rates_go_by_the_clock_of_the_telemetry() {
    let manual = Manual::of(1);
    manual.after(1);
    manual
        .rig
        .script
        .set(0, Quantity::NvlinkSent, Reading::Value(8_000));
    let shown = manual.after(4);
    let gpu = manual.rig.gpu(0);
    let sample = gpu.sample().expect("read");
    assert_eq!(sample.nvlink_rate(), Some(2_000));
    let point = shown.point("obs.gpu.nvlink.io", &[("network.io.direction", "transmit")]);
    let point = point.expect("shown");
    assert_eq!(point.unix_nanos - point.start_unix_nanos, 4_000_000_000);
}

#[test]
fn events_are_taken_without_waiting() {
    let manual = Manual::of(1);
    manual.after(1);
    for code in [48, 63] {
        manual.rig.script.report(
            0,
            Event::Xid {
                code,
                gpu_instance: None,
            },
        );
    }
    let shown = manual.after(1);
    for code in ["xid_48", "xid_63"] {
        assert_eq!(shown.value("hw.errors", &[("error.type", code)]), Some(1.0));
    }
}

#[test]
fn a_lost_device_comes_back_and_a_driver_that_goes_takes_all_with_it() {
    let manual = Manual::of(1);
    manual.after(1);
    let gpu = manual.rig.gpu(0);
    manual
        .rig
        .script
        .device(0, |device| device.error = Some(SourceError::Lost(15)));
    manual.after(1);
    assert_eq!(gpu.state(), GpuState::Lost { code: 15 });
    manual.rig.script.device(0, |device| device.error = None);
    // It is left in peace for a second, then for two.
    manual.after(1);
    manual.after(1);
    assert_eq!(gpu.state(), GpuState::Answering);
    manual.rig.script.change(|world| world.absent = true);
    assert!(manual.after(30).points("hw.power").is_empty());
    assert_eq!(gpu.state(), GpuState::Gone);
    manual.rig.script.change(|world| world.absent = false);
    assert_eq!(manual.after(30).points("hw.power").len(), 1);
}

#[test]
fn a_sample_has_what_was_read_with_it_and_nothing_of_long_ago() {
    let manual = Manual::of(1);
    manual.after(1);
    let gpu = manual.rig.gpu(0);
    // A minute between collections: what belongs to each tier is of the same moment.
    manual.after(60);
    let sample = gpu.sample().expect("read");
    assert_eq!(
        (sample.dram_active(), sample.sm_clock_ratio()),
        (Some(250_000), Some(500_000))
    );
    // In a ring at that, and once.
    let mut kept = Vec::new();
    let (first, last) = (obs_core::Moment::from_bits(1), manual.rig.telemetry.now());
    gpu.history(first.expect("not zero"), last, |sample| kept.push(sample));
    assert_eq!((kept.len(), kept.last()), (2, Some(&sample)));
}

#[test]
fn a_sample_after_a_stall_does_not_have_what_was_read_before_it() {
    let rig = Rig::of(1);
    let gpu = rig.read(0);
    crate::eventually("a whole sample", || {
        gpu.sample()
            .is_some_and(|sample| sample.dram_active().is_some())
    });
    // What belongs to the second tier is too old when the fast tier is read again: the snapshot, which is shown between the two, says so.
    let too_old = crate::quick().too_old(obs_gpu::Tier::Second);
    let (mut seen, began) = (false, std::time::Instant::now());
    while !seen && began.elapsed() < Duration::from_secs(20) {
        rig.script.device(0, |device| device.stalls = true);
        std::thread::sleep(too_old + crate::ms(50));
        let before = gpu.sample().map(|sample| sample.at());
        // Each further call takes a while, so that what is shown in between can be seen.
        rig.script.device(0, |device| {
            (device.stalls, device.takes) = (false, crate::ms(30))
        });
        crate::eventually("read again", || {
            gpu.sample().map(|sample| sample.at()) > before
        });
        seen = gpu
            .sample()
            .is_some_and(|sample| sample.dram_active().is_none());
        rig.script.device(0, |device| device.takes = Duration::ZERO);
    }
    assert!(seen, "it was shown as if it were new");
}

#[test]
fn a_round_ends_when_its_time_is_over_and_goes_on_with_those_that_had_none() {
    let telemetry = builder()
        .manual()
        .with_observable_deadline(Duration::from_millis(200))
        .build()
        .expect("usable");
    let script = Script::of(6);
    for index in 0..6 {
        script.device(index, |device| device.takes = Duration::from_millis(10));
    }
    // All of it is due whenever somebody collects.
    let mut settings = GpuSettings::new();
    for tier in obs_gpu::Tier::ALL {
        settings = settings.with_period(tier, Duration::from_millis(1));
    }
    let rig = Rig::on(telemetry, script, settings);
    let read = || {
        (0..6)
            .filter(|index| rig.script.device(*index, |device| device.reads[0] > 0))
            .count()
    };
    rig.shown();
    // Each takes 60 ms or more, of 150 that there are.
    let first = read();
    assert!(first < 6, "{first}");
    // One that was too slow sits out ten rounds.
    crate::eventually("all read", || {
        rig.shown();
        read() == 6
    });
}
