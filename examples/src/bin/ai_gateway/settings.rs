//! What the gateway is told, all of it by the environment.
//!
//! | variable | what it is | without it |
//! |---|---|---|
//! | `GATEWAY_LISTEN` | address of the interface | `127.0.0.1:0` |
//! | `GATEWAY_METRICS` | address of the metrics page | `127.0.0.1:0` |
//! | `GATEWAY_FIRST_URL`, `GATEWAY_SECOND_URL` | an upstream, up to what stands before `/chat/completions`: `https://api.openai.com/v1` | a simulated one |
//! | `GATEWAY_FIRST_PROVIDER`, `GATEWAY_SECOND_PROVIDER` | its `gen_ai.provider.name` | by its host; `simulated-first`, `simulated-second` |
//! | `GATEWAY_FIRST_KEY`, `GATEWAY_SECOND_KEY` | the key that it is asked with | none |
//! | `GATEWAY_KEYS` | a file with who may ask: on each line a name, a space and a key | anybody, as `anonymous` |
//! | `GATEWAY_PRICES` | a table of prices in LiteLLM's format | no costs |
//! | `GATEWAY_INJECT_USAGE` | `true`: streams are asked for their usage in the name of who did not | `false` |
//! | `GATEWAY_DRAIN_BYTES` | of a stream whose reader left so much is read on, for its usage, which its upstream charges for | `0`: it is cancelled |
//! | `GATEWAY_PATIENCE_MS` | for how many milliseconds an upstream is waited for to begin its answer, before the other is asked | `300000` |
//! | `GATEWAY_GRACE_MS` | for how many milliseconds streams may go on after a signal | `30000` |

use crate::Result;
use obs_llm::Provider;
use std::env;
use std::time::Duration;

/// All of it.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) listen: String,
    pub(crate) metrics: String,
    pub(crate) upstreams: [Option<Told>; 2],
    pub(crate) keys: Option<String>,
    pub(crate) prices: Option<String>,
    pub(crate) injects_usage: bool,
    pub(crate) drain_bytes: u64,
    pub(crate) patience: Duration,
    pub(crate) grace: Duration,
}

/// One upstream. Its key is in no log and no `Debug`.
pub(crate) struct Told {
    pub(crate) url: String,
    pub(crate) provider: Option<Provider>,
    pub(crate) key: Option<String>,
}

impl Settings {
    pub(crate) fn from_environment() -> Result<Self> {
        let or = |name, default: &str| text(name).unwrap_or_else(|| default.to_owned());
        Ok(Self {
            listen: or("GATEWAY_LISTEN", "127.0.0.1:0"),
            metrics: or("GATEWAY_METRICS", "127.0.0.1:0"),
            upstreams: ["FIRST", "SECOND"].map(Told::from_environment),
            keys: text("GATEWAY_KEYS"),
            prices: text("GATEWAY_PRICES"),
            injects_usage: parsed("GATEWAY_INJECT_USAGE", false)?,
            drain_bytes: parsed("GATEWAY_DRAIN_BYTES", 0)?,
            patience: Duration::from_millis(parsed("GATEWAY_PATIENCE_MS", 300_000)?),
            grace: Duration::from_millis(parsed("GATEWAY_GRACE_MS", 30_000)?),
        })
    }
}

impl Told {
    fn from_environment(which: &str) -> Option<Self> {
        let of = |what| text(&format!("GATEWAY_{which}_{what}"));
        Some(Self {
            url: of("URL")?,
            provider: of("PROVIDER").map(Provider::named),
            key: of("KEY"),
        })
    }
}

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Told")
            .field("url", &self.url)
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}

/// Empty is as good as absent.
fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn parsed<T: std::str::FromStr>(name: &str, default: T) -> Result<T> {
    match text(name) {
        None => Ok(default),
        Some(value) => { value.parse() }.map_err(|_| format!("{name} makes no sense").into()),
    }
}
