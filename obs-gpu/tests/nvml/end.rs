//! From the library to the page, with all threads.

use crate::{Folder, builder, eventually, ms};
use obs_core::{Moment, Telemetry};
use obs_gpu::{
    Event, Gpu, GpuListener, GpuMonitor, GpuSettings, GpuState, NvmlSource, Quantity, Tier,
};
use obs_gpu_fake::{Count, Fake};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub(crate) struct End {
    pub(crate) fake: Fake,
    telemetry: Telemetry,
    pub(crate) monitor: GpuMonitor,
    told: Arc<Told>,
    _folder: Folder,
}

#[derive(Debug, Default)]
pub(crate) struct Told {
    events: Mutex<Vec<(u32, Event, Instant)>>,
    late: Mutex<Vec<(u32, Duration, &'static str)>>,
    telemetry: Mutex<Option<Telemetry>>,
}

impl GpuListener for Told {
    fn event(&self, gpu: &Gpu, _at: Moment, event: Event) {
        let now = Instant::now();
        self.events
            .lock()
            .expect("no panic")
            .push((gpu.info().index, event, now));
    }

    fn not_answering(&self, gpu: &Gpu, at: Moment, since: Moment, call: &'static str) {
        let telemetry = self.telemetry.lock().expect("no panic").expect("set");
        let took = telemetry.between(since, at);
        self.late
            .lock()
            .expect("no panic")
            .push((gpu.info().index, took, call));
    }
}

impl End {
    pub(crate) fn new(script: &str) -> Self {
        let folder = Folder::new();
        let fake = Fake::install(&folder.0, &[], script).expect("a script");
        let telemetry = builder().build().expect("usable");
        let told = Arc::new(Told::default());
        *told.telemetry.lock().expect("no panic") = Some(telemetry);
        let settings = GpuSettings::new()
            .with_period(Tier::Fast, ms(20))
            .with_period(Tier::Second, ms(120))
            .with_period(Tier::Slow, ms(200))
            .with_deadline(ms(200))
            .with_discovery(ms(100), ms(100))
            .with_search_deadline(ms(400))
            .with_event_wait(ms(100))
            .with_back_off(ms(20), ms(200))
            .with_history(ms(20))
            // Whatever else this machine does: how long calls take is no matter here.
            .without_budget()
            .with_listener(told.clone());
        let source = NvmlSource::with_library(&telemetry, fake.library());
        let monitor = GpuMonitor::new(&telemetry, source, settings).expect("threads");
        Self {
            fake,
            telemetry,
            monitor,
            told,
            _folder: folder,
        }
    }

    pub(crate) fn push(&self, steps: &str) {
        self.fake.push(steps).expect("steps");
    }

    #[track_caller]
    pub(crate) fn gpus(&self, many: usize) -> Vec<Gpu> {
        eventually("all read", || {
            let gpus = self.monitor.gpus();
            let read = |gpu: &Gpu| {
                let readings = gpu.readings();
                gpu.read_at(Quantity::EccCorrected).is_some()
                    && readings.value(Quantity::Power).is_some()
            };
            gpus.len() == many && gpus.iter().all(read)
        });
        self.monitor.gpus()
    }

