//! What the words on the command line mean.

use std::ffi::OsString;
use std::path::PathBuf;

use kabi::SignatureRule;
use lexopt::Arg;
use lexopt::prelude::*;
use spec::boot::run as places;
use spec::kernel::ReleaseError;
use spec::{Diagnose, KernelRelease, Outcome};

use crate::activate::Request;
use crate::held::Way;
use crate::owner::Subject;

pub(super) const HELP: &str = "\
Admits and overlays extensions at boot, and says what it did or would do

Usage: extruntime status [--json] [--file PATH]
       extruntime owner PATH|MODULE [--json] [--file PATH]
       extruntime metrics [--file PATH]
       extruntime plan --medium DIR --base DIR --trust FILE [--kernel RELEASE]
                       [--sig-enforce] [--json]
       extruntime activate [--root DIR] [--medium DIR] [--config FILE] [--store DIR]
                       [--trust FILE] [--trust-updates DIR] [--base DIR]
                       [--images copy|verity] [--timings] [--json]
       extruntime deactivate [--root DIR]

Commands:
  status             Show what became of each extension at the last boot or activation
  owner              Say which layer a path or a module of the running system is of, and who signed it
  metrics            Print the status as Prometheus reads it
  plan               Judge the extensions of a medium as a boot would; needs no root, changes nothing
  activate           Judge a set, and lay what is admitted over /usr and /opt in place of what is there
  deactivate         Show /usr and /opt of the base again

Options:
      --root DIR        Root of the system that is changed [default: /]
      --medium DIR      Root of a medium, with tenon/machine.yaml and tenon/store
      --config FILE     Machine config [default: ROOT/etc/tenon/machine.yaml]
      --store DIR       OCI layout of the extensions [default: ROOT/var/lib/tenon/store]
      --trust FILE      Trust policy [default of activate: ROOT/etc/tenon/trust.yaml]
      --trust-updates DIR
                        What its keys have signed since [default: ROOT/var/lib/tenon/trust]
      --base DIR        Directory of the base, as extbuild base writes it [default of activate:
                        what the base says of itself in ROOT/usr/lib/tenon]
      --images copy|verity
                        Read images whole and keep a copy, or open them through dm-verity where
                        they are [default: copy]
      --timings         Say on standard error what took how long
      --file PATH       Read this status instead of /run/tenon/status.json
      --kernel RELEASE  Kernel that is to run [default: that of the base]
      --sig-enforce     The kernel will load signed modules only: module.sig_enforce=1, or lockdown
      --json            Print the status document instead of a table
  -h, --help            Print this help
  -V, --version         Print the version

Exit codes:
  0  all extensions that the machine config names are active, or the owner is known
  1  one or more are refused, config, trust policy or base are not sound, or nobody owns it
  2  could not look
";

/// Among the options of a command: it takes a word, too.
const SUBJECT: &str = "PATH|MODULE";

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
        Some("activate") => &[
            "root",
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
    kernel: Option<KernelRelease>,
    images: Option<Way>,
    sig_enforce: bool,
    timings: bool,
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
            "kernel" => self.kernel = Some(parser.value()?.string()?.parse()?),
            "images" => self.images = Some(way(parser.value()?.string()?)?),
            "sig-enforce" => self.sig_enforce = true,
            "timings" => self.timings = true,
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
        self.file.clone().unwrap_or_else(|| places::STATUS.into())
    }

    fn plan(self) -> Result<Command, UsageError> {
        let format = self.format();
        let signatures = if self.sig_enforce { SignatureRule::Enforced } else { SignatureRule::AsBuilt };
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
        let request = Request::of_root(self.root());
        let request = match &self.medium {
            Some(medium) => request.with_medium(medium),
            None => request,
        };
        let request = Request {
            config: self.config.unwrap_or(request.config),
            store: self.store.unwrap_or(request.store),
            trust: self.trust.unwrap_or(request.trust),
            updates: self.updates.unwrap_or(request.updates),
            base: self.base,
            images: self.images.unwrap_or(request.images),
            root: request.root,
        };
        Command::Activate { request, timings, format }
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
        let Ok(Command::Activate { request, timings, format }) =
            parsed("activate --root /r --store s --timings")
        else {
            panic!("it is understood")
        };
        assert_eq!((timings, format), (true, Format::Table));
        let expected = Request { store: "s".into(), ..Request::of_root("/r".into()) };
        assert_eq!(
            (request.config.display().to_string(), request),
            ("/r/etc/tenon/machine.yaml".into(), expected)
        );
        let Ok(Command::Activate { request, .. }) = parsed("activate --medium /m --images verity") else {
            panic!("it is understood")
        };
        assert_eq!(request.store.display().to_string(), "/m/tenon/store");
        assert_eq!(request.trust.display().to_string(), "/etc/tenon/trust.yaml", "a medium brings no policy");
        assert_eq!(request.images, Way::Verity);
    }

    #[test]
    fn what_is_not_understood_is_named() {
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
