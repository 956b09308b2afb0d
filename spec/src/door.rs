//! The one door for strings: serde reads a word through its `FromStr`, and writes it as it is displayed.

/// Gives a word type its `TryFrom<String>` and `Into<String>`, for `#[serde(try_from = "String", into = "String")]`.
macro_rules! serde_by_text {
    ($($word:ty),+) => {$(
        impl TryFrom<String> for $word {
            type Error = <$word as std::str::FromStr>::Err;

            fn try_from(text: String) -> Result<$word, Self::Error> {
                text.parse()
            }
        }

        impl From<$word> for String {
            fn from(word: $word) -> String {
                word.to_string()
            }
        }
    )+};
}

/// Displays a word type by what it wraps.
macro_rules! display_inner {
    ($($word:ty),+) => {$(
        impl std::fmt::Display for $word {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }
    )+};
}

pub(crate) use {display_inner, serde_by_text};
