//! The transcript of a scenario is kept beside it, as an insta snapshot: `block.ron`, `block.snap`.

use std::cell::Cell;
use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use similar::TextDiff;

/// insta's own output is in the way of ours, and only its environment turns it off.
const OUTPUT: &str = "INSTA_OUTPUT";
/// Without it insta runs `cargo metadata` to find out.
const ROOT: &str = "INSTA_WORKSPACE_ROOT";
/// How insta is told to write, or not to.
pub const UPDATE: &str = "INSTA_UPDATE";

thread_local! {
    static COMPARING: Cell<bool> = const { Cell::new(false) };
    static ONLY_COMPARING: Cell<bool> = const { Cell::new(false) };
}

/// Runs `what` in such a way that [`check`] only compares on this thread, whatever insta has been told.
pub fn without_writing<T>(what: impl FnOnce() -> T) -> T {
    ONLY_COMPARING.set(true);
    let done = what();
    ONLY_COMPARING.set(false);
    done
}

/// Makes sure that insta is quiet and, if asked, writes: runs this program again in its own place with the
/// environment that says so. Comes back only if there is nothing to change, or if that fails.
pub fn prepare(update: Option<&str>) {
    let update = update.filter(|update| std::env::var(UPDATE).as_deref() != Ok(*update));
    if std::env::var_os(OUTPUT).is_some() && update.is_none() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut command = Command::new(program);
    command.args(std::env::args_os().skip(1)).env(OUTPUT, "none");
    if std::env::var_os(ROOT).is_none() {
        command.env(ROOT, root());
    }
    if let Some(update) = update {
        command.env(UPDATE, update);
    }
    let error = command.exec();
    eprintln!("warning: insta cannot be kept quiet: {error}");
}

/// The root of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Where the snapshot of a scenario is.
#[must_use]
pub fn path_of(scenario: &Path) -> PathBuf {
    scenario.with_extension("snap")
}

/// Compares a transcript with the snapshot of its scenario, and writes it if insta has been told to.
///
/// # Errors
/// The difference, for people.
pub fn check(scenario: &Path, transcript: &str) -> Result<(), String> {
    let scenario = std::path::absolute(scenario).map_err(|error| error.to_string())?;
    let path = path_of(&scenario);
    let before = insta::Snapshot::from_file(&path).ok();
    let name = scenario.file_stem().and_then(OsStr::to_str).unwrap_or_default();
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(scenario.parent().unwrap_or(Path::new("")));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_input_file(&scenario);
    let compared = if ONLY_COMPARING.get() {
        before.as_ref().and_then(insta::Snapshot::as_text).is_some_and(|before| before.to_string().trim_end() == transcript.trim_end())
    } else {
        quietly(|| settings.bind(|| insta::assert_snapshot!(name, transcript)))
    };
    if compared {
        // insta leaves a pending snapshot behind when it is told to write at once. Usually there is none.
        let _ = std::fs::remove_file(path.with_extension("snap.new"));
        return Ok(());
    }
    match before.as_ref().and_then(insta::Snapshot::as_text) {
        None => Err(format!("there is no snapshot yet; what everyone said and heard:\n\n{transcript}\n")),
        Some(before) => {
            let (before, now) = (format!("{before}\n"), format!("{transcript}\n"));
            let diff = TextDiff::from_lines(&before, &now);
            let diff = diff.unified_diff().context_radius(3).header("snapshot", "this run").to_string();
            Err(format!("the transcript is not that of the snapshot\n\n{diff}"))
        }
    }
}

/// Runs `f` and says whether it ended without a panic, which is how insta says that something differs.
fn quietly(f: impl FnOnce()) -> bool {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !COMPARING.get() {
                before(info);
            }
        }));
    });
    COMPARING.set(true);
    let ended = panic::catch_unwind(panic::AssertUnwindSafe(f)).is_ok();
    COMPARING.set(false);
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_snapshot_stands_beside_its_scenario() {
        assert_eq!(path_of(Path::new("scenarios/dm/block.ron")), Path::new("scenarios/dm/block.snap"));
    }
}
