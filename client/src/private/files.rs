//! Paths as people write them, and where files go.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chinwag_settings::Value;
use serde::{Deserialize, Serialize};

/// A folder, as somebody wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Folder(String);

impl Default for Folder {
    fn default() -> Folder {
        Folder("~/Downloads".to_owned())
    }
}

impl Folder {
    /// Where it is; made if it is not there.
    ///
    /// # Errors
    /// It cannot be made, or is no folder.
    pub(crate) fn open(&self) -> io::Result<PathBuf> {
        let path = path(&self.0);
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// As somebody wrote it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for Folder {
    const PLACEHOLDER: &'static str = "\"PATH\"";
    fn from_flag(text: &str) -> Result<Folder, String> {
        match text.trim_matches('"') {
            "" => Err("a folder is needed".to_owned()),
            path => Ok(Folder(path.to_owned())),
        }
    }
    fn shown(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// The path that somebody typed: `~/` is the home folder, as in a shell.
pub(crate) fn path(typed: &str) -> PathBuf {
    in_home(typed, env::home_dir().as_deref())
}

fn in_home(typed: &str, home: Option<&Path>) -> PathBuf {
    match (typed.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(typed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_is_the_home_folder() {
        let home = Some(Path::new("/home/alice"));
        for (typed, path) in [
            ("~/a b.txt", "/home/alice/a b.txt"),
            ("~", "/home/alice"),
            ("~bob/x", "~bob/x"),
            ("x/~", "x/~"),
            ("/x", "/x"),
            ("~//etc/passwd", "/home/alice/etc/passwd"),
        ] {
            assert_eq!(in_home(typed, home), Path::new(path), "{typed}");
        }
        assert_eq!(in_home("~/x", None), Path::new("~/x"));
    }

    #[test]
    fn a_folder_is_made_when_it_is_needed() {
        let folder = tempfile::tempdir().expect("a folder");
        let deep = folder.path().join("a/b");
        let set = Folder::from_flag(&format!("{:?}", deep.display().to_string())).expect("reads");
        assert_eq!(set.open().expect("is made"), deep);
        assert!(set.open().expect("is there").is_dir());
        fs::write(folder.path().join("file"), "x").expect("writes");
        assert!(Folder(folder.path().join("file").display().to_string()).open().is_err());
    }
}
