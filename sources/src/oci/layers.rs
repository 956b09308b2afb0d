//! File systems on top of each other (image-spec 1.1, layer.md, "Applying Changesets").

use std::collections::BTreeMap;

use spec::TreePath;

use crate::listing::{Listing, Node, check_size};

/// A file with this before its name takes that name away from the layers below (layer.md, "Whiteouts").
const WHITEOUT: &str = ".wh.";

/// Takes away all that the layers below have in its directory (layer.md, "Opaque Whiteout").
const OPAQUE: &str = ".wh..wh..opq";

/// How many links one path may lead through: as many as Linux follows (include/linux/namei.h, `MAXSYMLINKS`).
const MAX_LINKS: usize = 40;

/// The layers so far as one.
#[derive(Debug, Default)]
pub(super) struct Layers {
    merged: BTreeMap<TreePath, Placed>,
    /// How many there are.
    count: usize,
    /// Links of layers below through which the current layer leads, each with a path of which that is so.
    followed: BTreeMap<TreePath, TreePath>,
}

/// Something and the layer that it comes from, counted from 1.
#[derive(Debug)]
struct Placed {
    layer: usize,
    node: Node,
}

impl Layers {
    /// Lays another one on top. What it takes away is taken from the layers below only, wherever in it that stands.
    ///
    /// Runtimes unpack a layer entry by entry. Where their order would decide what comes out, the layer is refused.
    pub(super) fn apply(&mut self, layer: Listing) -> Result<(), String> {
        self.count += 1;
        self.followed.clear();
        let (whiteouts, nodes): (Vec<_>, Vec<_>) =
            layer.into_nodes().into_iter().partition(|(path, _)| is_whiteout(path));
        // What becomes a directory hides nothing: whiteouts in it, which overlay file systems leave there, are in order.
        for (path, _) in nodes.iter().filter(|(_, node)| node.is_directory()) {
            let place = self.follow(path)?;
            if self.merged.get(&place).is_some_and(|placed| !placed.is_directory()) {
                self.merged.remove(&place);
            }
        }
        for (path, node) in &whiteouts {
            let place = self.follow(path)?;
            self.white_out(&place, node)?;
        }
        self.place_all(nodes)?;
        self.check_followed()?;
        self.check_parents()?;
        let names = self.merged.iter().map(|(path, placed)| placed.node.names(path)).sum();
        check_size(self.merged.len(), names)
    }

    /// All layers as one.
    pub(super) fn into_listing(self) -> Listing {
        Listing::of_nodes(self.merged.into_iter().map(|(path, placed)| (path, placed.node)).collect())
    }

