//! Colours: which there are, what they are for, and how many the terminal has. A colour only underlines what the
//! words and signs say already, so that nothing is lost on whoever sees or wants none.

use std::io::{self, IsTerminal};
use std::ops::Not;

use anstyle::{Ansi256Color, AnsiColor, Color, Effects, RgbColor, Style};
use chinwag_settings::{Value, plain_values};
use chinwag_wire::name::folded;
use ron::extensions::Extensions;
use serde::{Deserialize, Serialize};

/// How many colours there are, from fewest to most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    /// None at all, and no bold or dim either.
    #[default]
    None,
    /// The sixteen that every terminal with colours has.
    Sixteen,
    /// The 256 of xterm.
    Many,
    /// All.
    Full,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub(crate) enum When {
    /// On a terminal that knows them, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Whatever the terminal and `NO_COLOR` say.
    Always,
    /// Not.
    Never,
}

impl Depth {
    /// What standard output gets, going by the environment.
    pub(crate) fn of_output(when: When) -> Depth {
        let variable = |name: &str| std::env::var(name).unwrap_or_default();
        let term = variable("TERM");
        // https://no-color.org: set and not empty. What the command line says goes before it.
        let wanted = match when {
            When::Never => false,
            When::Always => true,
            When::Auto => io::stdout().is_terminal() && variable("NO_COLOR").is_empty() && term != "dumb",
        };
        if wanted { Depth::of_terminal(&term, &variable("COLORTERM")) } else { Depth::None }
    }

    /// How many colours a terminal has that calls itself this.
    fn of_terminal(term: &str, colorterm: &str) -> Depth {
        if matches!(colorterm, "truecolor" | "24bit") || term.ends_with("-direct") {
            Depth::Full
        } else if term.contains("256color") {
            Depth::Many
        } else {
            Depth::Sixteen
        }
    }
}

/// A colour. One that the terminal does not have becomes the nearest that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Colour {
    Black,
    Red,
    Green,
    Yellow,
    Blue,
    Magenta,
    Cyan,
    White,
    BrightBlack,
    BrightRed,
    BrightGreen,
    BrightYellow,
    BrightBlue,
    BrightMagenta,
    BrightCyan,
    BrightWhite,
    /// By its number among the 256 of xterm.
    Indexed(u8),
    /// By its parts.
    Rgb(u8, u8, u8),
}

impl Colour {
    fn at(self, depth: Depth) -> Color {
        let ansi = match self {
            Colour::Black => AnsiColor::Black,
            Colour::Red => AnsiColor::Red,
            Colour::Green => AnsiColor::Green,
            Colour::Yellow => AnsiColor::Yellow,
            Colour::Blue => AnsiColor::Blue,
            Colour::Magenta => AnsiColor::Magenta,
            Colour::Cyan => AnsiColor::Cyan,
            Colour::White => AnsiColor::White,
            Colour::BrightBlack => AnsiColor::BrightBlack,
            Colour::BrightRed => AnsiColor::BrightRed,
            Colour::BrightGreen => AnsiColor::BrightGreen,
            Colour::BrightYellow => AnsiColor::BrightYellow,
            Colour::BrightBlue => AnsiColor::BrightBlue,
            Colour::BrightMagenta => AnsiColor::BrightMagenta,
            Colour::BrightCyan => AnsiColor::BrightCyan,
            Colour::BrightWhite => AnsiColor::BrightWhite,
            Colour::Indexed(index) if depth >= Depth::Many => return Color::Ansi256(Ansi256Color(index)),
            Colour::Indexed(index) => Ansi256Color(index).into_ansi().unwrap_or_else(|| nearest(parts(index))),
            Colour::Rgb(r, g, b) if depth == Depth::Full => return Color::Rgb(RgbColor(r, g, b)),
            Colour::Rgb(r, g, b) if depth == Depth::Many => return Color::Ansi256(nearest_of_many((r, g, b))),
            Colour::Rgb(r, g, b) => nearest((r, g, b)),
        };
        Color::Ansi(ansi)
    }
}

/// Red, green and blue of one of the 256 that is none of the sixteen: a cube of 6×6×6, then 24 greys.
fn parts(index: u8) -> (u8, u8, u8) {
    let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
    match index {
        232.. => (8 + 10 * (index - 232), 8 + 10 * (index - 232), 8 + 10 * (index - 232)),
        _ => {
            let index = index.saturating_sub(16);
            (level(index / 36), level(index / 6 % 6), level(index % 6))
        }
    }
}

