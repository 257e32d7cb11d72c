//! The benchmark: a server in a process of its own, a light load generator in this one, and the yardstick `limit`
//! beside it. See README.md one folder up for what each row means.
//!
//! `cargo bench -p chinwag-harness --bench load [-- --quick] [-- --only NAME]`

#[cfg(target_os = "linux")]
mod broadcast;
#[cfg(target_os = "linux")]
mod crowd;
#[cfg(target_os = "linux")]
mod direct;
#[cfg(target_os = "linux")]
mod idle;
#[cfg(target_os = "linux")]
mod logins;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod plan;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod table;
#[cfg(target_os = "linux")]
mod yardstick;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    match std::env::var(process::ROLE) {
        Ok(role) => process::play(&role),
        Err(_) => plan::run(),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("this benchmark reads processor time and memory from /proc: it runs on Linux only");
}
