//! Which label sets have been seen: a number for each, at most so many per group of metrics.

use super::metric_set::MetricSet;
use crate::fork::Kept;
use crate::label::{LabelId, Labels};
use std::collections::HashMap;
use std::sync::atomic::Ordering;

#[derive(Debug)]
pub(crate) struct Registry {
    inner: Kept<Inner>,
    /// Series of all groups but for the overflow of each.
    cap: usize,
}

#[derive(Clone, Debug, Default)]
struct Inner {
    ids: HashMap<(u16, Labels), u32>,
    series: Vec<(u16, Labels)>,
    /// How many of them are the overflow of a group.
    overflows: usize,
    /// How many of them are beyond a cap, for the sake of a reserved value.
    beyond: usize,
    /// The same by group, label and value.
    beyond_by: HashMap<Reserved, u32>,
}

/// A configured value: group, index of its label, number.
type Reserved = (u16, usize, LabelId);

/// Room of a telemetry beyond its cap, for the series of reserved values.
pub(crate) const RESERVED: usize = 16_384;

/// Series that one reserved value may have beyond the caps: methods, statuses and versions that one route really has. A
/// flood with a configured value in it stops there, and takes nothing from the others.
const PER_VALUE: u32 = 64;

/// Room of a telemetry beyond its cap, for the overflow series of so many groups.
pub(crate) const OVERFLOWS: usize = 4_096;

/// Stands where the labels of a group's overflow series would; no packed label set has this form, because an
/// overflowed label reads 0xffff and a number label cannot exceed a status code.
pub(crate) const OVERFLOW: Labels = Labels([u64::MAX; 2]);

impl Registry {
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            inner: Kept::default(),
            cap,
        }
    }

    /// The number of a label set. The slow path behind each thread's cache.
    #[cold]
    pub(crate) fn series(&self, set: &MetricSet, labels: Labels) -> u32 {
        let known = |inner: &Inner, labels| inner.ids.get(&(set.id, labels)).copied();
        {
            let inner = self.inner.read();
            if let Some(series) = known(&inner, labels) {
                return series;
            }
            if set.full.load(Ordering::Relaxed)
                && inner.room_beyond(set, labels).is_none()
                && let Some(series) = known(&inner, OVERFLOW)
            {
                set.overflowed.fetch_add(1, Ordering::Relaxed);
                return series;
            }
        }
        let mut inner = self.inner.write();
        let mut labels = labels;
        if let Some(series) = known(&inner, labels) {
            return series;
        }
        if set.series.load(Ordering::Relaxed) >= set.max_series
            || inner.series.len() - inner.overflows - inner.beyond >= self.cap
        {
            set.full.store(true, Ordering::Relaxed);
            if let Some(value) = inner.room_beyond(set, labels) {
                inner.beyond += 1;
                *inner.beyond_by.entry(value).or_default() += 1;
                return inner.add(set, labels);
            }
            set.overflowed.fetch_add(1, Ordering::Relaxed);
            labels = OVERFLOW;
            if let Some(series) = known(&inner, labels) {
                return series;
            }
            inner.overflows += 1;
        } else {
            set.series.fetch_add(1, Ordering::Relaxed);
        }
        inner.add(set, labels)
    }

    /// Whether this series is the overflow of its group.
    #[cfg(feature = "metrics")]
    pub(crate) fn is_overflow(&self, series: u32) -> bool {
        let inner = self.inner.read();
        let found = inner.series.get(series as usize);
        found.is_some_and(|(_, labels)| *labels == OVERFLOW)
    }

    /// All series so far: number, group, labels.
    pub(crate) fn all(&self) -> Vec<(u32, u16, Labels)> {
        let inner = self.inner.read();
        inner
            .series
            .iter()
            .enumerate()
            .map(|(id, (set, labels))| (id as u32, *set, *labels))
            .collect()
    }
}

impl Inner {
    /// A reserved value among the labels for which there is room although a cap is reached.
    fn room_beyond(&self, set: &MetricSet, labels: Labels) -> Option<Reserved> {
        if self.beyond >= RESERVED {
            return None;
        }
        let values = set.spaces.iter().enumerate();
        let mut reserved = values
            .filter(|(index, space)| space.is_reserved(labels.get(*index)))
            .map(|(index, _)| (set.id, index, labels.get(index)));
        reserved.find(|value| self.beyond_by.get(value).is_none_or(|had| *had < PER_VALUE))
    }

    fn add(&mut self, set: &MetricSet, labels: Labels) -> u32 {
        let series = self.series.len() as u32;
        self.series.push((set.id, labels));
        self.ids.insert((set.id, labels), series);
        series
    }
}
