//! Writing files that somebody counts on: a new file takes the place of the old one in one step, so that a crash or a full disk leaves the
//! one or the other, and nothing half.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Puts a file with `text`, for its owner's eyes only, in the place of `path`. Through a link, in the place of what it points at: people
/// keep their settings elsewhere and link to them.
///
/// # Errors
/// It cannot be written; then all is as it was.
pub(crate) fn file(path: &Path, text: &str) -> io::Result<()> {
    let real = fs::canonicalize(path);
    let path = real.as_deref().unwrap_or(path);
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&new);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("it");
        file(&path, "one").expect("writes");
        file(&path, "two").expect("writes again");
        assert_eq!(fs::read_to_string(&path).expect("reads"), "two");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("links");
        file(&link, "through").expect("writes");
        assert_eq!(fs::read_to_string(&path).expect("reads"), "through");
        assert!(fs::symlink_metadata(&link).expect("is there").is_symlink());
        // A folder that is not empty gives its place to no file.
        let taken = folder.path().join("taken");
        fs::create_dir_all(taken.join("inside")).expect("a folder");
        assert!(file(&taken, "three").is_err());
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 3, "nothing is left lying about");
    }
}
