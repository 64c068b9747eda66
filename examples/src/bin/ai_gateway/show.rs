//! The gateway from outside: a process that is asked, and what a receiver got of it.

use crate::Result;
use obs_testing::metrics::PointSet;
use obs_testing::{Receiver, SpanTree};
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

/// What is asked: what goes on, the model that plays it, and after which of its words the reader leaves.
const CASES: [(&str, &str, Option<&str>); 5] = [
    ("a streamed chat", "sim", None),
    (
        "the first upstream is busy, and the second streams",
        "sim-busy",
        None,
    ),
    ("the upstream breaks off", "sim-cut", None),
    ("the client leaves", "sim-slow", Some("answer")),
    (
        "SIGTERM while it streams: the stream goes on to its end",
        "sim-slow",
        Some(SIGTERM),
    ),
];
/// No word of a model's.
const SIGTERM: &str = "SIGTERM";

/// What spans are shown with.
const SHOWN: [&str; 13] = [
    "http.response.status_code",
    "error.type",
    "server.port",
    "gen_ai.provider.name",
    "gen_ai.response.model",
    "gen_ai.response.finish_reasons",
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "obs.llm.response.chunks",
    "obs.llm.response.chunk_gap.max",
    "obs.llm.response.time_per_output_token",
    "obs.llm.cost.usd",
];

/// Two names, and who they are.
const KEYS: &str = "ann key-of-ann\nben key-of-ben\n";
/// Dollars of nobody's.
const PRICES: &str = r#"{
    "simulated-first/sim": {"litellm_provider": "simulated-first", "input_cost_per_token": 1e-6, "output_cost_per_token": 4e-6},
    "simulated-second/sim-busy": {"litellm_provider": "simulated-second", "input_cost_per_token": 3e-6, "output_cost_per_token": 8e-6}
}"#;

pub(crate) fn run() -> Result<()> {
    let receiver = Receiver::start()?;
    let folder = Folder::new()?;
    let mut gateway = Gateway::start(&receiver.endpoint(), &folder)?;
    println!(
        "gateway at http://{}/v1, process {}, behind it two upstreams that are simulated",
        gateway.address,
        gateway.process.id()
    );
    for (place, (_, model, leaves)) in CASES.iter().enumerate() {
        let (trace, key) = (place as u128 + 1, ["key-of-ann", "key-of-ben"][place % 2]);
        if *leaves != Some(SIGTERM) {
            ask(&gateway.address, (trace, key, model), *leaves)?;
            continue;
        }
        let mut reader = begin(&gateway.address, (trace, key, model))?;
        read_to(&mut reader, "answer")?;
        gateway.signal()?;
        let mut rest = String::new();
        reader.read_to_string(&mut rest)?;
        if !rest.contains("[DONE]") {
            return Err("the signal cut a stream that was under way".into());
        }
    }
    let status = gateway.process.wait()?;
    check(&receiver, status)?;
    for (place, (title, ..)) in CASES.iter().enumerate() {
        let trace = place as u128 + 1;
        let spans = receiver.spans().into_iter();
        let spans = spans.filter(|span| span.trace_id() == trace);
        let tree = SpanTree::new(spans)
            .with_attributes(SHOWN)
            .with_durations(true);
        println!("\n  {title}");
        for line in tree.to_string().lines().skip(1) {
            println!("  {line}");
        }
    }
    by_key(&receiver.points());
    Ok(())
}

/// That all of it arrived, by the time the process is gone.
fn check(receiver: &Receiver, status: ExitStatus) -> Result<()> {
    let spans = receiver.spans();
    let calls = spans
        .iter()
        .filter(|span| span.attr("gen_ai.provider.name").is_some());
    // The one that was passed over for the other is a call as well.
    let expected = CASES.len() + 1;
    let counted = receiver
        .points()
        .histograms("gen_ai.client.operation.duration", &[]);
    let counted: u64 = counted.iter().map(|point| point.count).sum();
    let found = calls.count();
    println!(
        "{status}; arrived: {} spans, {found} of them calls of models, of which metrics count {counted}",
        spans.len()
    );
    if !status.success() || found != expected || counted != expected as u64 {
        return Err("telemetry was lost".into());
    }
    Ok(())
}

