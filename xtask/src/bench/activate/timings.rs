//! What `extruntime` says about where its time goes.

use crate::Error;

/// All that took time, and the whole of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Timings {
    laps: Vec<Lap>,
    /// Milliseconds from its start to its end.
    pub(super) all: f64,
}

/// One thing that was done; times are in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lap {
    /// From the start of the program.
    pub(super) at: f64,
    pub(super) took: f64,
    pub(super) what: String,
}

impl Timings {
    /// Reads the table of `--timings`, wherever it begins: lines before and between that are none of it do not matter,
    /// and on a console each has the name of the program before it.
    ///
    /// # Errors
    /// [`Error::Bench`] where there is none, or no end of it.
    pub(super) fn parse(text: &str) -> Result<Timings, Error> {
        let mut laps = Vec::new();
        for line in text.lines() {
            let line = line.split_once(CONSOLE).map_or(line, |(_, rest)| rest).trim_end();
            let mut words = line.split_whitespace();
            let Some(at) = words.next().and_then(figure) else { continue };
            match words.next() {
                Some("all") if words.next().is_none() => return Ok(Timings { laps, all: at }),
                Some(took) => {
                    let Some(took) = figure(took) else { continue };
                    let what = words.collect::<Vec<_>>().join(" ");
                    laps.push(Lap { at, took, what });
                }
                None => {}
            }
        }
        Err(Error::Bench("extruntime did not say what took how long".to_owned()))
    }

    /// How long all took that begins with these words.
    pub(super) fn of(&self, words: &str) -> f64 {
        self.laps.iter().filter(|lap| lap.what.starts_with(words)).fold(0.0, |sum, lap| sum + lap.took)
    }

    /// The first of it.
    pub(super) fn first(&self, words: &str) -> Option<&Lap> {
        self.laps.iter().find(|lap| lap.what.starts_with(words))
    }
}

impl Lap {
    /// When it was done.
    pub(super) fn end(&self) -> f64 {
        self.at + self.took
    }
}

/// What stands before each line of the program on a console.
const CONSOLE: &str = "tenon: ";

/// A number with two decimals, as all of the table are: the kernel's lines have none, or six.
fn figure(word: &str) -> Option<f64> {
    let (_, decimals) = word.split_once('.')?;
    if decimals.len() == 2 { word.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONSOLE_TEXT: &str = "[    1.234567] loop0: detected\r\ntenon: the medium is /dev/sr0\r\n\
        tenon:      at ms    took ms\r\ntenon:       0.50       9.25  judge\r\n\
        [    2.100000] loop1: detected\r\n\
        tenon:       1.00       4.00    hold bench-00\r\ntenon:       5.00       2.50    hold bench-01\r\n\
tenon:      11.75             all\r\nTENON STATUS BEGIN\r\n";

    #[test]
    fn a_table_is_read_from_a_console() {
        let timings = Timings::parse(CONSOLE_TEXT).unwrap();
        assert_eq!(timings.laps.len(), 3);
        assert_eq!(timings.all, 11.75);
        assert_eq!(timings.of("hold"), 6.5);
        assert_eq!(timings.first("judge").map(Lap::end), Some(9.75));
        assert_eq!(timings.first("mount"), None);
    }

    #[test]
    fn a_table_without_an_end_is_none() {
        let cut = CONSOLE_TEXT.split("11.75").next().unwrap();
        assert!(Timings::parse(cut).is_err());
        assert!(Timings::parse("").is_err());
    }
}
