//! Trust as the builder's commands need it: established from files, and written as text.

pub(crate) mod draft;

use std::path::Path;
use std::time::SystemTime;

use catalog::TrustFiles;
use signing::{Moment, Occasion, Trust, TrustPolicy, Updates};
use terminal::Failure;

use crate::cli::TrustArgs;
use crate::pipeline::read_text;

/// Reads a policy.
pub(crate) fn read_policy(file: &Path) -> Result<TrustPolicy, Failure> {
    Ok(TrustPolicy::parse(&read_text(file)?, &file.display().to_string())?)
}

/// What is trusted now. What is odd about it is said.
pub(crate) fn establish(args: &TrustArgs) -> Result<Trust, Failure> {
    let trust = establish_quietly(args)?;
    for note in trust.notes() {
        terminal::note(note);
    }
    Ok(trust)
}

/// The same, for who says so otherwise.
pub(crate) fn establish_quietly(args: &TrustArgs) -> Result<Trust, Failure> {
    let TrustArgs { trust, trust_updates } = args;
    let policy = read_policy(trust)?;
    let TrustFiles { files, skipped } = match trust_updates {
        Some(directory) => TrustFiles::read(directory)?,
        None => TrustFiles::default(),
    };
    let occasion = Moment::of(SystemTime::now()).map_or(Occasion::Boot(None), Occasion::Online);
    let mut trust = Trust::establish(policy, &Updates::of_files(files), occasion);
    skipped.iter().for_each(|error| trust.note(spec::sentence(error)));
    Ok(trust)
}
