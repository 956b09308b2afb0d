//! `extbuild check`

use terminal::Failure;

use super::size;
use crate::cli::CheckArgs;
use crate::pipeline;

pub(crate) fn run(args: CheckArgs) -> Result<(), Failure> {
    let CheckArgs { target, json } = args;
    let plan = pipeline::plan(&target.into_request())?;
    if json {
        let paths: Vec<&str> = plan.paths.iter().map(|(path, _)| path.as_str()).collect();
        return Ok(terminal::json(&serde_json::json!({ "config": plan.config, "paths": paths }))?);
    }
    let config = &plan.config;
    terminal::text(&plan.paths.to_text())?;
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
