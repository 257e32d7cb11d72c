//! docs/config.md is made from the settings themselves.

use std::fmt::Write;
use std::{env, fs};

use chinwag_core::config::{Config, Setting, Settings};

#[test]
fn the_reference_of_the_configuration_is_current() {
    let mut made = String::from(
        "# Configuration\n\n\
         Made from `core/src/config.rs`; `CHINWAG_BLESS=1 cargo test -p chinwag-core --test config_reference` writes it anew.\n\n\
         Everything can be set in one file, `chinwagd --config FILE`, and each key is also a flag (`text_bytes` is `--text-bytes`), which wins over the\n\
         file. `--check` tells every mistake with its place and ends. A file names only what differs:\n\n\
         ```ron\n(\n    host: \"::\",\n    timeout: \"30m\",\n    registration: Invited([\"open-sesame\"]),\n)\n```\n\n\
         Lengths of time are seconds or text: `90`, `\"15m\"`, `\"1h\"`, `\"2d\"`. What holds after a reload, `chinwagd ctl reload` or SIGHUP puts in\n\
         force while the server runs ([operators.md](operators.md)).\n\n\
         | key | value | default | holds after | what it is |\n|---|---|---|---|---|\n",
    );
    for Setting { key, placeholder, default, help } in Config::reference() {
        let after = if chinwag_core::reload::LIVE.contains(&key) { "reload" } else { "restart" };
        let _ = writeln!(made, "| `{key}` | `{}` | `{default}` | {after} | {help} |", placeholder.replace('|', "\\|"));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/config.md");
    if env::var_os("CHINWAG_BLESS").is_some() && env::var_os("CI").is_none() {
        fs::write(path, &made).unwrap();
    }
    let kept = fs::read_to_string(path).unwrap_or_default();
    assert!(kept == made, "docs/config.md is stale: CHINWAG_BLESS=1 cargo test -p chinwag-core --test config_reference writes it anew");
}

#[test]
fn the_example_in_the_reference_is_a_configuration() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/config.md");
    let page = fs::read_to_string(path).unwrap();
    let example = page.split("```ron").nth(1).and_then(|rest| rest.split("```").next()).expect("there is an example");
    let config = chinwag_core::config::parse(example, "docs/config.md").unwrap();
    assert_eq!((config.host.as_str(), config.timeout.0.as_secs()), ("::", 1800));
}
