//! What is measured, in which order: rounds, and in each round server and yardstick one right after the other.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use super::broadcast::{self, Length};
use super::crowd::Crowd;
use super::machine::{self, Loopback};
use super::process::{Launch, Process, System};
use super::table::{self, Figure, Row, Sample};
use super::{direct, idle, join, logins, relay};

/// What is measured, and how long.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// One short round: under a minute
    #[arg(long)]
    quick: bool,
    /// Only rows with this in their name (may be given more than once)
    #[arg(long)]
    only: Vec<String>,
    /// How many rounds [default: 3, quick: 1]
    #[arg(long)]
    rounds: Option<usize>,
    /// For how long each row is measured in a round [default: 1.5, quick: 0.5]
    #[arg(long)]
    seconds: Option<f64>,
    /// Let the system choose the cores
    #[arg(long)]
    no_pin: bool,
    /// Measure this program instead of the server that is built in
    #[arg(long)]
    server: Option<PathBuf>,
    /// More arguments for the server, separated by blanks
    #[arg(long, allow_hyphen_values = true, default_value = "")]
    server_args: String,
    /// Skip the yardstick (for profiling)
    #[arg(long)]
    no_limit: bool,
    /// Where servers keep their data: on a disk, for keeping to cost what it costs [default: the system's temporary folder]
    #[arg(long)]
    pub data: Option<PathBuf>,
}

/// Everything that a measurement needs.
pub(crate) struct Bench {
    /// How servers are started.
    pub(crate) launch: Launch,
    /// How long to measure.
    pub(crate) length: Length,
    /// The unit.
    pub(crate) loopback: Loopback,
    /// One short round.
    pub(crate) quick: bool,
    options: Options,
    rows: Vec<Row>,
    figures: Vec<Figure>,
    /// Said under the table.
    notes: Vec<String>,
}

/// Measures, and prints tables.
///
/// # Errors
/// When a server cannot be started or talked to, or a message is lost, doubled or out of order.
pub fn measure(options: Options) -> io::Result<()> {
    let data = options.data.clone().unwrap_or_else(std::env::temp_dir);
    rlimit::increase_nofile_limit(u64::MAX)?;
    let cores = machine::cores();
    // The server on the first core, the generator on the second.
    let pinned = (!options.no_pin && cores.len() > 1).then(|| (cores[0], cores[1]));
    if let Some((_, own)) = pinned {
        machine::pin(own)?;
    }
    let seconds = options.seconds.unwrap_or(if options.quick { 0.5 } else { 1.5 });
    let rounds = options.rounds.unwrap_or(if options.quick { 1 } else { 3 });
    let mut bench = Bench {
        launch: Launch {
            program: options.server.clone(),
            args: options.server_args.split_whitespace().map(OsString::from).collect(),
            core: pinned.map(|(core, _)| core),
            folder: data,
        },
        length: Length {
            warm_up: Duration::from_millis(if options.quick { 150 } else { 300 }),
            measured: Duration::from_secs_f64(seconds),
        },
        loopback: Loopback::new()?,
        quick: options.quick,
        options,
        rows: Vec::new(),
        figures: Vec::new(),
        notes: Vec::new(),
    };
    let begin = Instant::now();
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        bench.broadcasts()?;
        bench.direct_messages()?;
        bench.durable()?;
        logins::round(&mut bench)?;
        idle::round(&mut bench)?;
        join::round(&mut bench)?;
        bench.slow_readers()?;
        relay::round(&mut bench)?;
    }
    let place = match pinned {
        Some((server, own)) => format!("server on core {server}, load on core {own}"),
        None => "no process is kept on a core".to_owned(),
    };
    println!(
        "{rounds} rounds of {seconds} s a row, medians; {place}; {} cores; {:.0} s in all",
        cores.len(),
        begin.elapsed().as_secs_f64()
    );
    if !bench.rows.is_empty() {
        println!("{}", table::rows(&bench.rows));
    }
    if !bench.figures.is_empty() {
        println!("{}", table::figures(&bench.figures));
    }
    for note in &bench.notes {
        println!("{note}");
    }
    Ok(())
}

