//! Settings: one list, from which come the file's keys, the flags, the defaults, the reference, and a commented
//! file to begin with. What can be set is the program's own; how it is read and told is here.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use chinwag_wire::{suggest, time};
use ron::extensions::Extensions;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};

pub use ron::error::SpannedError;
pub use ron::value::RawValue;

/// The largest file that is read: every setting a hundred times over.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// How wide the comments of a file made by [`template`] are.
const COMMENT_COLUMNS: usize = 100;

/// One kind of value that a setting can have.
pub trait Value: DeserializeOwned + fmt::Debug {
    /// What `--help` calls it.
    const PLACEHOLDER: &'static str;

    /// Reads it from the command line. Where it is not a plain word, as in the file.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    fn from_flag(text: &str) -> Result<Self, String> {
        options().from_str(text).map_err(|error| error.code.to_string())
    }

    /// As it stands in the file.
    fn shown(&self) -> String;
}

/// One setting, as help and references tell of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name in the file.
    pub key: &'static str,
    /// What kind of value it takes: `NUMBER`, `Full|Off`.
    pub placeholder: &'static str,
    /// Its default as it stands in a file.
    pub default: String,
    /// What it is for.
    pub help: String,
}

impl Setting {
    /// The values it can have, where they are a few plain words.
    pub fn choices(&self) -> impl Iterator<Item = &'static str> {
        let listed = self.placeholder.contains('|').then(|| self.placeholder.split('|'));
        listed.into_iter().flatten().filter(|choice| choice.chars().all(char::is_alphanumeric))
    }
}

/// A set of settings, as [`settings!`] declares it.
pub trait Settings: Default {
    /// Where to read of all settings, as half a sentence.
    const LISTED: &'static str;

    /// All settings, in the order of their declaration.
    fn reference() -> Vec<Setting>;

    /// Sets `key` to what somebody typed.
    ///
    /// # Errors
    /// A sentence that says what was expected; it does not name the setting.
    fn set(&mut self, key: &str, text: &str) -> Result<(), String>;

    /// Sets `key` to a value from a file.
    ///
    /// # Errors
    /// What is wrong with the value. A key that does not exist is no setting and is passed over.
    fn set_from_file(&mut self, key: &str, raw: &RawValue) -> Result<(), SpannedError>;

    /// The value of `key` as it stands in a file.
    fn value(&self, key: &str) -> Option<String>;

    /// Sets `key` to the value it has in `other`. A key that does not exist is passed over.
    fn copy(&mut self, key: &str, other: &Self);
}

