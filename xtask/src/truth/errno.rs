//! Error numbers of the kernel.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An error number of Linux on x86-64; 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "i32", into = "i32")]
pub(super) struct Errno(i32);

/// Those that loading a module can end with, by name (asm-generic/errno-base.h, asm-generic/errno.h).
macro_rules! errnos {
    ($($name:ident = $number:literal),* $(,)?) => {
        impl Errno {
            $(pub(super) const $name: Errno = Errno($number);)*

            fn name(self) -> Option<&'static str> {
                match self {
                    $(Errno::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

errnos! {
    NONE = 0,
    EPERM = 1,
    ENOENT = 2,
    EIO = 5,
    ENOEXEC = 8,
    EAGAIN = 11,
    ENOMEM = 12,
    EBUSY = 16,
    EEXIST = 17,
    ENODEV = 19,
    EINVAL = 22,
    ENOPKG = 65,
    EBADMSG = 74,
    EOPNOTSUPP = 95,
    EKEYREJECTED = 129,
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "error {}", self.0),
        }
    }
}

impl From<i32> for Errno {
    fn from(number: i32) -> Errno {
        Errno(number)
    }
}

impl From<Errno> for i32 {
    fn from(errno: Errno) -> i32 {
        errno.0
    }
}
