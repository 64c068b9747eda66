//! Trees of spans, received and made by hand.

use crate::client::post;
use crate::messages::{span, text, traces};
use obs_testing::receiver::proto::trace::v1::{Status, span as wire};
use obs_testing::{
    Kind, Receiver, SpanStatus, SpanTree, TreeEvent, TreeLink, TreeSpan, assert_tree,
};
use proptest::prelude::*;
use prost::Message;

fn made(id: u64, parent: u64, start_ns: u64, name: &str) -> TreeSpan {
    let mut span = TreeSpan::new(7, id, name);
    span.parent_span_id = Some(parent).filter(|parent| *parent != 0);
    span.start_ns = start_ns;
    span.end_ns = start_ns + 1_500_000;
    span
}

#[test]
fn received_spans_make_a_tree() {
    let receiver = Receiver::start().unwrap();
    let mut server = span(1, 1, 9, "GET /items/{id}");
    server.flags = 0x301; // sampled, and the parent is known to be remote
    server.attributes = vec![
        text("url.scheme", "http"),
        text("http.request.method", "GET"),
    ];
    server.status = Some(Status {
        code: 2,
        message: "boom".into(),
    });
    server.events = vec![wire::Event {
        time_unix_nano: 1_501,
        name: "exception".into(),
        attributes: vec![text("exception.type", "Boom")],
        ..Default::default()
    }];
    let mut query = span(1, 2, 1, "SELECT");
    query.kind = 3;
    query.flags = 0x101; // known to be local
    let mut job = span(2, 5, 0, "job");
    job.kind = 0;
    job.status = Some(Status {
        code: 1,
        message: String::new(),
    });
    job.links = vec![wire::Link {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        ..Default::default()
    }];
    post(
        &receiver,
        "/v1/traces",
        &traces(vec![job, query]).encode_to_vec(),
    );
    post(
        &receiver,
        "/v1/traces",
        &traces(vec![server]).encode_to_vec(),
    );

    let told: Vec<_> = receiver
        .spans()
        .into_iter()
        .map(|span| TreeSpan::from(span).parent_is_remote)
        .collect();
    assert_eq!(told, [None, Some(false), Some(true)]);
    assert_tree(
        receiver.tree().with_durations(true),
        r#"
        trace 1
          GET /items/{id} [server] error "boom" 999ns remote parent
            - http.request.method: "GET"
            - url.scheme: "http"
            * exception +500ns {exception.type: "Boom"}
            #1 SELECT [client] 998ns
        trace 2
          job [unspecified] ok 995ns
            ~ #1
        "#,
    );
}

#[test]
fn the_order_given_does_not_show() {
    let spans = [
        made(1, 0, 0, "root"),
        made(2, 1, 5, "b"),
        made(3, 1, 5, "a"),
        made(4, 1, 3, "c"),
        made(5, 4, 9, "d"),
    ];
    let expected = "
        trace 1
          root [internal]
            c [internal]
              d [internal]
            a [internal]
            b [internal]
    ";
    assert_tree(SpanTree::new(spans.clone()), expected);
    assert_tree(SpanTree::new(spans.into_iter().rev()), expected);
}

#[test]
fn random_ids_never_decide_the_order() {
    for (first, second) in [(10, 20), (20, 10)] {
        let mut one = made(first, 0, 0, "same");
        one.attributes.push(("k".into(), 1.into()));
        let mut other = made(second, 0, 0, "same");
        other.attributes.push(("k".into(), 2.into()));
        let expected = "
            trace 1
              same [internal]
                - k: 1
              same [internal]
                - k: 2
        ";
        assert_tree(SpanTree::new([one.clone(), other.clone()]), expected);
        assert_tree(SpanTree::new([other, one]), expected);
    }
}

#[test]
fn siblings_that_race_can_be_sorted_by_name() {
    let spans = [
        made(1, 0, 0, "root"),
        made(2, 1, 2, "a"),
        made(3, 1, 1, "b"),
    ];
    assert_tree(
        SpanTree::new(spans).sorted_by_name(),
        "
        trace 1
          root [internal]
            a [internal]
            b [internal]
        ",
    );
}

#[test]
fn no_span_is_lost_however_wrong() {
    let mut duplicate = made(1, 0, 0, "root");
    duplicate.name = "root again".into();
    let mut local = made(5, 88, 5, "orphan of another");
    local.parent_is_remote = Some(false);
    let mut backwards = made(0, 1, 9, "no id");
    backwards.end_ns = 1;
    let spans = [
        made(1, 0, 0, "root"),
        duplicate,
        made(2, 1, 1, "child"),
        backwards,
        made(3, 77, 4, "second orphan"),
        made(4, 77, 3, "orphan"),
        local,
        made(6, 7, 6, "circle a"),
        made(7, 6, 7, "circle b"),
        made(8, 7, 5, "below the circle"),
        made(9, 9, 8, "own parent"),
    ];
    assert_tree(
        SpanTree::new(spans),
        "
        trace 1
          root [internal]
            child [internal]
            no id [internal] no id, ends before it starts
          root again [internal] duplicate id
          (parent not here)
            orphan [internal]
            second orphan [internal]
          (parent not here)
            orphan of another [internal]
          (parents in a circle)
            circle a [internal]
              circle b [internal]
                below the circle [internal]
          (parents in a circle)
            own parent [internal]
        ",
    );
}