/// The nearest of the cube and the greys; of the sixteen nobody knows how a terminal shows them.
fn nearest_of_many((r, g, b): (u8, u8, u8)) -> Ansi256Color {
    let apart = |one: u8, other: u8| u32::from(one.abs_diff(other)).pow(2);
    let distance = |index: &u8| {
        let (red, green, blue) = parts(*index);
        apart(red, r) + apart(green, g) + apart(blue, b)
    };
    Ansi256Color((16..=u8::MAX).min_by_key(distance).unwrap_or(16))
}

/// The one of the sixteen that has the same parts in it: what is at least half as strong as the strongest.
fn nearest((r, g, b): (u8, u8, u8)) -> AnsiColor {
    let strongest = r.max(g).max(b);
    let has = |part: u8| strongest >= 64 && part > strongest / 2;
    match (has(r), has(g), has(b), strongest >= 192) {
        (false, false, false, _) => AnsiColor::BrightBlack,
        (true, false, false, bright) => {
            if bright {
                AnsiColor::BrightRed
            } else {
                AnsiColor::Red
            }
        }
        (false, true, false, bright) => {
            if bright {
                AnsiColor::BrightGreen
            } else {
                AnsiColor::Green
            }
        }
        (true, true, false, bright) => {
            if bright {
                AnsiColor::BrightYellow
            } else {
                AnsiColor::Yellow
            }
        }
        (false, false, true, bright) => {
            if bright {
                AnsiColor::BrightBlue
            } else {
                AnsiColor::Blue
            }
        }
        (true, false, true, bright) => {
            if bright {
                AnsiColor::BrightMagenta
            } else {
                AnsiColor::Magenta
            }
        }
        (false, true, true, bright) => {
            if bright {
                AnsiColor::BrightCyan
            } else {
                AnsiColor::Cyan
            }
        }
        (true, true, true, bright) => {
            if bright {
                AnsiColor::BrightWhite
            } else {
                AnsiColor::White
            }
        }
    }
}

/// How something is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Paint {
    /// In which colour, if not the terminal's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) colour: Option<Colour>,
    /// Bold.
    #[serde(skip_serializing_if = "Not::not")]
    pub(crate) bold: bool,
    /// Dim.
    #[serde(skip_serializing_if = "Not::not")]
    pub(crate) dim: bool,
    /// Underlined.
    #[serde(skip_serializing_if = "Not::not")]
    pub(crate) underline: bool,
}

impl Paint {
    /// In this colour.
    pub(crate) const fn colour(colour: Colour) -> Paint {
        Paint { colour: Some(colour), bold: false, dim: false, underline: false }
    }

    /// Bold, too.
    pub(crate) const fn bold(self) -> Paint {
        Paint { bold: true, ..self }
    }

    /// The text, written so where the terminal has `depth`.
    pub(crate) fn on(self, text: &str, depth: Depth) -> String {
        if depth == Depth::None || text.is_empty() || self == Paint::default() {
            return text.to_owned();
        }
        let effect = |wanted, effect| if wanted { effect } else { Effects::new() };
        let effects = effect(self.bold, Effects::BOLD) | effect(self.dim, Effects::DIMMED) | effect(self.underline, Effects::UNDERLINE);
        let style = Style::new().fg_color(self.colour.map(|colour| colour.at(depth))).effects(effects);
        format!("{style}{text}{style:#}")
    }
}

/// Which colour is for what. Every part may be left out in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Theme {
    /// Times.
    pub(crate) time: Paint,
    /// People's names: each always has the same one of these.
    pub(crate) names: Vec<Colour>,
    /// One's own name.
    pub(crate) me: Paint,
    /// Where one's name is called.
    pub(crate) mention: Paint,
    /// What is said by the way: `sent`, who comes and goes.
    pub(crate) quiet: Paint,
    /// What the client itself has to say.
    pub(crate) notice: Paint,
    /// What marks words of a private chat.
    pub(crate) private: Paint,
    /// What was refused.
    pub(crate) refusal: Paint,
    /// Warnings that must not be missed.
    pub(crate) alarm: Paint,
    /// The prompt.
    pub(crate) prompt: Paint,
    /// The prompt while the link is lost.
    pub(crate) no_link: Paint,
    /// Help behind the cursor.
    pub(crate) hint: Paint,
    /// A command that there is, while it is typed.
    pub(crate) command: Paint,
    /// What cannot be understood, while it is typed.
    pub(crate) wrong: Paint,
}

impl Default for Theme {
    fn default() -> Theme {
        use Colour::{BrightBlack, BrightBlue, BrightCyan, BrightGreen, BrightMagenta, Cyan, Green, Magenta, Red, Yellow};
        Theme {
            time: Paint::colour(BrightBlack),
            // Without red, which means trouble, and without what cannot be read on black or on white.
            names: vec![Cyan, Green, Yellow, Magenta, BrightBlue, BrightCyan, BrightGreen, BrightMagenta],
            me: Paint::default().bold(),
            mention: Paint::colour(Yellow).bold(),
            quiet: Paint::colour(BrightBlack),
            notice: Paint::colour(BrightBlack),
            private: Paint::colour(Magenta).bold(),
            refusal: Paint::colour(Red),
            alarm: Paint::colour(Red).bold(),
            prompt: Paint::default().bold(),
            no_link: Paint::colour(Red).bold(),
            hint: Paint::colour(BrightBlack),
            command: Paint::default().bold(),
            wrong: Paint::colour(Red),
        }
    }
}

