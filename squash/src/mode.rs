//! Permission bits, and nothing but permission bits.

use std::fmt;

use spec::{Diagnose, Outcome};

/// Read, write and execute for owner, group and others: the low nine bits of a Unix mode.
///
/// Setuid, setgid and sticky cannot be said: an image that gets laid over a system grants no such thing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mode(u16);

impl Mode {
    /// 0755: directories that are only there to hold others, and programs.
    pub const DIRECTORY: Mode = Mode(0o755);
    /// 0644: a plain file that everybody may read.
    pub const FILE: Mode = Mode(0o644);
    /// 0777: symbolic links, whose permissions nobody asks for.
    pub(crate) const ALL: Mode = Mode(0o777);

    /// Takes the permission bits of a mode; any other bit is refused, never dropped.
    pub fn new(bits: u32) -> Result<Mode, ModeError> {
        match u16::try_from(bits) {
            Ok(bits) if bits & !0o777 == 0 => Ok(Mode(bits)),
            _ => Err(ModeError(bits)),
        }
    }

    /// The nine bits.
    pub fn bits(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl fmt::Debug for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The mode has a bit that is no permission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("mode {0:04o} has bits other than permissions (0777)")]
pub struct ModeError(u32);

impl Diagnose for ModeError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        Some("an image has no setuid, setgid or sticky files: remove the bit at its source".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_permissions_can_be_said() {
        assert_eq!(Mode::new(0o755), Ok(Mode::DIRECTORY));
        assert_eq!(Mode::new(0o640).unwrap().to_string(), "0640");
        for special in [0o4755, 0o2755, 0o1777, 0o100644, 0x1_0000, u32::MAX] {
            assert_eq!(Mode::new(special), Err(ModeError(special)));
        }
    }
}
