//! A program for `tests/faults.rs`: it does one thing to the state in a directory, and may be told to die at it.
//!
//! `node DIR boot|collect|check`, `node DIR stage SET`, `node DIR confirm|rollback GENERATION`

use std::error::Error;

use generations::state::TRIES;
use generations::{BaseIdentity, Blob, Member, NewSet, RealDisk, Store};
use spec::Digest;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dir, verb, rest @ ..] = &arguments[..] else { return Err("usage: node DIR VERB [SET]".into()) };
    let word = rest.first().map_or("", String::as_str);
    let mut store = Store::open(RealDisk::open(dir)?)?;
    match verb.as_str() {
        "stage" => {
            store.put_blob(&mut word.as_bytes(), &blob(word))?;
            store.stage(&set(word)?, TRIES)?;
        }
        "boot" => {
            let begun = store.begin_boot(&base()?);
            begun.unsaved.map_or(Ok(()), Err)?;
        }
        "confirm" => store.confirm(word.parse()?)?,
        "rollback" => store.rollback(word.parse()?, "it did not answer")?,
        "collect" => drop(store.gc(0)?),
        "check" => {}
        other => return Err(format!("no verb {other}").into()),
    }
    report(&store)
}

/// One line: the sets that the state names, each read as a whole.
#[allow(clippy::print_stdout, reason = "the test reads it")]
fn report(store: &Store<RealDisk>) -> Result<(), Box<dyn Error>> {
    let state = store.state();
    let label = |generation: generations::Generation| match generation.is_base() {
        true => Ok("base".to_owned()),
        false => store.view().check(generation).map(|set| set.members[0].name.to_string()),
    };
    let trial = match state.trial() {
        Some(trial) => format!("{} {}", label(trial.generation)?, trial.tries_left),
        None => "none".to_owned(),
    };
    println!("{} {} {trial}", label(state.current())?, label(state.previous())?);
    Ok(())
}

fn base() -> Result<BaseIdentity, Box<dyn Error>> {
    Ok(BaseIdentity {
        name: "debian".parse()?,
        version: "12.0.0".parse()?,
        kernel: "6.1.0-56-cloud-amd64".parse()?,
        build_id: None,
        facts: Digest::of(b"facts"),
    })
}

fn blob(name: &str) -> Blob {
    Blob { digest: Digest::of(name.as_bytes()), size: name.len() as u64 }
}

fn set(name: &str) -> Result<NewSet, Box<dyn Error>> {
    let manifest = blob(name).digest;
    Ok(NewSet {
        base: base()?,
        members: vec![Member { name: name.parse()?, version: "1.0.0".parse()?, manifest }],
        blobs: vec![blob(name)],
        files: vec![("machine.yaml".parse()?, name.into()), ("trust/policy.yaml".parse()?, name.into())],
    })
}
