//! What is said about an earlier message, in the reference model: answers, reactions, and its author's second thoughts.
//!
//! What was said stays in one list. An answer is one more message. A reaction, a change and a taking back change the message
//! they are about, and are lines of their own only for those who have read that already.

use super::reference::{Expect, Impossible, Reference, Said, Seen, To};
use super::session::Deed;

/// How many characters of a message are quoted.
const QUOTED: usize = 40;

/// What something is said about.
#[derive(Clone)]
pub(super) struct About {
    /// Which entry of the list.
    pub(super) place: usize,
    pub(super) deed: Deed,
    from_name: &'static str,
    /// The beginning of it, as it is now; empty if that is nobody's business any more.
    quoted: String,
}

impl About {
    /// Whether it changes the message and is none itself.
    pub(super) fn changes(&self) -> bool {
        self.deed != Deed::Reply
    }
}

fn quoted(text: &str) -> String {
    if text.chars().count() <= QUOTED { text.to_owned() } else { text.chars().take(QUOTED).chain(['…']).collect() }
}

impl Reference {
    /// The message that is so many back, of all that somebody said or may read; of their own only where it is to be changed.
    fn so_many_back(&self, me: &str, deed: Deed, back: usize) -> Option<usize> {
        let my = self.accounts.get(me)?;
        let is_one = |place: usize, said: &Said| {
            let is_own = said.from == my.id;
            let is_theirs = place >= my.joined() && said.may_be_read_by(my.id);
            let is_meant = is_own || (is_theirs && !matches!(deed, Deed::Edit | Deed::Delete));
            is_meant && !said.deleted && !said.about.as_ref().is_some_and(About::changes)
        };
        let all = self.log.iter().enumerate().rev().filter(|(place, said)| is_one(*place, said));
        all.map(|(place, _)| place).nth(back - 1)
    }

    #[allow(clippy::too_many_arguments, reason = "everything that it is made of")]
    pub(super) fn amend(
        &mut self,
        at: &'static str,
        me: &'static str,
        deed: Deed,
        back: usize,
        text: &str,
        mark: usize,
        seen: &mut Seen,
    ) -> Result<(), Impossible> {
        let my = self.accounts.get(me).ok_or(Impossible)?;
        let id = my.id;
        // Guests have no past outside of rooms, and what is meant in a room is another list.
        if my.guest || self.is_in_room(at) {
            return Err(Impossible);
        }
        let refused = |code: &'static str| vec![Expect::Refused(code)];
        let Some(place) = self.so_many_back(me, deed, back) else {
            seen.insert(at, refused("no-such-message"));
            return Ok(());
        };
        let earlier = self.log[place].clone();
        if deed == Deed::Unreact && !earlier.reactions.contains_key(&id) {
            seen.insert(at, refused("no-such-message"));
            return Ok(());
        }
        let to = match earlier.to {
            To::All => To::All,
            To::One(to, name) if earlier.from == id => To::One(to, name),
            To::One(..) => To::One(earlier.from, earlier.from_name),
            To::Whisper(..) | To::Room { .. } => return Err(Impossible),
        };
        let answer = match &to {
            // Whoever is not there any more cannot be told, and the name may be another's.
            To::One(other, name) if self.accounts.get(name).is_none_or(|account| account.id != *other) => return Err(Impossible),
            To::One(_, name) if !self.sees(me, name) => Expect::Refused("blocked"),
            To::One(_, name) if !self.is_here(name) => Expect::Line("sent; they are away and get it at their next login".to_owned()),
            To::All if self.accounts.values().any(|other| other.blocks.contains(&id)) => {
                Expect::Line("sent; some people could not be reached".to_owned())
            }
            _ => Expect::Line("sent".to_owned()),
        };
        let is_refused = matches!(answer, Expect::Refused(_));
        seen.insert(at, vec![answer]);
        if is_refused {
            return Ok(());
        }
        let shown = if matches!(deed, Deed::Edit | Deed::Delete) { String::new() } else { quoted(&earlier.text) };
        let about = About { place, deed, from_name: earlier.from_name, quoted: shown };
        self.spread_about(at, me, to, text, Some(about), mark, seen)?;
        let this = self.log.len() - 1;
        match deed {
            Deed::Reply => {}
            Deed::React => drop(self.log[place].reactions.insert(id, text.to_owned())),
            Deed::Unreact => drop(self.log[place].reactions.remove(&id)),
            Deed::Edit => {
                text.clone_into(&mut self.log[place].text);
                self.log[place].edited = true;
            }
            Deed::Delete => self.log[place].deleted = true,
        }
        for said in &mut self.log[..=this] {
            let Some(about) = said.about.as_mut().filter(|about| about.place == place) else { continue };
            match deed {
                Deed::Edit => about.quoted = quoted(text),
                Deed::Delete => {
                    about.quoted.clear();
                    said.deleted |= about.deed == Deed::Edit;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Said {
    /// Who says it, and what it is to an earlier message; and whether that is all of it.
    pub(super) fn by(&self, own: bool) -> (String, bool) {
        let from = if own { "you" } else { self.from_name };
        let Some(about) = &self.about else {
            return (if self.edited { format!("{from} (edited)") } else { from.to_owned() }, false);
        };
        let whose = match about.from_name == self.from_name {
            true if own => "your own".to_owned(),
            true => "their own".to_owned(),
            false => format!("{}'s", about.from_name),
        };
        let what = if about.quoted.is_empty() { format!("{whose} message") } else { format!("{whose} \"{}\"", about.quoted) };
        let s = if own { "" } else { "s" };
        match about.deed {
            Deed::Reply => (format!("{from} (on {what})"), false),
            Deed::Edit => (format!("{from} (edited)"), false),
            Deed::Delete => (format!("* {from} took back a message"), true),
            Deed::React => (format!("* {from} react{s} to {what} with {}", self.text), true),
            Deed::Unreact => (format!("* {from} take{s} back a reaction to {what}"), true),
        }
    }

    /// What people have reacted with, and how many with each.
    pub(super) fn reactions_shown(&self) -> String {
        let mut words: Vec<&String> = self.reactions.values().collect();
        words.sort();
        let counts = words.chunk_by(|one, other| one == other).map(|same| format!(" {{{} {}}}", same[0], same.len()));
        counts.collect()
    }
}