/// Declares settings: a documented struct with a field for each, as visible as the struct, and its [`Settings`].
///
/// ```
/// chinwag_settings::settings! {
///     /// What an operator can decide.
///     pub struct Config("the manual lists all settings");
///     /// The port. 0 takes a free one.
///     port: u16 = 2461;
/// }
/// assert_eq!(chinwag_settings::parse::<Config>("(port: 7)", "x").unwrap().port, 7);
/// ```
#[macro_export]
macro_rules! settings {
    (
        $(#[doc = $about:literal])+ $vis:vis struct $settings:ident($listed:literal);
        $($(#[doc = $help:literal])+ $name:ident: $kind:ty = $default:expr;)+
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug)]
        $vis struct $settings {
            $($(#[doc = $help])+ $vis $name: $kind,)+
        }

        impl Default for $settings {
            fn default() -> $settings {
                $settings { $($name: $default),+ }
            }
        }

        impl $crate::Settings for $settings {
            const LISTED: &'static str = $listed;

            fn reference() -> Vec<$crate::Setting> {
                let default = $settings::default();
                vec![$($crate::Setting {
                    key: stringify!($name),
                    placeholder: <$kind as $crate::Value>::PLACEHOLDER,
                    default: $crate::Value::shown(&default.$name),
                    help: [$($help.trim()),+].join(" "),
                }),+]
            }

            fn set(&mut self, key: &str, text: &str) -> Result<(), String> {
                match key {
                    $(stringify!($name) => self.$name = $crate::Value::from_flag(text)?,)+
                    _ => return Err("there is no such setting".to_owned()),
                }
                Ok(())
            }

            fn set_from_file(&mut self, key: &str, raw: &$crate::RawValue) -> Result<(), $crate::SpannedError> {
                match key {
                    $(stringify!($name) => self.$name = $crate::from_file(raw)?,)+
                    _ => {}
                }
                Ok(())
            }

            fn value(&self, key: &str) -> Option<String> {
                match key {
                    $(stringify!($name) => Some($crate::Value::shown(&self.$name)),)+
                    _ => None,
                }
            }

            fn copy(&mut self, key: &str, other: &Self) {
                match key {
                    $(stringify!($name) => self.$name = other.$name.clone(),)+
                    _ => {}
                }
            }
        }
    };
}

/// Declares values that stand in a file as `{:?}` shows them: numbers, and enums of plain words.
#[macro_export]
macro_rules! plain_values {
    ($($kind:ty: $placeholder:literal),+ $(,)?) => {
        $(impl $crate::Value for $kind {
            const PLACEHOLDER: &'static str = $placeholder;
            fn shown(&self) -> String {
                format!("{self:?}")
            }
        })+
    };
}

plain_values! { u16: "NUMBER", u32: "NUMBER", usize: "NUMBER", bool: "true|false" }

/// A length of time: seconds, or text such as `"15m"`, `"1h"`, `"2d"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds(pub Duration);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SecondsVisitor;
        impl Visitor<'_> for SecondsVisitor {
            type Value = Seconds;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds, or a length of time such as \"15m\"")
            }
            fn visit_u64<E: serde::de::Error>(self, seconds: u64) -> Result<Seconds, E> {
                Ok(Seconds(Duration::from_secs(seconds)))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Seconds, E> {
                time::read_duration(text).map(Seconds).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(SecondsVisitor)
    }
}

impl Value for Seconds {
    const PLACEHOLDER: &'static str = "TIME";
    fn from_flag(text: &str) -> Result<Self, String> {
        time::read_duration(text).map(Seconds)
    }
    fn shown(&self) -> String {
        // A part of a second must not become 0, which means something else to most settings.
        match self.0.subsec_nanos() {
            0 => self.0.as_secs().to_string(),
            _ if self.0.subsec_nanos().is_multiple_of(1_000_000) => format!("\"{}ms\"", self.0.as_millis()),
            _ => format!("\"{}ns\"", self.0.as_nanos()),
        }
    }
}

impl Value for String {
    const PLACEHOLDER: &'static str = "TEXT";
    fn from_flag(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
    fn shown(&self) -> String {
        format!("{self:?}")
    }
}

impl Value for Option<PathBuf> {
    const PLACEHOLDER: &'static str = "PATH";
    fn from_flag(text: &str) -> Result<Self, String> {
        Ok(Some(text.into()))
    }
    fn shown(&self) -> String {
        self.as_ref().map_or("None".to_owned(), |path| format!("{path:?}"))
    }
}

fn options() -> ron::Options {
    ron::Options::default().with_default_extension(Extensions::IMPLICIT_SOME | Extensions::UNWRAP_NEWTYPES)
}

/// Reads a value from its place in a file; for [`settings!`].
#[doc(hidden)]
pub fn from_file<T: Value>(raw: &RawValue) -> Result<T, SpannedError> {
    options().from_str(raw.get_ron())
}

/// The fields of a file: keys and values, not yet read.
struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor<'de>(PhantomData<&'de ()>);
        impl<'de> Visitor<'de> for FieldsVisitor<'de> {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("(key: value, ...)")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    fields.push((Cow::Owned(key), map.next_value()?));
                }
                Ok(Fields(fields))
            }
        }
        // No name and no field names given: RON then takes any.
        deserializer.deserialize_struct("", &[], FieldsVisitor(PhantomData))
    }
}

/// One mistake in the file.
struct Mistake {
    what: String,
    help: Option<String>,
    at: std::ops::Range<usize>,
}

/// Reads the file at `path`.
///
/// # Errors
/// Every mistake there is, with line and column, ready to print.
pub fn read<S: Settings>(path: &Path) -> Result<S, String> {
    let cannot = |why: String| format!("error: cannot read {}: {why}", path.display());
    if std::fs::metadata(path).map_err(|error| cannot(error.to_string()))?.len() > FILE_BYTES_MAX {
        return Err(cannot(format!("it is larger than {FILE_BYTES_MAX} bytes")));
    }
    let source = std::fs::read_to_string(path).map_err(|error| cannot(error.to_string()))?;
    parse(&source, &path.display().to_string())
}

