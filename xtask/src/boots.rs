//! The boot matrix: two kernels, two firmwares, both ways to hold images, few and many extensions, everything that can be
//! wrong with one of them, and media with a bit flipped. `cargo xtask test` boots some of it, `cargo xtask boots --all`
//! the rest.

mod case;
mod check;
mod medium;
mod secure_boot;
mod workshop;

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::inputs::Inputs;
use crate::machine::{LIMIT, Machine};
use crate::programs::{Programs, Speed};
use crate::progress::seconds;
use crate::vm::Vm;
use crate::workspace::Workspace;
use crate::{Error, inputs, packages, programs, steps};
use case::{Case, Expected};

pub(crate) use case::Kernel;
pub(crate) use medium::without_firmware;
pub(crate) use workshop::Workshop;

/// The last words of the boot program before the machine starts again.
pub(crate) const GIVES_UP: &str = "starting again in 10 s";
/// The last words of a firmware that does not start what it found; it then waits for somebody to choose otherwise.
const NOT_STARTED: &str = "Access Denied";

/// Which of the cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Those of every test run.
    Usual,
    /// All of them.
    All,
    /// Those whose names contain this.
    Only(String),
}

impl Selection {
    /// Reads the arguments.
    ///
    /// # Errors
    /// [`Error::UnknownChore`] for anything but `--all` and `--only NAME`.
    pub fn parse(words: &[&str]) -> Result<Selection, Error> {
        match words {
            [] => Ok(Selection::Usual),
            ["--all"] => Ok(Selection::All),
            ["--only", name] => Ok(Selection::Only((*name).to_owned())),
            _ => Err(Error::UnknownChore(format!("boots {}", words.join(" ")))),
        }
    }

    fn cases(&self) -> Vec<Case> {
        let is_in = |case: &Case| match self {
            Selection::Usual => case.usual,
            Selection::All => true,
            Selection::Only(name) => case.name.contains(name),
        };
        case::all().into_iter().filter(is_in).collect()
    }
}

/// Boots the selected cases, set-up included.
pub fn boots(workspace: &Workspace, selection: &Selection) -> ExitCode {
    let outcome =
        prepared(workspace).and_then(|(inputs, programs)| run(workspace, &inputs, &programs, selection));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            steps::report(&error);
            spec::Diagnose::outcome(&error).exit_code().into()
        }
    }
}

/// What all boots are made with.
pub(crate) fn prepared(workspace: &Workspace) -> Result<(Inputs, Programs), Error> {
    packages::ensure(&[packages::DEMO, packages::TEST])?;
    let inputs = inputs::prepare(workspace)?;
    Ok((inputs, programs::build(workspace, Speed::Tests)?))
}

/// Boots the selected cases on what is prepared, and shows a table.
///
/// # Errors
/// [`Error::Machine`] if a machine does something else than it should; those of the programs.
pub fn run(
    workspace: &Workspace,
    inputs: &Inputs,
    programs: &Programs,
    selection: &Selection,
) -> Result<(), Error> {
    let cases = selection.cases();
    let workshop = Workshop::open(workspace, "boots", inputs, programs)?;
    for (kernel, extensions) in wanted(&cases) {
        eprintln!("  building {} extensions for {kernel:?}", extensions.len());
        workshop.stock(kernel, &extensions)?;
    }
    let mut failed = 0;
    for case in &cases {
        let started = Instant::now();
        let differences = boot(&workshop, case)?;
        println!("{}", row(case, &differences, started.elapsed()));
        failed += usize::from(!differences.is_empty());
    }
    println!("{} boots, {failed} otherwise than they should", cases.len());
    match failed {
        0 => Ok(()),
        _ => {
            Err(Error::Machine(format!("{failed} of {} boots went otherwise than they should", cases.len())))
        }
    }
}

/// The extensions that are asked for on each kernel.
fn wanted(cases: &[Case]) -> BTreeMap<Kernel, BTreeSet<&str>> {
    let mut wanted: BTreeMap<Kernel, BTreeSet<&str>> = BTreeMap::new();
    for case in cases {
        wanted.entry(case.kernel).or_default().extend(case.extensions.iter().map(String::as_str));
    }
    wanted
}

/// Makes the medium of a case, boots it, and says what is otherwise than it should be. A machine that does not get as far as
/// it should is one of these.
fn boot(workshop: &Workshop<'_>, case: &Case) -> Result<Vec<String>, Error> {
    let iso = workshop.compose(case)?;
    medium::damage(workshop, case, &iso)?;
    let vm = Vm {
        start: medium::start(workshop, case, &iso)?,
        iso: iso.clone(),
        disk: None,
        console: workshop.path(&format!("{}.log", case.name)),
        limit: LIMIT,
    };
    let said = match &case.expected {
        Expected::Runs { .. } => {
            Machine::listen(&vm, |_| ()).map(|machine| check::differences(case, &machine))
        }
        Expected::NotStarted => vm.boot(NOT_STARTED, |_| ()).map(|_| Vec::new()),
        Expected::Ends(sentence) => vm.boot(GIVES_UP, |_| ()).map(|text| match text.contains(sentence) {
            true => Vec::new(),
            false => vec![format!("the console does not say \"{sentence}\"")],
        }),
    };
    let differences = match said {
        Ok(differences) => differences,
        Err(error @ (Error::Boot { .. } | Error::Machine(_))) => vec![spec::sentence(&error)],
        Err(error) => return Err(error),
    };
    // A medium that did what it should is of no more use, and there are many.
    if differences.is_empty() {
        let _ = std::fs::remove_file(&iso);
    }
    Ok(differences)
}

fn row(case: &Case, differences: &[String], took: Duration) -> String {
    let how = if differences.is_empty() { "as it should" } else { "otherwise" };
    let mut row = format!("{:<30} {how:<13} {:>7}", case.name, seconds(took));
    for difference in differences {
        row += &format!("\n    {difference}");
    }
    row
}
