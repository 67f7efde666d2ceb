//! Imports over TLS, as on Lambda: the first one of a process, which a caller waits for after each cold start, and later
//! ones.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testing::memory::server::MemoryServer;
use testing::serve::Transport;
use testing::tls::Tls;

use crate::Failure;
use crate::measure::{Bench, Import};
use crate::options::Options;
use crate::process::{Process, Program};
use crate::report::{self, median, ms, show, times};
use crate::workload::{LARGEST, Matching, Scenario};

/// Records, and how many milliseconds a call takes: as on AWS, and not at all, where connections come and go the fastest.
const SCENARIOS: [(usize, u64); 4] = [(1, 5), (100, 5), (LARGEST, 5), (LARGEST, 0)];

/// Imports of one process: the first, and later ones.
pub const IMPORTS: usize = 4;

/// The minimum of processes in each scenario, whatever time they take, and the maximum.
const LEAST_PROCESSES: usize = 3;
const MOST_PROCESSES: usize = 50;

/// The database behind TLS.
pub struct Secured {
    tls: Tls,
    pub database: MemoryServer,
    /// The variables that make a program trust it, in addition to the system's authorities.
    environment: [(&'static str, std::ffi::OsString); 2],
}

impl Secured {
    pub async fn new(bench: &Bench, options: &Options) -> Result<Self, Failure> {
        let tls = Tls::new();
        let database = MemoryServer::start_over(Transport::Tls(tls.clone()), bench.workload.memory()).await?;
        let trusted = options.out.join("bench-certificates.pem");
        fs::write(&trusted, tls.trusted())?;
        // Read by the SDK for Rust and by boto3.
        let environment =
            ["SSL_CERT_FILE", "AWS_CA_BUNDLE"].map(|name| (name, trusted.as_os_str().to_owned()));
        Ok(Self { tls, database, environment })
    }

    /// The handshakes so far.
    pub fn handshakes(&self) -> usize {
        self.tls.handshakes()
    }

    /// Starts a program that trusts the database.
    pub async fn start(&self, program: &Program) -> Result<Process, Failure> {
        let mut program = program.clone();
        program.environment.extend(self.environment.iter().cloned());
        Process::start(&program, &self.database).await
    }
}

/// The durations of one import in one program, in ascending order, one per process.
#[derive(Default)]
struct Times {
    walls: Vec<Duration>,
    cpus: Vec<Duration>,
}

/// The measurements of one program in one scenario. Handshakes are those of one process.
pub struct Cell {
    program: &'static str,
    records: usize,
    delay_ms: u64,
    /// From starting the process to its first poll.
    start: Times,
    first: Times,
    first_handshakes: usize,
    later: Times,
    all_handshakes: usize,
}

/// Measures this function and the handler in Python, each process with its first import and some more.
pub async fn measure(bench: &Bench, options: &Options) -> Result<Vec<Cell>, Failure> {
    let secured = Secured::new(bench, options).await?;
    let mut cells = Vec::new();
    for (records, delay_ms) in SCENARIOS {
        eprintln!("{records} records over TLS, {delay_ms} ms a call");
        secured.database.delay(delay_ms);
        let import =
            Import::new(&bench.workload, Scenario { matching: Matching::Fuzzy, dry_run: false, records });
        for program in [Program::function, Program::python] {
            let [start, first, later] = <[Times; 3]>::default();
            let (first_handshakes, all_handshakes) = (0, 0);
            let program = program(options);
            let mut cell = Cell {
                program: program.name,
                records,
                delay_ms,
                start,
                first,
                first_handshakes,
                later,
                all_handshakes,
            };
            cell.measure(&secured, &import, &program, options.time).await?;
            cells.push(cell);
        }
    }
    Ok(cells)
}

impl Cell {
    async fn measure(
        &mut self,
        secured: &Secured,
        import: &Import,
        program: &Program,
        time: Duration,
    ) -> Result<(), Failure> {
        let begun = Instant::now();
        for processes in 0..MOST_PROCESSES {
            if processes >= LEAST_PROCESSES && begun.elapsed() > time {
                break;
            }
            let before = secured.handshakes();
            let mut process = secured.start(program).await?;
            self.start.push(process.start, process.cpu()?);
            for number in 0..IMPORTS {
                let (run, _) = import.run(&mut process, &secured.database).await?;
                if number == 0 {
                    self.first.push(run.wall, run.cpu);
                    self.first_handshakes = self.first_handshakes.max(secured.handshakes() - before);
                } else {
                    self.later.push(run.wall, run.cpu);
                }
            }
            self.all_handshakes = self.all_handshakes.max(secured.handshakes() - before);
            process.end().await?;
        }
        for times in [&mut self.start, &mut self.first, &mut self.later] {
            times.walls.sort_unstable();
            times.cpus.sort_unstable();
        }
        Ok(())
    }
}

impl Times {
    fn push(&mut self, wall: Duration, cpu: Duration) {
        self.walls.push(wall);
        self.cpus.push(cpu);
    }
}

/// As JSON: medians, in ms.
pub fn json(cells: &[Cell]) -> Value {
    let medians =
        |times: &Times| json!({"wallMs": ms(median(&times.walls)), "cpuMs": ms(median(&times.cpus))});
    cells
        .iter()
        .map(|cell| {
            json!({
                "program": cell.program,
                "records": cell.records,
                "delayMs": cell.delay_ms,
                "processes": cell.start.walls.len(),
                "start": medians(&cell.start),
                "first": medians(&cell.first),
                "later": medians(&cell.later),
                "handshakes": {"first": cell.first_handshakes, "all": cell.all_handshakes},
            })
        })
        .collect()
}

pub fn table(cells: &[Cell]) -> String {
    let head = [
        "records",
        "delay",
        "program",
        "start",
        "CPU",
        "first import",
        "CPU",
        "handshakes",
        "later ones",
        "CPU",
        "handshakes of all",
        "first / later, CPU",
    ];
    let rows = cells.iter().map(|cell| {
        let mut row =
            vec![cell.records.to_string(), format!("{} ms", cell.delay_ms), cell.program.to_owned()];
        row.extend([&cell.start.walls, &cell.start.cpus].map(|values| show(median(values))));
        row.extend([&cell.first.walls, &cell.first.cpus].map(|values| show(median(values))));
        row.push(cell.first_handshakes.to_string());
        row.extend([&cell.later.walls, &cell.later.cpus].map(|values| show(median(values))));
        row.push(cell.all_handshakes.to_string());
        row.push(times(median(&cell.first.cpus).as_secs_f64() / median(&cell.later.cpus).as_secs_f64()));
        row
    });
    report::table(&head, rows)
}
