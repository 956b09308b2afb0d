//! The checksum that stands for the meaning of an exported symbol.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The CRC that genksyms or gendwarfksyms gave a symbol: it changes with every type that the symbol's type reaches.
///
/// Zero is what a kernel without CONFIG_MODVERSIONS writes (scripts/mod/modpost.c), so `Option<Crc>` has `None` for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Crc(NonZeroU32);

impl Crc {
    /// The CRC with this value, or nothing for zero.
    pub fn new(value: u32) -> Option<Crc> {
        NonZeroU32::new(value).map(Crc)
    }

    /// The CRC as a number, which is never zero.
    pub(crate) fn value(self) -> u32 {
        self.0.get()
    }

    /// Reads the form of Module.symvers, where zero stands for no CRC.
    pub fn parse_field(text: &str) -> Result<Option<Crc>, CrcError> {
        let wrong = || CrcError(text.chars().take(80).collect());
        let digits = text.strip_prefix("0x").ok_or_else(wrong)?;
        // `from_str_radix` takes a sign; a CRC has none.
        let sound = digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let value = u32::from_str_radix(digits, 16).ok().filter(|_| sound).ok_or_else(wrong)?;
        Ok(Crc::new(value))
    }

    /// The form of Module.symvers: `0x` and eight digits, all zero for no CRC.
    pub fn field(crc: Option<Crc>) -> String {
        format!("{:#010x}", crc.map_or(0, |crc| crc.0.get()))
    }
}

/// The text is not a CRC.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a symbol's CRC: expected 0x and eight hexadecimal digits")]
pub struct CrcError(String);

impl FromStr for Crc {
    type Err = CrcError;

    fn from_str(text: &str) -> Result<Crc, CrcError> {
        Crc::parse_field(text)?.ok_or_else(|| CrcError(text.to_owned()))
    }
}

impl TryFrom<String> for Crc {
    type Error = CrcError;

    fn try_from(text: String) -> Result<Crc, CrcError> {
        text.parse()
    }
}

impl From<Crc> for String {
    fn from(crc: Crc) -> String {
        crc.to_string()
    }
}

impl fmt::Display for Crc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Crc::field(Some(*self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crc_has_one_form_and_zero_is_none() {
        assert_eq!("0x00ab12cd".parse::<Crc>().unwrap().to_string(), "0x00ab12cd");
        assert_eq!(Crc::parse_field("0x00000000"), Ok(None));
        assert_eq!(Crc::field(None), "0x00000000");
        for bad in ["", "0x", "0x1", "12345678", "0x+1234567", "0x123456789", "0x0000000g", "0x00000000"] {
            assert!(bad.parse::<Crc>().is_err(), "{bad}");
        }
    }
}
