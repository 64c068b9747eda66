//! A model of somebody else's: the other example, a gateway that stands before two simulated ones.

use crate::program::{assistant, check_contains};
use obs_testing::Receiver;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A gateway, killed with the test.
struct Gateway {
    process: Child,
    base: String,
}

impl Gateway {
    fn start(receiver: &Receiver, keys: &str) -> Self {
        let process = Command::new(env!("CARGO_BIN_EXE_ai_gateway"))
            .arg("serve")
            .env("GATEWAY_KEYS", keys)
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program was built with this test");
        let mut gateway = Self {
            process,
            base: String::new(),
        };
        let lines = BufReader::new(gateway.process.stdout.take().expect("piped")).lines();
        for line in lines.map_while(Result::ok) {
            if let Some(found) = line.strip_prefix("gateway: ") {
                gateway.base = found.to_owned();
            }
            if line == "ready" {
                return gateway;
            }
        }
        panic!("it did not begin");
    }

    fn end(&mut self) {
        let kill = format!("kill -TERM {}", self.process.id());
        let sent = Command::new("sh").args(["-c", &kill]).status();
        assert!(sent.expect("a shell").success());
        assert!(self.process.wait().expect("it is ours").success());
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// What it printed of tokens.
fn tokens(stdout: &str, kind: &str) -> Option<f64> {
    let mut lines = stdout.lines().map(|line| line.split_whitespace());
    lines.find_map(|mut line| {
        let is_it = line.next() == Some("assistant.tokens") && line.next() == Some(kind);
        is_it.then(|| line.next()?.parse().ok())?
    })
}

/// The tokens of what was asked after these were printed: of the last request, which is shown as a tree.
fn tokens_after(stdout: &str, kind: &str) -> f64 {
    let (_, last) = stdout
        .split_once("a request while the knowledge service is down")
        .expect("it is shown");
    let key = format!("- gen_ai.usage.{kind}_tokens: ");
    let told = last
        .lines()
        .filter_map(|line| line.trim().strip_prefix(&key));
    told.map(|count| count.parse::<f64>().expect("a count"))
        .sum()
}

#[test]
fn answers_come_from_where_openai_base_url_says() {
    let receiver = Receiver::start().expect("a receiver");
    let keys = format!("{}/keys-of-theirs", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&keys, "assistant key-of-the-assistant\n").expect("written");
    let mut gateway = Gateway::start(&receiver, &keys);
    let set = |key| {
        [
            ("OPENAI_BASE_URL", &*gateway.base),
            ("OPENAI_API_KEY", key),
            ("OPENAI_MODEL", "sim"),
        ]
    };
    let run = assistant(&["--quick"], &set("key-of-the-assistant")).output();
    let run = run.expect("the program was built");
    let (stdout, stderr) = (
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr),
    );
    assert!(run.status.success(), "{stdout}{stderr}");
    check_contains(
        &stdout,
        &[
            &format!("model sim at {}, where OPENAI_BASE_URL says", gateway.base),
            "a normal request",
            "chat sim [client] ",
            "- gen_ai.provider.name: \"_OTHER\"",
            "- gen_ai.usage.output_tokens: 12",
            "- obs.llm.response.chunks: 12",
        ],
    );
    // What only a model that is played does is not asked of another, and on whose device it runs nobody here knows.
    for absent in [
        "its device ",
        "obs.gpu.",
        "overloaded: ",
        "the model took its time",
        "simulated-1",
        "key-of-the-assistant",
    ] {
        assert!(!stdout.contains(absent), "{absent}: {stdout}");
    }

    // A key that is not known answers nothing, and whoever it is not shows nothing.
    let refused = assistant(&["--quick"], &set("another")).output();
    let refused = refused.expect("the program was built");
    assert_eq!(refused.status.code(), Some(1));
    let words = String::from_utf8_lossy(&refused.stderr);
    check_contains(&words, &["/ask/tides was answered with 503"]);

    gateway.end();
    let points = receiver.points();
    for kind in ["input", "output"] {
        let of = [
            ("ai_gateway.key.name", "assistant".into()),
            ("ai_gateway.token.type", kind.into()),
        ];
        let counted = points.sum("ai_gateway.key.tokens", &of);
        let counted = counted.map(|point| point.as_f64());
        assert!(counted.is_some_and(|counted| counted > 0.0), "{kind}");
        let told = tokens(&stdout, kind).map(|told| told + tokens_after(&stdout, kind));
        assert_eq!(counted, told, "{kind}");
    }
}
