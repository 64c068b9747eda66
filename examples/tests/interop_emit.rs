//! What the emitting program sends arrives whole, before software of others is asked about it.

use obs_testing::{AttrValue, Receiver, SpanTree, assert_tree};
use std::process::Command;

#[test]
fn one_of_everything_arrives() {
    let receiver = Receiver::start().expect("a port");
    let run = Command::new(env!("CARGO_BIN_EXE_interop_emit"))
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
        .output()
        .expect("the program was built with this test");
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{stderr}");

    assert_tree(
        SpanTree::new(receiver.spans()),
        r#"
        trace 1
          first “trial” [server]
            - interop.address: "::1"
            - interop.bool: true
            - interop.bools: [true, false]
            - interop.code: 200
            - interop.double: -0.5
            - interop.doubles: [1.5, 1e300]
            - interop.empty: ""
            - interop.int: -9223372036854775808
            - interop.ints: [9223372036854775807, -1]
            - interop.method: "first"
            - interop.route: "/trials/{id}"
            - interop.static: "static"
            - interop.text: "a\n\"b\"\\ é🌊"
            - interop.texts: ["a", ""]
            - interop.trial.size: 1000
            - session.id: "session-1"
            - user.id: "user-1"
            * encode_start
            * encode_finish
            * interop.said {interop.event.number: 1}
            ~ elsewhere {interop.link.why: "shown"}
            first “trial” [server] error
              - error.type: "refused"
              - interop.method: "first"
              - session.id: "session-1"
              - user.id: "user-1"
              * exception {exception.message: "no room", exception.stacktrace: "at a\nat b", exception.type: "interop::Refused"}
        trace 2
          second “trial” [server] error remote parent
            - error.type: "cancelled"
            - interop.method: "second"
        trace 3
          second “trial” [server]
            - interop.method: "second"
        "#,
    );

    let points = receiver.points();
    let colour = [("interop.colour", AttrValue::from("red"))];
    assert_eq!(
        points
            .sum("interop.items", &colour)
            .map(|point| point.as_f64()),
        Some(1.0)
    );
    assert_eq!(
        points
            .gauge("interop.level", &colour)
            .map(|point| point.as_f64()),
        Some(0.25)
    );
    let waits = points
        .histogram("interop.wait", &colour)
        .expect("a histogram");
    assert_eq!(
        (waits.bucket_counts, waits.bounds),
        (vec![1, 1, 0, 1], vec![0.1, 1.0, 10.0])
    );

    let fine = points
        .exponential("interop.wait.fine", &colour)
        .expect("an exponential histogram");
    let within = |value: f64| {
        let counted = fine.positive.iter().filter(|(index, _)| {
            let (lower, upper) = fine.limits(**index);
            lower < value && value <= upper
        });
        counted.map(|(_, count)| count).sum::<u64>()
    };
    assert_eq!([0.1, 0.25, 100.0].map(within), [1, 1, 1]);
    assert_eq!((fine.count, fine.sum, fine.zero_count), (3, waits.sum, 0));

    let page = String::from_utf8_lossy(&run.stdout);
    assert!(
        page.contains("\ninterop_active_trials{interop_method=\"second\"} 1\n"),
        "{page}"
    );
    assert_eq!(receiver.log_records().len(), 3);
}
