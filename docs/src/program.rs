//! One program of a page, run as its user would: a process, real requests, a signal.

use obs_testing::{Receiver, eventually};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// The ids that the caller sends along.
pub const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
/// The span that it calls from.
pub const CALLER: u64 = 0x00f0_67aa_0ba9_02b7;

/// What one run of a program showed.
#[derive(Debug)]
pub struct Run {
    /// What it exported.
    pub receiver: Receiver,
    /// Lines that it printed, but for those that the requests go by.
    pub lines: Vec<String>,
    /// Its metrics page, if it has one.
    pub page: String,
}

/// Runs `binary`: an item is asked for, a route that fails, one whose body comes late, and one whose client goes away.
/// With `has_page` its metrics are read once nothing is running any more.
///
/// # Panics
/// Where the program does not do what all of them do.
#[must_use]
pub fn run(binary: &str, has_page: Option<&str>) -> Run {
    let receiver = Receiver::start().expect("a receiver");
    let mut shop = Shop::open(binary, &receiver);
    let headers = format!(
        "user-agent: buyer\r\ntraceparent: 00-{TRACE:032x}-{CALLER:016x}-01\r\nconnection: close\r\n"
    );
    for path in ["/items/7?token=hunter2", "/broken", "/report"] {
        let answer = shop.get(path, &headers);
        assert!(answer.starts_with("HTTP/1.1 "), "{path}: {answer}");
    }
    let impatient = shop.send("/wait", &headers);
    shop.until("waiting");
    drop(impatient);
    // Not before: a server that stops lets go of its connections, and what runs on them may end after its telemetry does.
    shop.until("left");

    let mut page = String::new();
    if let Some(idle) = has_page {
        let seen = eventually(PATIENCE, || {
            page = shop.get("/metrics", "connection: close\r\n");
            page.lines().any(|line| line.starts_with(idle))
        });
        assert!(seen, "no `{idle}` on\n{page}");
    }
    let lines = shop.close();
    Run {
        receiver,
        lines,
        page,
    }
}

/// A program while it runs.
struct Shop {
    process: Child,
    output: BufReader<std::process::ChildStdout>,
    address: String,
    lines: Vec<String>,
}

impl Shop {
    fn open(binary: &str, receiver: &Receiver) -> Self {
        let mut command = Command::new(binary);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if ["OTEL_", "RUST_LOG", "AXUM_"]
                .iter()
                .any(|own| name.starts_with(own))
            {
                command.env_remove(name.as_ref());
            }
        }
        let mut process = command
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
            .env("OTEL_METRIC_EXPORT_INTERVAL", "600000")
            .env("SHOP_ADDRESS", "127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program was built with this test");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        let mut shop = Self {
            process,
            output,
            address: String::new(),
            lines: Vec::new(),
        };
        shop.address = shop.until("listening on ");
        shop
    }

    /// Reads lines until one begins like this; the rest of it.
    fn until(&mut self, begin: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).expect("text");
            assert!(read > 0, "it ended without `{begin}`: {:?}", self.lines);
            let line = line.trim_end();
            if let Some(rest) = line.strip_prefix(begin) {
                return rest.to_owned();
            }
            self.lines.push(line.to_owned());
        }
    }

    fn send(&self, path: &str, headers: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let head = format!("GET {path} HTTP/1.1\r\nhost: shop.example\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).expect("sent");
        stream
    }

    fn get(&mut self, path: &str, headers: &str) -> String {
        let mut answer = String::new();
        let mut stream = self.send(path, headers);
        stream.read_to_string(&mut answer).expect("answered");
        answer
    }

    /// Ctrl-c, and the lines.
    fn close(mut self) -> Vec<String> {
        let kill = format!("kill -INT {}", self.process.id());
        let sent = Command::new("sh").args(["-c", &kill]).status();
        assert!(sent.expect("a shell").success());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("text");
        let status = self.process.wait().expect("it is ours");
        assert!(status.success(), "{status}: {rest}");
        self.lines.extend(rest.lines().map(str::to_owned));
        std::mem::take(&mut self.lines)
    }
}

