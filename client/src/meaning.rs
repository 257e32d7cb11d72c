//! What a line means is decided where it is typed: to somebody one talks with, or in a room, a bare line is said; elsewhere it is a
//! command. It may be sent later, when the link is back, and the same account may have gone into another room on another device. So what
//! is sent says by itself what was meant: a command with its `/`, words with the name of whom they are for. The server then does that, or
//! refuses it.

use chinwag_wire::split::{self, Asked};

/// `line`, typed where the prompt said that it goes to `addressee` (`bob`, `#den`), in a form that means the same everywhere.
pub(crate) fn explicit(line: &str, addressee: Option<&str>) -> String {
    match addressee.map(|addressee| (addressee, split::line_in_room(line))) {
        Some((addressee, Asked::Say(text))) => format!("@{addressee} {text}"),
        Some(_) => line.to_owned(),
        None => match line.trim_start_matches([' ', '\t']) {
            bare if bare.starts_with(['/', '@']) || bare.is_empty() => line.to_owned(),
            bare => format!("/{bare}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_means_the_same_everywhere() {
        for (line, outside, in_den) in [
            ("whoelse", "/whoelse", "@#den whoelse"),
            ("  leave the door open", "/leave the door open", "@#den leave the door open"),
            ("/leave", "/leave", "/leave"),
            (" /leave", " /leave", " /leave"),
            ("//leave is a command", "//leave is a command", "@#den /leave is a command"),
            ("@bob: hi", "@bob: hi", "@bob: hi"),
            ("one\ntwo  three ", "/one\ntwo  three ", "@#den one\ntwo  three "),
            ("", "", ""),
            (" \t", " \t", " \t"),
        ] {
            assert_eq!((&*explicit(line, None), &*explicit(line, Some("#den"))), (outside, in_den), "{line:?}");
            for room in [None, Some("#den")] {
                let once = explicit(line, room);
                if once.starts_with(['/', '@']) && !once.starts_with("//") {
                    assert_eq!(split::line(&once), split::line_in_room(&once), "{once:?} means two things");
                }
            }
        }
    }
}
