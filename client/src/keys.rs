//! Keys: how lines are edited, and what keys do beyond that.

use std::collections::BTreeMap;

use chinwag_settings::{Value, plain_values};
use rustyline::{Cmd, EditMode, KeyCode, KeyEvent, Modifiers, Movement};
use serde::{Deserialize, Serialize};

use crate::theme;

/// How lines are edited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keys {
    /// After which editor.
    pub(crate) mode: Mode,
    /// What keys do besides what they do in that editor.
    pub(crate) bindings: Bindings,
}

/// What keys do: `{"Ctrl-O": Undo, "F5": Insert("/whoelse")}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Bindings(pub(crate) BTreeMap<Key, Action>);

impl Default for Bindings {
    fn default() -> Bindings {
        Bindings(BTreeMap::from([(Key(KeyEvent::alt('r')), Action::Reply), (Key(KeyEvent::alt('a')), Action::Accept)]))
    }
}

impl Bindings {
    /// Which key does `action`, as it is written.
    pub(crate) fn key_for(&self, action: &Action) -> Option<String> {
        self.0.iter().find(|(_, bound)| *bound == action).map(|(key, _)| String::from(*key))
    }
}

impl Value for Bindings {
    const PLACEHOLDER: &'static str = "{KEY: ACTION}";
    fn shown(&self) -> String {
        theme::as_ron(self)
    }
}

plain_values! { Mode: "Emacs|Vi" }

/// After which editor lines are edited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Mode {
    /// As in Emacs and most shells.
    #[default]
    Emacs,
    /// As in vi.
    Vi,
}

impl From<Mode> for EditMode {
    fn from(mode: Mode) -> EditMode {
        match mode {
            Mode::Emacs => EditMode::Emacs,
            Mode::Vi => EditMode::Vi,
        }
    }
}

/// What a key does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Action {
    /// Puts the one who wrote last in front of the line, to answer; again, the one before.
    Reply,
    /// Says yes to what somebody asks: a private chat, a file. What is typed stays as it is.
    Accept,
    /// Completes.
    Complete,
    /// Takes over the hint.
    TakeHint,
    /// Takes back the last change.
    Undo,
    /// Searches what was typed before.
    Search,
    /// Goes to the line typed before.
    Previous,
    /// Goes to the line typed after.
    Next,
    /// Clears the screen.
    Clear,
    /// Deletes the line.
    DeleteLine,
    /// Types this.
    Insert(String),
    /// Nothing.
    Nothing,
}

impl Action {
    /// What the editor does; nothing for what needs to know more than the editor.
    pub(crate) fn command(&self) -> Cmd {
        match self {
            Action::Reply | Action::Accept | Action::Nothing => Cmd::Noop,
            Action::Complete => Cmd::Complete,
            Action::TakeHint => Cmd::CompleteHint,
            Action::Undo => Cmd::Undo(1),
            Action::Search => Cmd::ReverseSearchHistory,
            Action::Previous => Cmd::PreviousHistory,
            Action::Next => Cmd::NextHistory,
            Action::Clear => Cmd::ClearScreen,
            Action::DeleteLine => Cmd::Kill(Movement::WholeLine),
            Action::Insert(text) => Cmd::Insert(1, text.clone()),
        }
    }
}

/// A key, written `Ctrl-O`, `Alt-r`, `Shift-F5`, `PageUp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Key(pub(crate) KeyEvent);

/// Keys that are called by a name.
const NAMED: &[(&str, KeyCode)] = &[
    ("Backspace", KeyCode::Backspace),
    ("Delete", KeyCode::Delete),
    ("Down", KeyCode::Down),
    ("End", KeyCode::End),
    ("Enter", KeyCode::Enter),
    ("Esc", KeyCode::Esc),
    ("Home", KeyCode::Home),
    ("Insert", KeyCode::Insert),
    ("Left", KeyCode::Left),
    ("PageDown", KeyCode::PageDown),
    ("PageUp", KeyCode::PageUp),
    ("Right", KeyCode::Right),
    ("Space", KeyCode::Char(' ')),
    ("Tab", KeyCode::Tab),
    ("Up", KeyCode::Up),
];
const MODIFIERS: &[(&str, Modifiers)] = &[("Ctrl-", Modifiers::CTRL), ("Alt-", Modifiers::ALT), ("Shift-", Modifiers::SHIFT)];

impl TryFrom<String> for Key {
    type Error = String;

    fn try_from(written: String) -> Result<Key, String> {
        let (mut rest, mut modifiers) = (written.as_str(), Modifiers::NONE);
        while let Some((name, modifier)) = MODIFIERS.iter().find(|(name, _)| rest.starts_with(name)) {
            rest = &rest[name.len()..];
            modifiers |= *modifier;
        }
        let mut letters = rest.chars();
        let function = || rest.strip_prefix('F').and_then(|number| number.parse().ok()).filter(|number| (1..=24).contains(number));
        let code = match (letters.next(), letters.next()) {
            (Some(letter), None) if !letter.is_control() => KeyCode::Char(letter),
            _ => match NAMED.iter().find(|(name, _)| *name == rest) {
                Some((_, code)) => *code,
                None => KeyCode::F(function().ok_or_else(|| format!("`{written}` is no key; write them like Ctrl-O, Alt-r, F5, PageUp"))?),
            },
        };
        Ok(Key(KeyEvent::normalize(KeyEvent(code, modifiers))))
    }
}

impl From<Key> for String {
    fn from(Key(KeyEvent(code, modifiers)): Key) -> String {
        let prefix: String = MODIFIERS.iter().filter(|(_, modifier)| modifiers.contains(*modifier)).map(|(name, _)| *name).collect();
        let name = match (NAMED.iter().find(|(_, named)| *named == code), code) {
            (Some((name, _)), _) => (*name).to_owned(),
            (None, KeyCode::Char(letter)) => letter.to_string(),
            (None, KeyCode::F(number)) => format!("F{number}"),
            (None, other) => format!("{other:?}"),
        };
        prefix + &name
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> std::cmp::Ordering {
        String::from(*self).cmp(&String::from(*other))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_as_they_are_written() {
        for written in ["Ctrl-O", "Alt-r", "F5", "Ctrl-Alt-Right", "PageUp", "Tab", "Alt--", "Shift-F12", "Space", "é"] {
            let key = Key::try_from(written.to_owned()).expect(written);
            assert_eq!(String::from(key), written);
        }
        assert_eq!(Key::try_from("Ctrl-o".to_owned()), Key::try_from("Ctrl-O".to_owned()), "there is one control key for both");
        for wrong in ["", "Ctrl-", "F0", "F25", "Hyper-x", "ctrl-o", "\x1b", "no key"] {
            assert!(Key::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_configuration_may_bind_keys() {
        let bindings = Bindings::from_flag(r#"{"F5": Insert("/whoelse"), "Ctrl-O": Undo}"#).expect("reads");
        assert_eq!(bindings.0.len(), 2);
        assert_eq!(Bindings::from_flag(&bindings.shown()), Ok(bindings));
        let error = Bindings::from_flag(r#"{"Hyper-x": Undo}"#).expect_err("no key");
        assert!(error.contains("`Hyper-x` is no key"), "{error}");
    }
}
