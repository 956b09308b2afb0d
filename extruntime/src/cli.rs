//! The program as a tool: arguments in, exit code out.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kabi::SignatureRule;
use lexopt::prelude::*;
use spec::boot::run as places;
use spec::kernel::ReleaseError;
use spec::status::{State, Status};
use spec::{Diagnose, KernelRelease, Outcome};

use crate::cannot::Cannot;
use crate::grounds::ConfigError;
use crate::plan::{PlanError, Request, plan};
use crate::{files, report};

/// A status is a few lines for each extension; no sound one is larger, in bytes.
const STATUS_MAX: u64 = 16 << 20;

const HELP: &str = "\
Admits and overlays extensions at boot, and says what it did or would do

Usage: extruntime status [--json] [--file PATH]
       extruntime plan --medium DIR --base DIR --trust FILE [--kernel RELEASE]
                       [--sig-enforce] [--json]

Commands:
  status             Show what became of each extension at the last boot
  plan               Judge the extensions of a medium as a boot would; needs no root, changes nothing

Options:
      --file PATH       Read this status instead of /run/tenon/status.json
      --medium DIR      Root of the medium, with tenon/machine.yaml and tenon/store
      --base DIR        Directory of the base, as extbuild base writes it
      --trust FILE      Trust policy
      --kernel RELEASE  Kernel that is to run [default: that of the base]
      --sig-enforce     The kernel will load signed modules only: module.sig_enforce=1, or lockdown
      --json            Print the status document instead of a table
  -h, --help            Print this help
  -V, --version         Print the version

Exit codes:
  0  all extensions that the machine config names are active
  1  one or more are refused, or config, trust policy or base are not sound
  2  could not look
";

/// One run of the tool.
#[derive(Debug, PartialEq, Eq)]
enum Command {
    Help,
    Version,
    Status { file: PathBuf, format: Format },
    Plan { arguments: PlanArguments, format: Format },
}

#[derive(Debug, PartialEq, Eq)]
struct PlanArguments {
    medium: PathBuf,
    base: PathBuf,
    trust: PathBuf,
    kernel: Option<KernelRelease>,
    signatures: SignatureRule,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Table,
    Json,
}

/// Runs the tool with these arguments, the program's name not among them.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let outcome = parse(arguments).map_err(ToolError::from).and_then(execute);
    outcome.unwrap_or_else(|error| {
        report::failure(&error);
        ExitCode::from(error.outcome().exit_code())
    })
}

