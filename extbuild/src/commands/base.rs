//! `extbuild base`

use terminal::{Failure, Progress};

use super::size;
use crate::base;
use crate::cli::BaseArgs;

pub(crate) fn run(args: BaseArgs) -> Result<(), Failure> {
    let BaseArgs { manifest, kernel, source_dirs, output, json, packing } = args;
    let packing = packing.into_packing()?;
    let progress = Progress::bytes("packing", 0);
    let request = base::Request { manifest, kernel, source_dirs };
    let built = base::build(&request, &packing, &output, &mut |done, all| progress.of(done, all))?;
    drop(progress);
    if json {
        return Ok(terminal::json(&built)?);
    }
    terminal::success(&format!(
        "{} has {} {} with kernel {} and a root image of {}",
        output.display(),
        built.name,
        built.version,
        built.kernel,
        size(built.root.size)
    ));
    Ok(terminal::text(&format!("{}\n", built.root.digest))?)
}
