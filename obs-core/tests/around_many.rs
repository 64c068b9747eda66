//! More kinds are watched than a process has room for: alone, for the room is the process's.

#[path = "support/support.rs"]
mod support;

use obs_core::otel::trace::SpanKind;
use obs_core::{Descriptor, Kind, Labels, Parent};
use support::{WORK, rig};

/// Of no service's, which would begin anew.
static BETWEEN: Descriptor = Descriptor {
    span_kind: SpanKind::Internal,
    ..WORK
};

#[test]
fn beyond_the_fifteenth_kind_the_innermost_is_known() {
    let rig = rig(true);
    let between: &'static Kind = rig.telemetry.kind(&BETWEEN);
    let kinds: Vec<_> = (0..18)
        .map(|_| {
            let own: &'static Descriptor = Box::leak(Box::new(Descriptor {
                span_kind: SpanKind::Internal,
                ..WORK
            }));
            let kind = rig.telemetry.kind(own);
            kind.watch_around();
            // Whoever watches it again takes no more room.
            kind.watch_around();
            kind
        })
        .collect();
    for (index, kind) in kinds.iter().enumerate() {
        let mut outer = kind.start(Labels::NONE, Parent::Root);
        outer.scope(|| {
            assert!(kind.is_around());
            let mut between = between.start(Labels::NONE, Parent::Current);
            between.scope(|| {
                for (other, kind) in kinds.iter().enumerate() {
                    let known = other == index && index < 15;
                    assert_eq!(kind.is_around(), known, "{other} around {index}");
                }
            });
        });
    }
}
