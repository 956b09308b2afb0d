//! Strings out of kernel modules. They end up in lines of index files, so none may break a line or a field.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// KSYM_NAME_LEN (linux/kallsyms.h, 512 since 6.1) without its NUL.
pub(crate) const SYMBOL_MAX: usize = 511;
/// Longest value of a `.modinfo` entry; the longest in Debian's 6.1 cloud kernel has 685.
const INFO_MAX: usize = 4096;

/// The text cannot be what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {wanted}")]
pub struct TextError {
    text: String,
    wanted: &'static str,
}

/// Makes a type whose values satisfy a predicate, checked in `FromStr`, which serde goes through too.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident is $wanted:literal if $sound:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The value as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = TextError;

            fn from_str(text: &str) -> Result<$name, TextError> {
                let is_sound: fn(&str) -> bool = $sound;
                match is_sound(text) {
                    true => Ok($name(text.to_owned())),
                    false => Err(TextError { text: text.chars().take(80).collect(), wanted: $wanted }),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = TextError;

            fn try_from(text: String) -> Result<$name, TextError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_text! {
    /// The name of a kernel symbol, as the linker has it.
    SymbolName is "a symbol: expected 1 to 511 printable ASCII characters without a space"
    if |text| (1..=SYMBOL_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

checked_text! {
    /// A pattern for devices that a module drives, or another name of it.
    Alias is "an alias: expected 1 to 4096 printable ASCII characters without a space"
    if |text| (1..=INFO_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

checked_text! {
    /// A value of a `.modinfo` entry that is kept as it is: a licence, a vermagic, a firmware path, a namespace.
    InfoText is "a line of text: expected up to 4096 bytes without control characters"
    if |text| text.len() <= INFO_MAX && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_break_a_line_of_an_index() {
        for bad in ["", "a b", "a\nb", "a\tb", "é", &"a".repeat(512)] {
            assert!(bad.parse::<SymbolName>().is_err(), "{bad:?}");
        }
        for bad in ["", "pci:v* install", "pci:v*\ninstall pci rm"] {
            assert!(bad.parse::<Alias>().is_err(), "{bad:?}");
        }
        assert!("pre: a\ninstall b c".parse::<InfoText>().is_err());
        assert!("6.1.0 SMP preempt mod_unload modversions ".parse::<InfoText>().is_ok());
        assert!(serde_json::from_str::<SymbolName>("\"a b\"").is_err());
    }
}
