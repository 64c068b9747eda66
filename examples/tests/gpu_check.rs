//! What `gpu_check` finds out, with devices that are played: by a library of its own, or by one that stands where the driver's would,
//! beside a program that stands where `nvidia-smi` would.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn gpu_check(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gpu_check"));
    command.args(arguments);
    command
}

#[track_caller]
fn said(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{words}");
    said
}

/// A call's row of the table: how many, p50, p99 and longest in microseconds, as it was and under load.
#[track_caller]
fn times(said: &str, call: &str) -> Vec<f64> {
    let beginning = format!("| `{call}` |");
    let row = said.lines().find(|line| line.starts_with(&beginning));
    let row = row.unwrap_or_else(|| panic!("no {call}:\n{said}"));
    let cells = row[beginning.len()..].split('|').map(str::trim);
    let cells = cells.filter(|cell| !cell.is_empty());
    cells.map(|cell| cell.parse().expect("a number")).collect()
}

/// The lines that a script may have, of both times.
fn script(said: &str) -> String {
    let lines = said.lines().filter(|line| line.starts_with("latency "));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_script_s_latencies_are_found_again_and_can_be_played_again() {
    let asked = "serving; gpus = H100*2; latency nvmlDeviceGetPerformanceState 3000 6000 9000";
    let run = gpu_check(&["--seconds", "1", "--fake", asked]).output();
    let said = said(&run.expect("the program was built"));
    assert!(
        said.starts_with("# GPUs of SIMULATED, by obs-gpu-fake"),
        "{said}"
    );
    assert!(
        said.contains("None of this was measured on a GPU"),
        "{said}"
    );
    assert!(said.contains("That is no pass."), "{said}");
    assert!(!said.contains("agrees"), "{said}");

    // The library keeps the faster half near the middle that it is given; another call takes none of that.
    let slow = times(&said, "nvmlDeviceGetPerformanceState");
    assert_eq!(slow.len(), 8, "as it was, and under load: {slow:?}");
    for of in slow.chunks(4) {
        assert!(of[0] >= 4.0, "{slow:?}");
        assert!(of[1] <= of[2] && of[2] <= of[3], "{slow:?}");
        assert!(of[1] >= 2_000.0, "{slow:?}");
    }
    let quick = times(&said, "nvmlDeviceGetMemoryInfo_v2");
    assert!(quick[1] < slow[1], "{quick:?} {slow:?}");

    let lines = script(&said);
    assert!(
        lines.contains("latency nvmlDeviceGetFieldValues "),
        "{said}"
    );
    assert_eq!(obs_gpu_fake::check(&lines), Ok(()), "{lines}");

    // Both devices, at rest and then not.
    assert!(
        said.contains("- as it was: devices were 0 % busy (0 to 0 %)"),
        "{said}"
    );
    assert!(said.contains("- under load: devices were "), "{said}");
    assert!(
        said.contains("\n| `obs.gpu.power.limit` | `W` | 700 | 700 |\n"),
        "{said}"
    );
    assert!(
        said.contains("\n| `hw.fan.speed_ratio` | `1` | not supported | not supported |\n"),
        "{said}"
    );
    assert!(
        said.contains("\n| links up | | 18 of 18 | 18 of 18 |"),
        "{said}"
    );
}

#[test]
fn a_slow_call_is_held_against_others_of_its_device_and_of_another() {
    let run = gpu_check(&["--seconds", "1"]).output();
    let said = said(&run.expect("the program was built"));
    let beginning = "| `nvmlDeviceGetPcieThroughput`, the slow one | ";
    let row = said.lines().find_map(|line| line.strip_prefix(beginning));
    let half = row.and_then(|row| row.split(" | ").nth(1));
    let half: f64 = half.and_then(|half| half.parse().ok()).expect("a row");
    // As `nvml.h` says, and the library that plays it does.
    assert!(half >= 20_000.0, "{said}");
    // It lets go of what others need before it is slow.
    assert!(
        said.contains("A slow call does not delay another one of the same device."),
        "{said}"
    );
    assert!(
        said.contains("A slow call does not delay one of another device."),
        "{said}"
    );
    let one = gpu_check(&["--seconds", "1", "--fake", "serving; gpus = L40S"]).output();
    let said = self::said(&one.expect("the program was built"));
    assert!(
        said.contains("Not measured of another device: there is none that answers."),
        "{said}"
    );
}

/// A folder with a library under the name of the driver's and a program under the name of NVIDIA's.
fn machine(name: &str, smi: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("made");
    obs_gpu_fake::install(&folder, &[]).expect("a library");
    let program = folder.join("nvidia-smi");
    fs::write(&program, format!("#!/bin/sh\n{smi}\n")).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it can be run");
    folder
}

fn on(folder: &Path, path: &str) -> Output {
    let mut command = gpu_check(&["--seconds", "1"]);
    command
        .env("LD_LIBRARY_PATH", folder)
        .env(
            "OBS_GPU_FAKE",
            "gpus = H200; 0 * power=300_000; 0 * util=50",
        )
        .env("PATH", path);
    command.output().expect("the program was built")
}

/// What it says of the device that `on` has, in the order of the columns that it is asked for.
fn smi(power: &str) -> String {
    let row = [
        "GPU-0b5e12fa-4e00-4c00-8a00-000000000001",
        "50, 0, 143771, 614, 0, 143157",
        power,
        "700.00",
    ];
    row.join(", ")
}

#[test]
fn what_nvidia_smi_says_is_held_against_what_we_read() {
    // It prints what it was asked for first, so that the test fails where that is something else.
    let columns = "uuid,utilization.gpu,utilization.memory,memory.total,memory.reserved,memory.used,memory.free,power.draw,enforced.power.limit,";
    let rest = "[N/A], [N/A], 345, 3201, 1980, 3201, [N/A], P0, 5, 16, 0, 0, 0, 0";
    let says = |power: &str| {
        format!(
            "case \"$1\" in --query-gpu={columns}*) echo '{}, {rest}';; *) exit 9;; esac",
            smi(power)
        )
    };
    let folder = machine("gpu_check_agrees", &says("300.00"));
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let run = on(&folder, &path);
    let said = said(&run);
    assert!(said.starts_with("# GPUs of NVIDIA's driver\n"), "{said}");
    assert!(!said.contains("imulated"), "{said}");
    assert!(
        said.contains("\n| GPU 0 | power.draw | 300.00 | 300.00 | 300.00 | agrees |\n"),
        "{said}"
    );
    assert!(
        said.contains("| fan.speed | [N/A] | - | - | neither has it |"),
        "{said}"
    );
    assert!(said.contains("| temperature.gpu | [N/A] | "), "{said}");
    assert!(!said.contains("DIFFERS"), "{said}");
    assert!(said.contains("Not measured under load: "), "{said}");

    // One number is another, and it is no success.
    let folder = machine("gpu_check_differs", &says("400.00"));
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let run = on(&folder, &path);
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert_eq!(run.status.code(), Some(1), "{said}");
    assert!(
        said.contains("| power.draw | 400.00 | 300.00 | 300.00 | DIFFERS |"),
        "{said}"
    );
    let words = String::from_utf8_lossy(&run.stderr);
    assert!(
        words.contains("nvidia-smi says something else than we do, 1 times"),
        "{words}"
    );
}

#[test]
fn an_nvidia_smi_that_fails_is_no_comparison_and_no_success() {
    let folder = machine(
        "gpu_check_fails",
        "echo 'Failed to initialize NVML'; exit 9",
    );
    let run = on(&folder, &format!("{}:/usr/bin:/bin", folder.display()));
    let words = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(1), "{words}");
    assert!(words.contains("Failed to initialize NVML"), "{words}");
}

#[test]
fn without_nvidia_smi_the_comparison_is_skipped_and_no_pass() {
    let folder = machine("gpu_check_without", "");
    fs::remove_file(folder.join("nvidia-smi")).expect("it was there");
    let run = on(&folder, folder.to_str().expect("a path"));
    let said = said(&run);
    assert!(
        said.contains("Skipped: there is no `nvidia-smi` here. That is no pass."),
        "{said}"
    );
}

#[test]
fn what_cannot_be_asked_for_is_named() {
    for (arguments, words) in [
        (
            &["--seconds", "none"][..],
            "gpu_check: `none` is no number of seconds",
        ),
        (
            &["--load-seconds"],
            "gpu_check: `--load-seconds` wants something after it",
        ),
        (&["--fast"], "gpu_check: `--fast` is none of --seconds N, "),
        (&["--fake", "S99"], "no scenario \"S99\""),
    ] {
        let output = gpu_check(arguments)
            .output()
            .expect("the program was built");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}
