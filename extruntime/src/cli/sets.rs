//! Commands about the sets that a node keeps.

use std::path::Path;
use std::process::ExitCode;

use generations::{Generation, RealDisk, State, Store, StoreError, View};
use serde::Serialize;
use spec::Outcome;
use spec::status::Status;

use super::arguments::{Format, StageRequest};
use super::{ToolError, exit_code, json};
use crate::activation::Present;
use crate::choice;
use crate::node::{self, NodeError, Staged};
use crate::system::Known;
use crate::{probe, report};

/// The sets of a node, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Sets {
    current: u64,
    previous: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    trial: Option<Trial>,
    why: String,
    sets: Vec<Kept>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    damage: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Trial {
    generation: u64,
    tries_left: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    generation: u64,
    base: String,
    kernel: String,
    extensions: Vec<String>,
}

/// Shows the sets; it takes no lock, and so it can be asked at any time.
pub(super) fn show(dir: &Path, format: Format) -> Result<ExitCode, ToolError> {
    let view = View::new(choice::disk(dir).map_err(NodeError::from)?);
    let state = view.state();
    let mut damage = view.damage();
    let mut sets = Vec::new();
    for generation in view.generations().map_err(NodeError::from)? {
        match kept(&view, generation) {
            Ok(kept) => sets.push(kept),
            Err(error) => damage.push(spec::sentence(&error)),
        }
    }
    let trial = state.trial();
    let document = Sets {
        current: state.current().number(),
        previous: state.previous().number(),
        trial: trial
            .map(|trial| Trial { generation: trial.generation.number(), tries_left: trial.tries_left }),
        why: state.why().to_owned(),
        sets,
        damage,
    };
    match format {
        Format::Json => report::text(&json(&document))?,
        Format::Table => report::text(&report::printable(&table(&document, &state)))?,
    }
    Ok(ExitCode::from(if document.damage.is_empty() { 0 } else { Outcome::Refused.exit_code() }))
}

fn kept(view: &View<RealDisk>, generation: Generation) -> Result<Kept, StoreError> {
    let set = view.set(generation)?;
    Ok(Kept {
        generation: generation.number(),
        base: format!("{} {}", set.base.name, set.base.version),
        kernel: set.base.kernel.to_string(),
        extensions: set.members.iter().map(|member| format!("{} {}", member.name, member.version)).collect(),
    })
}

fn table(sets: &Sets, state: &State) -> String {
    let mut text = String::new();
    for Kept { generation, base, kernel, extensions } in &sets.sets {
        let role = match &sets.trial {
            Some(trial) if trial.generation == *generation => {
                format!("on trial, {} tries left", trial.tries_left)
            }
            _ if *generation == sets.current => "current".to_owned(),
            _ if *generation == sets.previous => "previous".to_owned(),
            _ => "not needed".to_owned(),
        };
        text += &format!("{generation:>4}  {role:<22}  for {base}, kernel {kernel}\n");
        text += &extensions.iter().map(|extension| format!("        {extension}\n")).collect::<String>();
    }
    text +=
        if state.current().is_base() { "   0  current: the base, with what its medium has\n" } else { "" };
    let why = if sets.why.is_empty() { String::new() } else { format!("\n{}\n", sets.why) };
    text + &why + &sets.damage.iter().map(|line| format!("damaged: {line}\n")).collect::<String>()
}

/// Stages a set and shows what a boot would make of it.
pub(super) fn stage(request: &StageRequest, format: Format) -> Result<ExitCode, ToolError> {
    let StageRequest { system, offer, trust, state, for_base, signatures } = request;
    let base = match for_base {
        Some(directory) => Known::of_base(directory, *signatures)?,
        None => system.look(&Present::now())?,
    };
    let Staged { status, generation } = node::stage(state, offer, trust, &base)?;
    super::show(&status, format)?;
    report::aside(&match generation {
        Some(generation) => {
            format!("staged as set {generation}; it is tried at the next boot or activation\n")
        }
        None => "nothing was staged, because a set is staged whole\n".to_owned(),
    });
    Ok(exit_code(&status))
}

/// Confirms the set that runs, if its extensions work.
pub(super) fn confirm(dir: &Path, status: &Status, skip_probes: bool) -> Result<ExitCode, ToolError> {
    let running = status.set.as_ref().map(|set| Generation::new(set.generation)).ok_or(ToolError::NoSet)?;
    let probed = if skip_probes { Vec::new() } else { probe::all(status) };
    if probed.iter().any(|probed| probed.failure.is_some()) {
        report::text(&report::probes(&probed))?;
        return Err(ToolError::Unproved(running));
    }
    open(dir)?.confirm(running).map_err(NodeError::from)?;
    report::aside(&format!("set {running} is confirmed\n"));
    Ok(ExitCode::SUCCESS)
}

/// Leaves the set on trial, or the current one.
pub(super) fn rollback(dir: &Path, why: &str) -> Result<(), ToolError> {
    let mut store = open(dir)?;
    let state = store.state();
    let leaving = state.trial().map_or(state.current(), |trial| trial.generation);
    store.rollback(leaving, why).map_err(NodeError::from)?;
    report::aside(&format!("set {leaving} is left; {} is next\n", store.state().current()));
    Ok(())
}

/// Removes what nobody needs.
pub(super) fn gc(dir: &Path, keep: usize) -> Result<(), ToolError> {
    let collected = open(dir)?.gc(keep).map_err(NodeError::from)?;
    let (sets, blobs, bytes) = (collected.generations.len(), collected.blobs, collected.bytes);
    report::aside(&format!("{sets} sets and {blobs} blobs are removed, {bytes} bytes\n"));
    if let Some(why) = collected.blobs_left {
        report::aside(&format!("warning: blobs were left: {why}\n"));
    }
    Ok(())
}

fn open(dir: &Path) -> Result<Store<RealDisk>, NodeError> {
    Ok(choice::open(dir)?)
}
