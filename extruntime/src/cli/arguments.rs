//! What the words on the command line mean.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use kabi::SignatureRule;
use lexopt::Arg;
use lexopt::prelude::*;
use spec::boot::run;
use spec::kernel::ReleaseError;
use spec::{Diagnose, KernelRelease, Outcome};

use crate::activate::{Request, Source};
use crate::held::Way;
use crate::offer::{Offer, StorePlace, system as places};
use crate::owner::Subject;
use crate::system::System;

pub(super) const HELP: &str = "\
Admits and overlays extensions at boot, and says what it did or would do

Usage: extruntime COMMAND [OPTIONS]

Look:
  status             Show what became of each extension at the last boot or activation
  owner PATH|MODULE  Say which layer a path or a module of the running system is of, and who signed it
  metrics            Print the status as Prometheus reads it
  probe              Ask whether the extensions that are active work, by the probes that they bring
  plan               Judge the extensions of a medium as a boot would; needs no root, changes nothing
  sets               Show the sets that this node keeps

Change:
  stage              Judge a set, read all of it, and keep it for the next boot or activation
  activate           Judge a set, and lay what is admitted over /usr and /opt in place of what is there
  deactivate         Show /usr and /opt of the base again
  confirm            Keep the set on trial, if all probes of its extensions hold
  rollback           Go back to the set before this one, from the next boot or activation on
  gc                 Remove sets that are not needed any more

Which system (activate, deactivate, stage):
      --root DIR        Root of the system [default: /]
      --base DIR        Directory of the base, as extbuild base writes it [default: what the base says of
                        itself in ROOT/usr/lib/tenon]
      --for-base DIR    stage: directory of a base that is going to run after its next update

Which set (stage, activate, plan):
      --medium DIR      Root of a medium, with tenon/machine.yaml and tenon/store
      --config FILE     Machine config [default of stage: ROOT/etc/tenon/machine.yaml]
      --store DIR       OCI layout of the extensions
      --trust-updates DIR
                        What the keys of the policy have signed since
      --trust FILE      Trust policy [default: ROOT/etc/tenon/trust.yaml; plan has none]
      --state DIR       Where this node keeps its sets [default: the disk that the boot took its set
                        from, or ROOT/var/lib/tenon]; activate takes its set from there unless one
                        is named

Further options:
      --images copy|verity
                        activate: read images whole and keep a copy, or open them through dm-verity
                        where they are [default: copy]
      --timings         activate: say on standard error what took how long
      --keep NUMBER     gc: keep that many of the newest sets, whether needed or not [default: 2]
      --why TEXT        rollback: the reason, for whoever looks later
      --skip-probes     confirm: keep the set whatever its probes would say
      --file PATH       Read this status instead of /run/tenon/status.json
      --kernel RELEASE  plan: kernel that is to run [default: that of the base]
      --sig-enforce     plan, stage: the kernel will load signed modules only: module.sig_enforce=1, or
                        lockdown
      --json            Print a document instead of a table
  -h, --help            Print this help
  -V, --version         Print the version

Exit codes:
  0  done: all extensions that the machine config names are active, all probes hold, or the owner is known
  1  one or more are refused, a probe does not hold, config, trust policy or base are not sound, or nobody owns it
  2  could not look
";

/// Among the options of a command: it takes a word, too.
const SUBJECT: &str = "PATH|MODULE";
/// How many of the newest sets are kept that nobody needs.
const KEEP: usize = 2;