fn execute(command: Command) -> Result<ExitCode, ToolError> {
    match command {
        Command::Help => report::text(HELP)?,
        Command::Version => report::text(&format!("extruntime {}\n", env!("CARGO_PKG_VERSION")))?,
        Command::Status { file, format } => {
            let status = read_status(&file)?;
            show(&status, format)?;
            return Ok(exit_code(&status));
        }
        Command::Plan { arguments, format } => {
            let PlanArguments { medium, base, trust, kernel, signatures } = arguments;
            let request = Request::of_medium(&medium, base, trust, kernel, signatures)?;
            let planned = plan(&request)?;
            show(&planned.status, format)?;
            if format == Format::Table {
                report::text(&format!("\nsteps:\n{}", planned.activation))?;
            }
            return Ok(exit_code(&planned.status));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(status: &Status, format: Format) -> Result<(), Cannot> {
    match format {
        Format::Table => report::text(&report::table(status)),
        Format::Json => {
            let json = serde_json::to_string_pretty(status);
            report::text(&(json.expect("strings and numbers always have a JSON form") + "\n"))
        }
    }
}

fn exit_code(status: &Status) -> ExitCode {
    match status.extensions.iter().any(|extension| extension.state == State::Refused) {
        true => ExitCode::from(Outcome::Refused.exit_code()),
        false => ExitCode::SUCCESS,
    }
}

fn read_status(file: &Path) -> Result<Status, ToolError> {
    let bytes = files::read(file, STATUS_MAX).map_err(ToolError::NoStatus)?;
    let broken = |source| ToolError::Status { file: file.display().to_string(), source };
    serde_json::from_slice(&bytes).map_err(broken)
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, UsageError> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let command = match parser.next()? {
        None | Some(Short('h') | Long("help")) => return Ok(Command::Help),
        Some(Short('V') | Long("version")) => return Ok(Command::Version),
        Some(Value(command)) => command,
        Some(other) => return Err(other.unexpected().into()),
    };
    match command.to_str() {
        Some("status") => parse_status(parser),
        Some("plan") => parse_plan(parser),
        Some("help") => Ok(Command::Help),
        _ => Err(UsageError::Command(command)),
    }
}

fn parse_status(mut parser: lexopt::Parser) -> Result<Command, UsageError> {
    let (mut file, mut format) = (PathBuf::from(places::STATUS), Format::Table);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("file") => file = parser.value()?.into(),
            Long("json") => format = Format::Json,
            Short('h') | Long("help") => return Ok(Command::Help),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Command::Status { file, format })
}

fn parse_plan(mut parser: lexopt::Parser) -> Result<Command, UsageError> {
    let (mut medium, mut base, mut trust, mut kernel) = (None, None, None, None);
    let mut signatures = SignatureRule::AsBuilt;
    let mut format = Format::Table;
    while let Some(argument) = parser.next()? {
        match argument {
            Long("medium") => medium = Some(parser.value()?.into()),
            Long("base") => base = Some(parser.value()?.into()),
            Long("trust") => trust = Some(parser.value()?.into()),
            Long("kernel") => kernel = Some(parser.value()?.string()?.parse()?),
            Long("sig-enforce") => signatures = SignatureRule::Enforced,
            Long("json") => format = Format::Json,
            Short('h') | Long("help") => return Ok(Command::Help),
            other => return Err(other.unexpected().into()),
        }
    }
    let arguments = PlanArguments {
        medium: medium.ok_or(UsageError::Missing("--medium DIR"))?,
        base: base.ok_or(UsageError::Missing("--base DIR"))?,
        trust: trust.ok_or(UsageError::Missing("--trust FILE"))?,
        kernel,
        signatures,
    };
    Ok(Command::Plan { arguments, format })
}

/// The arguments say nothing that can be done.
#[derive(Debug, thiserror::Error)]
enum UsageError {
    #[error("the arguments cannot be understood")]
    Syntax(#[from] lexopt::Error),
    #[error("there is no command {}", .0.display())]
    Command(OsString),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error(transparent)]
    Kernel(#[from] ReleaseError),
}

/// Why the tool has nothing to show.
#[derive(Debug, thiserror::Error)]
enum ToolError {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error("there is no status to show")]
    NoStatus(#[source] Cannot),
    #[error("{file} is not a status")]
    Status {
        file: String,
        #[source]
        source: serde_json::Error,
    },
    #[error(transparent)]
    Print(#[from] Cannot),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl Diagnose for ToolError {
    fn outcome(&self) -> Outcome {
        match self {
            ToolError::Usage(_) | ToolError::NoStatus(_) | ToolError::Status { .. } | ToolError::Print(_) => {
                Outcome::Unavailable
            }
            ToolError::Config(error) => error.outcome(),
            ToolError::Plan(error) => error.outcome(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            ToolError::Usage(_) => Some("extruntime --help lists commands and options".into()),
            ToolError::NoStatus(_) => {
                Some("run it on a machine that extruntime has booted, or name a file with --file".into())
            }
            ToolError::Status { .. } | ToolError::Print(_) => None,
            ToolError::Config(error) => error.hint(),
            ToolError::Plan(error) => error.hint(),
        }
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
    fn what_is_not_understood_is_named() {
        assert_eq!(parsed("boot").unwrap_err(), "there is no command boot");
        assert_eq!(parsed("plan --medium m").unwrap_err(), "--base DIR is missing");
        assert!(parsed("status --colour").unwrap_err().contains("--colour"));
        assert!(parsed("plan --kernel ../x").unwrap_err().contains("not a kernel release"));
    }
}
