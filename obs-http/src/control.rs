//! Levels read and set at run time, over HTTP: a router to merge into one that only operators reach.
//!
//! ```
//! use obs_core::Telemetry;
//! use obs_http::control::{Authorizer, level_router};
//!
//! # fn admin(telemetry: Telemetry, secret: String) -> Result<axum::Router, obs_core::Error> {
//! // The token comes from the environment or a file; it is never compared in a time that depends on it.
//! let router = level_router(&telemetry, Authorizer::bearer(secret)?);
//! # Ok(router)
//! # }
//! # admin(Telemetry::noop(), "0123456789abcdef".to_owned()).unwrap();
//! ```
//!
//! `GET /levels` lists the kinds, each with its level and the methods that have one of their own:
//!
//! ```json
//! {"kinds":[{"kind":"http.server","level":"base",
//!            "methods":[{"method":"/items/{id}","level":"detailed","seconds_left":271.5}]}]}
//! ```
//!
//! `PUT /levels` sets the level of a kind, or of one of its methods, and answers with that kind as it is then:
//!
//! ```json
//! {"kind": "http.server", "method": "/items/{id}", "level": "detailed", "for_seconds": 300}
//! ```
//!
//! A `method` that ends in `/*` stands for all that begin so: `package.Service/*`.
//! With `for_seconds` (at most a day) the level falls back to what it was, unless another is set meanwhile. A `level` of
//! `null` lets a method follow its kind again. What starts from then on has the new level; what runs keeps its own.
//!
//! | answer | when |
//! |---|---|
//! | 200 | it was done |
//! | 400 | the body is no such object; the message says what is wrong with it |
//! | 401 | the [`Authorizer`] says no; nothing of the body has been read |
//! | 404 | no kind of that name is registered, or the kind has not seen such a method |
//! | 405 | neither GET nor PUT |
//! | 409 | the telemetry is shut down, or the method is beyond the cap of its label |
//! | 413 | the body is longer than 4 KiB |

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::any;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use obs_core::{Error, Kind, StatsLevel, Telemetry};
use serde_json::{Map, Value, json};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a body that says what to set.
const LONGEST: usize = 4 << 10;
/// What is set for a time is set for a day at most.
const LONGEST_SECONDS: u64 = 86_400;
/// Bytes of a token, at least.
const SHORTEST_TOKEN: usize = 16;

/// Who may read and set levels. There is no router without one.
#[derive(Clone)]
pub struct Authorizer(Arc<dyn Fn(&Parts) -> bool + Send + Sync>);

impl Authorizer {
    /// Whoever sends this token: `authorization: Bearer <token>`.
    ///
    /// # Errors
    /// When it is shorter than 16 bytes, or cannot be sent in a header.
    pub fn bearer(token: impl Into<String>) -> Result<Self, Error> {
        let token = token.into();
        if token.len() < SHORTEST_TOKEN {
            return Err(Error::configuration(
                "the token for levels is shorter than 16 bytes: it would be guessed",
            ));
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::configuration(
                "the token for levels has characters that a bearer token cannot have",
            ));
        }
        Ok(Self::new(move |head| {
            bearer(&head.headers).is_some_and(|given| same(token.as_bytes(), given))
        }))
    }

    /// Whoever `allows` says: by a client's certificate, a session, an address. It sees the request's head.
    pub fn new(allows: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(allows))
    }
}

impl fmt::Debug for Authorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorizer").finish_non_exhaustive()
    }
}

/// The router, with the one path `/levels`. Whoever `authorizer` turns away reaches nothing behind it.
pub fn level_router(telemetry: &Telemetry, authorizer: Authorizer) -> Router {
    let levels = Levels {
        telemetry: *telemetry,
        authorizer,
    };
    Router::new()
        .route("/levels", any(answer))
        .with_state(levels)
}

#[derive(Clone, Debug)]
struct Levels {
    telemetry: Telemetry,
    authorizer: Authorizer,
}

