//! Prices that depend on the hour.

use super::entry::{RATES, Rates};
use super::field::Rate;

/// Minutes of a day.
const DAY: u64 = 24 * 60;

/// Hours of the week in which other prices are in force.
#[derive(Debug)]
pub(super) struct OffPeak {
    pub(super) windows: Box<[Window]>,
    /// NaN where the hour changes nothing.
    pub(super) rates: Rates,
    /// How far the calendar that tells the day of the week is ahead of UTC, in minutes; the hours are UTC's.
    pub(super) ahead: u64,
}

/// From one minute of the day to another, on some days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    start: u64,
    end: u64,
    /// A bit a day; the lowest is Monday's.
    days: u8,
}

impl OffPeak {
    /// The prices that are in force then, if they are others than these.
    pub(super) fn rates(&self, standard: &Rates, unix_seconds: u64) -> Option<Rates> {
        let minutes = unix_seconds / 60;
        let minute = minutes % DAY;
        // The epoch was a Thursday, the fourth day of a week that begins on Monday.
        let day = (minutes.checked_add(self.ahead)? / DAY + 3) % 7;
        let open = self.windows.iter().any(|window| window.holds(minute, day));
        open.then(|| {
            let pick = |at: usize| match self.rates[at].is_nan() {
                true => standard[at],
                false => self.rates[at],
            };
            let mut rates: Rates = std::array::from_fn(pick);
            // What has no price of its own follows the whole that it is a part of.
            let follow = [
                (Rate::CacheRead, Rate::Input),
                (Rate::CacheWrite, Rate::Input),
                (Rate::CacheWriteHour, Rate::Input),
                (Rate::AudioInput, Rate::Input),
                (Rate::ImageInput, Rate::Input),
                (Rate::Reasoning, Rate::Output),
                (Rate::AudioOutput, Rate::Output),
                (Rate::ImageOutput, Rate::Output),
            ];
            for (part, whole) in follow {
                let (part, whole) = (part as usize, whole as usize);
                if self.rates[part].is_nan() && standard[part] == standard[whole] {
                    rates[part] = rates[whole];
                }
            }
            rates
        })
    }
}

impl Window {
    /// `"16:30-00:30"`, on the days of this mask: the start is in it, the end is not. One that starts where it ends is the whole
    /// day.
    pub(super) fn parse(text: &str, days: u8) -> Option<Self> {
        let (start, end) = text.split_once('-')?;
        let (start, end) = (minute(start)?, minute(end)?);
        Some(Self { start, end, days })
    }

    fn holds(&self, minute: u64, day: u64) -> bool {
        let hour = match self.start < self.end {
            true => (self.start..self.end).contains(&minute),
            false => minute >= self.start || minute < self.end,
        };
        hour && self.days & 1 << day != 0
    }
}

fn minute(text: &str) -> Option<u64> {
    let (hour, minute) = text.trim().split_once(':')?;
    let part = |text: &str, most: u64| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let value: u64 = text.parse().ok().filter(|_| digits)?;
        (value < most).then_some(value)
    };
    Some(part(hour, 24)? * 60 + part(minute, 60)?)
}

/// A mask with one day: 1 is Monday, 7 is Sunday, or its English name.
pub(super) fn day(number: Option<u64>, name: Option<&str>) -> Option<u8> {
    const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let number = number.or_else(|| {
        let name = name?.trim().to_ascii_lowercase();
        let at = NAMES.iter().position(|day| name.starts_with(day))?;
        u64::try_from(at + 1).ok()
    })?;
    (1..=7).contains(&number).then(|| 1 << (number - 1))
}

/// How far a calendar is ahead of UTC, in minutes. Only those that never change their clocks: for others a table of time zones
/// would be needed.
pub(super) fn ahead(zone: &str) -> Option<u64> {
    match zone.trim() {
        "UTC" | "Etc/UTC" | "" => Some(0),
        "Asia/Shanghai" | "Asia/Singapore" | "Asia/Hong_Kong" => Some(8 * 60),
        "Asia/Tokyo" | "Asia/Seoul" => Some(9 * 60),
        _ => None,
    }
}

/// None changed yet.
pub(super) const UNCHANGED: Rates = [f64::NAN; RATES];

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY_DAY: u8 = 0x7f;

    #[track_caller]
    fn holds(text: &str, at: &str, expect: bool) {
        let window = Window::parse(text, EVERY_DAY).expect("a window");
        let at = minute(at).expect("a time");
        assert_eq!(window.holds(at, 0), expect, "{text} at {at}");
    }

    #[test]
    fn a_window_holds_its_start_and_not_its_end() {
        holds("04:00-06:00", "04:00", true);
        holds("04:00-06:00", "05:59", true);
        holds("04:00-06:00", "06:00", false);
        holds("16:30-00:30", "23:59", true);
        holds("16:30-00:30", "00:29", true);
        holds("16:30-00:30", "00:30", false);
        holds("00:00-00:00", "12:00", true);
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for text in [
            "",
            "04:00",
            "04:00-",
            "24:00-01:00",
            "04:60-05:00",
            "+4:00-05:00",
            "4-5",
        ] {
            assert_eq!(Window::parse(text, EVERY_DAY), None, "{text}");
        }
    }

    #[test]
    fn days_are_told_by_number_and_by_name() {
        assert_eq!(day(Some(1), None), Some(1));
        assert_eq!(day(Some(7), None), Some(64));
        assert_eq!(day(None, Some("Sunday")), Some(64));
        assert_eq!(day(Some(8), None), None);
        assert_eq!(day(Some(0), None), None);
        assert_eq!(day(None, Some("feria")), None);
    }

    #[test]
    fn the_day_of_the_week_is_that_of_the_calendar_named() {
        let monday = Window::parse("00:00-00:00", 1).expect("a window");
        let mut rates = UNCHANGED;
        rates[Rate::Input as usize] = 1.0;
        let mut off_peak = OffPeak {
            windows: [monday].into(),
            rates,
            ahead: 0,
        };
        let standard = [2.0; RATES];
        // 2026-11-22 is a Sunday: 17:00 UTC of it is 01:00 of Monday in Shanghai.
        let sunday = 1_795_366_800;
        assert!(off_peak.rates(&standard, sunday).is_none());
        off_peak.ahead = ahead("Asia/Shanghai").expect("a zone");
        let rates = off_peak.rates(&standard, sunday).expect("Monday there");
        // The others cost what the input did: they follow it.
        assert_eq!(rates[Rate::Input as usize], 1.0);
        assert_eq!(rates[Rate::CacheRead as usize], 1.0);
        assert_eq!(rates[Rate::Output as usize], 2.0);
        assert_eq!(ahead("Europe/Berlin"), None);
    }
}
