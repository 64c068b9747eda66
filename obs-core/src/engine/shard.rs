//! What a thread owns in a telemetry: its cells, its ring, the records on their way back to it.
//!
//! A shard outlives its thread: the next thread takes it over with its numbers, so nothing has to be merged and
//! nothing is lost. When as many shards are owned as the telemetry allows, further threads share one.

use super::cells::Cells;
use super::live::Live;
use super::ring::Ring;
use crate::sync::{TryMutex, lock_tried};
use std::sync::OnceLock;

const PAGE: usize = 64;

type Page = Box<[OnceLock<Cells>; PAGE]>;

#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) owned: bool,
    pages: Box<[OnceLock<Page>]>,
    pub(crate) ring: Ring<Box<Live>>,
    /// Records the collector is done with.
    pub(crate) returned: TryMutex<Vec<Box<Live>>>,
}

impl Shard {
    pub(crate) fn new(owned: bool, max_series: usize, ring: usize) -> Self {
        Self {
            owned,
            pages: (0..max_series.div_ceil(PAGE))
                .map(|_| OnceLock::new())
                .collect(),
            ring: Ring::new(ring),
            returned: TryMutex::default(),
        }
    }

    /// The cells of a series, made at first touch.
    #[inline(always)]
    pub(crate) fn cells(&self, series: u32, count: usize) -> Option<&Cells> {
        let page = self.pages.get(series as usize / PAGE)?;
        match page
            .get()
            .and_then(|page| page[series as usize % PAGE].get())
        {
            Some(cells) => Some(cells),
            None => Some(Self::make(page, series, count)),
        }
    }

    #[cold]
    fn make(page: &OnceLock<Page>, series: u32, count: usize) -> &Cells {
        let page = page.get_or_init(|| Box::new([const { OnceLock::new() }; PAGE]));
        page[series as usize % PAGE].get_or_init(|| Cells::new(count))
    }

    /// The cells of a series, if this shard ever touched it.
    pub(crate) fn touched(&self, series: u32) -> Option<&Cells> {
        self.pages.get(series as usize / PAGE)?.get()?[series as usize % PAGE].get()
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
