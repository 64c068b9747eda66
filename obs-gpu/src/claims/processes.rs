//! What other processes say of themselves: their environment, and the control group that they are in.

use super::owner::Foreign;
use crate::files::Root;
use obs_core::propagation::percent;
use obs_core::semconv::{gen_ai, obs, resource};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The namespace that the kernel begins with (`PROC_PID_INIT_INO` of its `proc_ns.h`).
const INITIAL: &str = "pid:[4026531836]";

/// Bytes of a process's file that are looked at: environments are at most a few pages, and a file may be anything.
const MOST: u64 = 256 * 1024;

/// How long a name may be.
const NAME: usize = 128;

/// So many are remembered before it is looked which of them are still there.
const REMEMBERED: usize = 1024;

/// Processes by a `/proc`. One that was looked at is remembered for as long as it lives.
#[derive(Debug)]
pub(crate) struct Processes {
    root: Root,
    /// By number: when it began, in ticks since the machine did, and what it said.
    known: HashMap<u32, (u64, Foreign)>,
}

impl Processes {
    /// By the `/proc` at `root`.
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: Root::new(root),
            known: HashMap::new(),
        }
    }

    /// Whether numbers of the driver's are numbers here. Drivers give those of the machine, and a process in a namespace of its
    /// own cannot tell which of them it is itself.
    pub(crate) fn are_the_drivers(&self) -> bool {
        fs::read_link(self.root.path().join("self/ns/pid"))
            .is_ok_and(|namespace| namespace == Path::new(INITIAL))
    }

    /// What a process says of itself, nothing where it may not be looked at; `None` where it is gone.
    pub(crate) fn foreign(&mut self, pid: u32) -> Option<Foreign> {
        let began = self.began(pid);
        if began.is_none() && !is_alive(&self.root, pid) {
            return None;
        }
        Some(self.known_or_asked(pid, began))
    }

    fn known_or_asked(&mut self, pid: u32, began: Option<u64>) -> Foreign {
        if let (Some((known, foreign)), Some(began)) = (self.known.get(&pid), began)
            && *known == began
        {
            return foreign.clone();
        }
        let foreign = self.ask(pid);
        if let Some(began) = began {
            if self.known.len() >= REMEMBERED {
                let root = &self.root;
                self.known.retain(|pid, _| is_alive(root, *pid));
            }
            // Where all of them live, this one is asked again the next time.
            if self.known.len() < REMEMBERED {
                self.known.insert(pid, (began, foreign.clone()));
            }
        }
        foreign
    }

    /// Forgets those that do not use a device any more.
    pub(crate) fn keep(&mut self, pids: impl Fn(u32) -> bool) {
        self.known.retain(|&pid, _| pids(pid));
    }

    fn began(&self, pid: u32) -> Option<u64> {
        let stat = self.read(pid, "stat")?;
        // The name stands in parentheses and may have any character; `proc(5)` counts from behind it: the state is third.
        let (_, behind) = stat.rsplit_once(')')?;
        behind.split_ascii_whitespace().nth(22 - 3)?.parse().ok()
    }

    fn ask(&self, pid: u32) -> Foreign {
        let mut foreign = Foreign::default();
        if let Some(environment) = self.read(pid, "environ") {
            told(&environment, &mut foreign);
        }
        if let Some(groups) = self.read(pid, "cgroup") {
            (foreign.pod, foreign.container) = group(&groups);
        }
        foreign
    }

    fn read(&self, pid: u32, file: &str) -> Option<String> {
        let path = Path::new(&pid.to_string()).join(file);
        self.root.read_at_most(path, MOST)
    }
}

/// Whether there is a process with this number.
fn is_alive(root: &Root, pid: u32) -> bool {
    root.path().join(pid.to_string()).exists()
}

