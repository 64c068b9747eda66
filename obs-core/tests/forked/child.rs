//! A forked child that says what went wrong in it, and is not waited for without end.

use crate::collector::PATIENCE;
use fork::Fork;
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::{Duration, Instant};

/// Runs `work` in a forked child, to its end by `exit`, with its destructors. Fails if it panics, or does not come back.
#[track_caller]
pub(crate) fn in_child(work: impl FnOnce()) {
    if let Err(why) = spawn(work).wait() {
        panic!("in the child: {why}");
    }
}

pub(crate) struct Child {
    pid: i32,
    said: std::io::PipeReader,
}

pub(crate) fn spawn(work: impl FnOnce()) -> Child {
    spawn_to_end_by(work, |code| std::process::exit(code))
}

/// Its end is `end`'s to bring about, with the code that says how it went.
pub(crate) fn spawn_to_end_by(work: impl FnOnce(), end: impl FnOnce(i32)) -> Child {
    let (said, mut says) = std::io::pipe().expect("a pipe");
    match fork::fork().expect("a fork") {
        Fork::Child => {
            let ended = catch_unwind(AssertUnwindSafe(work));
            let text = ended.err().map(|payload| {
                let text = payload.downcast_ref::<String>().cloned();
                text.or_else(|| {
                    payload
                        .downcast_ref::<&str>()
                        .map(|text| (*text).to_owned())
                })
                .unwrap_or_else(|| "a panic".to_owned())
            });
            let code = i32::from(text.is_some());
            let _ = says.write_all(text.unwrap_or_default().as_bytes());
            drop(says);
            end(code);
            std::process::abort()
        }
        Fork::Parent(pid) => Child { pid, said },
    }
}

impl Child {
    pub(crate) fn wait(mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = fork::waitpid_nohang(self.pid).expect("a child") {
                if status == 0 {
                    return Ok(());
                }
                let mut said = String::new();
                self.said.read_to_string(&mut said).ok();
                return Err(format!("status {status:#x}: {said}"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = Command::new("kill")
            .args(["-9", &self.pid.to_string()])
            .status();
        fork::waitpid(self.pid).ok();
        Err("it hung".to_owned())
    }
}
