//! Something said, shown or announced, on its way to those who see it: made once, shared by all of them and by the
//! row that keeps it, and written out once for each dialect that somebody reads it in.

use std::sync::OnceLock;

use chinwag_wire::{Event, Said, dialect};

/// See the module's words.
#[derive(Debug)]
pub struct Spoken {
    event: Event,
    seq: Option<u64>,
    written: [OnceLock<Vec<u8>>; dialect::ALL.len()],
}

impl Spoken {
    /// Something that is kept, and can be asked for again by its number.
    #[must_use]
    pub fn kept(said: Said) -> Spoken {
        Spoken { seq: Some(said.seq), event: Event::Message(said), written: Default::default() }
    }

    /// The same, for the other devices of the one who said it.
    #[must_use]
    pub fn own(said: Said) -> Spoken {
        Spoken { seq: Some(said.seq), event: Event::Own(said), written: Default::default() }
    }

    /// Something that is gone when it has been seen.
    #[must_use]
    pub fn fleeting(event: Event) -> Spoken {
        Spoken { event, seq: None, written: Default::default() }
    }

    /// What happened.
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// Its place in the order, if it is kept.
    #[must_use]
    pub fn seq(&self) -> Option<u64> {
        self.seq
    }

    /// What was said, if it was something that somebody else hears.
    #[must_use]
    pub fn said(&self) -> Option<&Said> {
        if let Event::Message(said) = &self.event { Some(said) } else { None }
    }

    /// The bytes of it in the dialect with this place in [`dialect::ALL`].
    pub fn bytes(&self, dialect: usize) -> &[u8] {
        self.written[dialect].get_or_init(|| {
            // Room for the names and marks around a text, so that it is written without growing.
            let mut bytes = Vec::with_capacity(self.said().map_or(0, |said| said.text.len()) + 128);
            dialect::ALL[dialect].event(&self.event, &mut bytes);
            bytes
        })
    }
}

/// Equal if the same is said, however it has been written out so far.
impl PartialEq for Spoken {
    fn eq(&self, other: &Spoken) -> bool {
        self.event == other.event
    }
}

impl Eq for Spoken {}