impl Drop for Shop {
    /// A test that failed leaves nothing running.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Names, sorted.
pub type Names = BTreeSet<String>;

impl Run {
    /// Seconds that a histogram holds for the points with this attribute, of the metrics of one scope.
    ///
    /// # Panics
    /// Where there is no such histogram, or its sum is not said.
    #[must_use]
    pub fn seconds(&self, scope: &str, histogram: &str, label: (&str, &str)) -> f64 {
        let points = self.receiver.points();
        let wanted = [(label.0, label.1.into())];
        let found = points.histograms.iter().find(|point| {
            let series = &point.series;
            series.scope == scope && series.name == histogram && series.has(&wanted)
        });
        found
            .and_then(|point| point.sum)
            .unwrap_or_else(|| panic!("{scope}: {histogram} {label:?}"))
    }

    /// Names of the spans of kind server.
    #[must_use]
    pub fn server_spans(&self) -> Names {
        let spans = self.receiver.spans();
        let servers = spans.iter().filter(|span| span.span.kind == SERVER);
        servers.map(|span| span.name().to_owned()).collect()
    }

    /// Keys of their attributes.
    #[must_use]
    pub fn server_attributes(&self) -> Names {
        let spans = self.receiver.spans();
        let servers = spans.iter().filter(|span| span.span.kind == SERVER);
        let all = servers.flat_map(|span| span.span.attributes.clone());
        all.map(|attribute| attribute.key).collect()
    }

    /// Metrics that were exported, but for what the telemetry says of itself, which depends on how the run went.
    #[must_use]
    pub fn metrics(&self) -> Names {
        let names = self.series().into_iter().map(|(name, _)| name);
        names
            .filter(|name| !name.starts_with("obs.telemetry.") && !name.starts_with("otel.sdk."))
            .collect()
    }

    /// Attributes of the points of one metric.
    #[must_use]
    pub fn labels(&self, metric: &str) -> Names {
        let series = self.series().into_iter().filter(|(name, _)| name == metric);
        series.flat_map(|(_, labels)| labels).collect()
    }

    fn series(&self) -> Vec<(String, Names)> {
        let points = self.receiver.points();
        let histograms = points.histograms.iter().map(|point| &point.series);
        let sums = points.sums.iter().map(|point| &point.series);
        let gauges = points.gauges.iter().map(|point| &point.series);
        let all = histograms.chain(sums).chain(gauges);
        let labels = all.map(|series| {
            let keys = series.attributes.iter().map(|(key, _)| key.clone());
            (series.name.clone(), keys.collect())
        });
        labels.collect()
    }

    /// Metrics of the page, what `# TYPE` lines name, with the same exception and without `target_info`.
    #[must_use]
    pub fn page_metrics(&self) -> Names {
        let types = self
            .page
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "));
        let names = types.filter_map(|line| Some(line.split(' ').next()?.to_owned()));
        names
            .filter(|name| !name.starts_with("obs_telemetry_"))
            .filter(|name| !name.starts_with("otel_sdk_") && name != "target_info")
            .collect()
    }

    /// Labels of the samples of one metric of the page.
    #[must_use]
    pub fn page_labels(&self, metric: &str) -> Names {
        let samples = self.page.lines().filter(|line| line.starts_with(metric));
        let inside = samples.filter_map(|line| Some(line.split_once('{')?.1.rsplit_once('}')?.0));
        inside
            .flat_map(|labels| labels.split("\",").map(str::to_owned).collect::<Vec<_>>())
            .filter_map(|label| Some(label.split_once('=')?.0.to_owned()))
            .filter(|label| label != "le")
            .collect()
    }

    /// The value of the first sample that begins like this and has all of these parts.
    #[must_use]
    pub fn sample(&self, begin: &str, parts: &[&str]) -> Option<f64> {
        let mut samples = self.page.lines().filter(|line| line.starts_with(begin));
        let sample = samples.find(|line| parts.iter().all(|part| line.contains(part)))?;
        sample.rsplit(' ').next()?.parse().ok()
    }
}

/// As OTLP numbers it.
const SERVER: i32 = 2;
