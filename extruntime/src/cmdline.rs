//! The kernel command line: the few arguments that are ours.

use std::time::Duration;

use spec::boot::medium;

use crate::held::Way;
use crate::volume::Wanted;

/// How long the medium may take to appear: USB sticks and RAID controllers need tens of seconds.
const MEDIUM_TIMEOUT: Duration = Duration::from_secs(30);

/// What the kernel command line asks of us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// `tenon.medium=LABEL`, or `UUID=…`: the volume of the medium.
    pub(crate) medium: Wanted,
    /// `tenon.state=LABEL`, or `UUID=…`: the file system on which the node keeps its sets.
    pub(crate) state: Option<Wanted>,
    /// `tenon.timeout=SECONDS`: how long to wait for the medium.
    pub(crate) timeout: Duration,
    /// `tenon.init=PATH`: what the new root starts.
    pub(crate) init: String,
    /// `tenon.images=copy|verity`: how images are held first.
    pub(crate) images: Way,
    /// `tenon.timings`: say on the console what took how long.
    pub(crate) timings: bool,
    /// `tenon.emergency=halt|reboot`: what follows an error that ends the boot.
    pub(crate) emergency: Emergency,
    /// Arguments with our prefix that mean nothing, for the log.
    pub(crate) unknown: Vec<String>,
}

/// What to do when there is no way on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Emergency {
    /// Stop, so that the message stays on the screen.
    Halt,
    /// Start again: the next boot may find the medium, or the firmware's next boot entry.
    Reboot,
}

impl Default for Arguments {
    fn default() -> Arguments {
        Arguments {
            medium: Wanted::Label(medium::VOLUME.to_owned()),
            state: None,
            timeout: MEDIUM_TIMEOUT,
            init: "/sbin/init".to_owned(),
            images: Way::Copy,
            timings: false,
            emergency: Emergency::Reboot,
            unknown: Vec::new(),
        }
    }
}

impl Arguments {
    /// Reads the text of `/proc/cmdline`; the last of equal arguments counts, as in the kernel.
    pub(crate) fn parse(text: &str) -> Arguments {
        let mut arguments = Arguments::default();
        for word in words(text) {
            let Some(own) = word.strip_prefix("tenon.") else { continue };
            match own.split_once('=') {
                None if own == "timings" => arguments.timings = true,
                Some(("medium", volume)) if let Some(wanted) = Wanted::parse(volume) => {
                    arguments.medium = wanted
                }
                Some(("state", volume)) if let Some(wanted) = Wanted::parse(volume) => {
                    arguments.state = Some(wanted)
                }
                Some(("timeout", seconds)) if seconds.parse::<u16>().is_ok() => {
                    arguments.timeout = Duration::from_secs(seconds.parse().unwrap_or_default());
                }
                Some(("init", path)) if path.starts_with('/') => arguments.init = path.to_owned(),
                Some(("images", "copy")) => arguments.images = Way::Copy,
                Some(("images", "verity")) => arguments.images = Way::Verity,
                Some(("emergency", "halt")) => arguments.emergency = Emergency::Halt,
                Some(("emergency", "reboot")) => arguments.emergency = Emergency::Reboot,
                _ => arguments.unknown.push(word),
            }
        }
        arguments
    }
}

/// Words between white space; double quotes keep a word together and vanish, as in the kernel's `next_arg`
/// (lib/cmdline.c). After `--` all words are init's.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut quoted = false;
    let split = text.split(|c: char| {
        quoted ^= c == '"';
        c.is_ascii_whitespace() && !quoted
    });
    split
        .filter(|word| !word.is_empty())
        .take_while(|word| *word != "--")
        .map(|word| word.replace('"', ""))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_arguments_are_found_among_the_kernels() {
        let line = "BOOT_IMAGE=/vmlinuz console=ttyS0 tenon.medium=OTHER tenon.timeout=5 quiet \
                    tenon.init=/usr/bin/sh tenon.state=UUID=1-2 tenon.emergency=halt tenon.images=verity \
                    tenon.timings\n";
        let expected = Arguments {
            medium: Wanted::Label("OTHER".into()),
            state: Some(Wanted::Uuid("1-2".into())),
            timeout: Duration::from_secs(5),
            init: "/usr/bin/sh".into(),
            images: Way::Verity,
            timings: true,
            emergency: Emergency::Halt,
            unknown: vec![],
        };
        assert_eq!(Arguments::parse(line), expected);
        assert_eq!(Arguments::parse("init=/bin/sh quiet"), Arguments::default());
    }

    #[test]
    fn quotes_keep_words_and_init_keeps_its_own() {
        let my_disc = || Wanted::Label("MY DISC".into());
        assert_eq!(Arguments::parse("tenon.medium=\"MY DISC\" -- tenon.init=/evil").medium, my_disc());
        assert_eq!(Arguments::parse("dyndbg=\"file x +p\" -- tenon.init=/evil"), Arguments::default());
        assert_eq!(Arguments::parse("\"tenon.medium=MY DISC\"").medium, my_disc());
    }

    #[test]
    fn nonsense_is_named_and_changes_nothing() {
        let wrong = [
            "tenon.colour=red",
            "tenon.timeout=-1",
            "tenon.init=sh",
            "tenon.emergency=shell",
            "tenon.images=loop",
            "tenon.medium=",
            "tenon.state=UUID=",
            "tenon.timings=yes",
            "tenon.halt",
        ];
        let arguments = Arguments::parse(&wrong.join(" "));
        assert_eq!(
            arguments,
            Arguments { unknown: wrong.map(String::from).to_vec(), ..Arguments::default() }
        );
    }

    proptest::proptest! {
        #[test]
        fn any_command_line_is_read(text: String) {
            let arguments = Arguments::parse(&text);
            proptest::prop_assert!(arguments.init.starts_with('/'));
        }
    }
}
