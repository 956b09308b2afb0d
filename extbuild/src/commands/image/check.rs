//! `extbuild image check`

use std::fs::File;
use std::os::unix::fs::FileExt;

use serde_json::json;
use spec::verity::{BLOCK_SIZE, VerityFacts};
use spec::{Diagnose, Outcome};
use squash::image::{Finding, Findings, Limits};
use squash::{Image, verity};
use terminal::{Failure, Table};

use super::NoImage;
use crate::cli::ImageCheckArgs;
use crate::commands::{files, size};

pub(crate) fn run(args: ImageCheckArgs) -> Result<(), Failure> {
    let ImageCheckArgs { image: path, files, data, max_content, json } = args;
    let file = super::open(&path)?;
    let limits = Limits { content: max_content, ..Limits::default() };
    let image = Image::open(&file, &limits).map_err(NoImage::of(&path))?;
    let verity = verity_of(&file, &image);
    let in_data = if data { image.check_data()? } else { Findings::default() };
    let total = image.findings().total() + in_data.total();
    let findings: Vec<&Finding> = image.findings().iter().chain(in_data.iter()).collect();
    let facts = verity.as_ref().ok().and_then(Option::as_ref);
    match json {
        true => {
            let fault = verity.as_ref().err().map(Failure::sentence);
            print_json(&image, facts, fault, &findings, total, files)?;
        }
        false => print(&image, facts, &findings, files)?,
    }
    if let Some(first) = findings.first() {
        if let Err(failure) = &verity {
            terminal::warning(&failure.sentence());
        }
        return Err(Broken { rules: total, hint: first.hint() }.into());
    }
    verity?;
    if !json {
        terminal::success("the image breaks no rule");
    }
    Ok(())
}

/// What the verity area says, once every block of the image is what it says.
fn verity_of(file: &File, image: &Image<'_>) -> Result<Option<VerityFacts>, Failure> {
    let offset = image.bytes_used().next_multiple_of(BLOCK_SIZE);
    let mut magic = [0; verity::MAGIC.len()];
    if file.read_exact_at(&mut magic, offset).is_err() || magic != *verity::MAGIC {
        return Ok(None);
    }
    let facts = verity::claimed(file, offset)?;
    verity::check(file, &facts)?;
    Ok(Some(facts))
}

fn print(
    image: &Image<'_>,
    verity: Option<&VerityFacts>,
    findings: &[&Finding],
    files: bool,
) -> Result<(), Failure> {
    if files {
        files::print(image)?;
    }
    let mut table = Table::new(&[]);
    table.row(["compression".to_owned(), image.compression().to_string()]);
    table.row(["block size".to_owned(), format!("{} KiB", image.block_size() >> 10)]);
    table.row(["squashfs".to_owned(), size(image.bytes_used())]);
    table.row([
        "content".to_owned(),
        format!("{} in {} entries", size(image.content()), image.entries().count()),
    ]);
    if let Some(facts) = verity {
        table.row(["verity root".to_owned(), facts.root_hash.hex().to_string()]);
        table.row(["verity salt".to_owned(), facts.salt.to_string()]);
    }
    table.print()?;
    for finding in findings {
        terminal::warning(&finding.to_string());
    }
    Ok(())
}

fn print_json(
    image: &Image<'_>,
    verity: Option<&VerityFacts>,
    verity_fault: Option<String>,
    findings: &[&Finding],
    total: u64,
    files: bool,
) -> Result<(), Failure> {
    let mut value = json!({
        "compression": image.compression().to_string(),
        "blockSize": image.block_size(),
        "bytesUsed": image.bytes_used(),
        "content": image.content(),
        "verity": verity,
        "verityFault": verity_fault,
        "findings": findings.iter().map(|finding| json!({
            "place": finding.place.to_string(),
            "rule": finding.rule.to_string(),
        })).collect::<Vec<_>>(),
        "findingsTotal": total,
    });
    if files {
        value["files"] = json!(files::to_json(image));
    }
    Ok(terminal::json(&value)?)
}

/// The image breaks rules, which have been printed.
#[derive(Debug, thiserror::Error)]
#[error("the image breaks {}", count(*rules))]
struct Broken {
    rules: u64,
    hint: Option<String>,
}

fn count(rules: u64) -> String {
    match rules {
        1 => "a rule".to_owned(),
        _ => format!("{rules} rules"),
    }
}

impl Diagnose for Broken {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}
