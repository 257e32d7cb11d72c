//! What somebody may have their own way about at the terminal. All of it stands in the configuration.

use std::sync::{Arc, Mutex, PoisonError};

use chinwag_settings::plain_values;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::highlights::Highlights;
use crate::keys::Keys;
use crate::screen::Look;
use crate::theme::Depth;

/// How the client looks, sounds and feels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interface {
    /// In which colours.
    pub(crate) look: Look,
    /// How exactly the time stands in front of what is said.
    pub(crate) times: Times,
    /// What happens when somebody speaks to one, or of one.
    pub(crate) attention: Attention,
    /// What calls the reader, besides their name.
    pub(crate) highlights: Highlights,
    /// Whose coming and going is shown.
    pub(crate) arrivals: Arrivals,
    /// How lines are edited.
    pub(crate) keys: Keys,
    /// How many of the lines typed before are kept.
    pub(crate) history: usize,
    /// Whether what is said privately is among the lines typed before.
    pub(crate) keeps_private: bool,
}

impl Interface {
    /// As the configuration says.
    pub(crate) fn of(config: &Config) -> Interface {
        Interface {
            look: Look::new(Depth::of_output(config.color), config.theme.clone()),
            times: config.times,
            attention: config.attention,
            highlights: config.highlights.clone(),
            arrivals: config.arrivals,
            keys: Keys { mode: config.editing, bindings: config.keys.clone() },
            history: config.history,
            keeps_private: config.private_history,
        }
    }
}

/// The interface as it is now: `/set` changes it, and whoever paints, prints or edits looks at it each time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live(Arc<Mutex<Arc<Interface>>>);

impl Live {
    /// With this one to begin with.
    pub(crate) fn of(interface: Interface) -> Live {
        Live(Arc::new(Mutex::new(Arc::new(interface))))
    }

    /// Of something that has a look and nothing else.
    pub(crate) fn looking(look: Look) -> Live {
        Live::of(Interface { look, ..Interface::default() })
    }

    /// As it is now.
    pub(crate) fn now(&self) -> Arc<Interface> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From here on it is this one.
    pub(crate) fn change(&self, interface: Interface) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(interface);
    }
}

/// How exactly the time stands in front of what is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Times {
    /// Not at all.
    Off,
    /// `10:07`.
    #[default]
    Minutes,
    /// `10:07:31`.
    Seconds,
}

/// What happens when somebody speaks to one, or of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Attention {
    /// Nothing but what is on the screen.
    Nothing,
    /// The terminal's bell, which most terminals turn into a mark on the window or the tab.
    #[default]
    Bell,
    /// A notification by the desktop (OSC 9), from terminals that know how: iTerm2, kitty, WezTerm, ghostty.
    Notification,
}

/// Whose coming and going is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Arrivals {
    /// Everybody's.
    #[default]
    All,
    /// Of those who have said something, or were spoken with.
    Familiar,
    /// Nobody's.
    Nobody,
}

plain_values! { Times: "Off|Minutes|Seconds", Attention: "Nothing|Bell|Notification", Arrivals: "All|Familiar|Nobody" }
