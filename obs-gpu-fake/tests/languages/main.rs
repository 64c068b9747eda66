//! Readers in other languages find the library by NVIDIA's name for it, through `LD_LIBRARY_PATH`, and its script in their
//! environment.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of the test's own, which is removed after it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("obs-gpu-fake-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        obs_gpu_fake::install(&path, &[]).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/languages")
}

/// Whether a program is there. The gate has all of them.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    assert!(found || env::var_os("CI").is_none(), "{program} is missing");
    found
}

fn run(command: &mut Command, folder: &Folder, script: (&str, &str)) -> Output {
    let command = command.env("LD_LIBRARY_PATH", &folder.0);
    for name in ["OBS_GPU_FAKE", "OBS_GPU_FAKE_FILE"] {
        command.env_remove(name);
    }
    command.env(script.0, script.1).output().unwrap()
}

#[track_caller]
fn said(output: Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_reader_in_c() {
    if !has("cc") {
        return;
    }
    let folder = Folder::new("c");
    let program = folder.0.join("reader");
    let built = Command::new("cc")
        .args(["-Wall", "-Werror", "-o"])
        .arg(&program)
        .arg(here().join("reader.c"))
        .arg(format!("-I{}/include", env!("CARGO_MANIFEST_DIR")))
        .arg(format!("-L{}", folder.0.display()))
        .arg("-l:libnvidia-ml.so.1")
        .output()
        .unwrap();
    said(built);
    let read = |script| run(&mut Command::new(&program), &folder, script);
    let lines = "2 NVIDIA H200\n\
        small 7 null 2\n\
        push 0 wrong -1 statement 1: a device has no such thing: \"+0 1 pover=1\"\n\
        energy 1000000 at 4000000 calls 2\n\
        wrong 2 shutdown 0 after 1\n";
    assert_eq!(
        said(read(("OBS_GPU_FAKE", "gpus = L40S H200; clock = virtual"))),
        lines
    );
    let file = folder.0.join("script");
    fs::write(&file, "# two\ngpus = L40S H200\nclock = virtual\n").unwrap();
    assert_eq!(
        said(read(("OBS_GPU_FAKE_FILE", file.to_str().unwrap()))),
        lines
    );

    let wrong = read(("OBS_GPU_FAKE", "gpus = K80"));
    assert!(
        String::from_utf8_lossy(&wrong.stderr).contains("no profile \"K80\""),
        "{wrong:?}"
    );
    assert_eq!(said(wrong), "init 9 Driver Not Loaded\n");
    let missing = read(("OBS_GPU_FAKE_FILE", "no/such/file"));
    assert!(
        String::from_utf8_lossy(&missing.stderr).contains("obs-gpu-fake: "),
        "{missing:?}"
    );
    assert_eq!(said(missing), "init 9 Driver Not Loaded\n");
}

#[test]
fn a_reader_in_python() {
    if !has("python3") {
        return;
    }
    let folder = Folder::new("python");
    let script = "clock = virtual; 0 0 power=99_000; 0 0 power.window=0; 1000 0 xid=31; 1000 0 stall:nvmlDeviceGetPowerUsage=1000";
    let read = run(
        Command::new("python3").arg(here().join("reader.py")),
        &folder,
        ("OBS_GPU_FAKE", script),
    );
    assert_eq!(said(read), "[(0, 8, 31), (0, 99000)]\n");
}
