//! The cache of the dynamic linker, for libraries in directories that extensions add.
//!
//! Libraries in the usual directories are found without it. A base takes part by having `/etc/ld.so.cache` as a link to
//! [`CACHE`]; what makes the cache is its own ldconfig(8), which knows what its own linker reads.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use spec::{Grant, GrantKind, TreePath};

use crate::admit::Admitted;
use crate::child;
use spec::boot::run::LINKER_CACHE as CACHE;

/// Where the linker looks for its cache (ld.so(8)).
const LOOKED_FOR: &str = "/etc/ld.so.cache";
/// Where distributions have the program.
const PROGRAMS: [&str; 3] = ["/usr/sbin/ldconfig", "/sbin/ldconfig", "/usr/bin/ldconfig"];
/// It reads the head of each library, on a slow disk.
const LIMIT: Duration = Duration::from_secs(60);

/// The directories in which the linker is to look, as extensions may say.
pub(crate) fn directories<L>(admitted: &[&Admitted<L>]) -> Vec<TreePath> {
    let grants = admitted.iter().flat_map(|admitted| &admitted.config().grants);
    let paths = grants.filter(|grant| grant.kind() == GrantKind::LdPath).map(Grant::subject);
    let mut directories: Vec<TreePath> = paths.filter_map(|path| path.parse().ok()).collect();
    directories.sort();
    directories.dedup();
    directories
}

/// Makes the cache for the system that runs, where it has a place for it. The error is a sentence for the status.
pub(crate) fn make_cache(directories: &[TreePath]) -> Result<(), String> {
    let takes_part = fs::read_link(LOOKED_FOR).is_ok_and(|to| to == Path::new(CACHE));
    let program = PROGRAMS.into_iter().find(|program| Path::new(program).is_file());
    match (takes_part, program) {
        // What is in the usual directories is found without a cache.
        (false, _) | (_, None) if directories.is_empty() => Ok(()),
        (false, _) => Err(format!("{LOOKED_FOR} is no link to {CACHE}")),
        (true, None) => Err("the base has no ldconfig".to_owned()),
        (true, Some(program)) => {
            let options = ["-X", "-C", CACHE].into_iter().chain(directories.iter().map(TreePath::as_str));
            let options: Vec<String> = options.map(str::to_owned).collect();
            child::run(program, &options, Instant::now() + LIMIT).map_err(|why| format!("{program}: {why}"))
        }
    }
    .map_err(|why| unfound(directories, &why))
}

fn unfound(directories: &[TreePath], why: &str) -> String {
    let directories: Vec<&str> = directories.iter().map(TreePath::as_str).collect();
    let libraries = match directories.is_empty() {
        true => "libraries".to_owned(),
        false => format!("libraries in {}", directories.join(", ")),
    };
    format!("{libraries} may not be found by programs: {why}")
}
