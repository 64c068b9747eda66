//! Exponential histograms: counts at a fixed scale in blocks that appear where values do.
//!
//! They stand beside the explicit cells of their series, which have the sum; one that no metric of a group asks for takes
//! nothing from anybody. A block covers some powers of two and is found by the bucket's number, in two steps: nothing is
//! searched, and no value is outside.

mod counted;
mod fit;
mod scale;

pub(crate) use counted::Counted;
pub(crate) use fit::{fit, merge};
use scale::Scale;

use super::cells::Cells;
use crate::aggregation::ExponentialHistogram;
use crate::metrics::ExponentialBuckets;
use std::sync::OnceLock;

/// One exponential histogram of a group of metrics.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exponential {
    /// Which one of its group.
    place: usize,
    scale: &'static Scale,
    /// Pages of the values of one sign.
    pages: usize,
    /// Puts the value 1 into the middle of a page: what lies around it, as durations and shares do, is in one.
    shift: usize,
    /// What holds the points of all streams.
    most: ExponentialHistogram,
}

impl Exponential {
    /// The greatest scale that a point has room for, where its values are not all nearly the same: half of its buckets make
    /// a power of two at most.
    pub(crate) fn new(place: usize, most: ExponentialHistogram) -> Self {
        let roomy = most.max_size.max(2).ilog2() as i32 - 1;
        let scale = Scale::of(roomy.min(most.max_scale));
        // Where the powers of two from 1 on begin, so that none needs two blocks: 1 ends the one before.
        let one = scale.bucket(1.0) + 1;
        Self {
            place,
            scale,
            pages: scale.buckets() / OF_PAGE + 2,
            shift: (OF_PAGE / 2).wrapping_sub(one) % OF_PAGE,
            most,
        }
    }

    /// Counts a value that is finite, in the cells of its series.
    #[inline]
    pub(crate) fn record(&self, of_series: &Grown, value: f64, owned: bool) {
        self.record_many(of_series, (value, 1), owned);
    }

    /// The same value several times.
    #[inline]
    pub(crate) fn record_many(&self, of_series: &Grown, (value, times): (f64, u64), owned: bool) {
        if let Some(blocks) = of_series.0.get(self.place) {
            let blocks = blocks.get_or_init(|| Blocks::new(self.pages));
            self.count(blocks, (value, times), owned);
        }
    }

    /// Adds what one shard counted to what is known of all histograms of the group.
    pub(crate) fn read(&self, of_series: &Grown, into: &mut [Counted]) {
        let blocks = of_series.0.get(self.place).and_then(OnceLock::get);
        if let (Some(blocks), Some(into)) = (blocks, into.get_mut(self.place)) {
            self.read_blocks(blocks, into);
        }
    }

    /// The buckets of a point, of everything counted or, for whoever remembers `last`, of what came since.
    pub(crate) fn buckets(
        &self,
        counted: &[Counted],
        last: Option<&mut Vec<Counted>>,
    ) -> Option<ExponentialBuckets> {
        let counted = counted.get(self.place)?;
        let scale = self.scale.scale();
        let Some(last) = last else {
            return Some(counted.buckets(scale, self.most));
        };
        last.resize_with(last.len().max(self.place + 1), Counted::default);
        let last = last.get_mut(self.place)?;
        let since = counted.since(last);
        *last = counted.clone();
        Some(since.buckets(scale, self.most))
    }

    #[inline(always)]
    fn count(&self, blocks: &Blocks, (value, times): (f64, u64), owned: bool) {
        if value == 0.0 {
            return blocks
                .zero
                .get_or_init(|| Cells::new(1))
                .add(0, times, owned);
        }
        let bucket = self.scale.bucket(value.abs()) + self.shift;
        let (block, cell) = (bucket / BLOCK, bucket % BLOCK);
        let below = if value < 0.0 { self.pages } else { 0 };
        let Some(page) = blocks.pages.get(below + block / PAGE) else {
            return;
        };
        match page.get().and_then(|page| page[block % PAGE].get()) {
            Some(cells) => cells.add(cell, times, owned),
            None => make(page, block % PAGE).add(cell, times, owned),
        }
    }

    fn read_blocks(&self, blocks: &Blocks, into: &mut Counted) {
        into.add_zeros(blocks.zero.get().map_or(0, |zero| zero.read(0)));
        for (at, page) in blocks.pages.iter().enumerate() {
            let Some(page) = page.get() else { continue };
            let (at, negative) = (at % self.pages, at >= self.pages);
            for (block, cells) in page.iter().enumerate() {
                let Some(cells) = cells.get() else { continue };
                for cell in 0..BLOCK {
                    let bucket = (at * PAGE + block) * BLOCK + cell;
                    let index = self.scale.index(bucket) - self.shift as i32;
                    into.add(index, negative, cells.read(cell));
                }
            }
        }
    }
}

/// The exponential histograms of one series in one shard, each made when it counts first.
#[derive(Debug)]
pub(crate) struct Grown(Box<[OnceLock<Blocks>]>);

impl Grown {
    pub(crate) fn new(histograms: usize) -> Self {
        Self((0..histograms).map(|_| OnceLock::new()).collect())
    }
}

const BLOCK: usize = 64;
const PAGE: usize = 64;
/// Buckets of one page.
const OF_PAGE: usize = BLOCK * PAGE;

type Page = Box<[OnceLock<Cells>; PAGE]>;

#[derive(Debug)]
struct Blocks {
    zero: OnceLock<Cells>,
    /// Those of positive values, then as many of negative ones.
    pages: Box<[OnceLock<Page>]>,
}

impl Blocks {
    fn new(pages: usize) -> Self {
        Self {
            zero: OnceLock::new(),
            pages: (0..2 * pages).map(|_| OnceLock::new()).collect(),
        }
    }
}

#[cold]
#[inline(never)]
fn make(page: &OnceLock<Page>, block: usize) -> &Cells {
    let page = page.get_or_init(|| Box::new([const { OnceLock::new() }; PAGE]));
    page[block].get_or_init(|| Cells::new(BLOCK))
}
