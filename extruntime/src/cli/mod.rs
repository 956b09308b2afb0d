//! The program as a tool: arguments in, exit code out.

mod arguments;
mod sets;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use generations::Generation;
use spec::status::{State, Status};
use spec::{Diagnose, Outcome};

use crate::activate::{ActivateError, activate, deactivate};
use crate::cannot::Cannot;
use crate::clock::Clock;
use crate::grounds::ConfigError;
use crate::node::NodeError;
use crate::owner::{self, Owner, Subject};
use crate::plan::{PlanError, Request, plan};
use crate::system::SystemError;
use crate::{files, metrics, probe, report};

use arguments::{Command, Format, HELP, PlanArguments, UsageError, parse};

/// A status is a few lines for each extension; no sound one is larger, in bytes.
const STATUS_MAX: u64 = 16 << 20;

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
        Command::Owner { subject, file, format } => return show_owners(&subject, &file, format),
        Command::Metrics { file } => report::text(&metrics::text(&read_status(&file)?))?,
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
        Command::Activate { request, timings, format } => {
            let clock = Clock::start();
            let status = activate(&request, &clock);
            if timings {
                report::aside(&clock.to_string());
            }
            let status = status?;
            show(&status, format)?;
            return Ok(exit_code(&status));
        }
        Command::Deactivate { root } => deactivate(&root)?,
        Command::Sets { state, format } => return sets::show(&state, format),
        Command::Stage { request, format } => return sets::stage(&request, format),
        Command::Probe { file, format } => return show_probes(&read_status(&file)?, format),
        Command::Confirm { state, status, skip_probes } => {
            return sets::confirm(&state, &read_status(&status)?, skip_probes);
        }
        Command::Rollback { state, why } => sets::rollback(&state, &why)?,
        Command::Gc { state, keep } => sets::gc(&state, keep)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(status: &Status, format: Format) -> Result<(), Cannot> {
    match format {
        Format::Table => report::text(&report::table(status)),
        Format::Json => report::text(&json(status)),
    }
}

fn show_owners(subject: &Subject, file: &Path, format: Format) -> Result<ExitCode, ToolError> {
    let owners = owner::owners(&read_status(file)?, subject);
    match format {
        Format::Json => report::text(&json(&owners))?,
        Format::Table => report::text(&owners.iter().map(Owner::line).collect::<String>())?,
    }
    if owners.is_empty() {
        report::aside("neither an extension nor the base has it\n");
    }
    Ok(ExitCode::from(if owners.is_empty() { Outcome::Refused.exit_code() } else { 0 }))
}

fn show_probes(status: &Status, format: Format) -> Result<ExitCode, ToolError> {
    let probed = probe::all(status);
    match format {
        Format::Json => report::text(&json(&probed))?,
        Format::Table if probed.is_empty() => report::aside("no extension that is active brings a probe\n"),
        Format::Table => report::text(&report::probes(&probed))?,
    }
    let all_hold = probed.iter().all(|probed| probed.failure.is_none());
    Ok(if all_hold { ExitCode::SUCCESS } else { ExitCode::from(Outcome::Refused.exit_code()) })
}

fn json(document: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(document).expect("strings and numbers always have a JSON form") + "\n"
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
    #[error(transparent)]
    Activate(#[from] ActivateError),
    #[error(transparent)]
    System(#[from] SystemError),
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error("the system that runs has no set of this node")]
    NoSet,
    #[error("set {0} is not confirmed, because a probe does not hold")]
    Unproved(Generation),
}

impl Diagnose for ToolError {
    fn outcome(&self) -> Outcome {
        match self {
            ToolError::NoStatus(_) | ToolError::Status { .. } | ToolError::Print(_) => Outcome::Unavailable,
            ToolError::Usage(error) => error.outcome(),
            ToolError::Activate(error) => error.outcome(),
            ToolError::System(error) => error.outcome(),
            ToolError::Node(error) => error.outcome(),
            ToolError::NoSet | ToolError::Unproved(_) => Outcome::Refused,
            ToolError::Config(error) => error.outcome(),
            ToolError::Plan(error) => error.outcome(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            ToolError::Usage(error) => error.hint(),
            ToolError::Activate(error) => error.hint(),
            ToolError::System(error) => error.hint(),
            ToolError::Node(error) => error.hint(),
            ToolError::NoSet => {
                Some("stage one, and boot or activate it: extruntime sets shows what there is".into())
            }
            ToolError::Unproved(_) => Some(
                "it is left when its tries are used up; extruntime rollback leaves it now, and confirm \
                 --skip-probes keeps it all the same"
                    .into(),
            ),
            ToolError::NoStatus(_) => {
                Some("run it on a machine that extruntime has booted, or name a file with --file".into())
            }
            ToolError::Status { .. } | ToolError::Print(_) => None,
            ToolError::Config(error) => error.hint(),
            ToolError::Plan(error) => error.hint(),
        }
    }
}
