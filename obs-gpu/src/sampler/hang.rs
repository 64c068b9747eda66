//! Calls that do not come back: found at the deadline by the watchdog, and noticed when they do come back.
//!
//! The watchdog looks when a call that is out now will be late. While none is out it sleeps as long as a call may take: none that
//! begins meanwhile can be late before it looks again. So it costs a few wake-ups a second, and finds each late call at its
//! deadline.

use super::Shared;
use super::gpu::Gpu;
use crate::calls::Out;
use crate::lock::lock;
use obs_core::Moment;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

/// Whether a thread of one device is in a call that is late.
#[derive(Debug, Default)]
pub(crate) struct Hang {
    /// How many of its threads are; whoever tells of it holds this, so that it is told in order.
    threads: Mutex<u32>,
    /// Since when, zero where none is.
    since: AtomicU64,
    /// It was lost and can be read again: whoever waits for its events need not wait any longer to ask for them.
    returned: AtomicBool,
}

impl Hang {
    pub(crate) fn since(&self) -> Option<Moment> {
        Moment::from_bits(self.since.load(SeqCst))
    }

    /// It can be read again.
    pub(super) fn note_return(&self) {
        self.returned.store(true, SeqCst);
    }

    /// Whether it could be read again since this was asked last.
    pub(super) fn take_return(&self) -> bool {
        self.returned.swap(false, SeqCst)
    }
}

/// A thread that makes calls, and whose they are.
pub(super) struct Watch {
    out: Arc<Out>,
    deadline: Duration,
    /// None for who looks for devices.
    gpu: Option<Gpu>,
    hang: Arc<Hang>,
    /// Whether anybody makes calls there.
    used: Weak<()>,
}

impl Watch {
    pub(super) fn new(
        out: Arc<Out>,
        deadline: Duration,
        whose: (Option<Gpu>, Arc<Hang>),
        used: &Arc<()>,
    ) -> Self {
        Self {
            out,
            deadline,
            gpu: whose.0,
            hang: whose.1,
            used: Arc::downgrade(used),
        }
    }
}

impl Shared {
    /// Gives up what is late, and says how long there is nothing to look at.
    pub(super) fn look_for_hangs(self: &Arc<Self>) -> Duration {
        let now = self.telemetry.now();
        let mut next = Duration::from_secs(1);
        let mut late = Vec::new();
        lock(&self.watches).retain(|watch| {
            let left = match watch.out.out() {
                None => watch.deadline,
                Some((since, allowed)) => {
                    let limit = watch.deadline + allowed;
                    let left = limit.saturating_sub(self.telemetry.between(since, now));
                    if left.is_zero() && !watch.out.overdue.load(SeqCst) {
                        late.push((
                            watch.out.clone(),
                            watch.gpu.clone(),
                            watch.hang.clone(),
                            since,
                        ));
                    }
                    if left.is_zero() { watch.deadline } else { left }
                }
            };
            next = next.min(left);
            watch.used.strong_count() > 0
        });
        for (out, gpu, hang, since) in late {
            self.give_up(&out, gpu.as_ref(), &hang, since);
        }
        next
    }

    fn give_up(self: &Arc<Self>, out: &Out, gpu: Option<&Gpu>, hang: &Hang, since: Moment) {
        let mut threads = lock(&hang.threads);
        // Said first and asked then; the thread does it the other way round. So one of the two sees the other.
        out.overdue.store(true, SeqCst);
        if !out.is_out_since(since) {
            out.overdue.store(false, SeqCst);
            return;
        }
        out.counted.store(true, SeqCst);
        *threads += 1;
        let call = out.name();
        self.metrics.calls.late(call);
        if *threads > 1 {
            return;
        }
        hang.since.store(since.to_bits(), SeqCst);
        let now = self.telemetry.now();
        match gpu {
            Some(gpu) => self.tell(|listener| listener.not_answering(gpu, now, since, call)),
            None => self.follow_finder(),
        }
    }

    /// A call that had been given up is back.
    pub(super) fn is_back(&self, out: &Out, gpu: Option<&Gpu>, hang: &Hang) {
        let mut threads = lock(&hang.threads);
        if !out.counted.swap(false, SeqCst) {
            return;
        }
        *threads -= 1;
        if *threads > 0 {
            return;
        }
        hang.since.store(0, SeqCst);
        let now = self.telemetry.now();
        if let Some(gpu) = gpu {
            self.tell(|listener| listener.answering(gpu, now));
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sampler::GpuSettings;
    use crate::source::{GpuDevice, GpuEvents, GpuSource, SourceError};
    use crate::{Calls, DeviceId, DeviceInfo};
    use obs_core::Telemetry;

    #[derive(Debug)]
    struct Nothing;

    impl GpuSource for Nothing {
        fn name(&self) -> &'static str {
            "nothing"
        }
        fn devices(&self, _: &mut Calls) -> Result<Vec<DeviceInfo>, SourceError> {
            Err(SourceError::Absent)
        }
        fn open(&self, _: &DeviceId, _: &mut Calls) -> Result<Box<dyn GpuDevice>, SourceError> {
            Err(SourceError::Absent)
        }
        fn events(&self, _: &DeviceId, _: &mut Calls) -> Result<Box<dyn GpuEvents>, SourceError> {
            Err(SourceError::Unsupported)
        }
    }

    /// The watchdog looks at what was so a moment ago.
    #[test]
    fn a_call_that_came_back_just_now_is_no_hang() {
        let telemetry = Telemetry::builder().manual().build().expect("usable");
        let settings = GpuSettings::new();
        let shared = Shared::start_up(&telemetry, Arc::new(Nothing), settings).expect("no threads");
        let hang = Arc::new(Hang::default());
        let info = DeviceInfo::new(DeviceId::new("GPU-1"), 0, "nobody");
        let gpu = Gpu::new(info, hang.clone());
        let (mut calls, _used) = shared.calls(Duration::ZERO, Some(&gpu), &hang);
        let out = lock(&shared.watches)
            .last()
            .map(|watch| watch.out.clone())
            .expect("it is watched");
        let since = calls.time("first", || out.out()).expect("it is out").0;
        shared.give_up(&out, Some(&gpu), &hang, since);
        assert_eq!((hang.since(), out.overdue.load(SeqCst)), (None, false));
        // Another one is out by now.
        calls.time("second", || {
            let (now, _) = out.out().expect("it is out");
            assert!(now > since);
            shared.give_up(&out, Some(&gpu), &hang, since);
            assert_eq!(hang.since(), None);
            // That one is late.
            shared.give_up(&out, Some(&gpu), &hang, now);
            assert_eq!(hang.since(), Some(now));
        });
        assert_eq!((hang.since(), out.overdue.load(SeqCst)), (None, false));
    }
}
