//! `extbuild key new`

use signing::SigningKey;
use terminal::Failure;
use zeroize::Zeroizing;

use super::{Pair, fill};
use crate::cli::KeyNewArgs;
use crate::passphrase;

pub(super) fn run(args: KeyNewArgs) -> Result<(), Failure> {
    let KeyNewArgs { output, lock } = args;
    let pair = Pair::at(output)?;
    let mut seed = Zeroizing::new([0; 32]);
    fill(&mut *seed)?;
    pair.write(&SigningKey::from_seed(*seed), passphrase::lock(lock).as_ref())
}
