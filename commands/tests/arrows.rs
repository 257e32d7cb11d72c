//! Who may depend on whom. Everything else about the layout follows from these arrows.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// All arrows between packages of the workspace that there may be, for building and for tests alike.
const ARROWS: &[(&str, &str)] = &[
    ("chinwag-settings", "chinwag-wire"),
    ("chinwag-core", "chinwag-settings"),
    ("chinwag-core", "chinwag-wire"),
    ("chinwag-commands", "chinwag-core"),
    ("chinwag-private", "chinwag-wire"),
    ("chinwag", "chinwag-private"),
    ("chinwag", "chinwag-settings"),
    ("chinwag", "chinwag-wire"),
    ("chinwag-harness", "chinwag-commands"),
    ("chinwag-harness", "chinwag-core"),
    ("chinwag-harness", "chinwag-wire"),
    ("acme-chat", "chinwag-commands"),
    ("acme-chat", "chinwag-core"),
];

/// Arrows that there may be for tests only: what is tested is how the two get on with each other.
const TEST_ARROWS: &[(&str, &str)] = &[("chinwag", "chinwag-commands")];

/// What the wire does without: it is data and text, and a client must not pull in a server.
const NOT_FOR_WIRE: &[&str] = &["smol", "rusqlite", "rustls"];

/// Each package with everything it names as a dependency, and whether that is for tests only.
fn packages() -> Vec<(String, Vec<(String, bool)>)> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let asked = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs, for it runs this test");
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let told: Value = serde_json::from_slice(&asked.stdout).expect("cargo metadata is JSON");
    let name = |value: &Value| value["name"].as_str().expect("packages have names").to_owned();
    let list = |value: &Value| value.as_array().expect("this is a list").clone();
    let packages = list(&told["packages"]);
    let dependency = |value: &Value| (name(value), value["kind"] == "dev");
    packages.iter().map(|package| (name(package), list(&package["dependencies"]).iter().map(dependency).collect())).collect()
}

#[test]
fn the_only_arrows_between_packages_are_these() {
    let packages = packages();
    let ours: BTreeSet<&str> = packages.iter().map(|(name, _)| name.as_str()).collect();
    for (from, to) in ARROWS.iter().chain(TEST_ARROWS) {
        assert!(ours.contains(from) && ours.contains(to), "{from} -> {to}: there is no such package");
    }
    for (from, dependencies) in &packages {
        for (to, for_tests) in dependencies.iter().filter(|(to, _)| ours.contains(to.as_str())) {
            let arrow = (from.as_str(), to.as_str());
            let may = ARROWS.contains(&arrow) || (*for_tests && TEST_ARROWS.contains(&arrow));
            assert!(may, "{from} must not depend on {to}");
        }
    }
}

#[test]
fn the_wire_stays_light() {
    let packages = packages();
    let (_, wire) = packages.iter().find(|(name, _)| name == "chinwag-wire").expect("there is a wire");
    for heavy in NOT_FOR_WIRE {
        assert!(!wire.iter().any(|(name, _)| name == heavy), "chinwag-wire must not depend on {heavy}");
    }
}
