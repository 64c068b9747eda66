//! Parts of a handler that run elsewhere: the exchange is current there too.

use crate::support::ask::{Yes, ask, build, get};
use crate::support::layer;
use http::{Request, Response};
use http_body_util::Empty;
use obs_core::{Body, ContextMode, Key, LogEvent, current};
use obs_testing::Kind;
use std::convert::Infallible;
use tower::{Layer, service_fn};

const TENANT: Key = Key::new(&"app.tenant");
const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

async fn a_part_of_the_handler_is_spawned(mode: ContextMode) {
    let capture = crate::support::capturing().with_context_mode(mode).build();
    let inner = layer(&capture);
    let handler = service_fn(move |_: Request<Empty<bytes::Bytes>>| {
        let inner = inner.clone();
        async move {
            let part = current::wrap(async move {
                tokio::task::yield_now().await;
                current::set(TENANT, "acme");
                let mut sent = String::new();
                assert!(current::inject(|_, value| sent = value.to_owned()));
                // Its own layer reads the caller's header too, and is inside this exchange all the same.
                ask(
                    inner.layer(Yes),
                    build(get("/inner").header("traceparent", TRACEPARENT)),
                );
                (sent, LogEvent::new("said", Body::Empty))
            });
            let (sent, event) = tokio::spawn(part).await.expect("no panic");
            let mut response = Response::new(Empty::<bytes::Bytes>::new());
            response.extensions_mut().insert((sent, event.span_id));
            Ok::<_, Infallible>(response)
        }
    });
    let service = layer(&capture).layer(handler);
    let request = build(get("/outer").header("traceparent", TRACEPARENT));
    let response = tower::ServiceExt::oneshot(service, request)
        .await
        .expect("infallible");
    let said = response
        .extensions()
        .get::<(String, Option<obs_core::otel::trace::SpanId>)>();
    let (sent, event) = said.expect("the handler's").clone();
    let records = capture.records();
    let [inner, outer] = &records[..] else {
        panic!("two records expected, {mode:?}: {records:#?}");
    };
    assert_eq!((inner.kind, outer.kind), (Kind::Server, Kind::Server));
    assert_eq!(inner.parent_span_id, Some(outer.span_id), "{mode:?}");
    assert!(!inner.parent_is_remote && outer.parent_is_remote);
    assert_eq!(
        outer.attr(TENANT.as_str()).map(|value| value.to_string()),
        Some("acme".into())
    );
    assert_eq!(event, Some(outer.span_id));
    assert_eq!(sent, format!("00-{}-{}-01", outer.trace_id, outer.span_id));
}

#[tokio::test]
async fn in_a_spawned_part_of_a_handler_the_exchange_is_current() {
    for mode in [ContextMode::Full, ContextMode::IdsOnly, ContextMode::Off] {
        a_part_of_the_handler_is_spawned(mode).await;
    }
}
