//! What the links of one device did between two readings of them.

use crate::explain::FabricWindow;
use crate::source::LinkReading;

/// Links of one device, as they were read last.
#[derive(Debug, Default)]
pub(crate) struct Nvlinks {
    links: Vec<Link>,
}

/// One link.
#[derive(Clone, Copy, Debug)]
struct Link {
    number: u32,
    /// It is to be up.
    was_up: bool,
    sent: Option<i64>,
    received: Option<i64>,
    errors: [Option<i64>; 3],
    recoveries: Option<i64>,
}

/// What was since the reading before, over all links.
#[derive(Debug, Default)]
struct Sum {
    down: u32,
    /// Bytes per second that they can carry, where all say so.
    speed: f64,
    sent: f64,
    received: f64,
    errors: Option<u64>,
    recoveries: Option<u64>,
    /// One of them does not say what it can carry, or what it carried.
    is_partly: bool,
}

impl Nvlinks {
    /// Takes a reading that comes so many seconds after the one before. `None` where no time has passed, and where there are no
    /// links. What a link does not say, or began anew, is absent: of bytes then all of it, as a sum of some is no sum.
    pub(crate) fn window(&mut self, read: &[LinkReading], seconds: f64) -> Option<FabricWindow> {
        let mut sum = Sum::default();
        let links = read.iter().map(|reading| {
            let before = self.links.iter().find(|link| link.number == reading.link);
            let link = Link::of(reading, before);
            sum.add(reading, &link, before);
            link
        });
        self.links = links.collect();
        // Not `<`: what is no number is no time.
        if self.links.is_empty() || !(seconds > 0.0 && seconds.is_finite()) {
            return None;
        }
        let carried = sum.sent.max(sum.received) / seconds;
        let known = !sum.is_partly && sum.speed > 0.0;
        Some(FabricWindow {
            nvlinks_down: sum.down,
            nvlink_share: known.then(|| carried / sum.speed),
            nvlink_errors: sum.errors.map(|errors| errors as f64 / seconds),
            nvlink_recoveries: sum.recoveries,
            ..FabricWindow::default()
        })
    }
}

impl Link {
    fn of(reading: &LinkReading, before: Option<&Self>) -> Self {
        let errors = [reading.replays, reading.crc_errors, reading.errors];
        Self {
            number: reading.link,
            was_up: reading.up == Some(true) || before.is_some_and(|before| before.was_up),
            sent: reading.sent.value(),
            received: reading.received.value(),
            errors: errors.map(|one| one.value()),
            recoveries: reading.recoveries.value(),
        }
    }
}

impl Sum {
    fn add(&mut self, reading: &LinkReading, now: &Link, before: Option<&Link>) {
        let since = |now: Option<i64>, before: Option<i64>| {
            let more = now?.checked_sub(before?)?;
            u64::try_from(more).ok()
        };
        let grown = |of: fn(&Link) -> Option<i64>| since(of(now), of(before?));
        let add = |sum: Option<u64>, more: Option<u64>| match (sum, more) {
            (Some(sum), Some(more)) => Some(sum.saturating_add(more)),
            (sum, more) => sum.or(more),
        };
        for (place, now) in now.errors.into_iter().enumerate() {
            let before = before.and_then(|before| before.errors[place]);
            self.errors = add(self.errors, since(now, before));
        }
        self.recoveries = add(self.recoveries, grown(|link| link.recoveries));
        if reading.up == Some(false) {
            self.down += u32::from(now.was_up);
            return;
        }
        let speed = reading.speed.value().filter(|speed| *speed > 0);
        let both = grown(|link| link.sent).zip(grown(|link| link.received));
        match (speed, both) {
            (Some(speed), Some((sent, received))) => {
                self.speed += speed as f64;
                self.sent += sent as f64;
                self.received += received as f64;
            }
            _ => self.is_partly = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Reading;

    fn link(number: u32, bytes: i64, errors: i64) -> LinkReading {
        let mut link = LinkReading::new(number);
        link.up = Some(true);
        link.speed = Reading::Value(1_000);
        link.sent = Reading::Value(bytes);
        link.received = Reading::Value(bytes / 2);
        link.replays = Reading::Value(errors);
        link.recoveries = Reading::Value(errors / 10);
        link
    }

    /// Two readings, two seconds apart.
    fn after(first: &[LinkReading], second: &[LinkReading]) -> Option<FabricWindow> {
        let mut links = Nvlinks::default();
        let _ = links.window(first, 2.0);
        links.window(second, 2.0)
    }

    #[test]
    fn what_all_of_them_carry_is_a_share_of_what_they_can() {
        let window = after(
            &[link(0, 0, 0), link(1, 500, 5)],
            &[link(0, 1_800, 0), link(1, 1_700, 25)],
        );
        let window = window.expect("links");
        // 1800 and 1200 in two seconds, of a thousand a second for each.
        assert_eq!(window.nvlink_share, Some(0.75));
        assert_eq!(window.nvlink_errors, Some(10.0));
        assert_eq!(window.nvlink_recoveries, Some(2));
        assert_eq!((window.nvlinks_down, window.links_down), (0, 0));
        assert_eq!(window.retries, None);
    }

    #[test]
    fn one_that_was_up_is_missed_and_one_that_never_was_is_not() {
        let (up, mut down, mut never) = (link(0, 0, 0), link(1, 0, 0), link(2, 0, 0));
        never.up = Some(false);
        let first = [up, down, never];
        down.up = Some(false);
        let mut links = Nvlinks::default();
        assert_eq!(
            links.window(&first, 1.0).map(|window| window.nvlinks_down),
            Some(0)
        );
        for _ in 0..2 {
            let window = links.window(&[link(0, 900, 0), down, never], 1.0);
            assert_eq!(window.map(|window| window.nvlinks_down), Some(1));
        }
        // What those that are up carry is a share of what those can.
        let window = links
            .window(&[link(0, 1_800, 0), down, never], 1.0)
            .expect("links");
        assert_eq!(window.nvlink_share, Some(0.9));
    }

    #[test]
    fn what_is_not_said_or_began_anew_is_absent() {
        let mut silent = link(1, 0, 0);
        (silent.speed, silent.replays) = (Reading::Unsupported, Reading::Failed(999));
        silent.recoveries = Reading::Unread;
        let window = after(&[link(0, 0, 0), silent], &[link(0, 900, 3), silent]).expect("links");
        assert_eq!(window.nvlink_share, None);
        assert_eq!(window.nvlink_errors, Some(1.5), "of the one that says so");
        let window = after(&[link(0, 900, 30)], &[link(0, 10, 0)]).expect("links");
        assert_eq!((window.nvlink_share, window.nvlink_errors), (None, None));
        assert_eq!(window.nvlink_recoveries, None);
        // One that was not said once did not count from nothing since.
        let mut once = link(0, 900, 30);
        once.crc_errors = Reading::Failed(999);
        let mut said = link(0, 900, 34);
        said.crc_errors = Reading::Value(1_000_000);
        let window = after(&[once], &[said]).expect("links");
        assert_eq!(window.nvlink_errors, Some(2.0));
        assert_eq!(after(&[], &[]), None);
        // At one moment, and with a clock that says nothing.
        let mut links = Nvlinks::default();
        for seconds in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(links.window(&[link(0, 0, 0)], seconds), None, "{seconds}");
        }
    }
}
