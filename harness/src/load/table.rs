//! Samples, medians and the table.

use std::time::Duration;

use super::machine::Usage;

/// One measurement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// Deliveries, messages or logins.
    pub(crate) count: u64,
    /// In this time.
    pub(crate) took: Duration,
    /// What the server used for it.
    pub(crate) usage: Usage,
    /// What one bare loopback send-and-receive cost meanwhile, in nanoseconds.
    pub(crate) loopback: f64,
    /// How long things took.
    pub(crate) latency: Latency,
    /// Messages a commit, if the server told.
    pub(crate) batch: Option<f64>,
}

impl Sample {
    fn rate(&self) -> f64 {
        self.count as f64 / self.took.as_secs_f64()
    }

    /// Processor seconds for a million.
    fn cost(&self) -> f64 {
        self.usage.processor.as_secs_f64() * 1e6 / self.count.max(1) as f64
    }

    fn of_store(&self) -> f64 {
        self.usage.store.as_secs_f64() * 1e6 / self.count.max(1) as f64
    }

    fn loopbacks(&self) -> f64 {
        self.cost() * 1000.0 / self.loopback
    }

    fn sleeps(&self) -> f64 {
        self.usage.sleeps as f64 * 1000.0 / self.count.max(1) as f64
    }

    /// In one line, for those who wait.
    pub(crate) fn brief(&self) -> String {
        format!(
            "{}/s, {:.3} s per million, p50 {:.2} ms, p99 {:.2} ms, loopback {:.1} µs",
            thousands(self.rate()),
            self.cost(),
            self.latency.percentile(0.5),
            self.latency.percentile(0.99),
            self.loopback / 1000.0
        )
    }
}

/// How long things took: counted in steps of about 1.5 %.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latency {
    counts: Vec<u64>,
    total: u64,
}

impl Latency {
    /// How many bits of a time are kept.
    const BITS: u32 = 6;

    /// Counts one.
    pub(crate) fn note(&mut self, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1 << Latency::BITS);
        let shift = nanoseconds.ilog2() - Latency::BITS;
        let step = ((shift << Latency::BITS) + ((nanoseconds >> shift) as u32 & ((1 << Latency::BITS) - 1))) as usize;
        if self.counts.len() <= step {
            self.counts.resize(step + 1, 0);
        }
        self.counts[step] += 1;
        self.total += 1;
    }

    /// The time, in milliseconds, that this share took at most.
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        let wanted = (self.total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (step, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted && *count > 0 {
                let (shift, rest) = (step >> Latency::BITS, step & ((1 << Latency::BITS) - 1));
                return (((1 << Latency::BITS) + rest) as u64 * (1u64 << shift)) as f64 / 1e6;
            }
        }
        0.0
    }
}

/// One line of the table: the server's samples and the yardstick's, round by round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) name: String,
    /// What the server did.
    pub(crate) server: Vec<Sample>,
    /// What the yardstick did.
    pub(crate) limit: Vec<Sample>,
}

/// A figure that is not a rate: memory, mostly.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) name: String,
    /// Round by round.
    pub(crate) server: Vec<f64>,
    /// Round by round; empty where the yardstick cannot.
    pub(crate) limit: Vec<f64>,
    /// What the numbers are.
    pub(crate) unit: &'static str,
}

/// The middle one; 0 of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        length if length % 2 == 1 => sorted[length / 2],
        length => f64::midpoint(sorted[length / 2 - 1], sorted[length / 2]),
    }
}

fn over(samples: &[Sample], what: impl Fn(&Sample) -> f64) -> f64 {
    median(&samples.iter().map(what).collect::<Vec<_>>())
}

/// The rows as a table: medians of the rounds.
pub(crate) fn rows(rows: &[Row]) -> String {
    let head = [
        "",
        "per s",
        "CPU s/M",
        "of it store",
        "× limit",
        "loopbacks",
        "p50 ms",
        "p99 ms",
        "sleeps/k",
        "per commit",
        "limit/s",
        "limit CPU s/M",
        "limit p50",
        "limit p99",
    ];
    let mut table = vec![head.map(str::to_owned).to_vec()];
    for row in rows {
        // Server and yardstick of one round ran one after the other: their ratio is what holds.
        let ratios: Vec<f64> = row.server.iter().zip(&row.limit).map(|(server, limit)| server.cost() / limit.cost()).collect();
        let batches: Vec<f64> = row.server.iter().filter_map(|sample| sample.batch).collect();
        let number = |value: f64, places: usize| format!("{value:.places$}");
        let limit = |what: String| if row.limit.is_empty() { "–".to_owned() } else { what };
        table.push(vec![
            row.name.clone(),
            thousands(over(&row.server, Sample::rate)),
            number(over(&row.server, Sample::cost), 3),
            number(over(&row.server, Sample::of_store), 3),
            limit(number(median(&ratios), 2)),
            number(over(&row.server, Sample::loopbacks), 2),
            number(over(&row.server, |sample| sample.latency.percentile(0.5)), 2),
            number(over(&row.server, |sample| sample.latency.percentile(0.99)), 2),
            number(over(&row.server, Sample::sleeps), 1),
            if batches.is_empty() { "–".to_owned() } else { number(median(&batches), 1) },
            limit(thousands(over(&row.limit, Sample::rate))),
            limit(number(over(&row.limit, Sample::cost), 3)),
            limit(number(over(&row.limit, |sample| sample.latency.percentile(0.5)), 2)),
            limit(number(over(&row.limit, |sample| sample.latency.percentile(0.99)), 2)),
        ]);
    }
    laid_out(&table)
}

/// The figures as a table: medians of the rounds.
pub(crate) fn figures(figures: &[Figure]) -> String {
    let mut table = vec![["", "chinwag", "limit", "× limit", "unit"].map(str::to_owned).to_vec()];
    for figure in figures {
        let shown = |value: f64| if value >= 100.0 { thousands(value) } else { format!("{value:.3}") };
        let (server, limit) = (median(&figure.server), median(&figure.limit));
        let beside = |what: String| if figure.limit.is_empty() { "–".to_owned() } else { what };
        let ratio = beside(format!("{:.1}", server / limit));
        table.push(vec![figure.name.clone(), shown(server), beside(shown(limit)), ratio, figure.unit.to_owned()]);
    }
    laid_out(&table)
}

fn laid_out(table: &[Vec<String>]) -> String {
    let columns = table.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in table {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let padding = " ".repeat(width - cell.chars().count());
            // Names to the left, numbers to the right.
            out += &if column == 0 { format!("{cell}{padding}") } else { format!("  {padding}{cell}") };
        }
        out.push('\n');
    }
    out
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