async fn answer(State(levels): State<Levels>, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    // Where it panics nobody is let in.
    let allows = || (levels.authorizer.0)(&head);
    if !levels.telemetry.contain(false, allows) {
        let mut response = said(Refused::new(StatusCode::UNAUTHORIZED, "who are you?"));
        let challenge = HeaderValue::from_static("Bearer");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
        return response;
    }
    let done = match head.method {
        Method::GET => levels.read(),
        Method::PUT => match axum::body::to_bytes(body, LONGEST).await {
            Ok(body) => levels.set(&body),
            Err(_) => Err(Refused::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body did not arrive, or is longer than 4096 bytes",
            )),
        },
        _ => Err(Refused::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "levels are read with GET and set with PUT",
        )),
    };
    match done {
        Ok(value) => json_response(StatusCode::OK, &value),
        Err(refused) => said(refused),
    }
}

impl Levels {
    fn read(&self) -> Result<Value, Refused> {
        self.alive()?;
        let kinds = self.telemetry.kinds();
        let kinds: Vec<Value> = kinds.into_iter().map(kind_as_json).collect();
        Ok(json!({ "kinds": kinds }))
    }

    fn set(&self, body: &[u8]) -> Result<Value, Refused> {
        let change = Change::parse(body)?;
        self.alive()?;
        let kind = self
            .telemetry
            .kinds()
            .into_iter()
            .find(|kind| kind.descriptor().name == change.kind)
            .ok_or_else(|| Refused::unknown("kind", &change.kind))?;
        if let Some(method) = &change.method
            && !kind.knows_method(method)
        {
            return Err(Refused::unknown("method", method));
        }
        if !change.apply(kind) {
            self.alive()?;
            return Err(Refused::new(
                StatusCode::CONFLICT,
                "this method is beyond the cap of its label and has no level of its own",
            ));
        }
        Ok(kind_as_json(kind))
    }

    fn alive(&self) -> Result<(), Refused> {
        if self.telemetry.is_shut_down() {
            let why = "the telemetry is shut down: nothing has a level";
            return Err(Refused::new(StatusCode::CONFLICT, why));
        }
        Ok(())
    }
}

/// What a PUT asks for.
#[derive(Debug)]
struct Change {
    kind: String,
    method: Option<String>,
    /// `None`: a method follows its kind again.
    level: Option<StatsLevel>,
    lasts: Option<Duration>,
}

impl Change {
    fn parse(body: &[u8]) -> Result<Self, Refused> {
        let value = serde_json::from_slice(body)
            .map_err(|error| Refused::bad(format!("the body is not JSON: {error}")))?;
        let Value::Object(mut object) = value else {
            return Err(Refused::bad("the body is not a JSON object"));
        };
        let kind = text(&mut object, "kind")?.ok_or_else(|| Refused::bad("`kind` is missing"))?;
        let method = text(&mut object, "method")?;
        let level = match object.remove("level") {
            None => return Err(Refused::bad("`level` is missing")),
            Some(Value::Null) if method.is_some() => None,
            Some(Value::Null) => {
                return Err(Refused::bad(
                    "only a method can follow its kind: `level` is null",
                ));
            }
            Some(Value::String(name)) => Some(StatsLevel::from_name(&name).ok_or_else(|| {
                Refused::bad("`level` is none of `disabled`, `base`, `detailed`")
            })?),
            Some(_) => return Err(Refused::bad("`level` is not a string")),
        };
        let lasts = match object.remove("for_seconds") {
            None | Some(Value::Null) => None,
            Some(value) => match value.as_u64() {
                Some(seconds @ 1..=LONGEST_SECONDS) => Some(Duration::from_secs(seconds)),
                _ => {
                    let why = "`for_seconds` is not a whole number from 1 to 86400";
                    return Err(Refused::bad(why));
                }
            },
        };
        if level.is_none() && lasts.is_some() {
            return Err(Refused::bad("`for_seconds` says nothing without a `level`"));
        }
        // A misspelt `for_seconds` would set a level for good.
        if let Some(key) = object.keys().next() {
            return Err(Refused::bad(format!(
                "`{}` is not known",
                key.escape_debug()
            )));
        }
        Ok(Self {
            kind,
            method,
            level,
            lasts,
        })
    }

