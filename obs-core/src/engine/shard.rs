//! What a thread owns in a telemetry: its cells, its ring, the records on their way back to it.
//!
//! A shard outlives its thread: the next thread takes it over with its numbers, so nothing has to be merged and
//! nothing is lost. When as many shards are owned as the telemetry allows, further threads share one.

use super::cells::Cells;
use super::exponential::Grown;
use super::live::Live;
use super::ring::Ring;
use crate::sync::{TryMutex, lock_tried};
use std::sync::OnceLock;

const PAGE: usize = 64;

/// One for each series, made at first touch.
#[derive(Debug)]
struct Pages<T>(Box<[OnceLock<Page<T>>]>);

type Page<T> = Box<[OnceLock<T>; PAGE]>;

impl<T> Pages<T> {
    fn new(max_series: usize) -> Self {
        let pages = 0..max_series.div_ceil(PAGE);
        Self(pages.map(|_| OnceLock::new()).collect())
    }

    #[inline(always)]
    fn of(&self, series: u32, make: impl FnOnce() -> T) -> Option<&T> {
        let page = self.0.get(series as usize / PAGE)?;
        match page
            .get()
            .and_then(|page| page[series as usize % PAGE].get())
        {
            Some(found) => Some(found),
            None => Some(Self::make(page, series, make)),
        }
    }

    #[cold]
    fn make(page: &OnceLock<Page<T>>, series: u32, make: impl FnOnce() -> T) -> &T {
        let page = page.get_or_init(|| Box::new([const { OnceLock::new() }; PAGE]));
        page[series as usize % PAGE].get_or_init(make)
    }

    fn touched(&self, series: u32) -> Option<&T> {
        self.0.get(series as usize / PAGE)?.get()?[series as usize % PAGE].get()
    }
}

#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) owned: bool,
    cells: Pages<Cells>,
    /// Of those series that have any.
    exponential: OnceLock<Pages<Grown>>,
    max_series: usize,
    pub(crate) ring: Ring<Box<Live>>,
    /// Records the collector is done with.
    pub(crate) returned: TryMutex<Vec<Box<Live>>>,
}

impl Shard {
    pub(crate) fn new(owned: bool, max_series: usize, ring: usize) -> Self {
        Self {
            owned,
            cells: Pages::new(max_series),
            exponential: OnceLock::new(),
            max_series,
            ring: Ring::new(ring),
            returned: TryMutex::default(),
        }
    }

    /// The cells of a series, made at first touch.
    #[inline(always)]
    pub(crate) fn cells(&self, series: u32, count: usize) -> Option<&Cells> {
        self.cells.of(series, || Cells::new(count))
    }

    /// The cells of a series, if this shard ever touched it.
    pub(crate) fn touched(&self, series: u32) -> Option<&Cells> {
        self.cells.touched(series)
    }

    /// The exponential histograms of a series, made at first touch.
    #[inline]
    pub(crate) fn exponential(&self, series: u32, histograms: usize) -> Option<&Grown> {
        let make = || Pages::new(self.max_series);
        let pages = self.exponential.get_or_init(make);
        pages.of(series, || Grown::new(histograms))
    }

    /// The same, if this shard ever touched them.
    pub(crate) fn touched_exponential(&self, series: u32) -> Option<&Grown> {
        self.exponential.get()?.touched(series)
    }

    /// Takes back records; beyond `most` they are freed.
    pub(crate) fn give_back(&self, records: &mut Vec<Box<Live>>, most: usize) {
        let mut returned = lock_tried(&self.returned);
        let room = most.saturating_sub(returned.len());
        returned.extend(records.drain(..room.min(records.len())));
        drop(returned);
        records.clear();
    }
}
