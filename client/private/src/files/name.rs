//! Names of files that come from somebody else.

use chinwag_wire::SafeText;

/// The longest name, in bytes: with ` (999)` or what a part's name has besides, it stays below the 255 that file systems take.
pub(crate) const NAME_BYTES_MAX: usize = 150;
/// The longest extension that is kept when a name is shortened.
const EXTENSION_BYTES_MAX: usize = 16;
/// What a name is when nothing of it can be used.
const NAMELESS: &str = "file";
/// What Windows takes for a device, whatever the extension: folders are shared, copied and synchronised.
const DEVICES: &[&str] = &[
    "aux", "com0", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "con", "conin$", "conout$", "lpt0", "lpt1",
    "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9", "nul", "prn",
];
/// What our own parts end in.
const OURS: &[&str] = &[".part", ".part.json", ".part.json.new"];

/// What `raw` is called in a folder here: one name, never a path; visible, never hidden; nothing that a terminal, a shell's
/// options or another system takes for something else. A safe name stays as it is.
pub(crate) fn safe(raw: &str) -> String {
    let is_something = |part: &&str| !part.trim_matches(trimmed).is_empty();
    let last = raw.rsplit(['/', '\\']).find(is_something).unwrap_or(NAMELESS);
    let replaced = |c: char| if matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*') { '_' } else { c };
    let visible: String = SafeText::new(last).as_str().chars().map(replaced).collect();
    let mut name = visible.trim_matches(trimmed).to_owned();
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    if name.is_empty() {
        NAMELESS.clone_into(&mut name);
    } else if name.starts_with(['-', '~']) || DEVICES.contains(&stem.as_str()) {
        name.insert(0, '_');
    }
    name = shortened(&name).trim_end_matches(trimmed).to_owned();
    let lower = name.to_lowercase();
    if OURS.iter().any(|ending| lower.ends_with(ending)) {
        name.push('_');
        name = shortened(&name);
    }
    name
}

/// What no name begins or ends with: a dot hides a file, and some systems drop dots and spaces at the end.
fn trimmed(c: char) -> bool {
    c == '.' || c.is_whitespace()
}

/// At most [`NAME_BYTES_MAX`] bytes; the extension is kept.
fn shortened(name: &str) -> String {
    if name.len() <= NAME_BYTES_MAX {
        return name.to_owned();
    }
    let extension = name.rfind('.').map(|at| &name[at..]).filter(|extension| extension.len() <= EXTENSION_BYTES_MAX).unwrap_or_default();
    let stem = &name[..name.len() - extension.len()];
    let end = stem.floor_char_boundary(NAME_BYTES_MAX - extension.len());
    format!("{}{extension}", &stem[..end])
}

/// What a name says that a file is. What the sender says of the type is not asked for: where it differs from the name,
/// it misleads.
pub(crate) fn kind(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_lowercase()).unwrap_or_default();
    match extension.as_str() {
        "avif" | "bmp" | "gif" | "heic" | "jpeg" | "jpg" | "png" | "svg" | "tif" | "tiff" | "webp" => "image",
        "aac" | "flac" | "m4a" | "mp3" | "oga" | "ogg" | "opus" | "wav" => "sound",
        "avi" | "m4v" | "mkv" | "mov" | "mp4" | "mpeg" | "mpg" | "ogv" | "webm" => "video",
        "doc" | "docx" | "epub" | "odp" | "ods" | "odt" | "pdf" | "ppt" | "pptx" | "ps" | "rtf" | "xls" | "xlsx" => "document",
        "adoc" | "c" | "cpp" | "csv" | "diff" | "go" | "h" | "ini" | "json" | "log" | "md" | "patch" | "ron" | "rs" | "rst" | "tex"
        | "toml" | "tsv" | "txt" | "xml" | "yaml" | "yml" => "text",
        "7z" | "bz2" | "gz" | "iso" | "rar" | "tar" | "tgz" | "xz" | "zip" | "zst" => "archive",
        "apk" | "app" | "appimage" | "bash" | "bat" | "cmd" | "com" | "deb" | "desktop" | "dll" | "dmg" | "exe" | "htm" | "html"
        | "jar" | "js" | "lnk" | "msi" | "pl" | "ps1" | "py" | "rb" | "rpm" | "run" | "scr" | "sh" | "so" | "vbs" | "zsh" => "program",
        _ => "file",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_never_a_path_and_never_a_trick() {
        for (raw, expected) in [
            ("holiday.jpg", "holiday.jpg"),
            ("žofie 漢字.txt", "žofie 漢字.txt"),
            ("../../.ssh/authorized_keys", "authorized_keys"),
            ("/etc/passwd", "passwd"),
            ("C:\\Windows\\system32\\calc.exe", "calc.exe"),
            ("..\\..\\evil", "evil"),
            ("..", "file"),
            (".", "file"),
            ("", "file"),
            ("///", "file"),
            ("a/..", "a"),
            (".bashrc", "bashrc"),
            ("... .hidden. ..", "hidden"),
            ("-rf", "_-rf"),
            ("~root", "_~root"),
            ("CON", "_CON"),
            ("nul.txt", "_nul.txt"),
            ("com1 .log", "_com1 .log"),
            ("console.log", "console.log"),
            ("a:b*c?.txt", "a_b_c_.txt"),
            ("C:evil.txt", "C_evil.txt"),
            ("a\0b\nc\x1b[2Jd", "a␀b↵c␛[2Jd"),
            ("gpj.\u{202e}exe", "gpj._U+202E_exe"),
            ("x.txt .", "x.txt"),
            ("movie.mkv.part", "movie.mkv.part_"),
            ("movie.PART.JSON", "movie.PART.JSON_"),
        ] {
            assert_eq!(safe(raw), expected, "{raw:?}");
        }
        let long = format!("{}.jpeg", "漢".repeat(200));
        assert!(safe(&long).len() <= NAME_BYTES_MAX && safe(&long).ends_with("漢.jpeg"));
        assert!(safe(&format!("a.{}", "b".repeat(300))).len() <= NAME_BYTES_MAX);
    }

    #[test]
    fn a_kind_follows_from_the_name() {
        for (name, expected) in
            [("a.JPG", "image"), ("jpg", "file"), ("photo.jpg.exe", "program"), ("notes.md", "text"), ("x.tar.gz", "archive")]
        {
            assert_eq!(kind(name), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_name_becomes_a_safe_one_and_stays_it(raw in "(\\PC|[./\\\\~ \\-:\u{0}\u{1b}\u{202e}\u{301}]|part|json|con){0,200}") {
            let name = safe(&raw);
            prop_assert!(!name.is_empty() && name.len() <= NAME_BYTES_MAX);
            prop_assert!(!name.contains(['/', '\\', '\0', ':']) && !name.starts_with(['.', '-', '~', ' ']) && !name.ends_with(['.', ' ']));
            prop_assert!(!name.contains(char::is_control));
            let shown = SafeText::new(&name).to_string();
            prop_assert_eq!(&shown, &name);
            prop_assert_eq!(std::path::Path::new(&name).file_name(), Some(std::ffi::OsStr::new(&name)));
            prop_assert_eq!(safe(&name), name);
        }
    }
}
