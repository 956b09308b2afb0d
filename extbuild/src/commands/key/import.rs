//! `extbuild key import`

use terminal::Failure;

use super::{Pair, open};
use crate::cli::KeyImportArgs;
use crate::key_file;
use crate::passphrase::{self, Source};

pub(super) fn run(args: KeyImportArgs) -> Result<(), Failure> {
    let KeyImportArgs { file, source_passphrase_file, output, lock } = args;
    let pair = Pair::at(output)?;
    let source = Source::new(source_passphrase_file, "--source-passphrase-file");
    let key = open(key_file::read(&file)?, &file, &source)?;
    pair.write(&key, passphrase::lock(lock).as_ref())
}