/// What the variables that are meant for this say, and no other.
fn told(environment: &str, foreign: &mut Foreign) {
    let mut attributes = "";
    for variable in environment.split('\0') {
        let Some((key, value)) = variable.split_once('=') else {
            continue;
        };
        match key {
            "OBS_MODEL" => foreign.model = name(value),
            "OBS_TASK" => foreign.task = name(value),
            "OTEL_SERVICE_NAME" => foreign.service = name(value),
            "OTEL_RESOURCE_ATTRIBUTES" => attributes = value,
            _ => {}
        }
    }
    // A variable of its own stands before the list (the environment variable specification of OpenTelemetry).
    for (key, value) in attributes
        .split(',')
        .filter_map(|pair| pair.split_once('='))
    {
        let places = [
            (resource::SERVICE_NAME, &mut foreign.service),
            (gen_ai::REQUEST_MODEL.as_str(), &mut foreign.model),
            (obs::GPU_TASK.as_str(), &mut foreign.task),
        ];
        let place = places.into_iter().find(|(known, _)| *known == key.trim());
        if let Some((_, place @ None)) = place {
            // Values are written as those of baggage are.
            *place = name(&percent::decode(value.trim()));
        }
    }
}

fn name(text: &str) -> Option<Box<str>> {
    let text = text.trim();
    (!text.is_empty() && text.len() <= NAME && !text.contains(char::is_control))
        .then(|| text.into())
}

/// The pod's and the container's id, by the paths that Kubernetes, Docker, containerd and CRI-O make, in either version of control
/// groups.
fn group(groups: &str) -> (Option<Box<str>>, Option<Box<str>>) {
    let (mut pod, mut container) = (None, None);
    // Each line is `hierarchy:controllers:path`.
    for path in groups.lines().filter_map(|line| line.splitn(3, ':').nth(2)) {
        // A runtime that does not know systemd's paths makes one name of all three: slice, itself, container.
        for part in path.split(['/', ':']) {
            let part = part
                .strip_suffix(".scope")
                .or(part.strip_suffix(".slice"))
                .unwrap_or(part);
            if let Some(id) = part.rsplit_once("pod").and_then(|(_, id)| uuid(id)) {
                pod = Some(id);
            }
            let last = part.rsplit('-').next().unwrap_or_default();
            if last.len() == 64 && last.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                container = Some(last.into());
            }
        }
    }
    (pod, container)
}

