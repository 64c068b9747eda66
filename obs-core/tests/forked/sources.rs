//! Points of others in a child: whoever filled the sources of the parent is not there.

use crate::child::in_child;
use crate::support::points::{all, numbers};
use crate::support::{SCOPE, rig};
use obs_core::metrics::{Data, Metric, Number, NumberPoint};
use std::time::Duration;

#[test]
fn a_forked_child_has_no_points_that_were_shown_in_its_parent_and_may_show_its_own() {
    let rig = rig(false);
    let source = rig.telemetry.point_source();
    let show = || {
        let point = NumberPoint::new(Vec::new(), (0, source.unix_nanos()), Number::I64(1));
        let points = vec![point];
        let metric = Metric::new("test.up", "", "Up.", &SCOPE, Data::Gauge { points });
        source.show(vec![metric], Duration::from_secs(600));
    };
    let shown = || numbers(&all(&rig.telemetry), "test.up").len();
    show();
    assert_eq!(shown(), 1);
    in_child(|| {
        assert_eq!(shown(), 0);
        show();
        assert_eq!(shown(), 1);
    });
    assert_eq!(shown(), 1);
}
