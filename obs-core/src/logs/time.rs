//! Moments as RFC 3339 in UTC with nanoseconds.

use std::cell::Cell;

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400;

/// `2026-01-01T00:00:00` of a second.
type Second = [u8; 19];

thread_local! {
    /// The second that was written last: lines come many to a second.
    static LAST: Cell<(u64, Second)> = const { Cell::new((0, *b"1970-01-01T00:00:00")) };
}

pub(super) fn push_rfc3339(out: &mut String, unix_nanos: u64) {
    let second = unix_nanos / SECOND;
    let (known, mut text) = LAST.get();
    if known != second {
        text = text_of(second);
        LAST.set((second, text));
    }
    let mut fraction = *b".000000000Z";
    let mut rest = unix_nanos % SECOND;
    for digit in fraction[1..10].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    for part in [&text[..], &fraction[..]] {
        out.push_str(std::str::from_utf8(part).unwrap_or_default());
    }
}

fn text_of(second: u64) -> Second {
    let (year, month, day) = date_of(second / DAY);
    let of_day = second % DAY;
    let mut text = *b"0000-00-00T00:00:00";
    let mut put = |at: usize, width: usize, mut value: u64| {
        for digit in text[at..at + width].iter_mut().rev() {
            *digit = b'0' + (value % 10) as u8;
            value /= 10;
        }
    };
    put(0, 4, year);
    put(5, 2, month);
    put(8, 2, day);
    put(11, 2, of_day / 3600);
    put(14, 2, of_day / 60 % 60);
    put(17, 2, of_day % 60);
    text
}

/// The date of a day since the epoch, in the proleptic Gregorian calendar: years that begin in March have their leap day at
/// the end, and 400 of them always have as many days.
fn date_of(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let of_month = day - (153 * month + 2) / 5 + 1;
    let year = year + era * 400;
    if month < 10 {
        (year, month + 3, of_month)
    } else {
        (year + 1, month - 9, of_month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(second: u64, nanos: u64, expect: &str) {
        let mut out = String::new();
        push_rfc3339(&mut out, second * SECOND + nanos);
        assert_eq!(out, expect);
    }

    #[test]
    fn moments_are_written_as_calendars_have_them() {
        check(0, 0, "1970-01-01T00:00:00.000000000Z");
        check(951_782_399, 999_999_999, "2000-02-28T23:59:59.999999999Z");
        check(951_782_400, 0, "2000-02-29T00:00:00.000000000Z");
        check(951_868_800, 1, "2000-03-01T00:00:00.000000001Z");
        check(1_767_225_600, 120, "2026-01-01T00:00:00.000000120Z");
        check(4_107_542_400, 0, "2100-03-01T00:00:00.000000000Z");
        check(4_107_542_399, 0, "2100-02-28T23:59:59.000000000Z");
    }

    #[test]
    fn each_day_follows_the_one_before() {
        let leap = |year| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let (mut year, mut month, mut date) = (1970, 1, 1);
        for day in 0..200_000 {
            assert_eq!(date_of(day), (year, month, date), "{day}");
            let last = match month {
                2 if leap(year) => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            date += 1;
            if date > last {
                (month, date) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }
}