/// A pod's id: systemd's paths have `_` where others have `-`; static pods have 32 digits.
fn uuid(text: &str) -> Option<Box<str>> {
    let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
    let is_one = text
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'-' | b'_'));
    (is_one && digits == 32).then(|| text.replace('_', "-").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const CONTAINER: &str = "8a3c0b1d2e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d7e8f9a0b";

    #[track_caller]
    fn check_group(groups: &str, pod: Option<&str>, container: Option<&str>) {
        assert_eq!(
            group(groups),
            (pod.map(Into::into), container.map(Into::into)),
            "{groups}"
        );
    }

    #[test]
    fn pods_and_containers_stand_in_paths() {
        let pod = "0f4a6f0e-52b5-4c3d-9b0a-2f7d6c1e8a90";
        let under = pod.replace('-', "_");
        check_group(
            &format!(
                "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{under}.slice/cri-containerd-{CONTAINER}.scope\n"
            ),
            Some(pod),
            Some(CONTAINER),
        );
        check_group(
            &format!("12:memory:/kubepods/besteffort/pod{pod}/{CONTAINER}\n11:pids:/\n"),
            Some(pod),
            Some(CONTAINER),
        );
        check_group(
            &format!("0::/system.slice/docker-{CONTAINER}.scope"),
            None,
            Some(CONTAINER),
        );
        check_group(
            &format!(
                "0::/system.slice/containerd.service/kubepods-pod{under}.slice:cri-containerd:{CONTAINER}"
            ),
            Some(pod),
            Some(CONTAINER),
        );
        check_group(
            &format!(
                "3:cpu,cpuacct:/kubepods.slice/kubepods-pod{under}.slice/crio-{CONTAINER}.scope\n0::/\n"
            ),
            Some(pod),
            Some(CONTAINER),
        );
        // A static pod's id has no dashes.
        let plain = pod.replace('-', "");
        check_group(
            &format!(
                "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{plain}.slice/crio-{CONTAINER}.scope"
            ),
            Some(&plain),
            Some(CONTAINER),
        );
        check_group(
            &format!("0::/machine.slice/libpod-{CONTAINER}.scope/container"),
            None,
            Some(CONTAINER),
        );
        check_group("0::/user.slice/user-1000.slice/session-2.scope", None, None);
        check_group("0::/podman/tripod\nrubbish\n", None, None);
        check_group("", None, None);
    }

    #[track_caller]
    fn check_told(
        environment: &str,
        model: Option<&str>,
        task: Option<&str>,
        service: Option<&str>,
    ) {
        let mut foreign = Foreign::default();
        told(environment, &mut foreign);
        let said = [foreign.model, foreign.task, foreign.service];
        assert_eq!(
            said,
            [model, task, service].map(|text| text.map(Box::from)),
            "{environment}"
        );
    }

    #[test]
    fn variables_say_what_a_process_is_for() {
        check_told(
            "PATH=/bin\0OBS_MODEL=qwen3-8b\0OBS_TASK=chat\0",
            Some("qwen3-8b"),
            Some("chat"),
            None,
        );
        check_told(
            "OTEL_RESOURCE_ATTRIBUTES=service.name=rag%20index, obs.gpu.task=embed,x,gen_ai.request.model=bge%2Dm3\0",
            Some("bge-m3"),
            Some("embed"),
            Some("rag index"),
        );
        // Its own variable stands before the list, in whichever order.
        check_told(
            "OTEL_RESOURCE_ATTRIBUTES=service.name=a\0OTEL_SERVICE_NAME=b\0",
            None,
            None,
            Some("b"),
        );
        check_told("OBS_MODEL=\0OBS_TASK", None, None, None);
        check_told(
            &format!("OBS_MODEL={}\0OBS_TASK=a\u{7}b", "x".repeat(NAME + 1)),
            None,
            None,
            None,
        );
        check_told(
            "OTEL_RESOURCE_ATTRIBUTES=service.name=a%zz%4\0",
            None,
            None,
            Some("a%zz%4"),
        );
    }

    fn a_process(root: &Path, pid: u32, began: u64, model: &str) {
        let process = root.join(pid.to_string());
        fs::create_dir_all(&process).unwrap();
        let before = "S 1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0";
        fs::write(
            process.join("stat"),
            format!("{pid} (a ) b) {before} {began} 1 2"),
        )
        .unwrap();
        fs::write(process.join("environ"), format!("OBS_MODEL={model}\0")).unwrap();
        fs::write(process.join("cgroup"), format!("0::/docker/{CONTAINER}\n")).unwrap();
    }

    #[test]
    fn a_number_that_another_process_has_now_is_asked_again() {
        let root = tempfile::tempdir().unwrap();
        let mut processes = Processes::new(root.path());
        a_process(root.path(), 7, 100, "first");
        assert_eq!(
            processes.foreign(7).unwrap().model.as_deref(),
            Some("first")
        );
        assert_eq!(
            processes.foreign(7).unwrap().container.as_deref(),
            Some(CONTAINER)
        );
        // What it says is what it was started with: it is not read twice.
        a_process(root.path(), 7, 100, "changed");
        assert_eq!(
            processes.foreign(7).unwrap().model.as_deref(),
            Some("first")
        );
        a_process(root.path(), 7, 101, "second");
        assert_eq!(
            processes.foreign(7).unwrap().model.as_deref(),
            Some("second")
        );
        fs::remove_dir_all(root.path().join("7")).unwrap();
        assert_eq!(processes.foreign(7), None);
        processes.keep(|_| false);
        assert!(processes.known.is_empty());
    }

    #[test]
    fn those_that_are_gone_fill_no_memory() {
        let root = tempfile::tempdir().unwrap();
        let mut processes = Processes::new(root.path());
        for pid in 1..=3 * REMEMBERED as u32 {
            a_process(root.path(), pid, 100, "short");
            assert_eq!(
                processes.foreign(pid).unwrap().model.as_deref(),
                Some("short")
            );
            // One stays.
            if pid > 1 {
                fs::remove_dir_all(root.path().join(pid.to_string())).unwrap();
            }
        }
        assert!(processes.known.len() <= REMEMBERED);
        assert!(processes.known.contains_key(&1));
    }

    #[test]
    fn only_the_first_namespace_has_the_drivers_numbers() {
        let root = tempfile::tempdir().unwrap();
        let processes = Processes::new(root.path());
        assert!(!processes.are_the_drivers());
        fs::create_dir_all(root.path().join("self/ns")).unwrap();
        symlink("pid:[4026532201]", root.path().join("self/ns/pid")).unwrap();
        assert!(!processes.are_the_drivers());
        fs::remove_file(root.path().join("self/ns/pid")).unwrap();
        symlink(INITIAL, root.path().join("self/ns/pid")).unwrap();
        assert!(processes.are_the_drivers());
    }
}
