//! The date, for the head of the page: what drivers do changes.

use std::time::{SystemTime, UNIX_EPOCH};

/// `2026-11-26`, of UTC.
pub(crate) fn today() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let days = since.map_or(0, |since| since.as_secs() / 86_400);
    let (year, month, day) = date(days);
    format!("{year}-{month:02}-{day:02}")
}

/// The date so many days after 1970-01-01, by counting years and months.
fn date(days: u64) -> (u64, u64, u64) {
    let (mut year, mut left) = (1970, days);
    while left >= year_length(year) {
        left -= year_length(year);
        year += 1;
    }
    let february = year_length(year) - 337;
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    (year, month, left + 1)
}

fn year_length(year: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    if is_leap { 366 } else { 365 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(58), (1970, 2, 28));
        assert_eq!(date(59), (1970, 3, 1));
        // What `date -u -d @951782400` and `date -u -d @1795651200` say, and a day later.
        assert_eq!(date(951_782_400 / 86_400), (2000, 2, 29));
        assert_eq!(date(951_782_400 / 86_400 + 1), (2000, 3, 1));
        assert_eq!(date(1_795_651_200 / 86_400), (2026, 11, 26));
        assert_eq!(date(364), (1970, 12, 31));
    }
}
