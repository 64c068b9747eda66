//! Finds the program in the package that cargo resolved: nothing of it is copied here.

use std::env;
use std::error::Error;
use std::path::Path;
use std::process::Command;

const PACKAGE: &str = "json-subscriber";
const PROGRAM: &str = "examples/readme-opentelemetry.rs";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../Cargo.lock");
    // What this build needs is here by now; other platforms' packages may not be.
    let metadata = metadata(&["--offline"]).or_else(|_| metadata(&[]))?;
    let packages = metadata["packages"].as_array().ok_or("no packages")?;
    let package = packages
        .iter()
        .find(|package| package["name"] == PACKAGE)
        .and_then(|package| package["manifest_path"].as_str())
        .and_then(|manifest| Path::new(manifest).parent())
        .ok_or("its package is not resolved")?;
    let program = package.join(PROGRAM);
    if !program.is_file() {
        return Err(format!("{} is not in its package", program.display()).into());
    }
    println!("cargo::rustc-env=PROGRAM={}", program.display());
    Ok(())
}

fn metadata(how: &[&str]) -> Result<serde_json::Value, Box<dyn Error>> {
    let output = Command::new(env::var("CARGO")?)
        .args(["metadata", "--format-version", "1", "--filter-platform"])
        .arg(env::var("TARGET")?)
        .args(how)
        .output()?;
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout)?)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into())
    }
}
