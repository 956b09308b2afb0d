//! How long it takes to believe what is on a medium, as `cargo xtask bench trust` has it measured.
//!
//! ```text
//! trust make LAYOUT POLICY COUNT SIZE
//! trust measure LAYOUT POLICY RUNS
//! ```
//!
//! The first writes a layout of COUNT signed extensions, whose images are SIZE bytes of noise, and a policy that trusts
//! their key. The second prints one JSON object: the seconds that each run of each part took.
#![allow(clippy::print_stdout, reason = "a program")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use catalog::artifact::parse_config;
use catalog::{Entry, Layout, NewExtension, Store};
use serde_json::json;
use signing::{Occasion, SigningKey, Trust, TrustPolicy, Updates, clear, sign_extension, verify_extension};
use spec::artifact::{ExtensionConfig, limits};
use spec::listing::Listing;
use spec::{Digest, Hasher};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Read and hashed at a time, as at boot.
const PIECE: usize = 1 << 20;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["make", layout, policy, count, size] => {
            make(Path::new(layout), Path::new(policy), count.parse()?, size.parse()?)
        }
        ["measure", layout, policy, runs] => measure(Path::new(layout), Path::new(policy), runs.parse()?),
        _ => Err("usage: trust make LAYOUT POLICY COUNT SIZE | trust measure LAYOUT POLICY RUNS".into()),
    }
}

fn make(layout: &Path, policy: &Path, count: usize, size: u64) -> Result<()> {
    let key = SigningKey::from_seed([7; 32]);
    let store = Store::create_or_open(layout)?;
    for number in 0..count {
        let name = format!("bench-{number:02}").parse()?;
        let mut image = fs::File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(layout.with_extension("image"))?;
        let image_digest = noise(&mut image, number as u64 + 1, size)?;
        image.rewind()?;
        let manifest = store.assemble(NewExtension {
            config: &config(number)?,
            image: &mut image,
            image_digest,
            image_size: size,
            paths: &Listing::parse("/usr/\n/usr/bin/\n/usr/bin/hello\n")?,
            kabi: None,
        })?;
        store.attach_signature(&manifest, &sign_extension(&key, &name, &manifest.digest)?.to_json())?;
    }
    fs::remove_file(layout.with_extension("image"))?;
    let pem: String = key.public_key().to_pem().lines().map(|line| format!("      {line}\n")).collect();
    let head = "apiVersion: v1alpha1\nkind: TrustPolicy\nkeys:\n";
    fs::write(
        policy,
        format!("{head}  - name: bench\n    extensions: [\"bench-*\"]\n    publicKey: |\n{pem}"),
    )?;
    Ok(())
}

fn config(number: usize) -> Result<ExtensionConfig> {
    Ok(serde_json::from_value(json!({
        "schemaVersion": 1, "name": format!("bench-{number:02}"), "version": "1.0.0", "arch": "amd64",
        "description": "a bench", "content": {"inodes": 4, "bytes": 5},
    }))?)
}

/// What no compressor makes smaller (xorshift64; Marsaglia, "Xorshift RNGs", 2003).
fn noise(file: &mut fs::File, mut state: u64, size: u64) -> Result<Digest> {
    let (mut hasher, mut left) = (Hasher::new(), size);
    let mut piece = Vec::with_capacity(PIECE);
    while left > 0 {
        piece.clear();
        while piece.len() < PIECE {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            piece.extend(state.to_le_bytes());
        }
        piece.truncate(usize::try_from(left).unwrap_or(usize::MAX).min(PIECE));
        hasher.update(&piece);
        file.write_all(&piece)?;
        left -= piece.len() as u64;
    }
    Ok(hasher.finish())
}

fn measure(layout: &Path, policy: &Path, runs: usize) -> Result<()> {
    let mut seconds: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut time = |part, work: &dyn Fn() -> Result<()>| -> Result<()> {
        let started = Instant::now();
        work()?;
        seconds.entry(part).or_default().push(started.elapsed().as_secs_f64());
        Ok(())
    };
    for _ in 0..runs {
        time("believe", &|| believe(layout, policy))?;
        time("hash", &|| hash(layout))?;
    }
    let entries = Layout::open(layout)?.extensions().len();
    println!("{}", json!({ "extensions": entries, "seconds": seconds }));
    Ok(())
}

/// Everything of a set of extensions that is read before an image is.
fn believe(layout: &Path, policy: &Path) -> Result<()> {
    let text = fs::read_to_string(policy)?;
    let policy = TrustPolicy::parse(&text, "trust.yaml")?;
    let trust = Trust::establish(policy, &Updates::default(), Occasion::Boot(None));
    let layout = Layout::open(layout)?;
    for Entry { name, descriptor, .. } in layout.extensions() {
        let signatures = layout.signatures(&descriptor.digest);
        let verdict = verify_extension(&trust, &name, &descriptor.digest, &signatures.bundles);
        let refused = |refusal: signing::Refusal| format!("{name} is refused: {refusal}");
        let approval = verdict.map_err(refused)?;
        let parts = layout.read_parts(&descriptor)?;
        let config = parse_config(&layout.blob(&parts.config, limits::CONFIG)?, &parts.config)?;
        black_box(clear(&trust, approval, &config).map_err(refused)?);
    }
    Ok(())
}

/// All images, on all processors: each by one of them.
fn hash(layout: &Path) -> Result<()> {
    let layout = Layout::open(layout)?;
    let images = layout.extensions().into_iter().map(|entry| Ok(layout.read_parts(&entry.descriptor)?.image));
    let images = images.collect::<Result<Vec<_>>>()?;
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        let mut piece = vec![0; PIECE];
        while let Some(image) = images.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (mut file, mut hasher) = (layout.open_blob(&image.digest)?, Hasher::new());
            loop {
                match file.read(&mut piece)? {
                    0 => break,
                    count => hasher.update(&piece[..count]),
                }
            }
            if hasher.finish() != image.digest {
                return Err("other bytes".into());
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> =
            (0..thread::available_parallelism()?.get()).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a thread panicked")?)
    })
}
