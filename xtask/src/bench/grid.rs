//! `cargo xtask bench grid`: what block size and level cost, when an image is built and when it is read.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::guest::Guest;
use super::inputs::{self, Inputs};
use super::measure::{Usage, measured};
use super::reads::{self, Pick, TreeFile};
use super::statistics::{mean, median};
use super::table::{Table, block_size, megabytes};
use super::{PAGE, machine, page};
use crate::progress::Task;
use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{Error, cache, command, packages, programs};

const BLOCK_SIZES: [u64; 4] = [128 << 10, 256 << 10, 512 << 10, 1 << 20];
const LEVELS: [u32; 4] = [3, 9, 15, 18];

/// How many small reads are tried on each image.
const PICKS: usize = 500;

/// One kind of content, packed with every pair of settings.
struct Content {
    name: &'static str,
    tree: PathBuf,
    cells: Vec<Cell>,
}

/// One pair of settings: what building took, and what reading takes.
struct Cell {
    block_size: u64,
    level: u32,
    image: PathBuf,
    bytes: u64,
    built: Usage,
    /// Seconds of each time that everything was read.
    all: Vec<f64>,
    /// Seconds of each small read, of all runs.
    small: Vec<f64>,
    /// Seconds to load modules, of an image of modules.
    load: Option<f64>,
}

pub(super) fn run(steps: &mut Steps, workspace: &Workspace, runs: usize) -> Result<(), Error> {
    steps.run("rights", || if command::is_root() { Ok(()) } else { Err(Error::NotRoot) })?;
    steps.run("system packages", || packages::ensure(&[packages::BENCH, packages::BENCH_GUEST]))?;
    let inputs = steps.run("real inputs", || inputs::prepare(workspace))?;
    let extbuild = steps.run("our program", || programs::build_extbuild(workspace))?;
    let guest = steps.run("what is loaded", || Guest::plan(&inputs))?;
    let out = inputs.dir().join("grid");
    cache::remove_dir(&out)?;
    fs::create_dir_all(&out).map_err(Error::file("create", &out))?;
    let mut modules = steps.run("build modules", || build("Modules", inputs.modules(), &extbuild, &out))?;
    let mut userland = steps
        .run("build user space", || build("Firmware and user space", inputs.userland(), &extbuild, &out))?;
    let point = inputs.dir().join("mounted");
    steps.run("read modules", || modules.read(&point, runs))?;
    steps.run("read user space", || userland.read(&point, runs))?;
    steps.run("load modules", || modules.load(&guest, &inputs, runs))?;
    steps.run("page", || {
        let text = report(&modules, &userland, &guest, runs)?;
        println!("\n{text}");
        page::refresh(&workspace.root().join(PAGE), "bench grid", &text)
    })
}

/// Builds one image for each pair of settings, once: building repeats well, and the highest level takes long.
fn build(name: &'static str, tree: PathBuf, extbuild: &Path, out: &Path) -> Result<Content, Error> {
    inputs::count_and_read(&tree)?;
    let mut cells = Vec::new();
    for block in BLOCK_SIZES {
        for level in LEVELS {
            let task = Task::spin(format!("{name}: {} and level {level}", block_size(block)));
            let image = out.join(format!("{}-{}-{level}.sqfs", name.replace(' ', "-"), block_size(block)));
            let mut pack = Command::new(extbuild);
            pack.args(["image", "pack", "--no-cache"]).arg(&tree).arg("-o").arg(&image);
            pack.args(["--block-size", &block_size(block), "--level", &level.to_string()]);
            let built = measured(&pack, out)?;
            let bytes = image.metadata().map_err(Error::file("read", &image))?.len();
            task.finish(&format!("{:.2} s, {} MB", built.wall, megabytes(bytes)));
            cells.push(Cell {
                block_size: block,
                level,
                image,
                bytes,
                built,
                all: vec![],
                small: vec![],
                load: None,
            });
        }
    }
    Ok(Content { name, tree, cells })
}