/// One run of the tool.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    Version,
    Status { file: PathBuf, format: Format },
    Owner { subject: Subject, file: PathBuf, format: Format },
    Metrics { file: PathBuf },
    Plan { arguments: PlanArguments, format: Format },
    Activate { request: Request, timings: bool, format: Format },
    Deactivate { root: PathBuf },
    Sets { state: PathBuf, format: Format },
    Stage { request: StageRequest, format: Format },
    Probe { file: PathBuf, format: Format },
    Confirm { state: PathBuf, status: PathBuf, skip_probes: bool },
    Rollback { state: PathBuf, why: String },
    Gc { state: PathBuf, keep: usize },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct StageRequest {
    pub(super) system: System,
    pub(super) offer: Offer,
    pub(super) trust: PathBuf,
    pub(super) state: PathBuf,
    pub(super) for_base: Option<PathBuf>,
    pub(super) signatures: SignatureRule,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct PlanArguments {
    pub(super) medium: PathBuf,
    pub(super) base: PathBuf,
    pub(super) trust: PathBuf,
    pub(super) kernel: Option<KernelRelease>,
    pub(super) signatures: SignatureRule,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Table,
    Json,
}

pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, UsageError> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let command = match parser.next()? {
        None | Some(Short('h') | Long("help")) => return Ok(Command::Help),
        Some(Short('V') | Long("version")) => return Ok(Command::Version),
        Some(Value(command)) => command,
        Some(other) => return Err(other.unexpected().into()),
    };
    let allowed: &[&str] = match command.to_str() {
        Some("status") => &["file", "json"],
        Some("owner") => &["file", "json", SUBJECT],
        Some("metrics") => &["file"],
        Some("plan") => &["medium", "base", "trust", "kernel", "sig-enforce", "json"],
        Some("sets") => &["root", "state", "json"],
        Some("stage") => &[
            "root",
            "base",
            "for-base",
            "medium",
            "config",
            "store",
            "trust",
            "trust-updates",
            "state",
            "sig-enforce",
            "json",
        ],
        Some("probe") => &["file", "json"],
        Some("confirm") => &["root", "state", "file", "skip-probes"],
        Some("rollback") => &["root", "state", "why"],
        Some("gc") => &["root", "state", "keep"],
        Some("activate") => &[
            "root",
            "state",
            "medium",
            "config",
            "store",
            "trust",
            "trust-updates",
            "base",
            "images",
            "timings",
            "json",
        ],
        Some("deactivate") => &["root"],
        Some("help") => return Ok(Command::Help),
        _ => return Err(UsageError::Command(command)),
    };
    let Some(options) = Options::parse(parser, allowed)? else { return Ok(Command::Help) };
    match command.to_str() {
        Some("status") => Ok(options.status()),
        Some("owner") => options.owner(),
        Some("metrics") => Ok(Command::Metrics { file: options.file() }),
        Some("plan") => options.plan(),
        Some("activate") => Ok(options.activate()),
        Some("sets") => Ok(Command::Sets { state: options.state(), format: options.format() }),
        Some("stage") => options.stage(),
        Some("probe") => Ok(Command::Probe { file: options.file(), format: options.format() }),
        Some("confirm") => Ok(Command::Confirm {
            state: options.state(),
            status: options.file(),
            skip_probes: options.skip_probes,
        }),
        Some("rollback") => Ok(Command::Rollback {
            state: options.state(),
            why: options.why.unwrap_or_else(|| "somebody asked for it".to_owned()),
        }),
        Some("gc") => Ok(Command::Gc { state: options.state(), keep: options.keep.unwrap_or(KEEP) }),
        _ => Ok(Command::Deactivate { root: options.root() }),
    }
}

/// The options of all commands; a command has the ones that it takes.
#[derive(Debug, Default)]
struct Options {
    root: Option<PathBuf>,
    medium: Option<PathBuf>,
    config: Option<PathBuf>,
    store: Option<PathBuf>,
    trust: Option<PathBuf>,
    updates: Option<PathBuf>,
    base: Option<PathBuf>,
    file: Option<PathBuf>,
    subject: Option<String>,
    state: Option<PathBuf>,
    for_base: Option<PathBuf>,
    keep: Option<usize>,
    why: Option<String>,
    kernel: Option<KernelRelease>,
    images: Option<Way>,
    sig_enforce: bool,
    timings: bool,
    skip_probes: bool,
    json: bool,
}

impl Options {
    /// Reads the rest of the command line; nothing if it asks for help.
    fn parse(mut parser: lexopt::Parser, allowed: &[&str]) -> Result<Option<Options>, UsageError> {
        let mut options = Options::default();
        while let Some(argument) = parser.next()? {
            let name = match argument {
                Short('h') | Long("help") => return Ok(None),
                Value(word) if allowed.contains(&SUBJECT) && options.subject.is_none() => {
                    options.subject = Some(word.string()?);
                    continue;
                }
                Long(name) if allowed.contains(&name) => name.to_owned(),
                other => return Err(other.unexpected().into()),
            };
            options.set(&name, &mut parser)?;
        }
        Ok(Some(options))
    }

