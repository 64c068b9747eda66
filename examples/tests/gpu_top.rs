//! What `gpu_top` shows and serves, with devices that are played: by a library of this program's, or one that stands where the driver's
//! would.

use obs_testing::Receiver;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// The program, with nothing of this process's `OTEL_*` variables.
fn gpu_top(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gpu_top"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OTEL_") {
            command.env_remove(name);
        }
    }
    command
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs it to its end, and gives what it said.
#[track_caller]
fn run(mut command: Command) -> String {
    let output = command.output().expect("the program was built");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{words}");
    said
}

/// Rounds of what it said: each with the lines from the head of its table on.
fn rounds(said: &str) -> Vec<Vec<&str>> {
    let rounds = said.split("\nGPU  model").skip(1);
    let rounds = rounds.map(|round| round.lines().take_while(|line| !line.is_empty()).collect());
    rounds.collect()
}

/// A running one, killed with the test.
struct Running(Child, BufReader<std::process::ChildStdout>);

impl Running {
    fn start(mut command: Command) -> Self {
        let mut process = command.spawn().expect("the program was built");
        let said = BufReader::new(process.stdout.take().expect("piped"));
        Self(process, said)
    }

    /// Reads up to a line that begins so, and gives it.
    #[track_caller]
    fn read_until(&mut self, beginning: &str) -> String {
        let lines = self.1.by_ref().lines().map_while(Result::ok);
        let mut said = String::new();
        for line in lines {
            if line.starts_with(beginning) {
                return line;
            }
            said.push_str(&line);
            said.push('\n');
        }
        panic!("it never said `{beginning}`:\n{said}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is on its page.
fn page(url: &str) -> String {
    let host = url.strip_prefix("http://").expect("an address");
    let host = host.strip_suffix("/metrics").expect("a page");
    let mut stream = TcpStream::connect(host).expect("it serves");
    let head = format!("GET /metrics HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    answer
}

#[test]
fn rounds_show_eight_simulated_devices_and_come_to_an_end() {
    let said = run(gpu_top(&["--rounds", "2", "--fake", "serving"]));
    assert!(said.starts_with("GPUs of SIMULATED, "), "{said}");
    assert!(said.ends_with("ended after 2 rounds\n"), "{said}");
    // Nobody sits before a pipe: nothing is redrawn there.
    assert!(!said.contains('\x1b'), "{said}");
    let rounds = rounds(&said);
    assert_eq!(rounds.len(), 2, "{said}");
    for round in &rounds {
        assert_eq!(round.len(), 9, "{round:?}");
        for (index, line) in round[1..].iter().enumerate() {
            let cells: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(
                cells[..3],
                [&*index.to_string(), "H200", "(simulated)"],
                "{line}"
            );
            // What the script says: it varies about 85, and 100 of 140.4 GiB are in use.
            let busy: u32 = cells[3].trim_end_matches('%').parse().expect("a share");
            assert!((70..=100).contains(&busy), "{line}");
            assert_eq!(cells[5], "100.0/140.4", "{line}");
            assert!(line.contains(" ok  "), "{line}");
        }
    }
    // By the second round it is known whose it is.
    assert!(
        rounds[1][1].ends_with("simulated-70b/chat 98.0 GiB, unattributed 2.0 GiB"),
        "{said}"
    );
    assert!(
        rounds[1][8].ends_with(" serving  unattributed 100.0 GiB"),
        "{said}"
    );
}

#[test]
fn a_device_that_falls_off_the_bus_is_no_idle_one_and_the_table_says_why() {
    let mut program = Running::start(gpu_top(&["--fake", "S1", "--rounds", "60"]));
    let url = program.read_until("http://");
    let why = program.read_until("GPU 1: failed for ");
    assert!(
        why.contains("XID 79 (") && why.contains("(code 15)"),
        "{why}"
    );
    let page = page(&url);
    let of = |parts: &[&str]| {
        let mut lines = page.lines();
        lines.any(|line| parts.iter().all(|part| line.contains(part)))
    };
    // Which of the two: by its place in the list.
    assert!(of(&["hw_status", r#"hw_state="failed""#, "} 1"]), "{page}");
    assert!(
        of(&["obs_gpu_answering", r#"hw_name="GPU 1""#, "} 0"]),
        "{page}"
    );
    assert!(
        of(&["hw_gpu_utilization_ratio", r#"hw_name="GPU 0""#]),
        "{page}"
    );
}

#[test]
fn its_page_has_devices_their_health_and_users_and_the_host() {
    let mut program = Running::start(gpu_top(&["--fake", "serving", "--rounds", "60"]));
    let url = program.read_until("http://");
    // The second round: by then there was a window between two readings.
    program.read_until("http://");
    program.read_until("http://");
    let page = page(&url);
    for (name, label) in [
        ("target_info", r#"service_name="gpu_top (simulated)""#),
        (
            "hw_gpu_utilization_ratio",
            r#"hw_model="NVIDIA H200 (simulated)""#,
        ),
        ("hw_energy_joules_total", r#"hw_type="gpu""#),
        ("hw_status", r#"hw_state="ok""#),
        ("obs_gpu_gate_status", r#"obs_gpu_gate_state="serving""#),
        (
            "obs_gpu_attributed_energy_joules_total",
            r#"gen_ai_request_model="simulated-70b""#,
        ),
        ("obs_gpu_attributed_tokens_total", r#"obs_gpu_task="embed""#),
        (
            "obs_gpu_call_duration_seconds_count",
            r#"obs_gpu_call="nvmlDeviceGetFieldValues""#,
        ),
        ("obs_gpu_devices", " 8"),
        ("system_cpu_time_seconds_total", r#"cpu_mode="user""#),
    ] {
        let mut lines = page.lines();
        let found = lines.any(|line| line.starts_with(name) && line.contains(label));
        assert!(found, "no {name} with {label}:\n{page}");
    }
}

#[track_caller]
fn ends_on(signal: &str, by: &str) {
    let mut program = Running::start(gpu_top(&["--fake", "serving", "--rounds", "600"]));
    program.read_until("0    H200 (simulated)");
    let kill = format!("kill -{signal} {}", program.0.id());
    let sent = Command::new("sh").args(["-c", &kill]).status();
    assert!(sent.expect("a shell").success());
    let words = program.read_until("ended after ");
    assert!(words.ends_with(by), "{words}");
    assert!(program.0.wait().expect("it is ours").success());
}

#[test]
fn ctrl_c_ends_it_well() {
    ends_on("INT", " rounds, by ctrl-c");
}

#[test]
fn sigterm_ends_it_well() {
    ends_on("TERM", " rounds, by SIGTERM");
}

/// By the library's name, in the folder that the loader looks in first: as the driver's is found.
#[test]
fn what_stands_where_the_driver_does_is_asked_before_anything_is_played() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("gpu_top_driver");
    fs::create_dir_all(&folder).expect("made");
    obs_gpu_fake::install(&folder, &[]).expect("a library");
    let with = |script: &str| {
        let mut command = gpu_top(&["--rounds", "1"]);
        command
            .env("LD_LIBRARY_PATH", &folder)
            .env("OBS_GPU_FAKE", script);
        run(command)
    };
    let said = with("gpus = L40S H100");
    assert!(said.starts_with("GPUs of NVIDIA's driver\n"), "{said}");
    assert!(!said.contains("imulated"), "{said}");
    let rounds = rounds(&said);
    assert!(rounds[0][1].starts_with("0    L40S "), "{said}");
    assert!(rounds[0][2].starts_with("1    H100 80GB HBM3 "), "{said}");
    // A driver that says that it is not there is none.
    let said = with("0 driver absent");
    assert!(said.starts_with("GPUs of SIMULATED, "), "{said}");
}

#[test]
fn with_a_receiver_its_metrics_go_there_too() {
    let receiver = Receiver::start().expect("a receiver");
    let mut command = gpu_top(&["--rounds", "2", "--fake", "serving"]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint());
    run(command);
    let devices = receiver.points().sums("obs.gpu.devices", &[]);
    let devices: Vec<f64> = devices.iter().map(|point| point.as_f64()).collect();
    assert_eq!(devices, [8.0]);
}

#[test]
fn what_cannot_be_asked_for_is_named() {
    for (arguments, words) in [
        (
            &["--rounds", "0"][..],
            "gpu_top: `0` is no number of rounds",
        ),
        (
            &["--rounds"],
            "gpu_top: `--rounds` wants something after it",
        ),
        (&["--loud"], "gpu_top: `--loud` is none of --rounds N, "),
        (&["--fake", "S99"], "no scenario \"S99\""),
        (&["--fake", "serving", "--address", "nowhere"], "gpu_top: "),
    ] {
        let output = gpu_top(arguments).output().expect("the program was built");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}