    /// Says whether it could be done.
    fn apply(&self, kind: &'static Kind) -> bool {
        match (&self.method, self.level, self.lasts) {
            (None, Some(level), Some(lasts)) => kind.set_level_for(level, lasts),
            (None, Some(level), None) => {
                kind.set_level(level);
                true
            }
            (Some(method), Some(level), Some(lasts)) => {
                kind.set_method_level_for(method, level, lasts)
            }
            (Some(method), level, _) => kind.set_method_level(method, level),
            (None, None, _) => false,
        }
    }
}

fn text(object: &mut Map<String, Value>, key: &str) -> Result<Option<String>, Refused> {
    match object.remove(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refused::bad(format!("`{key}` is not a string"))),
    }
}

/// Keys are written in the order of the alphabet: whether maps keep another is a feature that any crate beside may switch on.
fn kind_as_json(kind: &'static Kind) -> Value {
    let methods = kind.method_levels().into_iter().map(|own| {
        let mut method = json!({ "level": own.level.as_str(), "method": own.method });
        add_left(&mut method, own.left);
        method
    });
    let methods: Vec<Value> = methods.collect();
    let mut value = json!({
        "kind": kind.descriptor().name,
        "level": kind.level().as_str(),
        "methods": methods,
    });
    add_left(&mut value, kind.level_left());
    value
}

fn add_left(value: &mut Value, left: Option<Duration>) {
    if let Some(left) = left {
        value["seconds_left"] = left.as_secs_f64().into();
    }
}

#[derive(Debug)]
struct Refused(StatusCode, String);

impl Refused {
    fn new(status: StatusCode, why: &str) -> Self {
        Self(status, why.to_owned())
    }

    fn bad(why: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, why.into())
    }

    fn unknown(what: &str, name: &str) -> Self {
        let name = name.escape_debug();
        Self(
            StatusCode::NOT_FOUND,
            format!("no {what} `{name}` is known"),
        )
    }
}

fn said(refused: Refused) -> Response<Body> {
    let mut response = json_response(refused.0, &json!({ "error": refused.1 }));
    if refused.0 == StatusCode::METHOD_NOT_ALLOWED {
        let allowed = HeaderValue::from_static("GET, PUT");
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

fn json_response(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{value}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let media = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, media);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The token of the one `authorization` header.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.as_bytes();
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    (values.next().is_none() && scheme.eq_ignore_ascii_case(b"Bearer ")).then_some(token)
}

/// In a time that depends on what is given alone: not on how much of it is right.
fn same(secret: &[u8], given: &[u8]) -> bool {
    let mut differs = usize::from(secret.len() != given.len());
    for (at, byte) in given.iter().enumerate() {
        differs |= usize::from(byte ^ secret[at % secret.len()]);
        differs = std::hint::black_box(differs);
    }
    differs == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_same_or_they_are_not() {
        let secret = b"0123456789abcdef";
        let twice = [&secret[..], &secret[..]].concat();
        for (given, expected) in [
            (&secret[..], true),
            (b"0123456789abcdeF", false),
            (b"1123456789abcdef", false),
            (b"0123456789abcde", false),
            (b"", false),
            (&twice, false),
        ] {
            assert_eq!(same(secret, given), expected, "{given:?}");
        }
    }

    #[test]
    fn a_token_that_would_be_guessed_is_refused_at_set_up() {
        for token in [
            "",
            "short",
            "0123456789abcde",
            "0123456789 abcdef",
            "0123456789abcdéf",
        ] {
            assert!(Authorizer::bearer(token).unwrap_err().is_configuration());
        }
        assert!(Authorizer::bearer("0123456789abcdef").is_ok());
    }
}