impl Bench {
    /// Whether a row of this name is asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.options.only.is_empty() || self.options.only.iter().any(|part| name.contains(part.as_str()))
    }

    /// Whether the yardstick is measured too.
    pub(crate) fn with_limit(&self) -> bool {
        !self.options.no_limit
    }

    /// Starts a server with a virtual clock and cheap passwords.
    pub(crate) fn start(&self, system: System, args: &[&str]) -> io::Result<Process> {
        let process = Process::start(&self.launch, system, args)?;
        if self.options.seconds.is_some_and(|seconds| seconds >= 5.0) {
            eprintln!("  {system:?} is process {}", process.id());
        }
        Ok(process)
    }

    /// Adds a sample to the row of this name.
    pub(crate) fn note(&mut self, name: &str, system: System, sample: Sample) {
        eprintln!("  {name}: {system:?}: {}", sample.brief());
        let place = self.rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
            self.rows.push(Row { name: name.to_owned(), ..Row::default() });
            self.rows.len() - 1
        });
        match system {
            System::Chinwag => self.rows[place].server.push(sample),
            System::Limit => self.rows[place].limit.push(sample),
        }
    }

    /// Adds a value to the figure of this name.
    pub(crate) fn figure(&mut self, name: &str, unit: &'static str, system: System, value: f64) {
        eprintln!("  {name}: {system:?}: {value:.3} {unit}");
        let place = self.figures.iter().position(|figure| figure.name == name).unwrap_or_else(|| {
            self.figures.push(Figure { name: name.to_owned(), server: Vec::new(), limit: Vec::new(), unit });
            self.figures.len() - 1
        });
        match system {
            System::Chinwag => self.figures[place].server.push(value),
            System::Limit => self.figures[place].limit.push(value),
        }
    }

    /// Which systems a row is measured on.
    pub(crate) fn systems(&self) -> &'static [System] {
        if self.with_limit() { &[System::Chinwag, System::Limit] } else { &[System::Chinwag] }
    }

    fn broadcasts(&mut self) -> io::Result<()> {
        for (receivers, senders, in_flight) in [(100, 4, 16), (500, 4, 16), (1000, 4, 16), (500, 4, 1), (50, 1, 1)] {
            let name = format!("broadcast to {receivers}, {in_flight} in flight");
            if !self.wants(&name) {
                continue;
            }
            for &system in self.systems() {
                let mut process = self.start(system, &[])?;
                let shape = broadcast::Shape { receivers, senders, in_flight, stalled: 0 };
                let sample = broadcast::run(&mut process, &mut Crowd::new()?, shape, self.length, &mut self.loopback)?;
                self.note(&name, system, sample);
            }
        }
        Ok(())
    }

    fn direct_messages(&mut self) -> io::Result<()> {
        for in_flight in [1, 16] {
            let names = ["kept", "not synced"].map(|kept| format!("100 direct pairs, {in_flight} in flight, {kept}"));
            let wanted = names.clone().map(|name| self.wants(&name));
            for (name, durability) in names.iter().zip(["Full", "Off"]).zip(wanted).filter_map(|(row, wanted)| wanted.then_some(row)) {
                let sample = self.direct(System::Chinwag, direct::Shape::Pairs(100), in_flight, &["--durability", durability])?;
                self.note(name, System::Chinwag, sample);
            }
            if self.with_limit() && wanted.contains(&true) {
                let sample = self.direct(System::Limit, direct::Shape::Pairs(100), in_flight, &[])?;
                for (name, _) in names.iter().zip(wanted).filter(|(_, wanted)| *wanted) {
                    self.note(name, System::Limit, sample.clone());
                }
            }
        }
        Ok(())
    }

    fn durable(&mut self) -> io::Result<()> {
        if self.wants("kept") && self.notes.is_empty() {
            let cost = machine::sync_cost(&self.launch.folder)?;
            self.notes.push(format!("a page written and synced in the data folder: {:.0} µs", cost.as_secs_f64() * 1e6));
        }
        for in_flight in [1, 16] {
            let name = format!("64 senders, {in_flight} in flight each, kept");
            if self.wants(&name) {
                let sample = self.direct(System::Chinwag, direct::Shape::Ring(64), in_flight, &[])?;
                self.note(&name, System::Chinwag, sample);
                if self.with_limit() {
                    let sample = self.direct(System::Limit, direct::Shape::Ring(64), in_flight, &[])?;
                    self.note(&name, System::Limit, sample);
                }
            }
        }
        Ok(())
    }

    fn direct(&mut self, system: System, shape: direct::Shape, in_flight: u32, args: &[&str]) -> io::Result<Sample> {
        let mut process = self.start(system, args)?;
        direct::run(&mut process, &mut Crowd::new()?, shape, in_flight, self.length, &mut self.loopback)
    }

    fn slow_readers(&mut self) -> io::Result<()> {
        for stalled in [0, 50] {
            let name = format!("450 readers, 4 in flight, {stalled} more that stopped reading");
            if !self.wants(&name) {
                continue;
            }
            let mut process = self.start(System::Chinwag, &[])?;
            let shape = broadcast::Shape { receivers: 450, senders: 4, in_flight: 4, stalled };
            let sample = broadcast::run(&mut process, &mut Crowd::new()?, shape, self.length, &mut self.loopback)?;
            self.note(&name, System::Chinwag, sample);
        }
        Ok(())
    }
}
