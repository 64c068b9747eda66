//! Which label sets have been seen: a number for each, at most so many per group of metrics.

use super::metric_set::MetricSet;
use crate::label::Labels;
use std::collections::HashMap;
use std::sync::RwLock;
use std::sync::atomic::Ordering;

#[derive(Debug)]
pub(crate) struct Registry {
    inner: RwLock<Inner>,
    /// Series of all groups but for the overflow of each.
    cap: usize,
}

#[derive(Debug, Default)]
struct Inner {
    ids: HashMap<(u16, Labels), u32>,
    series: Vec<(u16, Labels)>,
    /// How many of them are the overflow of a group.
    overflows: usize,
}

/// Room of a telemetry beyond its cap, for the overflow series of so many groups.
pub(crate) const OVERFLOWS: usize = 4_096;

/// Stands where the labels of a group's overflow series would; no packed label set has this form, because an
/// overflowed label reads 0xffff and a number label cannot exceed a status code.
pub(crate) const OVERFLOW: Labels = Labels([u64::MAX; 2]);

impl Registry {
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            inner: RwLock::default(),
            cap,
        }
    }

    /// The number of a label set. The slow path behind each thread's cache.
    #[cold]
    pub(crate) fn series(&self, set: &MetricSet, labels: Labels) -> u32 {
        let known = |inner: &Inner, labels| inner.ids.get(&(set.id, labels)).copied();
        {
            let inner = self
                .inner
                .read()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            if let Some(series) = known(&inner, labels) {
                return series;
            }
            if set.full.load(Ordering::Relaxed) {
                set.overflowed.fetch_add(1, Ordering::Relaxed);
                if let Some(series) = known(&inner, OVERFLOW) {
                    return series;
                }
            }
        }
        let mut inner = self
            .inner
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut labels = labels;
        if let Some(series) = known(&inner, labels) {
            return series;
        }
        if set.series.load(Ordering::Relaxed) >= set.max_series
            || inner.series.len() - inner.overflows >= self.cap
        {
            set.full.store(true, Ordering::Relaxed);
            set.overflowed.fetch_add(1, Ordering::Relaxed);
            labels = OVERFLOW;
            if let Some(series) = known(&inner, labels) {
                return series;
            }
            inner.overflows += 1;
        } else {
            set.series.fetch_add(1, Ordering::Relaxed);
        }
        let series = inner.series.len() as u32;
        inner.series.push((set.id, labels));
        inner.ids.insert((set.id, labels), series);
        series
    }

    /// All series so far: number, group, labels.
    pub(crate) fn all(&self) -> Vec<(u32, u16, Labels)> {
        let inner = self
            .inner
            .read()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        inner
            .series
            .iter()
            .enumerate()
            .map(|(id, (set, labels))| (id as u32, *set, *labels))
            .collect()
    }
}
