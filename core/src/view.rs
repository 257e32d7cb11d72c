//! What an argument kind or a command may look at: who exists, who is here, what time it is. Nothing can be
//! changed through it.

use chinwag_wire::{Card, Millis, Refusal, code, name, suggest};

use crate::hall::{Hall, Session, SessionId, User, UserId};
use crate::server::Settings;

/// A read-only look at the hall, on behalf of one connection.
pub struct View<'a> {
    hall: &'a Hall,
    session: SessionId,
    /// The clock when the look was taken.
    pub now: Millis,
    pub(crate) cards: &'a [Card],
    pub(crate) settings: &'a Settings,
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("session", &self.session).field("now", &self.now).finish_non_exhaustive()
    }
}

impl<'a> View<'a> {
    pub(crate) fn new(hall: &'a Hall, session: SessionId, now: Millis, cards: &'a [Card], settings: &'a Settings) -> View<'a> {
        View { hall, session, now, cards, settings }
    }

    /// Who looks, if logged in.
    #[must_use]
    pub fn me(&self) -> Option<UserId> {
        self.hall.session(self.session).map(|session| session.user)
    }

    /// Whether this is the server's console, or `chinwagd ctl`.
    #[must_use]
    pub fn is_console(&self) -> bool {
        self.session == SessionId::CONSOLE
    }

    /// Whether the one who looks may do what only operators may.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.hall.has_authority(self.session)
    }

    /// The session of the one who looks, if logged in.
    #[must_use]
    pub fn my_session(&self) -> Option<&'a Session> {
        self.hall.session(self.session)
    }

    /// The hall itself.
    #[must_use]
    pub fn hall(&self) -> &'a Hall {
        self.hall
    }

    /// Whether the one who looks may see that `other` is here, or was.
    #[must_use]
    pub fn sees(&self, other: UserId) -> bool {
        self.me().is_none_or(|me| !self.hall.hidden(me, other))
    }

    /// Everybody else who is online, as far as the one who looks may see them.
    pub fn others_online(&self) -> impl Iterator<Item = (UserId, &'a User)> {
        let me = self.me();
        self.hall.online().filter(move |(id, _)| Some(*id) != me && self.sees(*id))
    }

    /// The user called `word`.
    ///
    /// # Errors
    /// `no-such-user`, with the nearest name there is.
    pub fn user(&self, word: &str) -> Result<(UserId, &'a User), Refusal> {
        // `message bob: hi`: people write the colon as they do after `@bob`.
        let word = word.strip_suffix(':').filter(|name| !name.is_empty()).unwrap_or(word);
        if let Some(found) = self.hall.named(word) {
            return Ok(found);
        }
        let refusal = Refusal::new(code::NO_SUCH_USER, format!("there is no user `{}`", name::shortened(word)));
        // A long word is no slip of the fingers, and comparing it with everyone is work.
        let nearest = if word.chars().count() <= name::NAME_MAX {
            suggest::nearest(word, self.hall.users().map(|(_, user)| &*user.name))
        } else {
            None
        };
        Err(match nearest {
            Some(nearest) => refusal.hint(format!("did you mean `{nearest}`?")),
            None => refusal.hint("`users` lists everyone"),
        })
    }
}
