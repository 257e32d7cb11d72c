//! How many lines each dialect takes, as ARCHITECTURE.md says: counted here, without tests. `cargo test -p chinwag-wire
//! --test dialect_lines -- --nocapture` prints them.

use std::fs;
use std::path::Path;

/// What each row of the table is about: its first cell, and where the code is.
const ROWS: [(&str, &[&str]); 5] = [
    ("`text`", &["text.rs"]),
    ("`json`", &["json.rs"]),
    ("S1", &["s1/mod.rs", "s1/frame.rs"]),
    ("S4", &["s4/mod.rs", "s4/frame.rs"]),
    ("S4, as a client", &["s4/client.rs"]),
];

/// How many lines in a hundred the table may be off: it is to be true, not to be changed with every line.
const OFF_MAX: usize = 10;

fn lines(file: &Path) -> usize {
    let source = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    // Tests stand at the end of a file.
    source.lines().take_while(|line| *line != "#[cfg(test)]").count()
}

#[test]
fn the_table_of_dialects_is_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(folder.join("../../ARCHITECTURE.md")).expect("the page");
    let counted = ROWS.map(|(name, files)| (name, files.iter().map(|file| lines(&folder.join("src/dialect").join(file))).sum::<usize>()));
    counted.iter().for_each(|(name, counted)| println!("{name}: {counted}"));
    for (name, counted) in counted {
        let row =
            table.lines().find(|line| line.starts_with(&format!("| {name} |"))).unwrap_or_else(|| panic!("no row begins with `{name}`"));
        let told = row.trim_end_matches([' ', '|']).rsplit('|').next().expect("cells").trim();
        let told: usize = told.parse().unwrap_or_else(|_| panic!("`{told}` in the row of `{name}` is no number"));
        assert!(told.abs_diff(counted) * 100 <= counted * OFF_MAX, "{name} takes {counted} lines; ARCHITECTURE.md says {told}");
    }
}
