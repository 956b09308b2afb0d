//! The threats that Tenon defends against, and a switch for each defence that only tests can have.
//!
//! Each check that stands against a threat asks [`stands`] where it is made, so that the number of a threat leads to its
//! defence. In every normal build the answer is `true` and costs nothing. `tests/tamper/` runs each attack a second time
//! against programs that were built with the feature `switchable-defences`: an attack that does not get through when its
//! defence is switched off proves nothing. `docs/threats.md` is the table of all.

use std::fmt;

#[cfg(all(feature = "switchable-defences", not(debug_assertions)))]
compile_error!("programs whose defences can be switched off are for tests: build them without --release");

/// Where a switchable build is told which defences do not stand: numbers, with commas between them.
pub const SWITCH: &str = "TENON_WITHOUT";

/// Defines [`Threat`] and the list of all, so that none is forgotten.
macro_rules! threats {
    ($($(#[$doc:meta])* $number:ident,)*) => {
        /// A way in. The letter says where: A which artifact is chosen, B the registry, C what is in an image, D the
        /// machine that boots.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Threat {
            $($(#[$doc])* $number,)*
        }

        impl Threat {
            /// All of them, in order.
            pub const ALL: &[Threat] = &[$(Threat::$number),*];
        }
    };
}

threats! {
    /// An old artifact, set or policy is served after a newer one, or for ever.
    A1,
    /// Artifacts that are good each by itself are put together as nobody meant them.
    A2,
    /// What was signed under one name is served under another.
    A3,
    /// What was made for one architecture is served for another.
    A4,
    /// A document that one reader takes for a manifest and another for an index.
    A5,
    /// A statement about something else is taken for an approval.
    A6,
    /// One key counts as two.
    A7,
    /// A bad signature or none is let through where a good one cannot be had.
    A8,
    /// What was refused is kept and believed later.
    A9,
    /// A registry sends other bytes than it was asked for, fewer, or without end.
    B1,
    /// A registry leads the client to hand its credentials to somebody else.
    B2,
    /// A tag or a registry changes its mind between being asked and being read.
    B3,
    /// Signatures of strangers, more than anybody reads.
    B4,
    /// A registry keeps the signatures back.
    B5,
    /// A registry lends blobs of one tenant to another.
    B6,
    /// An image hides files of the base.
    C1,
    /// An image replaces files of the base.
    C2,
    /// Two extensions have the same file.
    C3,
    /// A file gives whoever runs it the rights of another, or lets everybody change it.
    C4,
    /// Device nodes, pipes and sockets.
    C5,
    /// A symbolic link leads out of where extensions have files.
    C6,
    /// An archive that two readers read differently.
    C7,
    /// The kernel's file system code is given an image that it cannot bear.
    C8,
    /// A small image that becomes large.
    C9,
    /// Files that run or steer something, and that nobody declared.
    C10,
    /// A module takes the place of one that is there.
    C11,
    /// A signed module with a known hole.
    C12,
    /// Bytes change between the check and their use.
    D1,
    /// A path leads elsewhere between the check and its use, or leads out of the store.
    D2,
    /// A loop device serves another file than the one that was meant, or is left behind.
    D3,
    /// What chooses among extensions is believed about them.
    D4,
    /// A module that the kernel's keys have not signed, on a machine that wants them to.
    D5,
    /// An extension becomes active without a measurement.
    D6,
}

impl fmt::Display for Threat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// Does the defence against this threat stand? Always, but in a build for the tests of the defences.
#[cfg(not(feature = "switchable-defences"))]
#[inline(always)]
pub const fn stands(_: Threat) -> bool {
    true
}

/// Does the defence against this threat stand? [`SWITCH`] is read once.
#[cfg(feature = "switchable-defences")]
pub fn stands(threat: Threat) -> bool {
    static WITHOUT: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| std::env::var(SWITCH).unwrap_or_default());
    !WITHOUT.split(',').any(|number| number == threat.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_threat_has_its_own_number() {
        let numbers: std::collections::BTreeSet<String> = Threat::ALL.iter().map(Threat::to_string).collect();
        assert_eq!(numbers.len(), 9 + 6 + 12 + 6);
    }

    #[test]
    fn all_defences_stand_unless_somebody_says_otherwise() {
        assert!(Threat::ALL.iter().all(|threat| stands(*threat)));
    }
}
