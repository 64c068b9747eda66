//! Level change × start × shutdown.

use crate::level::{LevelCell, StatsLevel};
use loom::sync::Arc;
use loom::thread;

/// A kind with one method, read as `Kind::level_of` does.
struct Cells {
    kind: LevelCell,
    method: LevelCell,
}

impl Cells {
    fn new(level: StatsLevel) -> Arc<Self> {
        Arc::new(Self {
            kind: LevelCell::new(level),
            method: LevelCell::inherit(),
        })
    }

    fn start(&self) -> StatsLevel {
        let raw = self.kind.raw();
        let own = LevelCell::has_methods(raw).then(|| self.method.own());
        own.flatten().unwrap_or(LevelCell::level(raw))
    }

    fn set_method(&self, level: StatsLevel) -> bool {
        self.method.set_own(Some(level));
        self.kind.mark_methods()
    }
}

#[test]
fn neither_change_is_lost_and_a_start_sees_one_that_was_set() {
    loom::model(|| {
        let cells = Cells::new(StatsLevel::Base);
        let of_kind = {
            let cells = cells.clone();
            thread::spawn(move || cells.kind.set(StatsLevel::Detailed))
        };
        let of_method = {
            let cells = cells.clone();
            thread::spawn(move || cells.set_method(StatsLevel::Disabled))
        };
        // Any of the three is right for an operation that starts meanwhile; anything else is not.
        let _: StatsLevel = cells.start();
        of_kind.join().expect("no panic");
        assert!(of_method.join().expect("no panic"));
        assert_eq!(
            cells.start(),
            StatsLevel::Disabled,
            "the method's own level"
        );
        assert_eq!(LevelCell::level(cells.kind.raw()), StatsLevel::Detailed);
    });
}

#[test]
fn what_is_switched_off_stays_off_whoever_sets_a_level_meanwhile() {
    loom::model(|| {
        let cells = Cells::new(StatsLevel::Base);
        let of_kind = {
            let cells = cells.clone();
            thread::spawn(move || cells.kind.set(StatsLevel::Detailed))
        };
        let of_method = {
            let cells = cells.clone();
            thread::spawn(move || cells.set_method(StatsLevel::Detailed))
        };
        cells.kind.switch_off();
        assert_eq!(cells.start(), StatsLevel::Disabled);
        of_kind.join().expect("no panic");
        of_method.join().expect("no panic");
        assert_eq!(cells.start(), StatsLevel::Disabled);
        assert!(LevelCell::is_disabled(cells.kind.raw()));
    });
}

#[test]
fn a_level_that_is_set_outlasts_one_that_is_given_back_meanwhile() {
    loom::model(|| {
        let cells = Cells::new(StatsLevel::Base);
        cells.method.lend_own(StatsLevel::Detailed);
        cells.kind.mark_methods();
        let of_method = {
            let cells = cells.clone();
            thread::spawn(move || cells.set_method(StatsLevel::Disabled))
        };
        cells.method.give_back();
        cells.kind.unmark_methods(|| cells.method.own().is_some());
        assert!(of_method.join().expect("no panic"));
        assert_eq!(cells.start(), StatsLevel::Disabled);
    });
}
