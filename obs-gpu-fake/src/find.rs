//! Where the library is.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What cargo calls it.
const FILE: &str = "libobs_gpu_fake.so";
/// What loaders of NVIDIA's library look for.
const SONAME: &str = "libnvidia-ml.so.1";
/// Names the library where it is somewhere else.
const LIBRARY: &str = "OBS_GPU_FAKE_LIBRARY";

/// The library that cargo built beside this program: a plain dev-dependency on this crate is enough for that.
///
/// It is looked for beside the program, in the `deps` beside it or above, and where the loader looks (`LD_LIBRARY_PATH`, which cargo
/// sets for tests in documentation). `OBS_GPU_FAKE_LIBRARY` goes before all of them.
///
/// # Errors
/// Where it is in none of these places; the error names them.
pub fn library_path() -> io::Result<PathBuf> {
    if let Some(path) = env::var_os(LIBRARY) {
        return Ok(PathBuf::from(path));
    }
    let program = env::current_exe()?;
    let beside = program.ancestors().skip(1).take(2);
    let mut folders: Vec<PathBuf> = beside
        .flat_map(|folder| [folder.to_owned(), folder.join("deps")])
        .collect();
    if let Some(paths) = env::var_os("LD_LIBRARY_PATH") {
        folders.extend(env::split_paths(&paths));
    }
    let mut places = folders.iter().map(|folder| folder.join(FILE));
    places.find(|path| path.is_file()).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!("{FILE} is in none of {folders:?}; is obs-gpu-fake a dependency of this crate, and is this Linux?"),
        )
    })
}

/// Puts a copy where a program finds it as NVIDIA's library (`LD_LIBRARY_PATH=FOLDER`), without some of its symbols.
///
/// # Errors
/// Where the library is missing, has no such symbol, or the folder cannot be written to.
pub fn install(folder: &Path, without: &[&str]) -> io::Result<PathBuf> {
    let mut image = fs::read(library_path()?)?;
    for symbol in without {
        hide(&mut image, symbol)?;
    }
    let path = folder.join(SONAME);
    // Under its name only once it is whole: a loader that looks at it in between finds none.
    let unfinished = folder.join(format!("{SONAME}.{}", std::process::id()));
    fs::write(&unfinished, image)?;
    fs::rename(&unfinished, &path)?;
    Ok(path)
}

/// Gives a symbol another name in the tables of names. Loaders find a symbol by the hash of its name and then compare names: under
/// the new one it has the wrong hash, under the old one the wrong name.
fn hide(image: &mut [u8], symbol: &str) -> io::Result<()> {
    let whole = [b"\0", symbol.as_bytes(), b"\0"].concat();
    let mut found = false;
    let mut from = 0;
    while let Some(at) = image[from..]
        .windows(whole.len())
        .position(|bytes| bytes == whole)
    {
        image[from + at + 1] = b'-';
        found = true;
        from += at + 1;
    }
    if found {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::NotFound,
        format!("the library has no symbol {symbol:?}"),
    ))
}
