//! The state of a node: slots, and the document of a generation.

use std::error::Error;

use generations::slots::{self, Copy};
use generations::state::{State, Trial};
use generations::{BaseIdentity, Blob, Generation, Member, Set, set};
use spec::Digest;

type Seeds = Result<Vec<Vec<u8>>, Box<dyn Error>>;

pub(crate) fn states() -> Seeds {
    let [base, one, two, three] = [0, 1, 2, 3].map(Generation::new);
    let trial = |generation, tries_left| Some(Trial { generation, tries_left });
    let states = [
        (base, base, None, ""),
        (base, base, trial(one, 2), "generation 1 was staged"),
        (two, one, trial(three, 0), "generation 3 is tried"),
    ];
    let mut seeds = vec![slots::BLANK.to_vec(), document()?];
    for (current, previous, trial, why) in states {
        let state = State::from_parts(current, previous, trial, why).ok_or("the seed is a state")?;
        seeds.push(slots::encode(&Copy { sequence: 7, state }).to_vec());
    }
    Ok(seeds)
}

fn document() -> Result<Vec<u8>, Box<dyn Error>> {
    let manifest = Digest::of(b"a manifest");
    let base = BaseIdentity {
        name: "debian".parse()?,
        version: "12.0.0".parse()?,
        kernel: "6.1.0-56-cloud-amd64".parse()?,
        build_id: Some("7f76f39f".parse()?),
        facts: Digest::of(b"facts"),
    };
    let file = set::SetFile { path: "trust/policy.yaml".parse()?, digest: Digest::of(b"a policy"), size: 8 };
    let set = Set {
        schema_version: set::SCHEMA,
        generation: Generation::new(1),
        base,
        members: vec![Member { name: "wireguard".parse()?, version: "1.0.0".parse()?, manifest }],
        blobs: vec![Blob { digest: manifest, size: 10 }],
        files: vec![file],
    };
    Ok(set.to_json()?)
}