impl Content {
    /// Reads from all images in rounds, so that a slow minute of the machine hits them alike.
    fn read(&mut self, point: &Path, rounds: usize) -> Result<(), Error> {
        let files = reads::files_of(&self.tree)?;
        let picks = reads::picks(&files, PICKS);
        for round in 1..=rounds {
            let task = Task::spin(format!("{}: {round}/{rounds}", self.name));
            for cell in &mut self.cells {
                cell.read(point, &files, &picks)?;
            }
            task.finish(&format!("{} files, {} small reads", files.len(), picks.len()));
        }
        Ok(())
    }

    fn load(&mut self, guest: &Guest, inputs: &Inputs, runs: usize) -> Result<(), Error> {
        let images: Vec<PathBuf> = self.cells.iter().map(|cell| cell.image.clone()).collect();
        let seconds = guest.load_from(&images, inputs, runs)?;
        for (cell, seconds) in self.cells.iter_mut().zip(seconds) {
            cell.load = Some(seconds);
        }
        Ok(())
    }

    /// One row per pair of settings.
    fn table(&self) -> Table {
        let mut header = vec![
            "block",
            "level",
            "size MB",
            "wall s",
            "CPU s",
            "peak MB",
            "read all s",
            "4 KiB ms",
            "mean ms",
        ];
        if self.cells.iter().any(|cell| cell.load.is_some()) {
            header.push("load ms");
        }
        let mut table = Table::new(&header);
        for cell in &self.cells {
            table.push(cell.row());
        }
        table
    }
}

impl Cell {
    fn read(&mut self, point: &Path, files: &[TreeFile], picks: &[Pick]) -> Result<(), Error> {
        self.all.push(reads::read_all(&self.image, point, files)?);
        self.small.extend(reads::read_picks(&self.image, point, picks)?);
        Ok(())
    }

    fn row(&self) -> Vec<String> {
        let mut row = vec![
            block_size(self.block_size),
            self.level.to_string(),
            megabytes(self.bytes),
            format!("{:.2}", self.built.wall),
            format!("{:.2}", self.built.cpu),
            megabytes(self.built.peak),
            format!("{:.2}", median(&self.all)),
            format!("{:.2}", median(&self.small) * 1e3),
            format!("{:.2}", mean(&self.small) * 1e3),
        ];
        row.extend(self.load.map(|seconds| format!("{:.0}", seconds * 1e3)));
        row
    }
}

fn report(modules: &Content, userland: &Content, guest: &Guest, runs: usize) -> Result<String, Error> {
    let mut text = machine::facts(&["squashfs-tools", "qemu-system-x86"])?;
    let _ = writeln!(
        text,
        "Each image was built once and read {runs} times; {} modules were loaded from it.\n",
        guest.modules()
    );
    for content in [modules, userland] {
        let files = reads::files_of(&content.tree)?;
        let bytes = files.iter().map(|file| file.length).sum();
        let _ = writeln!(
            text,
            "{} ({} files, {} MB):\n\n{}",
            content.name,
            files.len(),
            megabytes(bytes),
            content.table()
        );
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_a_cell_for_each_column_with_and_without_loads() {
        let cell = |load| Cell {
            block_size: 1 << 20,
            level: 9,
            image: PathBuf::new(),
            bytes: 240_760_320,
            built: Usage { wall: 6.125, cpu: 12.0, peak: 58_000_000 },
            all: vec![2.0, 9.0, 3.0],
            small: vec![0.001, 0.002, 0.006],
            load,
        };
        let last_row = |load| {
            let content = Content { name: "x", tree: PathBuf::new(), cells: vec![cell(load)] };
            let table = content.table().to_string();
            let columns = |line: Option<&str>| line.unwrap_or_default().matches('|').count();
            assert_eq!(columns(table.lines().next()), columns(table.lines().last()));
            table.lines().last().unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let figures = "| 1M | 9 | 240.76 | 6.12 | 12.00 | 58.00 | 3.00 | 2.00 | 3.00 |";
        assert_eq!(last_row(None), figures);
        assert_eq!(last_row(Some(1.2345)), format!("{figures} 1234 |"));
    }
}
