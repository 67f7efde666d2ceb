//! Figures of a process and of the system. Linux only.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::unistd::Pid;
use serde::Serialize;
use tokio::process::Command;

use crate::Failure;

/// The CPU time that all threads of a process have spent, including those that have ended. The clock
/// counts nanoseconds, where `/proc/PID/stat` counts in steps of 10 ms.
#[cfg(target_os = "linux")]
pub fn cpu_time(process: Pid) -> Result<Duration, Failure> {
    let clock = nix::time::ClockId::pid_cpu_clock_id(process)?;
    Ok(clock.now()?.into())
}

#[cfg(not(target_os = "linux"))]
pub fn cpu_time(_: Pid) -> Result<Duration, Failure> {
    Err("the CPU time of another process is read on Linux only".into())
}

/// In KiB.
pub fn peak_memory(process: Pid) -> Result<u64, Failure> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let peak = value(&status, "VmHWM").and_then(|peak| peak.trim_end_matches("kB").trim().parse().ok());
    Ok(peak.ok_or("the system does not report the process's memory")?)
}

/// Where and when figures were taken.
#[derive(Serialize)]
pub struct Machine {
    pub date: String,
    pub cpu: String,
    pub cores: usize,
}

impl Machine {
    pub fn this() -> Self {
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cpu = value(&cpus, "model name").unwrap_or(std::env::consts::ARCH).to_owned();
        Self { date: today(), cpu, cores }
    }
}

fn today() -> String {
    let date = std::process::Command::new("date").args(["-u", "+%F"]).output();
    date.map(|date| String::from_utf8_lossy(&date.stdout).trim().to_owned()).unwrap_or_default()
}

/// The value in the first line `name: value`.
fn value<'t>(lines: &'t str, name: &str) -> Option<&'t str> {
    let pairs = lines.lines().filter_map(|line| line.split_once(':'));
    pairs.map(|(key, value)| (key.trim(), value.trim())).find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The size of a file, unzipped and zipped, in bytes.
#[derive(Serialize)]
pub struct Size {
    pub plain: u64,
    pub zipped: u64,
}

impl Size {
    /// Zips by Python's standard library: not every machine has `zip`.
    pub async fn of(file: &Path, python: &Path, directory: &Path) -> Result<Self, Failure> {
        let archive = directory.join("bench.zip");
        let mut zip = Command::new(python);
        zip.args(["-m", "zipfile", "-c"]).arg(&archive).arg(file);
        if !zip.status().await?.success() {
            return Err("the binary could not be zipped".into());
        }
        let sizes = Self { plain: fs::metadata(file)?.len(), zipped: fs::metadata(&archive)?.len() };
        fs::remove_file(archive)?;
        Ok(sizes)
    }
}
