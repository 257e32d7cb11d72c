//! Files on disk: names, parts, what is verified.
