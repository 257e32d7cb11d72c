//! What somebody may have their own way about at the terminal. All of it stands in the configuration.

use chinwag_settings::plain_values;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::keys::Keys;
use crate::theme::{Theme, When};

/// How the client looks, sounds and feels.
#[derive(Clone, Debug)]
pub(crate) struct Interface {
    /// When to use colours.
    pub(crate) color: When,
    /// Which colours.
    pub(crate) theme: Theme,
    /// How exactly the time stands in front of what is said.
    pub(crate) times: Times,
    /// What happens when somebody speaks to one, or of one.
    pub(crate) attention: Attention,
    /// How lines are edited.
    pub(crate) keys: Keys,
}

impl Interface {
    /// As the configuration says, and the command line before it.
    pub(crate) fn of(config: &Config, color: Option<When>) -> Interface {
        Interface {
            color: color.unwrap_or(config.color),
            theme: config.theme.clone(),
            times: config.times,
            attention: config.attention,
            keys: Keys { mode: config.editing, bindings: config.keys.clone() },
        }
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

plain_values! { Times: "Off|Minutes|Seconds", Attention: "Nothing|Bell|Notification" }