    #[track_caller]
    fn line(&self, begins: &str, has: &str) -> String {
        let mut line = None;
        eventually(begins, || {
            let page = self.telemetry.prometheus();
            let mut lines = page.lines();
            line = lines
                .find(|line| line.starts_with(begins) && line.contains(has))
                .map(str::to_owned);
            line.is_some()
        });
        line.expect("found")
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // Whoever hangs is let go.
        let _ = self.fake.reset("gpus = H100");
        let _ = self.telemetry.shutdown(Duration::from_secs(5));
    }
}

#[test]
fn what_the_library_says_is_on_the_page() {
    let end = End::new(
        "gpus = H100 B200; driver = 580.95.05
         0 0 util=37; 0 0 memory.used=20GiB; 0 0 power=412_500; 0 0 temperature=54; 0 0 gpm:10=25",
    );
    let gpus = end.gpus(2);
    let id = gpus[0].id().as_str().to_owned();
    let line = end.line("hw_gpu_utilization_ratio{", &id);
    for label in [
        "hw_gpu_task=\"general\"",
        "hw_model=\"NVIDIA H100 80GB HBM3\"",
        "hw_driver_version=\"580.95.05\"",
        "hw_vendor=\"NVIDIA\"",
    ] {
        assert!(line.contains(label), "{line}");
    }
    for (name, value) in [
        ("hw_gpu_utilization_ratio{", " 0.37"),
        ("hw_gpu_memory_usage_bytes{", " 21474836480"),
        ("hw_power_watts{", " 412.5"),
        ("hw_temperature_celsius{", " 54"),
        ("obs_gpu_dram_active_ratio{", " 0.25"),
        ("obs_gpu_answering", " 1"),
        ("obs_gpu_link_up", " 1"),
    ] {
        let page = || end.telemetry.prometheus();
        eventually(name, || {
            let page = page();
            let mut lines = page
                .lines()
                .filter(|line| line.starts_with(name) && line.contains(&id));
            lines.any(|line| line.ends_with(value))
        });
    }
    // No call of another thread's than ours: a scrape asks nobody.
    let sample = gpus[0].sample().expect("read");
    assert_eq!(
        (sample.utilization(), sample.power()),
        (Some(370_000), Some(412_500))
    );
    assert_eq!(sample.memory_used(), Some(20 << 30));
}

#[test]
fn a_call_that_hangs_is_found_and_the_other_device_is_read() {
    let end = End::new("gpus = H100*2; clock = real");
    let gpus = end.gpus(2);
    end.push("+0 0 stall:nvmlDeviceGetMemoryInfo_v2=forever");
    eventually("late", || {
        matches!(gpus[0].state(), GpuState::NotAnswering { .. })
    });
    assert!(end.fake.until(Count::Stalled, 1, ms(5_000)));
    let (index, took, call) = end.told.late.lock().expect("no panic")[0];
    assert_eq!((index, call), (0, "nvmlDeviceGetMemoryInfo_v2"));
    assert!(took >= ms(200), "{took:?}");
    let last = gpus[1].sample().map(|sample| sample.at());
    eventually("read", || gpus[1].sample().map(|sample| sample.at()) > last);
    assert_eq!(gpus[1].state(), GpuState::Answering);
    end.line("obs_gpu_calls_late_total{", "nvmlDeviceGetMemoryInfo_v2");
    end.push("+0 0 stall:nvmlDeviceGetMemoryInfo_v2=0");
    eventually("back", || gpus[0].state() == GpuState::Answering);
    assert_eq!(end.fake.count(Count::Stalled), 0);
}

#[test]
fn a_fault_is_told_within_milliseconds() {
    let end = End::new("gpus = H100*2; clock = real");
    end.gpus(2);
    // Both wait.
    assert!(end.fake.until(Count::Listening, 2, ms(5_000)));
    let mut best = Duration::MAX;
    for code in 1..=5_u64 {
        let pushed = Instant::now();
        end.push(&format!("+0 1 xid={code}"));
        let expect = Event::Xid {
            code,
            gpu_instance: None,
        };
        let mut at = None;
        eventually("told", || {
            let events = end.told.events.lock().expect("no panic");
            at = events
                .iter()
                .find(|(index, event, _)| (*index, *event) == (1, expect))
                .map(|told| told.2);
            at.is_some()
        });
        best = best.min(at.expect("told").saturating_duration_since(pushed));
    }
    // Other work on the machine may hold up one of them, and not each of five.
    assert!(best < ms(10), "{best:?}");
    end.line("hw_errors_total{", "error_type=\"xid_3\"");
}

#[test]
fn one_that_is_lost_is_told_and_back_after_its_reset() {
    let end = End::new("gpus = H100*2; clock = real");
    let gpus = end.gpus(2);
    end.push("+0 1 xid=79; +0 1 lost");
    eventually("lost", || gpus[1].state() == GpuState::Lost { code: 15 });
    let id = gpus[1].id().as_str().to_owned();
    eventually("left out", || {
        let page = end.telemetry.prometheus();
        !page
            .lines()
            .any(|line| line.starts_with("hw_power_watts{") && line.contains(&id))
    });
    assert_eq!(gpus[0].state(), GpuState::Answering);
    end.push("+0 1 reset");
    eventually("back", || gpus[1].state() == GpuState::Answering);
    // Its events are waited for again.
    eventually("waits", || end.fake.count(Count::EventSets) == 2);
    assert!(end.fake.until(Count::Listening, 2, ms(5_000)));
    end.push("+0 1 xid=63");
    end.line("hw_errors_total{", "error_type=\"xid_63\"");
}

#[test]
fn the_page_counts_those_that_do_not_say_which_they_are() {
    let end = End::new("gpus = H100*2; clock = real; 0 1 lost");
    end.gpus(1);
    end.line("obs_gpu_devices 2", "");
    end.push("+0 1 lost=0");
    end.gpus(2);
    end.line("obs_gpu_devices 2", "");
}

#[test]
fn events_that_cannot_be_let_go_of_are_a_hang_like_any_other() {
    let end = End::new("gpus = H100; clock = real");
    let gpu = end.gpus(1).remove(0);
    assert!(end.fake.until(Count::Listening, 1, ms(5_000)));
    end.push("+0 driver stall:nvmlEventSetFree=forever; +0 0 lost; +50 0 lost=0");
    eventually("late", || {
        matches!(gpu.state(), GpuState::NotAnswering { .. })
    });
    let late = end.told.late.lock().expect("no panic").remove(0);
    assert_eq!((late.0, late.2), (0, "nvmlEventSetFree"));
    end.push("+0 driver stall:nvmlEventSetFree=0");
    eventually("back", || gpu.state() == GpuState::Answering);
    eventually("waits", || end.fake.count(Count::Listening) == 1);
    assert_eq!(end.fake.count(Count::EventSets), 1);
}

#[test]
fn nothing_of_the_library_is_lost_at_the_end() {
    let end = End::new("gpus = H100*2; clock = real");
    end.gpus(2);
    eventually("waits", || end.fake.count(Count::EventSets) == 2);
    end.telemetry
        .shutdown(Duration::from_secs(5))
        .expect("nothing is lost");
    eventually("freed", || {
        end.fake.count(Count::EventSets) == 0 && end.fake.count(Count::GpmSamples) == 0
    });
    // The library itself stays: a thread may be in it.
    assert!(end.fake.count(Count::Initialised) >= 1);
}

/// One device with thousands of corrected errors a second, whose calls stall again and again: what it counts is shown, the other is
/// read as if nothing were, and nobody is kept waiting (DCGM #313, NVSentinel #1748).
#[test]
fn a_storm_on_one_device_is_reported_and_takes_nothing_from_the_other() {
    let end = End::new("gpus = H100*2; clock = real; 0 0 ecc.corrected.rate=17_700");
    let gpus = end.gpus(2);
    let began = end.telemetry.now();
    for _ in 0..3 {
        end.push("+0 0 stall:nvmlDeviceGetFieldValues=forever");
        eventually("late", || {
            matches!(gpus[0].state(), GpuState::NotAnswering { .. })
        });
        let scraped = Instant::now();
        let page = end.telemetry.prometheus();
        assert!(page.contains("obs_gpu_answering"));
        assert!(scraped.elapsed() < ms(300), "{:?}", scraped.elapsed());
        std::thread::sleep(ms(150));
        end.push("+0 0 stall:nvmlDeviceGetFieldValues=0");
        eventually("back", || gpus[0].state() == GpuState::Answering);
    }
    let of_first = |name: &str, has: &str| {
        let page = end.telemetry.prometheus();
        let id = gpus[0].id().as_str();
        let mut lines = page
            .lines()
            .filter(|line| line.starts_with(name) && line.contains(id));
        let line = lines.find(|line| line.contains(has))?;
        line.rsplit(' ').next()?.parse::<f64>().ok()
    };
    eventually("reported", || {
        of_first("hw_errors_total{", "error_type=\"corrected\"")
            .is_some_and(|errors| errors > 17_700.0)
    });
    assert!(of_first("obs_gpu_sweeps_missed_total{", "") > Some(10.0));
    // The other one, sample by sample: three stalls of 350 ms would show as gaps of that length.
    let (mut before, mut longest) = (began, Duration::ZERO);
    gpus[1].history(began, end.telemetry.now(), |sample| {
        longest = longest.max(end.telemetry.between(before, sample.at()));
        before = sample.at();
    });
    assert!(longest < ms(350), "{longest:?}");
}

#[test]
fn the_library_is_initialised_once() {
    let end = End::new("gpus = H100*2; clock = real");
    end.gpus(2);
    let searches = || end.fake.calls("nvmlDeviceGetCount_v2", None);
    let before = searches();
    eventually("searched", || searches() > before + 3);
    end.telemetry.prometheus();
    assert_eq!(end.fake.count(Count::Initialised), 1);
}
