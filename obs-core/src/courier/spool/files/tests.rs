use super::*;
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory of this test's own, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("obs-files-{}-{number}", process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn a_directory_has_one_owner() {
    let scratch = Scratch::new();
    let path = scratch.0.join("below/this");
    let mut first = Directory::at(path.clone());
    let mut second = Directory::at(path);
    assert!(first.claim().expect("made"));
    assert!(!second.claim().expect("there"));
    assert!(first.claim().expect("once more"), "its own is no obstacle");
    drop(first);
    assert!(second.claim().expect("free"));
}

#[test]
fn a_file_is_appended_to_read_anywhere_and_cut() {
    let scratch = Scratch::new();
    let mut directory = Directory::at(scratch.0.clone());
    directory.claim().expect("made");
    let mut file = directory.create("a").expect("made");
    assert!(directory.create("a").is_err(), "it is there");
    assert_eq!(file.append(b"head", b"body").expect("written"), 8);
    file.truncate(6).expect("cut");
    assert_eq!(file.append(b"x", b"").expect("written"), 1, "at the end");
    file.sync().expect("synced");
    directory.sync_names().expect("synced");
    let mut bytes = [0; 10];
    let mut reader = directory.open("a", false).expect("there");
    let read = reader.read_at(2, &mut bytes).expect("read");
    assert_eq!(&bytes[..read], b"adbox");
    assert!(directory.open("b", false).is_err());
    let mut cursor = directory.open("b", true).expect("made");
    cursor.write_at(3, b"z").expect("written");
    assert_eq!(cursor.len().expect("known"), 4);
    let mut names = directory.list().expect("listed");
    names.sort();
    let expected = [("a", 7), ("b", 4), ("lock", 0)];
    assert_eq!(names, expected.map(|(name, len)| (name.to_owned(), len)));
    assert!(reader.is_linked().expect("known"));
    directory.remove("a").expect("removed");
    #[cfg(unix)]
    assert!(!reader.is_linked().expect("known"));
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let mut directory = Directory::at(scratch.0.clone());
    directory.claim().expect("made");
    directory.create("a").expect("made");
    directory.open("b", true).expect("made");
    let mode = |path: PathBuf| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(scratch.0.clone()), 0o700);
    for name in ["a", "b", "lock"] {
        assert_eq!(mode(scratch.0.join(name)), 0o600, "{name}");
    }
}

/// The one real device that is always full.
#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_an_error_and_no_short_write() {
    let mut full = Directory::at("/dev".into())
        .open("full", true)
        .expect("there");
    let error = full.append(b"head", b"body").expect_err("full");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(
        full.write_at(0, b"x").expect_err("full").kind(),
        io::ErrorKind::StorageFull
    );
}
