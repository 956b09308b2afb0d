//! `extbuild fits`

use std::collections::BTreeMap;

use catalog::{Entry, Layout};
use kabi::{Candidate, Verdict};
use serde_json::{Value, json};
use spec::{Diagnose, Outcome, Reason};
use terminal::{Failure, Table};

use super::whole::read_whole;
use super::{find, fit};
use crate::cli::FitsArgs;
use crate::ground::{Facts, Ground, sentences};

pub(crate) fn run(args: FitsArgs) -> Result<(), Failure> {
    let FitsArgs { references, kernels, signatures, json } = args;
    let grounds = kernels.iter().map(|path| Ground::open(path)).collect::<Result<Vec<_>, _>>()?;
    let keys = fit::keys(&grounds);
    let mut layouts = BTreeMap::new();
    let mut extensions = Vec::new();
    for reference in references {
        let (layout, manifest) = find(reference)?;
        extensions.push(read_whole(&layout, &manifest, &keys)?);
        layouts.insert(layout.dir().to_owned(), layout);
    }
    let mut others: Vec<Facts> = layouts.values().flat_map(all_in).collect();
    others.retain(|other| extensions.iter().all(|chosen| chosen.config.name != other.config.name));
    let candidates: Vec<Candidate<'_>> = extensions.iter().map(Facts::candidate).collect();
    let others: Vec<Candidate<'_>> = others.iter().map(Facts::candidate).collect();
    let judge = |ground: &Ground| kabi::judge(&ground.host(signatures.rule(), &others), &candidates);
    let judged: Vec<Vec<Verdict>> = grounds.iter().map(judge).collect();
    match json {
        true => terminal::json(&to_json(&extensions, &grounds, &judged))?,
        false => print(&extensions, &grounds, &judged)?,
    }
    match judged.iter().flatten().filter(|verdict| matches!(verdict, Verdict::Unfit(_))).count() {
        0 => Ok(()),
        unfit => Err(DoNotFit { unfit, pairs: extensions.len() * grounds.len() }.into()),
    }
}

/// The extensions of a layout: one of them may have what is missing. What cannot be read is no help.
fn all_in(layout: &Layout) -> Vec<Facts> {
    let facts = |entry: Entry| Facts::of(layout.read_extension(&entry.descriptor).ok()?).ok();
    layout.extensions().into_iter().filter_map(facts).collect()
}

/// A row for each pair; below, what is to be said about it.
fn print(extensions: &[Facts], grounds: &[Ground], judged: &[Vec<Verdict>]) -> Result<(), Failure> {
    let mut table = Table::new(&["extension", "version", "kernel", "of", "verdict"]);
    for (index, Facts { config, .. }) in extensions.iter().enumerate() {
        for (ground, verdicts) in grounds.iter().zip(judged) {
            let (kernel, of) = (ground.profile.release().to_string(), ground.path.display().to_string());
            table.row([
                config.name.to_string(),
                config.version.to_string(),
                kernel,
                of,
                cell(&verdicts[index]),
            ]);
        }
    }
    table.print()?;
    for (ground, verdicts) in grounds.iter().zip(judged) {
        for (Facts { config, .. }, verdict) in extensions.iter().zip(verdicts) {
            let kernel = ground.profile.release();
            let (heading, reasons) = match verdict {
                Verdict::Unfit(reasons) => ("does not fit", &reasons[..]),
                Verdict::Fits(fits) if fits.notes().is_empty() => continue,
                Verdict::Fits(fits) => ("fits; worth a second look:", fits.notes()),
            };
            let of = ground.path.display();
            let text = format!("\n{} and {kernel} of {of}: {heading}{}\n", config.name, sentences(reasons));
            terminal::text(&(text + &hints(reasons)))?;
        }
    }
    Ok(())
}

fn cell(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Fits(fits) if fits.notes().is_empty() => "fits".to_owned(),
        Verdict::Fits(fits) if fits.notes().len() == 1 => "fits (1 note)".to_owned(),
        Verdict::Fits(fits) => format!("fits ({} notes)", fits.notes().len()),
        Verdict::Unfit(reasons) => {
            let more =
                if reasons.len() > 1 { format!(" and {} more", reasons.len() - 1) } else { String::new() };
            format!("no: {}{more}", reasons[0].code)
        }
    }
}

/// Each hint once, in the order of the reasons.
fn hints(reasons: &[Reason]) -> String {
    let mut hints: Vec<&str> = Vec::new();
    for hint in reasons.iter().filter_map(|reason| reason.hint.as_deref()) {
        if !hints.contains(&hint) {
            hints.push(hint);
        }
    }
    hints.iter().take(3).map(|hint| format!("  hint: {hint}\n")).collect()
}

fn to_json(extensions: &[Facts], grounds: &[Ground], judged: &[Vec<Verdict>]) -> Value {
    let pair = |config: &spec::artifact::ExtensionConfig, verdict: &Verdict| {
        let (fits, reasons, notes) = match verdict {
            Verdict::Fits(fits) => (true, &[][..], fits.notes()),
            Verdict::Unfit(reasons) => (false, &reasons[..], &[][..]),
        };
        json!({ "name": config.name, "version": config.version, "fits": fits, "reasons": reasons, "notes": notes })
    };
    let kernels = grounds.iter().zip(judged).map(|(ground, verdicts)| {
        let extensions = extensions.iter().zip(verdicts).map(|(facts, verdict)| pair(&facts.config, verdict));
        json!({
            "kernel": ground.profile.release(),
            "source": ground.path,
            "extensions": extensions.collect::<Vec<_>>(),
        })
    });
    Value::Array(kernels.collect())
}

/// Some pairs do not fit; the table says which.
#[derive(Debug, thiserror::Error)]
#[error("{unfit} of {pairs} pairs of extension and kernel do not fit")]
struct DoNotFit {
    unfit: usize,
    pairs: usize,
}

impl Diagnose for DoNotFit {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}
