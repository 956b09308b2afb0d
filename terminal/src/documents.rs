//! Completions and man pages, from the definitions that the program parses with.

use std::path::PathBuf;

use spec::{Diagnose, Outcome};

/// What to make from a command line's definition; the arguments of a `generate` subcommand.
#[derive(Debug, clap::Subcommand)]
pub enum Generate {
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write a man page for every command into a directory
    Man {
        /// The directory; it must exist
        directory: PathBuf,
    },
}

/// Makes what was asked for.
pub fn generate(what: &Generate, mut command: clap::Command) -> Result<(), GenerateError> {
    match what {
        Generate::Completions { shell } => {
            let name = command.get_name().to_owned();
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut command, name, &mut script);
            crate::text(&String::from_utf8_lossy(&script)).map_err(GenerateError::Print)
        }
        Generate::Man { directory } => clap_mangen::generate_to(command, directory)
            .map_err(|source| GenerateError::Man { directory: directory.clone(), source }),
    }
}

/// The pages or the script could not be written.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// Stdout is closed or full.
    #[error(transparent)]
    Print(crate::OutputError),
    /// The directory cannot be written.
    #[error("cannot write man pages to {}", directory.display())]
    Man {
        /// The directory.
        directory: PathBuf,
        #[source]
        /// Why.
        source: std::io::Error,
    },
}

impl Diagnose for GenerateError {
    fn outcome(&self) -> Outcome {
        Outcome::Unavailable
    }
}