/// Reads settings from `source`; `origin` names it in errors.
///
/// # Errors
/// Every mistake there is, with line and column, ready to print.
pub fn parse<S: Settings>(source: &str, origin: &str) -> Result<S, String> {
    let mut settings = S::default();
    let mut mistakes = Vec::new();
    match options().from_str::<Fields<'_>>(source) {
        Err(error) => {
            // Another format, most likely, or nothing at all: of those the reader of RON says what only its author understands.
            let help = beginning(source).is_none().then(|| "a file of settings is RON: `( key: value, another: value )`".to_owned());
            mistakes.push(Mistake { help, ..mistake(source, 0, &error) });
        }
        Ok(Fields(fields)) => {
            let known = S::reference();
            let mut seen: Vec<&str> = Vec::new();
            for (key, raw) in &fields {
                // The value is a slice of the source: its place is where its key ends.
                let value_at = raw.get_ron().as_ptr() as usize - source.as_ptr() as usize;
                let key_at = source[..value_at].rfind(&**key).map_or(value_at..value_at, |at| at..at + key.len());
                if !known.iter().any(|setting| setting.key == key) {
                    let nearest = suggest::nearest(key, known.iter().map(|setting| setting.key));
                    let help = nearest.map_or(S::LISTED.to_owned(), |nearest| format!("did you mean `{nearest}`?"));
                    mistakes.push(Mistake { what: format!("there is no setting `{key}`"), help: Some(help), at: key_at });
                } else if seen.contains(&&**key) {
                    mistakes.push(Mistake { what: format!("`{key}` is set twice"), help: None, at: key_at });
                } else {
                    seen.push(key);
                    if let Err(error) = settings.set_from_file(key, raw) {
                        mistakes.push(mistake(source, value_at, &error));
                    }
                }
            }
        }
    }
    if mistakes.is_empty() {
        Ok(settings)
    } else {
        Err(mistakes.iter().map(|mistake| rendered(mistake, source, origin)).collect::<Vec<_>>().join("\n\n"))
    }
}

/// The mistake that `error` speaks of, in a part of `source` that begins at `base`.
fn mistake(source: &str, base: usize, error: &SpannedError) -> Mistake {
    let part = &source[base..];
    let offset = |position: &ron::error::Position| {
        let line_start: usize = part.split_inclusive('\n').take(position.line.saturating_sub(1)).map(str::len).sum();
        let line = &part[line_start.min(part.len())..];
        let column: usize = line.chars().take(position.col.saturating_sub(1)).map(char::len_utf8).sum();
        (base + line_start + column).min(source.len())
    };
    let (start, end) = (offset(&error.span.start), offset(&error.span.end));
    // The position of a value that begins with blanks is that of the blanks.
    let start = start + source[start..].len() - source[start..].trim_start().len();
    Mistake { what: error.code.to_string(), help: None, at: start..end.max(start) }
}

fn rendered(mistake: &Mistake, source: &str, origin: &str) -> String {
    let snippet = Snippet::source(source).path(origin).annotation(AnnotationKind::Primary.span(mistake.at.clone()));
    let mut group = Level::ERROR.primary_title(mistake.what.as_str()).element(snippet);
    if let Some(help) = &mistake.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    Renderer::plain().render(&[group])
}

