//! What is left of a remote context by trust.

use crate::{PLAIN, plain, read};
use obs_core::propagation::Remote;
use obs_core::trust::{Accepted, Trust, apply};

fn remote() -> Remote {
    read(&[
        ("traceparent", PLAIN),
        ("tracestate", "foo=1"),
        ("baggage", "a=1"),
    ])
}

#[test]
fn a_trusted_caller_is_the_parent() {
    let remote = remote();
    let accepted = apply(Trust::Trusted, remote.clone());
    assert_eq!(accepted.parent, Some(plain(1)));
    assert_eq!(accepted.link, None);
    assert_eq!(
        (accepted.tracestate, accepted.baggage),
        (remote.tracestate, remote.baggage)
    );
}

#[test]
fn a_stranger_is_linked_and_nothing_of_it_is_carried() {
    let accepted = apply(Trust::LinkOnly, remote());
    assert_eq!(
        accepted,
        Accepted {
            link: Some(plain(1)),
            ..Accepted::default()
        }
    );
    let link = accepted.link_context().expect("linked");
    assert!(link.is_remote() && link.trace_state().header().is_empty());
}