    fn set(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<(), UsageError> {
        let path = |parser: &mut lexopt::Parser| parser.value().map(PathBuf::from).map(Some);
        match name {
            "root" => self.root = path(parser)?,
            "medium" => self.medium = path(parser)?,
            "config" => self.config = path(parser)?,
            "store" => self.store = path(parser)?,
            "trust" => self.trust = path(parser)?,
            "trust-updates" => self.updates = path(parser)?,
            "base" => self.base = path(parser)?,
            "file" => self.file = path(parser)?,
            "state" => self.state = path(parser)?,
            "for-base" => self.for_base = path(parser)?,
            "keep" => self.keep = Some(parser.value()?.parse()?),
            "why" => self.why = Some(parser.value()?.string()?),
            "kernel" => self.kernel = Some(parser.value()?.string()?.parse()?),
            "images" => self.images = Some(way(parser.value()?.string()?)?),
            "sig-enforce" => self.sig_enforce = true,
            "timings" => self.timings = true,
            "skip-probes" => self.skip_probes = true,
            "json" => self.json = true,
            other => return Err(Arg::Long(other).unexpected().into()),
        }
        Ok(())
    }

    fn status(self) -> Command {
        Command::Status { file: self.file(), format: self.format() }
    }

    fn owner(self) -> Result<Command, UsageError> {
        let word = self.subject.as_deref().ok_or(UsageError::Missing("PATH or MODULE"))?;
        let subject = Subject::parse(word).ok_or_else(|| UsageError::Subject(word.to_owned()))?;
        Ok(Command::Owner { subject, file: self.file(), format: self.format() })
    }

    fn file(&self) -> PathBuf {
        self.file.clone().unwrap_or_else(|| run::STATUS.into())
    }

    fn plan(self) -> Result<Command, UsageError> {
        let format = self.format();
        let signatures = self.signatures();
        let arguments = PlanArguments {
            medium: self.medium.ok_or(UsageError::Missing("--medium DIR"))?,
            base: self.base.ok_or(UsageError::Missing("--base DIR"))?,
            trust: self.trust.ok_or(UsageError::Missing("--trust FILE"))?,
            kernel: self.kernel,
            signatures,
        };
        Ok(Command::Plan { arguments, format })
    }

    fn activate(self) -> Command {
        let (format, timings) = (self.format(), self.timings);
        let source = match self.names_a_set() {
            true => Source::Offer(self.offer()),
            false => Source::Node(self.state()),
        };
        let images = self.images.unwrap_or(Way::Copy);
        let request = Request { source, trust: self.trust(), images, system: self.system() };
        Command::Activate { request, timings, format }
    }

    fn stage(self) -> Result<Command, UsageError> {
        let request = StageRequest {
            system: self.system(),
            offer: self.offer(),
            trust: self.trust(),
            state: self.state(),
            for_base: self.for_base.clone(),
            signatures: self.signatures(),
        };
        match (&self.store, &self.medium) {
            (None, None) => Err(UsageError::Missing("--store DIR or --medium DIR")),
            _ => Ok(Command::Stage { request, format: self.format() }),
        }
    }

    fn names_a_set(&self) -> bool {
        [&self.medium, &self.config, &self.store, &self.updates].into_iter().any(Option::is_some)
    }

    /// The set that is named: that of a medium, with the parts that are named by themselves.
    fn offer(&self) -> Offer {
        let named = Offer::of_medium(self.medium.as_deref().unwrap_or(Path::new("")));
        let config = self.config.clone().or(self.medium.as_ref().map(|_| named.config));
        let store = self.store.clone().map(StorePlace::Layout);
        let updates =
            self.updates.clone().map(|dir| vec![dir]).or(self.medium.as_ref().map(|_| named.updates));
        Offer {
            config: config.unwrap_or_else(|| self.root().join(places::CONFIG)),
            store: store.unwrap_or(named.store),
            updates: updates.unwrap_or_else(|| vec![self.root().join(places::UPDATES)]),
        }
    }

    fn system(&self) -> System {
        System { root: self.root(), base: self.base.clone() }
    }

    fn trust(&self) -> PathBuf {
        self.trust.clone().unwrap_or_else(|| self.root().join(places::TRUST))
    }

    fn state(&self) -> PathBuf {
        let of_boot =
            || Some(PathBuf::from(places::BOOT_STATE)).filter(|dir| self.root.is_none() && dir.is_dir());
        self.state.clone().or_else(of_boot).unwrap_or_else(|| self.root().join(places::STATE))
    }

    fn signatures(&self) -> SignatureRule {
        if self.sig_enforce { SignatureRule::Enforced } else { SignatureRule::AsBuilt }
    }

    fn root(&self) -> PathBuf {
        self.root.clone().unwrap_or_else(|| "/".into())
    }

    fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Table }
    }
}

