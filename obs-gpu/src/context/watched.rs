//! A device as calls see it: what its ring does not say, kept for as long.

use super::background::{either, mean};
use super::windows::Windows;
use crate::explain::FabricWindow;
use crate::fabric::Nvlinks;
use crate::lock::lock;
use crate::quantity::Quantity;
use crate::reading::Readings;
use crate::sample::Sample;
use crate::sampler::Gpu;
use crate::source::Event;
use obs_core::{Moment, Telemetry};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Faults of links that are remembered.
const FAULTS: usize = 64;

/// XIDs that are about links between devices: NVLink errors, failed training, NVLink 5's units, errors that software defines.
const OF_LINKS: [u64; 10] = [74, 136, 144, 145, 146, 147, 148, 149, 150, 155];

/// One device that is watched.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    pub(super) gpu: Gpu,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Share of the memory's bandwidth that was used, in millionths. It is read less often than what a ring has, and is of the time
    /// from one reading to the next.
    dram: Windows<u64>,
    dram_read: Option<Moment>,
    /// When it came back: what was read before that is of another time.
    back: Option<Moment>,
    /// What links carried, by each reading of them; and their states and errors, which are read less often still.
    carried: Windows<FabricWindow>,
    carried_read: Option<(Moment, Nvlinks)>,
    faults: Windows<FabricWindow>,
    faults_read: Option<(Moment, Nvlinks)>,
    reported: VecDeque<Moment>,
}

impl Watched {
    pub(super) fn new(gpu: &Gpu) -> Self {
        Self {
            gpu: gpu.clone(),
            kept: Arc::default(),
        }
    }

    /// The same device, found anew: what is known of it stays.
    pub(super) fn found_again(&self, gpu: &Gpu) -> Self {
        Self {
            gpu: gpu.clone(),
            kept: self.kept.clone(),
        }
    }

    /// Something was read of it, on the thread that reads it.
    pub(super) fn read(&self, telemetry: &Telemetry, readings: &Readings) {
        let mut kept = lock(&self.kept);
        if let Some(at) = self.gpu.read_at(Quantity::DramActive) {
            kept.take_dram(at, readings.value(Quantity::DramActive));
        }
        let Some(at) = self.gpu.links_read_at() else {
            return;
        };
        let states = self.gpu.read_at(Quantity::RecoveryAction);
        self.gpu.board(|board| {
            let kept = &mut *kept;
            let take = |at, last: &mut Option<(Moment, Nvlinks)>, into: &mut Windows<_>| {
                let (before, links) = last.get_or_insert_with(|| (at, Nvlinks::default()));
                let before = std::mem::replace(before, at);
                let seconds = telemetry.between(before, at).as_secs_f64();
                if let Some(window) = links.window(&board.links, seconds) {
                    into.push(before, at, window);
                }
            };
            let is_new = |at: Moment, last: &Option<(Moment, Nvlinks)>| {
                last.as_ref().is_none_or(|(last, _)| *last < at)
            };
            if is_new(at, &kept.carried_read) {
                take(at, &mut kept.carried_read, &mut kept.carried);
            }
            // Links have what was read of their states with the turn after that.
            if let Some(states) = states
                && states < at
                && is_new(states, &kept.faults_read)
            {
                take(states, &mut kept.faults_read, &mut kept.faults);
            }
        });
    }

    /// It is back after it was gone, or was reset.
    pub(super) fn returned(&self, at: Moment) {
        let mut kept = lock(&self.kept);
        (kept.back, kept.dram_read) = (Some(at), None);
    }

    /// It reported something.
    pub(super) fn reported(&self, at: Moment, event: Event) {
        let Event::Xid { code, .. } = event else {
            return;
        };
        if !OF_LINKS.contains(&code) {
            return;
        }
        let mut kept = lock(&self.kept);
        if kept.reported.len() == FAULTS {
            kept.reported.pop_front();
        }
        kept.reported.push_back(at);
    }

    /// What the ring has of a time, with the bandwidth that was used when each sample was taken. A sample has what was read last, which may
    /// be of a time before the call: here it has what is known of its own time, or nothing.
    pub(super) fn samples(&self, from: Moment, to: Moment) -> Vec<Sample> {
        let kept = lock(&self.kept);
        let dram = |at: Moment| {
            let mut windows = kept.dram.within(from, to);
            let window = windows.find(|window| window.from < at && at <= window.to)?;
            Some(window.what)
        };
        let mut samples = Vec::new();
        self.gpu.history(from, to, |sample| {
            samples.push(sample.with_dram_active(dram(sample.at())));
        });
        samples
    }

    /// What its links did in a time; `None` where nothing was read of them then. What is usual is what was from `since` on.
    pub(super) fn links(&self, from: Moment, to: Moment, since: Moment) -> Option<FabricWindow> {
        let kept = lock(&self.kept);
        let worst = |windows: &Windows<FabricWindow>| {
            let windows = windows.within(from, to).map(|window| window.what);
            windows.reduce(FabricWindow::or_worse)
        };
        let faults = worst(&kept.faults).map(|faults| FabricWindow {
            nvlink_share: None,
            nvlink_errors_before: mean(
                { kept.faults.before(from, since) }.filter_map(|window| window.what.nvlink_errors),
            ),
            ..faults
        });
        let carried = worst(&kept.carried).map(|carried| FabricWindow {
            nvlink_share: carried.nvlink_share,
            ..FabricWindow::default()
        });
        // What was reported stands until states are read and all links are up.
        let mut before = kept.faults.before(from, since);
        let well = before.find(|window| window.what.nvlinks_down == 0);
        let well = well.map_or(since, |window| window.to);
        let reported = { kept.reported.iter() }
            .filter(|&&at| well <= at && at <= to)
            .count();
        let reported = (reported > 0).then(|| FabricWindow {
            nvlink_faults: u32::try_from(reported).unwrap_or(u32::MAX),
            ..FabricWindow::default()
        });
        let both = either(faults, carried, FabricWindow::or_worse);
        either(both, reported, FabricWindow::or_worse)
    }
}

impl Kept {
    fn take_dram(&mut self, at: Moment, dram: Option<i64>) {
        if self.back.is_some_and(|back| at < back) {
            return;
        }
        let Some(before) = self.dram_read.replace(at) else {
            return;
        };
        if let Some(dram) = dram.and_then(|dram| u64::try_from(dram).ok()) {
            self.dram.push(before, at, dram);
        }
    }
}