fn by_key(points: &PointSet) {
    println!("\nWhat each key used");
    for (name, unit) in [
        ("ai_gateway.key.requests", "requests"),
        ("ai_gateway.key.tokens", "tokens"),
    ] {
        for (key, count) in points.sum_by(name, "ai_gateway.key.name") {
            println!("  {key:<8}{count:>12} {unit}");
        }
    }
    for (key, cost) in points.histogram_by("ai_gateway.key.cost", "ai_gateway.key.name") {
        println!(
            "  {key:<8}{:>12.6} dollars by {} calls that have a price",
            cost.sum.unwrap_or_default(),
            cost.count
        );
    }
}

/// Asks, and reads to the end or until it leaves.
fn ask(address: &str, of: (u128, &str, &str), leaves: Option<&str>) -> Result<()> {
    let mut reader = begin(address, of)?;
    match leaves {
        Some(word) => read_to(&mut reader, word),
        None => {
            // What breaks off is no error here: it is what is shown.
            _ = reader.read_to_end(&mut Vec::new());
            Ok(())
        }
    }
}

fn begin(address: &str, (trace, key, model): (u128, &str, &str)) -> Result<BufReader<TcpStream>> {
    let body = format!(
        r#"{{"model":"{model}","stream":true,"stream_options":{{"include_usage":true}},"messages":[{{"role":"user","content":"what are you"}}]}}"#
    );
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\ntraceparent: 00-{trace:032x}-{trace:016x}-01\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut reader = BufReader::new(stream);
    let mut status = String::new();
    reader.read_line(&mut status)?;
    match status.starts_with("HTTP/1.1 200 ") {
        true => Ok(reader),
        false => Err(format!("not what was asked for: {status}").into()),
    }
}

fn read_to(reader: &mut BufReader<TcpStream>, word: &str) -> Result<()> {
    let mut line = String::new();
    while !line.contains(word) {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(format!("the answer ended before `{word}`").into());
        }
    }
    Ok(())
}

/// The gateway as a process; killed if it is dropped while it runs.
struct Gateway {
    process: Child,
    address: String,
}

impl Gateway {
    fn start(endpoint: &str, folder: &Folder) -> Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("OTEL_") || name.starts_with("GATEWAY_") {
                command.env_remove(&*name);
            }
        }
        command
            .arg("serve")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
            .env("GATEWAY_KEYS", folder.write("keys", KEYS)?)
            .env("GATEWAY_PRICES", folder.write("prices.json", PRICES)?)
            .stdout(Stdio::piped());
        let mut gateway = Self {
            process: command.spawn()?,
            address: String::new(),
        };
        let output = gateway.process.stdout.take().ok_or("it has no output")?;
        for line in BufReader::new(output).lines() {
            let line = line?;
            if let Some(address) = line.strip_prefix("gateway: http://") {
                gateway.address = address.trim_end_matches("/v1").to_owned();
            }
            if line == "ready" {
                return Ok(gateway);
            }
        }
        Err("the gateway did not begin".into())
    }

    /// By the shell, whose own `kill` is there where no other is.
    fn signal(&self) -> Result<()> {
        let kill = format!("kill -TERM {}", self.process.id());
        match Command::new("sh").args(["-c", &kill]).status()?.success() {
            true => Ok(()),
            false => Err("the signal was not sent".into()),
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // In vain where it is gone already, which is the ordinary end.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// A folder for as long as it takes.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let path = env::temp_dir().join(format!("ai_gateway-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.0.join(name);
        fs::write(&path, text)?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}