impl Value for Theme {
    const PLACEHOLDER: &'static str = "(PART: (colour: COLOUR, bold: true), names: [COLOUR])";
    fn shown(&self) -> String {
        as_ron(self)
    }
}

plain_values! { When: "Auto|Always|Never" }

/// As it stands in the configuration: in one line, without what is a matter of course.
pub(crate) fn as_ron(value: &impl Serialize) -> String {
    let options = ron::Options::default().with_default_extension(Extensions::IMPLICIT_SOME | Extensions::UNWRAP_NEWTYPES);
    options.to_string(value).unwrap_or_default()
}

impl Theme {
    /// How a name is written. Upper and lower case are one person.
    pub(crate) fn name(&self, name: &str) -> Paint {
        // FNV-1a: the same in every session, on every machine.
        let hash = folded(name).bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        // The low bits of this hash mix badly for short names.
        let hash = usize::try_from(hash ^ (hash >> 15)).unwrap_or(0);
        match self.names.len() {
            0 => Paint::default().bold(),
            count => Paint::colour(self.names[hash % count]).bold(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_theme_says_only_what_differs() {
        let theme = Theme::from_flag("(mention: (colour: Rgb(255, 128, 0), bold: true), names: [Red, Indexed(208)])").expect("reads");
        assert_eq!(theme.mention, Paint::colour(Colour::Rgb(255, 128, 0)).bold());
        assert_eq!(theme.names, [Colour::Red, Colour::Indexed(208)]);
        assert_eq!(theme.refusal, Theme::default().refusal);
        assert!(Theme::from_flag("(mentoin: ())").is_err(), "a slip of the fingers is told");
        assert_eq!(Theme::from_flag(&theme.shown()), Ok(theme));
        assert_eq!(Theme::from_flag(&Theme::default().shown()), Ok(Theme::default()));
    }

    #[test]
    fn a_terminal_gets_no_colour_that_it_does_not_have() {
        let orange = Paint::colour(Colour::Rgb(255, 128, 0));
        for (depth, written) in [
            (Depth::None, "x"),
            (Depth::Sixteen, "\x1b[93mx\x1b[0m"),
            (Depth::Many, "\x1b[38;5;208mx\x1b[0m"),
            (Depth::Full, "\x1b[38;2;255;128;0mx\x1b[0m"),
        ] {
            assert_eq!(orange.on("x", depth), written, "{depth:?}");
        }
        assert_eq!(Paint::colour(Colour::Indexed(208)).on("x", Depth::Many), "\x1b[38;5;208mx\x1b[0m");
        for (parts, index) in [((0, 0, 0), 16), ((255, 255, 255), 231), ((8, 8, 8), 232), ((127, 127, 130), 244), ((95, 0, 255), 57)] {
            assert_eq!(nearest_of_many(parts), Ansi256Color(index), "{parts:?}");
        }
        for index in 0..=u8::MAX {
            let written = Paint::colour(Colour::Indexed(index)).on("x", Depth::Sixteen);
            assert!(!written.contains("38;"), "{index}: {written:?}");
        }
        assert_eq!(Paint::default().bold().on("", Depth::Full), "", "nothing is written in no colour");
    }

    #[test]
    fn the_terminal_says_what_it_has() {
        for (term, colorterm, depth) in [
            ("xterm", "", Depth::Sixteen),
            ("", "", Depth::Sixteen),
            ("xterm-256color", "", Depth::Many),
            ("screen.xterm-256color", "24bit", Depth::Full),
            ("xterm-direct", "", Depth::Full),
        ] {
            assert_eq!(Depth::of_terminal(term, colorterm), depth, "{term} {colorterm}");
        }
    }

    #[test]
    fn somebody_has_one_colour_and_people_have_several() {
        let theme = Theme::default();
        assert_eq!(theme.name("Alice"), theme.name("alice"));
        let people =
            ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory", "niaj", "olivia", "peggy"];
        let mut colours: Vec<Option<Colour>> = people.iter().map(|name| theme.name(name).colour).collect();
        colours.sort_by_key(|colour| format!("{colour:?}"));
        colours.dedup();
        assert!(colours.len() >= 6, "{colours:?}");
        assert_eq!(Theme { names: Vec::new(), ..theme }.name("alice"), Paint::default().bold());
    }
}
