//! The benchmark: `chinwag-harness load` as cargo knows benchmarks. See README.md beside it for what each row means.
//!
//! `cargo bench -p chinwag-harness --bench load [-- --quick] [-- --only NAME]`

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use std::process::ExitCode;

    use chinwag_harness::load::{self, Options};
    use clap::Parser;

    /// Measures a Chinwag server against `limit`, a bare epoll loop.
    #[derive(Parser)]
    struct Bench {
        #[command(flatten)]
        options: Options,
        /// Given by `cargo bench`
        #[arg(long, hide = true)]
        bench: bool,
    }

    if let Some(code) = load::play_if_asked() {
        return code;
    }
    let Bench { mut options, bench: _ } = Bench::parse();
    options.data.get_or_insert_with(|| env!("CARGO_TARGET_TMPDIR").into());
    match load::measure(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the benchmark failed: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("this benchmark reads processor time and memory from /proc: it runs on Linux only");
}
