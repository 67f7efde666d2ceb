//! The comparison of the programs, as tables and as JSON.

use std::time::Duration;

use serde_json::{Value, json};

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
    /// As JSON. Times are in ms.
    pub fn json(&self) -> Value {
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
            })
        });
        json!({
            "machine": self.machine,
            "binaryBytes": self.size,
            "startToFirstPoll": starts,
            "speed": cells.collect::<Vec<_>>(),
        })
    }

    /// A table for each kind of import, with a row for each size and program.
    pub fn tables(&self) -> String {
        let Machine { date, cpu, cores } = &self.machine;
        let mut text = format!("{date}, {cpu}, {cores} cores. Times in ms; ×: times this function.\n");
        let kind = |cell: &Cell| (cell.scenario.matching, cell.scenario.dry_run, cell.delay_ms);
        for cells in self.cells.chunk_by(|one, other| kind(one) == kind(other)) {
            let (matching, dry_run, delay_ms) = kind(&cells[0]);
            let what = if dry_run { "look-ups alone" } else { "import" };
            text += &format!("\n{} matching, {what}, calls of {delay_ms} ms:\n\n", matching.name());
            text += &self.table(cells);
        }
        text + &format!(
            "\nFrom the start of the process to its first poll: {} ms (Python: {} ms). \
             Binary: {} MB, zipped {} MB.\n",
            show(self.start(THIS)),
            show(self.start(PYTHON)),
            megabytes(self.size.plain),
            megabytes(self.size.zipped),
        )
    }

    fn table(&self, cells: &[Cell]) -> String {
        let head = ["records", "program", "runs", "median", "×", "p99", "CPU", "×", "peak MB", "calls"];
        let rows = cells.iter().map(|cell| {
            vec![
                cell.scenario.records.to_string(),
                cell.program.to_owned(),
                cell.walls.len().to_string(),
                show(median(&cell.walls)),
                times(self.ratio(cell, |cell| &cell.walls)),
                show(p99(&cell.walls)),
                show(median(&cell.cpus)),
                times(self.ratio(cell, |cell| &cell.cpus)),
                megabytes(cell.peak_memory * 1024),
                cell.calls.values().sum::<usize>().to_string(),
            ]
        });
        table(&head, rows)
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

/// Requires values in ascending order, as the other quantiles do.
pub fn median(values: &[Duration]) -> Duration {
    quantile(values, 0.5)
}

fn p99(values: &[Duration]) -> Duration {
    quantile(values, 0.99)
}

/// The least value that this share of all does not exceed.
fn quantile(values: &[Duration], share: f64) -> Duration {
    let rank = (values.len() as f64 * share).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

pub fn ms(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e3
}

/// In milliseconds, with two decimals below 10, one below 100, otherwise none.
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

/// A table in Markdown, its columns aligned so that the source is readable.
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

/// Whether a limit is met; prints the result.
pub fn verdict(what: &str, value: u64, limit: u64) -> bool {
    let kept = value <= limit;
    println!("{} {what}: {value}, at most {limit}", if kept { "ok    " } else { "BROKEN" });
    kept
}