fn way(text: String) -> Result<Way, UsageError> {
    match text.as_str() {
        "copy" => Ok(Way::Copy),
        "verity" => Ok(Way::Verity),
        _ => Err(UsageError::Images(text)),
    }
}

/// The arguments say nothing that can be done.
#[derive(Debug, thiserror::Error)]
pub(super) enum UsageError {
    #[error("the arguments cannot be understood")]
    Syntax(#[from] lexopt::Error),
    #[error("there is no command {}", .0.display())]
    Command(OsString),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("\"{0}\" is neither a path from the root on nor the name of a module")]
    Subject(String),
    #[error("--images {0} is neither copy nor verity")]
    Images(String),
    #[error(transparent)]
    Kernel(#[from] ReleaseError),
}

impl Diagnose for UsageError {
    fn outcome(&self) -> Outcome {
        Outcome::Unavailable
    }

    fn hint(&self) -> Option<String> {
        Some("extruntime --help lists commands and options".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &str) -> Result<Command, String> {
        let words = arguments.split_whitespace().map(OsString::from);
        parse(words).map_err(|error| spec::sentence(&error))
    }

    #[test]
    fn commands_and_their_options_are_understood() {
        assert_eq!(parsed(""), Ok(Command::Help));
        assert_eq!(parsed("plan --help"), Ok(Command::Help));
        assert_eq!(parsed("-V"), Ok(Command::Version));
        let status = Command::Status { file: "/x".into(), format: Format::Json };
        assert_eq!(parsed("status --json --file=/x"), Ok(status));
        let (kernel, signatures) = (Some("6.1.0".parse().unwrap()), SignatureRule::Enforced);
        let arguments =
            PlanArguments { medium: "m".into(), base: "b".into(), trust: "t".into(), kernel, signatures };
        let expected = Command::Plan { arguments, format: Format::Table };
        assert_eq!(parsed("plan --base b --trust t --medium m --kernel 6.1.0 --sig-enforce"), Ok(expected));
    }

    #[test]
    fn a_root_has_its_own_places_and_an_option_overrides_one() {
        let activate = |arguments: &str| match parsed(arguments) {
            Ok(Command::Activate { request, .. }) => request,
            other => panic!("{other:?}"),
        };
        let node = activate("activate --root /r --timings");
        assert_eq!(node.source, Source::Node("/r/var/lib/tenon".into()));
        assert_eq!(node.trust.display().to_string(), "/r/etc/tenon/trust.yaml");
        let Source::Offer(named) = activate("activate --root /r --store s").source else {
            panic!("it is named")
        };
        assert_eq!(named.store, StorePlace::Layout("s".into()));
        assert_eq!(named.config.display().to_string(), "/r/etc/tenon/machine.yaml");
        let medium = activate("activate --medium /m --images verity");
        assert_eq!(medium.source, Source::Offer(Offer::of_medium(Path::new("/m"))));
        assert_eq!(medium.trust.display().to_string(), "/etc/tenon/trust.yaml", "a medium brings no policy");
        assert_eq!(medium.images, Way::Verity);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert_eq!(parsed("stage").unwrap_err(), "--store DIR or --medium DIR is missing");
        assert!(parsed("gc --keep some").is_err());
        assert_eq!(parsed("owner").unwrap_err(), "PATH or MODULE is missing");
        assert!(parsed("owner usr/bin").unwrap_err().contains("neither a path"));
        assert!(parsed("owner /a /b").unwrap_err().contains("cannot be understood"));
        assert!(parsed("owner /a --PATH|MODULE").is_err());
        assert_eq!(parsed("boot").unwrap_err(), "there is no command boot");
        assert_eq!(parsed("plan --medium m").unwrap_err(), "--base DIR is missing");
        assert!(parsed("status --colour").unwrap_err().contains("--colour"));
        assert!(parsed("status --medium x").unwrap_err().contains("--medium"));
        assert!(parsed("plan --kernel ../x").unwrap_err().contains("not a kernel release"));
        assert_eq!(parsed("activate --images loop").unwrap_err(), "--images loop is neither copy nor verity");
    }
}
