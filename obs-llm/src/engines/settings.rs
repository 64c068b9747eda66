//! What is scraped, and how often.

use super::mapping::{Mapping, Row};
use obs_core::Error;
use std::time::Duration;
use ureq::http::Uri;
use ureq::http::header::{HeaderMap, HeaderName, HeaderValue};

/// How engines are scraped.
#[derive(Clone, Copy, Debug)]
pub struct ScrapeSettings {
    pub(crate) interval: Duration,
    pub(crate) deadline: Duration,
    pub(crate) page_bytes: u64,
    pub(crate) samples: usize,
}

/// The longest interval and deadline: sums of what is longer are no times.
const MOST: (Duration, Duration) = (Duration::from_secs(86_400), Duration::from_secs(3_600));

impl Default for ScrapeSettings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            deadline: Duration::from_secs(2),
            page_bytes: 16 << 20,
            samples: 100_000,
        }
    }
}

impl ScrapeSettings {
    /// Every 10 seconds, at most 2 seconds, 16 MiB and 100,000 samples for a page.
    pub fn new() -> Self {
        Self::default()
    }

    /// How often each engine is scraped; from 10 ms to a day. Without threads it is at each collection, and this says nothing.
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval.clamp(Duration::from_millis(10), MOST.0);
        self
    }

    /// How long a page may take, from the name's look-up to its last byte; from 1 ms to an hour. Where there are so many engines
    /// that they would not fit into an interval, each has its part of that.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline.clamp(Duration::from_millis(1), MOST.1);
        self
    }

    /// How many bytes a page may have. Of one that has more nothing is shown.
    pub fn with_page_bytes(mut self, bytes: u64) -> Self {
        self.page_bytes = bytes;
        self
    }

    /// How many samples of a page may be what rows are about. Of a page that has more nothing is shown: half of it would have
    /// half of sums.
    pub fn with_samples(mut self, samples: usize) -> Self {
        self.samples = samples;
        self
    }
}

/// One engine to scrape.
#[derive(Clone, Debug)]
pub struct ScrapeTarget {
    pub(crate) uri: Uri,
    pub(crate) address: String,
    pub(crate) port: u16,
    pub(crate) mapping: Mapping,
    pub(crate) rows: Vec<Row>,
    pub(crate) model: Option<String>,
    /// Their values are marked as sensitive, and not shown.
    pub(crate) headers: HeaderMap,
}

impl ScrapeTarget {
    /// An engine at this URL: `http://host:port` gets the path at which such an engine has its page, a URL with a path is taken as
    /// it is. `https` takes the feature `engines-tls`, and a certificate of a public authority.
    ///
    /// # Errors
    /// When it is no URL of a page that can be got.
    pub fn new(url: &str, mapping: &Mapping) -> Result<Self, Error> {
        let unusable = |why: &str| {
            let shown = url.split_once('@').map_or(url, |(_, rest)| rest);
            let shown = shown.split('?').next().unwrap_or_default();
            Error::configuration(format!("scrape target `{}`: {why}", shown.escape_debug()))
        };
        let given: Uri = url
            .parse()
            .map_err(|error| unusable("not a URL").with_source(error))?;
        let port = match given.scheme_str() {
            Some("http") => 80,
            Some("https") if cfg!(feature = "engines-tls") => 443,
            Some("https") => {
                return Err(unusable(
                    "`https` takes the feature `engines-tls` of obs-llm",
                ));
            }
            _ => return Err(unusable("it must begin with `http://` or `https://`")),
        };
        let authority = given
            .authority()
            .ok_or_else(|| unusable("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(unusable("credentials go into a header"));
        }
        let host = given.host().unwrap_or_default();
        let address = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        if address.is_empty() {
            return Err(unusable("it has no host"));
        }
        let port = match (given.port_u16(), authority.as_str().len() > host.len()) {
            (Some(port), _) if port > 0 => port,
            (None, false) => port,
            _ => return Err(unusable("its port is none")),
        };
        let uri = match given.path_and_query() {
            Some(path) if path.as_str() != "/" => given,
            _ => {
                let whole = format!("{}{}", url.trim_end_matches('/'), mapping.path);
                let whole = whole.parse::<Uri>();
                whole.map_err(|error| unusable("not a URL with its path").with_source(error))?
            }
        };
        Ok(Self {
            uri,
            address,
            port,
            mapping: *mapping,
            rows: Vec::new(),
            model: None,
            headers: HeaderMap::new(),
        })
    }

    /// Rows of one's own, for what the engine's table does not have, or says otherwise: of rows of one target they come first.
    pub fn with_rows(mut self, rows: &[Row]) -> Self {
        self.rows.extend_from_slice(rows);
        self
    }

    /// The model that is served there, for pages that do not say it.
    pub fn with_model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// A header that each scrape has: `authorization`, where the page asks for it. Its value is never shown.
    ///
    /// # Errors
    /// When it is no usable header.
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, Error> {
        let bad = || {
            let name = name.escape_debug();
            Error::configuration(format!("scrape target: `{name}` is not a usable header"))
        };
        let name = HeaderName::try_from(name).map_err(|error| bad().with_source(error))?;
        let mut value = HeaderValue::try_from(value).map_err(|error| bad().with_source(error))?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(self)
    }

    /// Whether two are one: the same engine at the same place, whose series nobody could tell apart.
    pub(crate) fn is(&self, engine: &str, address: &str, port: u16) -> bool {
        (self.mapping.engine, &*self.address, self.port) == (engine, address, port)
    }
}
