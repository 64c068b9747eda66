//! How histograms count, decided at set-up.

use crate::error::Error;

/// How a histogram counts its values: for [`Builder::with_histograms`](crate::Builder::with_histograms) and
/// [`View::with_aggregation`](crate::View::with_aggregation).
///
/// ```
/// # use obs_core::{ExponentialHistogram, HistogramAggregation, Telemetry, View};
/// let telemetry = Telemetry::builder()
///     .with_histograms(ExponentialHistogram::default())
///     .with_view(View::of("*.body.size").with_aggregation(HistogramAggregation::Explicit))
///     .manual()
///     .build()?;
/// # Ok::<(), obs_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HistogramAggregation {
    /// By boundaries: the metric's own, or its view's.
    #[default]
    Explicit,
    /// By buckets that grow by a constant factor, over OTLP; a page of Prometheus, whose text has no such histograms, shows
    /// the explicit boundaries still, which are counted as well.
    Exponential(ExponentialHistogram),
}

impl From<ExponentialHistogram> for HistogramAggregation {
    fn from(histogram: ExponentialHistogram) -> Self {
        Self::Exponential(histogram)
    }
}

impl HistogramAggregation {
    pub(crate) fn exponential(self) -> Option<ExponentialHistogram> {
        match self {
            Self::Explicit => None,
            Self::Exponential(histogram) => Some(histogram),
        }
    }

    /// Says what is wrong with it, if anything is.
    pub(crate) fn check(self) -> Result<(), Error> {
        self.problem().map_or(Ok(()), |problem| {
            Err(Error::configuration(format!("histograms have {problem}")))
        })
    }

    pub(crate) fn problem(self) -> Option<String> {
        let ExponentialHistogram {
            max_size,
            max_scale,
        } = self.exponential()?;
        if !SIZES.contains(&max_size) {
            let (least, most) = (SIZES.start(), SIZES.end());
            return Some(format!(
                "a largest size of {max_size} buckets; {least} to {most} are possible"
            ));
        }
        if !SCALES.contains(&max_scale) {
            let (least, most) = (SCALES.start(), SCALES.end());
            return Some(format!(
                "a largest scale of {max_scale}; {least} to {most} are possible"
            ));
        }
        None
    }
}

/// With two, any values fit at the least scale.
const SIZES: std::ops::RangeInclusive<u32> = 2..=1_024;
/// As in the SDKs: at -10 two buckets hold all numbers.
const SCALES: std::ops::RangeInclusive<i32> = -10..=20;

/// A base-2 exponential histogram: `Base2ExponentialHistogramAggregation` of the specification (`metrics/sdk.md`), with its
/// names and defaults. Buckets end at powers of 2^(2^-scale), inclusive; the scale is the greatest at which all values of
/// a point find room.
///
/// Values are counted at a fixed scale, so that what threads counted adds up, and a point's scale is never above that: with
/// the default size it is 6, at which a bucket is 1.1 % wide. Where the values of a point are spread over more than a factor
/// of 2.4, no scale above that could hold them in 160 buckets; where they lie closer together, SDKs divide them further.
///
/// # What it costs
/// Beside the explicit buckets, for each series of each thread that records it, less than 4 KiB, and with the default size
/// 656 bytes for each further power of two that its values fall in. A smaller `max_scale` makes it less: each step halves
/// how many such parts there are. Once per thread comes a table of less than 12 KiB. Recorded without a lock, and
/// without an allocation but for the first value in a power of two. Where no histogram is exponential nothing is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExponentialHistogram {
    /// The most buckets that a point has, of positive and of negative values each: 2 to 1024.
    pub max_size: u32,
    /// The greatest scale that a point has: -10 to 20.
    pub max_scale: i32,
}

impl Default for ExponentialHistogram {
    fn default() -> Self {
        Self {
            max_size: 160,
            max_scale: 20,
        }
    }
}

impl ExponentialHistogram {
    /// What holds the points of both.
    pub(crate) fn or_more(self, other: Self) -> Self {
        Self {
            max_size: self.max_size.max(other.max_size),
            max_scale: self.max_scale.max(other.max_scale),
        }
    }
}
