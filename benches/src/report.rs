//! What was measured, as tables and as a JSON file.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Failure;
use crate::machine::{Machine, Size};
use crate::measure::Cell;

/// The programs.
pub const THIS: &str = "this function";
pub const QUERY: &str = "IDENTITY_LOOKUP=query";
pub const PYTHON: &str = "Python, boto3";

pub struct Report {
    pub machine: Machine,
    pub size: Size,
    pub cells: Vec<Cell>,
}

impl Report {
    /// Leaves `bench.json` with everything and `bench.md` with the README's table.
    pub fn write(&self, directory: &Path) -> Result<(), Failure> {
        let [json, markdown] = ["bench.json", "bench.md"].map(|name| directory.join(name));
        fs::write(&json, format!("{:#}\n", self.json()))?;
        fs::write(&markdown, self.summary())?;
        println!("\n{}\nAlso in {} and {}.", self.summary(), json.display(), markdown.display());
        Ok(())
    }

    fn json(&self) -> Value {
        let starts = [THIS, QUERY, PYTHON].map(|name| json!({"program": name, "ms": ms(self.start(name))}));
        let cells = self.cells.iter().map(|cell| {
            json!({
                "records": cell.scenario.records,
                "matching": cell.scenario.matching.name(),
                "dryRun": cell.scenario.dry_run,
                "delayMs": cell.delay_ms,
                "program": cell.program,
                "runs": cell.walls.len(),
                "wallMs": {"median": ms(median(&cell.walls)), "p99": ms(p99(&cell.walls))},
                "cpuMs": {"median": ms(median(&cell.cpus)), "p99": ms(p99(&cell.cpus))},
                "calls": cell.calls,
                "peakMemoryKiB": cell.peak_memory,
                "wallTimesThisFunction": self.ratio(cell, |cell| &cell.walls),
                "cpuTimesThisFunction": self.ratio(cell, |cell| &cell.cpus),
            })
        });
        json!({
            "machine": self.machine,
            "binaryBytes": self.size,
            "startToFirstPoll": starts,
            "measured": cells.collect::<Vec<_>>(),
        })
    }

    /// A row for each program in each scenario.
    pub fn details(&self) -> String {
        let kinds: BTreeSet<_> = self.cells.iter().flat_map(|cell| cell.calls.keys().copied()).collect();
        let mut head = ["records", "matching", "delay", "program", "runs", "median", "p99", "CPU"].to_vec();
        head.extend(["peak MB", "x time", "x CPU"]);
        head.extend(&kinds);
        let rows = self.cells.iter().map(|cell| {
            let mut row = what(cell).to_vec();
            row.extend([cell.program.to_owned(), cell.walls.len().to_string()]);
            row.extend([median(&cell.walls), p99(&cell.walls), median(&cell.cpus)].map(show));
            row.push(megabytes(cell.peak_memory * 1024));
            row.extend(
                [self.ratio(cell, |cell| &cell.walls), self.ratio(cell, |cell| &cell.cpus)].map(times),
            );
            row.extend(
                kinds.iter().map(|kind| cell.calls.get(kind).copied().unwrap_or_default().to_string()),
            );
            row
        });
        table(&head, rows)
    }

    /// A row for each scenario, for the README.
    fn summary(&self) -> String {
        let head = [
            "records",
            "matching",
            "delay",
            "calls",
            "median",
            "p99",
            "CPU",
            "peak MB",
            "`query`: CPU",
            "Python: time",
            "Python: CPU",
        ];
        let rows = self.cells.iter().filter(|cell| cell.program == THIS).map(|cell| {
            let mut row = what(cell).to_vec();
            row.push(cell.calls.values().sum::<usize>().to_string());
            row.extend([median(&cell.walls), p99(&cell.walls), median(&cell.cpus)].map(show));
            row.push(megabytes(cell.peak_memory * 1024));
            row.push(self.beside(cell, QUERY, |cell| &cell.cpus));
            row.push(self.beside(cell, PYTHON, |cell| &cell.walls));
            row.push(self.beside(cell, PYTHON, |cell| &cell.cpus));
            row
        });
        let Machine { date, cpu, cores } = &self.machine;
        format!(
            "{date}, {cpu}, {cores} cores. Times in ms; in brackets: times this function.\n\n{}\n\
             From the start of the process to its first poll: {} ms (Python: {} ms). \
             Binary: {} MB, zipped {} MB.\n",
            table(&head, rows),
            show(self.start(THIS)),
            show(self.start(PYTHON)),
            megabytes(self.size.plain),
            megabytes(self.size.zipped),
        )
    }

    /// What another program took in the scenario of a cell, and how many times that is.
    fn beside(&self, cell: &Cell, program: &str, of: fn(&Cell) -> &Vec<Duration>) -> String {
        let Some(other) = self.peer(cell, program) else { return String::new() };
        format!("{} ({})", show(median(of(other))), times(self.ratio(other, of)))
    }

    fn ratio(&self, cell: &Cell, of: fn(&Cell) -> &Vec<Duration>) -> f64 {
        let this = self.peer(cell, THIS).map_or(Duration::ZERO, |this| median(of(this)));
        median(of(cell)).as_secs_f64() / this.as_secs_f64()
    }

    fn peer(&self, cell: &Cell, program: &str) -> Option<&Cell> {
        let alike = |other: &&Cell| (other.delay_ms, other.scenario) == (cell.delay_ms, cell.scenario);
        self.cells.iter().filter(alike).find(|other| other.program == program)
    }

    fn start(&self, program: &str) -> Duration {
        let of_program = self.cells.iter().filter(|cell| cell.program == program);
        let mut starts: Vec<_> = of_program.map(|cell| cell.start).collect();
        starts.sort_unstable();
        median(&starts)
    }
}

fn what(cell: &Cell) -> [String; 3] {
    let matching = cell.scenario.matching.name();
    let matching =
        if cell.scenario.dry_run { format!("{matching}, look-ups alone") } else { matching.to_owned() };
    [cell.scenario.records.to_string(), matching, format!("{} ms", cell.delay_ms)]
}

/// Of values in rising order, as are the other quantiles.
pub fn median(values: &[Duration]) -> Duration {
    quantile(values, 0.5)
}

fn p99(values: &[Duration]) -> Duration {
    quantile(values, 0.99)
}

/// The least value that is not exceeded by this share of all.
fn quantile(values: &[Duration], share: f64) -> Duration {
    let rank = (values.len() as f64 * share).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

fn ms(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e3
}

/// In milliseconds, to three digits or to the millisecond.
pub fn show(time: Duration) -> String {
    let ms = ms(time);
    let decimals = if ms < 10.0 { 2 } else { usize::from(ms < 100.0) };
    format!("{ms:.decimals$}")
}

pub fn times(ratio: f64) -> String {
    format!("{ratio:.1}×")
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

/// A table in Markdown, its columns aligned for those who read it as it is.
pub fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let head = head.iter().map(|&title| title.to_owned()).collect();
    let mut lines: Vec<Vec<String>> = [head].into_iter().chain(rows).collect();
    let widths: Vec<_> = (0..lines[0].len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default())
        .collect();
    lines.insert(1, widths.iter().map(|width| format!("{}:", "-".repeat(width - 1))).collect());
    let line = |line: &Vec<String>| {
        let cells = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:>width$}"));
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    lines.iter().map(line).collect()
}

/// Whether a limit is kept, which is also printed.
pub fn verdict(what: &str, value: u64, limit: u64) -> bool {
    let kept = value <= limit;
    println!("{} {what}: {value}, at most {limit}", if kept { "ok    " } else { "BROKEN" });
    kept
}
