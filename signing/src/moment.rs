//! A moment in time, for what expires. Whoever asks brings the clock along.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ed25519_dalek::pkcs8::spki::der::DateTime;
use serde::{Deserialize, Serialize};

/// A moment in UTC, to the second, in the years 1970 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment(DateTime);

/// The text is not a moment.
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is not a moment: expected 2030-12-31, or 2030-12-31T23:59:59Z")]
pub struct MomentError(String);

impl Moment {
    /// The moment that a clock shows; none before the year 1970 and after 9999.
    pub fn of(clock: SystemTime) -> Option<Moment> {
        let since = clock.duration_since(UNIX_EPOCH).ok()?;
        DateTime::from_unix_duration(Duration::from_secs(since.as_secs())).ok().map(Moment)
    }
}

impl FromStr for Moment {
    type Err = MomentError;

    /// Reads RFC 3339 with the zone `Z` and whole seconds. A day alone is its beginning.
    fn from_str(text: &str) -> Result<Moment, MomentError> {
        let whole = match text.len() {
            10 => format!("{text}T00:00:00Z"),
            _ => text.to_owned(),
        };
        whole.parse().map(Moment).map_err(|_| MomentError(text.chars().take(80).collect()))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for Moment {
    type Error = MomentError;

    fn try_from(text: String) -> Result<Moment, MomentError> {
        text.parse()
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> String {
        moment.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_they_are_written_and_follow_each_other() {
        let moment = |text: &str| text.parse::<Moment>().unwrap();
        assert_eq!(moment("2027-03-01").to_string(), "2027-03-01T00:00:00Z");
        assert!(moment("2027-02-28T23:59:59Z") < moment("2027-03-01"));
        let clock = |seconds: u64| UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 999);
        assert_eq!(Moment::of(clock(1_700_000_000)).unwrap(), moment("2023-11-14T22:13:20Z"));
        assert_eq!(Moment::of(clock(1 << 40)), None);
        assert_eq!(Moment::of(UNIX_EPOCH - Duration::from_secs(1)), None);
        for bad in ["", "2027", "2027-13-01", "2027-02-30", "27-02-03", "2027-03-01T00:00:00", "2027-03-01 x"]
        {
            assert!(bad.parse::<Moment>().is_err(), "{bad}");
        }
    }
}
