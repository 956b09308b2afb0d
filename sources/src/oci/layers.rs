//! File systems on top of each other (image-spec 1.1, layer.md, "Applying Changesets").

use std::collections::BTreeMap;

use spec::TreePath;

use crate::listing::{Listing, Node, check_size};

/// A file with this before its name takes that name away from the layers below (layer.md, "Whiteouts").
const WHITEOUT: &str = ".wh.";

/// Takes away all that the layers below have in its directory (layer.md, "Opaque Whiteout").
const OPAQUE: &str = ".wh..wh..opq";

/// The layers so far as one.
#[derive(Debug, Default)]
pub(super) struct Layers {
    merged: BTreeMap<TreePath, Placed>,
    /// How many there are.
    count: usize,
}

/// Something and the layer that it comes from, counted from 1.
#[derive(Debug)]
struct Placed {
    layer: usize,
    node: Node,
}

impl Layers {
    /// Lays another one on top. What it takes away is taken from the layers below only, wherever in it that stands.
    pub(super) fn apply(&mut self, layer: Listing) -> Result<(), String> {
        self.count += 1;
        let (whiteouts, nodes): (Vec<_>, Vec<_>) =
            layer.into_nodes().into_iter().partition(|(path, _)| is_whiteout(path));
        // What becomes a directory hides nothing: whiteouts in it, which overlay file systems leave there, are in order.
        for (path, _) in nodes.iter().filter(|(_, node)| node.is_directory()) {
            if self.merged.get(path).is_some_and(|placed| !placed.is_directory()) {
                self.merged.remove(path);
            }
        }
        for (path, node) in &whiteouts {
            self.white_out(path, node)?;
        }
        for (path, node) in nodes {
            self.place(path, node);
        }
        self.check_parents()?;
        let names = self.merged.iter().map(|(path, placed)| placed.node.names(path)).sum();
        check_size(self.merged.len(), names)
    }

    /// All layers as one.
    pub(super) fn into_listing(self) -> Listing {
        Listing::of_nodes(self.merged.into_iter().map(|(path, placed)| (path, placed.node)).collect())
    }

    fn white_out(&mut self, path: &TreePath, node: &Node) -> Result<(), String> {
        let malformed = || format!("{path} is not a whiteout, though it is named like one");
        let (Some(parent), Some(name), true) = (path.parent(), path.file_name(), node.is_empty_file()) else {
            return Err(malformed());
        };
        if name == OPAQUE {
            self.check_above(path)?;
            self.remove_below(&parent);
            return Ok(());
        }
        let hidden = name.strip_prefix(WHITEOUT).filter(|name| !name.starts_with(WHITEOUT));
        let hidden = hidden.and_then(|name| parent.join(name).ok()).filter(|hidden| *hidden != parent);
        let hidden = hidden.ok_or_else(malformed)?;
        self.check_above(&hidden)?;
        self.remove_below(&hidden);
        self.merged.remove(&hidden);
        Ok(())
    }

    /// Directories meet; anything else replaces what is there, and a directory with all that it holds.
    fn place(&mut self, path: TreePath, node: Node) {
        let layer = self.count;
        let meets = node.is_directory() && self.merged.get(&path).is_some_and(Placed::is_directory);
        if !meets {
            // Of this layer nothing is there yet: a path comes before what lies below it.
            self.remove_below(&path);
            self.merged.insert(path, Placed { layer, node });
        }
    }

    fn remove_below(&mut self, path: &TreePath) {
        let below = self.merged.range(path.clone()..).map(|(below, _)| below);
        let below: Vec<TreePath> = below
            .skip_while(|below| *below == path)
            .take_while(|below| below.is_within(path))
            .cloned()
            .collect();
        for path in below {
            self.merged.remove(&path);
        }
    }

    /// As [`Layers::check_parents`], for what is to be taken away.
    fn check_above(&self, path: &TreePath) -> Result<(), String> {
        let mut above = path.parent();
        while let Some(parent) = above {
            if let Some(placed) = self.merged.get(&parent).filter(|placed| !placed.is_directory()) {
                return Err(not_a_directory(self.count, path, &parent, placed.layer));
            }
            above = parent.parent();
        }
        Ok(())
    }

    /// A file or link of a layer below is never a directory of the one above it: whoever unpacks layers follows the
    /// link, and writes somewhere else than the layer says.
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

fn not_a_directory(layer: usize, path: &TreePath, leaf: &TreePath, other: usize) -> String {
    format!("its layer {layer} is about {path}, but {leaf} is not a directory in its layer {other}")
}

fn is_whiteout(path: &TreePath) -> bool {
    path.file_name().is_some_and(|name| name.starts_with(WHITEOUT))
}