#[test]
fn a_remote_parent_that_is_here_is_a_parent() {
    let mut client = made(1, 0, 0, "call");
    client.kind = Kind::Client;
    let mut server = made(2, 1, 1, "serve");
    server.kind = Kind::Server;
    server.parent_is_remote = Some(true);
    assert_tree(
        SpanTree::new([server, client]),
        "
        trace 1
          call [client]
            serve [server] remote parent
        ",
    );
}

#[test]
fn traces_are_numbered_by_their_start() {
    let mut late = made(1, 0, 9, "late");
    late.trace_id = 1;
    let mut early = made(2, 0, 1, "early");
    early.trace_id = 2;
    assert_tree(
        SpanTree::new([late, early]).with_numbers(true),
        "
        trace 1
          #1 early [internal]
        trace 2
          #2 late [internal]
        ",
    );
}

#[test]
fn what_is_shown_can_be_chosen() {
    let mut span = made(1, 0, 1_000_000, "root");
    span.status = SpanStatus::Error(String::new());
    span.attributes = vec![
        ("server.port".into(), 5431.into()),
        ("a".into(), "x".into()),
        ("b".into(), 1.5.into()),
    ];
    let mut event = TreeEvent::new(500_000, "early\nbird");
    event.attributes.push(("a".into(), true.into()));
    event.attributes.push(("c".into(), true.into()));
    span.events = vec![TreeEvent::new(2_000_000, "later"), event];
    span.links = vec![TreeLink::new(7, 99)];
    let tree = SpanTree::new([span]);

    assert_tree(
        tree.clone()
            .with_masked(["server.port"])
            .with_attributes(["a", "server.port"])
            .with_durations(true),
        r#"
        trace 1
          root [internal] error 1.5ms
            - a: "x"
            - server.port: _
            * early\nbird -500µs {a: true}
            * later +1ms
            ~ elsewhere
        "#,
    );
    assert_tree(
        tree.without_attributes()
            .with_events(false)
            .with_links(false),
        "
        trace 1
          root [internal] error
        ",
    );
}

#[test]
fn nothing_is_an_empty_tree() {
    assert_tree(SpanTree::new([] as [TreeSpan; 0]), "");
}

#[test]
fn two_thousand_children_are_no_trouble() {
    let spans = (2..=2_001)
        .map(|id| made(id, 1, 5, "child"))
        .chain([made(1, 0, 0, "root")]);
    let text = SpanTree::new(spans).to_string();
    assert_eq!(text.lines().count(), 2_002);
    let deep = (1..=2_000).map(|id| made(id, id - 1, id, "level"));
    let text = SpanTree::new(deep).to_string();
    assert_eq!(text.lines().count(), 2_001);
    assert!(
        text.lines()
            .last()
            .unwrap()
            .starts_with(&"  ".repeat(2_000))
    );
}

proptest! {
    /// Parents are drawn from the set, from beyond it and from the span itself, so roots, orphans and circles all come up.
    #[test]
    fn every_span_is_shown_once_and_the_order_given_never_shows(
        parents in proptest::collection::vec((0_u64..14, any::<bool>()), 1..12),
        seed in any::<u64>(),
    ) {
        let spans: Vec<TreeSpan> = parents.iter().enumerate().map(|(index, (parent, remote))| {
            let id = index as u64 + 1;
            let mut span = made(id, *parent, 100 - id, &format!("span-{id};"));
            span.parent_is_remote = Some(*remote);
            span
        }).collect();
        let shown = SpanTree::new(spans.clone()).to_string();
        for span in &spans {
            prop_assert_eq!(shown.matches(&span.name).count(), 1, "{}", shown);
        }
        // Indentation rises by one step at a time: nobody hangs below nothing.
        let depths: Vec<usize> = shown.lines().map(|line| line.len() - line.trim_start().len()).collect();
        prop_assert!(depths.windows(2).all(|pair| pair[1] <= pair[0] + 2), "{}", shown);

        let mut shuffled = spans;
        let turn = seed as usize % shuffled.len();
        shuffled.rotate_left(turn);
        if seed % 2 == 0 {
            shuffled.reverse();
        }
        prop_assert_eq!(SpanTree::new(shuffled).to_string(), shown);
    }
}