/// A file in which every setting stands with its meaning and its default, commented out: to be edited by people.
/// `opening` is the comment at its head, one line or several.
#[must_use]
pub fn template<S: Settings>(opening: &str) -> String {
    let mut file: String = opening.lines().flat_map(|line| ["// ", line, "\n"]).collect();
    file.push_str("(\n");
    for setting in S::reference() {
        let help = if setting.placeholder.contains('|') { format!("{} ({})", setting.help, setting.placeholder) } else { setting.help };
        let mut line = String::new();
        for word in help.split_whitespace() {
            if !line.is_empty() && line.len() + word.len() >= COMMENT_COLUMNS {
                file.push_str(&format!("    // {line}\n"));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        file.push_str(&format!("    // {line}\n    // {}: {},\n\n", setting.key, setting.default));
    }
    file.truncate(file.trim_end().len());
    file.push_str("\n)\n");
    file
}

/// The file `source` with `key` set to `value`, which stands there as in a file. All else stays as it is, comments too: a value
/// that is set is replaced, one that is commented out as [`template`] does it is put in force, any other stands first.
///
/// # Errors
/// `source` is no file that could be read, or would not be one after that.
pub fn edited<S: Settings>(source: &str, key: &str, value: &str) -> Result<String, String> {
    let opening = |_| "the file has mistakes; mend them first".to_owned();
    let Fields(fields) = options().from_str::<Fields<'_>>(source).map_err(opening)?;
    let changed = if let Some((_, raw)) = fields.iter().find(|(name, _)| name == key) {
        let raw = raw.get_ron();
        let at = raw.as_ptr() as usize - source.as_ptr() as usize;
        let start = at + raw.len() - raw.trim_start().len();
        format!("{}{value}{}", &source[..start], &source[start + raw.trim().len()..])
    } else {
        let commented = source.split_inclusive('\n').scan(0, |end, line| {
            let at = *end;
            *end += line.len();
            Some((at, line))
        });
        let is_it = |line: &str| line.trim().strip_prefix("//").is_some_and(|text| text.trim_start().starts_with(&format!("{key}:")));
        match commented.into_iter().find(|(_, line)| is_it(line)) {
            Some((at, line)) => format!("{}    {key}: {value},\n{}", &source[..at], &source[at + line.len()..]),
            None => {
                let start = beginning(source).ok_or("the file does not begin with `(`")?;
                format!("{}\n    {key}: {value},{}", &source[..start], &source[start..])
            }
        }
    };
    // What people wrote is not spoilt, whatever it was.
    let read: S = parse(&changed, "the file").map_err(|_| "the file is not one that can be changed by itself".to_owned())?;
    if read.value(key).as_deref() == Some(value) {
        Ok(changed)
    } else {
        Err("the file is not one that can be changed by itself".to_owned())
    }
}

/// Where the settings begin: behind the first parenthesis that is in no comment.
fn beginning(source: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        at += source[at..].len() - source[at..].trim_start().len();
        let rest = &source[at..];
        at += if rest.starts_with("//") {
            rest.find('\n')? + 1
        } else if rest.starts_with("/*") {
            rest.find("*/")? + 2
        } else {
            return rest.starts_with('(').then_some(at + 1);
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    settings! {
        /// Of a program.
        pub(super) struct Some("the manual lists all settings");
        /// The port. It is a number that is easy to remember and that nobody else uses, which is why it has to be told at such
        /// length.
        port: u16 = 2461;
        /// Whether.
        whether: bool = false;
        /// How long.
        wait: Seconds = Seconds(Duration::from_secs(5));
        /// What it is called.
        name: String = "a \"b\"".to_owned();
        /// Where.
        place: Option<PathBuf> = None;
    }

    #[test]
    fn a_length_of_time_is_kept_as_it_is_in_force() {
        for (typed, shown) in
            [("0", "0"), ("90", "90"), ("1h30m", "5400"), ("1ms", "\"1ms\""), ("1s 500ms", "\"1500ms\""), ("2us", "\"2000ns\"")]
        {
            let time = Seconds::from_flag(typed).unwrap();
            assert_eq!(time.shown(), shown);
            let source = edited::<Some>("()", "wait", &time.shown()).unwrap();
            assert_eq!(parse::<Some>(&source, "x").unwrap().wait, time, "{source}");
        }
    }

    #[test]
    fn what_is_another_format_or_nothing_is_told_what_a_file_looks_like() {
        let told = |source| parse::<Some>(source, "x.ron").unwrap_err();
        for other in ["", "port = 7\n", "{\"port\": 7}", "// nothing but this\n"] {
            assert!(told(other).contains("( key: value, another: value )"), "{}", told(other));
        }
        assert!(!told("( port: 7, ").contains("another: value"));
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_their_places() {
        let source = "(\n    prot: 1,\n    port: \"x\",\n    whether: maybe,\n    wait: \"5 fortnights\",\n    name: \"x\",\n    name: \"y\",\n    frobnicate: 1,\n)";
        let told = parse::<Some>(source, "x.ron").unwrap_err();
        for expected in [
            "x.ron:2:5",
            "did you mean `port`",
            "x.ron:3:11",
            "x.ron:4:14",
            "x.ron:5:12",
            "x.ron:7:5",
            "`name` is set twice",
            "the manual lists all settings",
        ] {
            assert!(told.contains(expected), "{expected} is not in:\n{told}");
        }
    }

    #[test]
    fn a_broken_file_is_told_too() {
        let told = parse::<Some>("(\n    port 5,\n)", "x.ron").unwrap_err();
        assert!(told.contains("x.ron:2:10"), "{told}");
        assert!(parse::<Some>("", "x.ron").is_err());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let told = read::<Some>(Path::new("/no/such/file.ron")).unwrap_err();
        assert!(told.contains("cannot read /no/such/file.ron"), "{told}");
    }

    #[test]
    fn what_is_typed_is_read_and_shown_as_it_stands_in_a_file() {
        let mut some = Some::default();
        for (key, typed, shown) in [
            ("port", "7", "7"),
            ("whether", "true", "true"),
            ("wait", "15m", "900"),
            ("name", "two words", "\"two words\""),
            ("place", "/x y", "\"/x y\""),
        ] {
            some.set(key, typed).unwrap();
            assert_eq!(some.value(key).as_deref(), Option::Some(shown), "{key}");
        }
        assert!(some.set("port", "99999").is_err() && some.set("frob", "1").is_err());
        assert_eq!(some.value("frob"), None);
    }

    #[test]
    fn a_template_is_a_file_that_changes_nothing_until_it_is_edited() {
        let file = template::<Some>("Settings of a program.\nEdit them.");
        assert!(file.starts_with("// Settings of a program.\n// Edit them.\n(\n"), "{file}");
        assert!(file.lines().all(|line| line.len() < COMMENT_COLUMNS + 10), "{file}");
        let fresh: Some = parse(&file, "x.ron").unwrap();
        assert_eq!(fresh.port, 2461);
        // Every setting stands in it as it would be set.
        let edited: String =
            file.lines().flat_map(|line| [line.strip_prefix("    // ").filter(|text| text.ends_with(',')).unwrap_or(line), "\n"]).collect();
        let edited: Some = parse(&edited, "x.ron").unwrap();
        for setting in Some::reference() {
            assert!(file.contains(setting.key));
            assert_eq!(edited.value(setting.key), fresh.value(setting.key), "{}", setting.key);
        }
    }

    #[test]
    fn a_file_is_edited_in_place() {
        for (source, key, value, changed) in [
            ("(port: 1, whether: true)", "port", "2", "(port: 2, whether: true)"),
            ("(\n    // mine\n    port :  1 , // so\n)", "port", "2", "(\n    // mine\n    port :  2 , // so\n)"),
            ("// (a)\n/* ( */ (whether: true)", "port", "2", "// (a)\n/* ( */ (\n    port: 2,whether: true)"),
            ("()", "name", "\"a\"", "(\n    name: \"a\",)"),
            ("(\n    // How long.\n    // wait: 5,\n)\n", "wait", "7", "(\n    // How long.\n    wait: 7,\n)\n"),
        ] {
            assert_eq!(edited::<Some>(source, key, value).as_deref(), Ok(changed), "{source}");
        }
        let fresh = template::<Some>("Settings.");
        for (key, value) in [("port", "7"), ("name", "\"b\""), ("place", "\"/x\""), ("whether", "true")] {
            let changed = edited::<Some>(&fresh, key, value).unwrap();
            assert_eq!(changed.lines().count(), fresh.lines().count());
            assert_eq!(parse::<Some>(&changed, "x").unwrap().value(key).as_deref(), Option::Some(value));
        }
        for (source, key, value) in [("(port 1)", "port", "2"), ("(port: 1)", "frob", "2"), ("(port: 1)", "port", "x"), ("", "port", "1")] {
            assert!(edited::<Some>(source, key, value).is_err(), "{source} {key} {value}");
        }
    }

    #[test]
    fn choices_are_plain_words() {
        let choices =
            |placeholder| Setting { key: "x", placeholder, default: String::new(), help: String::new() }.choices().collect::<Vec<_>>();
        assert_eq!(choices("One|NewerWins|Several(N)"), ["One", "NewerWins"]);
        assert!(choices("NUMBER").is_empty());
    }
}