    /// Where a path of the current layer is, once the links that layers below have in place of its directories are
    /// followed. Container runtimes do that too, and no link leads them out of the root. The last component may be a
    /// link.
    fn follow(&mut self, path: &TreePath) -> Result<TreePath, String> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(path.clone()) };
        let mut waiting: Vec<String> = parent.components().rev().map(str::to_owned).collect();
        let mut place = TreePath::root();
        let mut links = 0;
        while let Some(part) = waiting.pop() {
            if part == ".." {
                place = place.parent().unwrap_or(place);
                continue;
            }
            let next = join(&place, &part)?;
            match self.merged.get(&next) {
                Some(Placed { node: Node::Symlink(_), .. }) if links == MAX_LINKS => {
                    return Err(format!(
                        "its layer {} is about {path}, and that leads in circles",
                        self.count
                    ));
                }
                Some(Placed { node: Node::Symlink(target), .. }) => {
                    links += 1;
                    if target.starts_with('/') {
                        place = TreePath::root();
                    }
                    let parts = target.split('/').filter(|part| !matches!(*part, "" | "."));
                    waiting.extend(parts.rev().map(str::to_owned));
                    self.followed.insert(next, path.clone());
                }
                Some(placed) if !placed.is_directory() => {
                    return Err(not_a_directory(self.count, path, &next, placed.layer));
                }
                _ => place = next,
            }
        }
        join(&place, name)
    }

    fn white_out(&mut self, path: &TreePath, node: &Node) -> Result<(), String> {
        let malformed = || format!("{path} is not a whiteout, though it is named like one");
        let (Some(parent), Some(name), true) = (path.parent(), path.file_name(), node.is_empty_file()) else {
            return Err(malformed());
        };
        if name == OPAQUE {
            self.remove_below(&parent);
            return Ok(());
        }
        let hidden = name.strip_prefix(WHITEOUT).filter(|name| !name.starts_with(WHITEOUT));
        let hidden = hidden.and_then(|name| parent.join(name).ok()).filter(|hidden| *hidden != parent);
        let hidden = hidden.ok_or_else(malformed)?;
        self.remove_below(&hidden);
        self.merged.remove(&hidden);
        Ok(())
    }

    /// Places all that the layer has: first what it brings, then other names of what is below.
    fn place_all(&mut self, nodes: Vec<(TreePath, Node)>) -> Result<(), String> {
        let mut names = Vec::new();
        for (path, node) in nodes {
            let place = self.follow(&path)?;
            match node {
                Node::Below(target) => names.push((place, self.follow(&target)?)),
                node => self.place(place, node)?,
            }
        }
        for (path, target) in &names {
            let node = match self.merged.get_mut(target) {
                Some(placed) if !placed.is_directory() => placed.node.link(),
                Some(_) => return Err(format!("{path} is a hard link to the directory {target}")),
                None => return Err(format!("{path} is a hard link to {target}, which is not before it")),
            };
            self.place(path.clone(), node)?;
        }
        let is_below = |target| self.merged.get(target).is_some_and(|placed| placed.layer < self.count);
        match names.iter().find(|(_, target)| !is_below(target)) {
            Some((path, target)) => {
                Err(format!("{path} is a hard link to {target}, which its layer {} replaces", self.count))
            }
            None => Ok(()),
        }
    }

    /// Directories meet; anything else replaces what is there, and a directory with all that it holds.
    fn place(&mut self, path: TreePath, node: Node) -> Result<(), String> {
        let layer = self.count;
        match self.merged.get(&path) {
            Some(placed) if placed.is_directory() && node.is_directory() => return Ok(()),
            // Links lead to one place by several paths.
            Some(placed) if placed.layer == layer => {
                return Err(format!("its layer {layer} has {path} twice"));
            }
            _ => {}
        }
        if !node.is_directory() {
            if let Some((below, _)) = self.below(&path).find(|(_, placed)| placed.layer == layer) {
                return Err(not_a_directory(layer, below, &path, layer));
            }
            self.remove_below(&path);
        }
        self.merged.insert(path, Placed { layer, node });
        Ok(())
    }

    fn below<'a>(&'a self, path: &'a TreePath) -> impl Iterator<Item = (&'a TreePath, &'a Placed)> {
        let from = self.merged.range(path.clone()..).skip_while(move |(below, _)| *below == path);
        from.take_while(move |(below, _)| below.is_within(path))
    }

    fn remove_below(&mut self, path: &TreePath) {
        let below: Vec<TreePath> = self.below(path).map(|(below, _)| below.clone()).collect();
        for path in below {
            self.merged.remove(&path);
        }
    }

    /// Are the links through which the layer leads still there when it is applied?
    fn check_followed(&self) -> Result<(), String> {
        let layer = self.count;
        let is_there = |placed: &Placed| placed.layer < layer && matches!(placed.node, Node::Symlink(_));
        match self.followed.iter().find(|(link, _)| !self.merged.get(*link).is_some_and(is_there)) {
            Some((link, path)) => {
                Err(format!("its layer {layer} is about {path}, and replaces the link {link} above that"))
            }
            None => Ok(()),
        }
    }

    /// Does everything lie below directories?
    fn check_parents(&self) -> Result<(), String> {
        let mut leaf: Option<(&TreePath, usize)> = None;
        for (path, placed) in &self.merged {
            let layer = placed.layer;
            if let Some((leaf, other)) = leaf.filter(|(leaf, _)| path.is_within(leaf)) {
                return Err(not_a_directory(layer, path, leaf, other));
            }
            leaf = (!placed.is_directory()).then_some((path, layer));
        }
        Ok(())
    }
}

impl Placed {
    fn is_directory(&self) -> bool {
        self.node.is_directory()
    }
}

fn join(place: &TreePath, name: &str) -> Result<TreePath, String> {
    place.join(name).map_err(|error| error.to_string())
}

fn not_a_directory(layer: usize, path: &TreePath, leaf: &TreePath, other: usize) -> String {
    format!("its layer {layer} is about {path}, but {leaf} is not a directory in its layer {other}")
}

fn is_whiteout(path: &TreePath) -> bool {
    path.file_name().is_some_and(|name| name.starts_with(WHITEOUT))
}
