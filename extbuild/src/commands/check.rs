//! `extbuild check`

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use spec::{Diagnose, Outcome};
use terminal::Failure;

use super::size;
use crate::cli::CheckArgs;
use crate::plan::Plan;
use crate::{ground, pipeline};

pub(crate) fn run(args: CheckArgs) -> Result<(), Failure> {
    let CheckArgs { target, kernels, json } = args;
    if kernels.len() > 1 {
        return check_each(&kernels, |kernel| pipeline::plan(&target.request(Some(kernel))), json);
    }
    let plan = pipeline::plan(&target.request(kernels.first().map(PathBuf::as_path)))?;
    if json { Ok(terminal::json(&to_json(&plan))?) } else { print(&plan) }
}

/// Says of each kernel what would be built for it, or why nothing would. What cannot be looked at ends it.
fn check_each(
    kernels: &[PathBuf],
    plan: impl Fn(&Path) -> Result<Plan, Failure>,
    json: bool,
) -> Result<(), Failure> {
    let mut values = Vec::new();
    let mut refused = 0;
    for kernel in kernels {
        let mut value = match plan(kernel) {
            Ok(plan) => {
                if !json {
                    print(&plan)?;
                }
                to_json(&plan)
            }
            Err(failure) if failure.outcome() == Outcome::Refused => {
                refused += 1;
                terminal::warning(&format!("{}: {}", kernel.display(), failure.sentence()));
                if let Some(hint) = failure.hint() {
                    terminal::hint(&hint);
                }
                json!({ "refused": failure.sentence(), "hint": failure.hint() })
            }
            Err(failure) => return Err(failure),
        };
        value["kernel"] = json!(kernel);
        values.push(value);
    }
    if json {
        terminal::json(&values)?;
    }
    match refused {
        0 => Ok(()),
        _ => Err(SomeRefused { refused, kernels: kernels.len() }.into()),
    }
}

fn print(plan: &Plan) -> Result<(), Failure> {
    let config = &plan.config;
    terminal::text(&plan.paths.to_text())?;
    ground::note(&plan.notes);
    let fit = match &config.kernel {
        Some(release) => format!(" and fits {release}"),
        None => String::new(),
    };
    terminal::success(&format!(
        "{} {} would hold {} in {} files and directories{fit}",
        config.name,
        config.version,
        size(config.content.bytes),
        config.content.inodes
    ));
    Ok(())
}

fn to_json(plan: &Plan) -> Value {
    let paths: Vec<&str> = plan.paths.iter().map(|(path, _)| path.as_str()).collect();
    json!({ "config": plan.config, "paths": paths, "notes": plan.notes })
}

/// The extension cannot be built for all kernels; each refusal was said.
#[derive(Debug, thiserror::Error)]
#[error("the extension cannot be built for {refused} of {kernels} kernels")]
struct SomeRefused {
    refused: usize,
    kernels: usize,
}

impl Diagnose for SomeRefused {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}
