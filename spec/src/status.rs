//! What became of each extension at boot: `status.json`, for people by way of `extruntime status`, and for fleets.

use serde::{Deserialize, Serialize};

use crate::{Digest, ExtensionName, KernelRelease, ModuleName, Probe, Reason, Version};

/// The outcome of one boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Status {
    /// Layout of this document: 1.
    pub schema_version: u32,
    /// The running kernel, as `uname -r` says.
    pub kernel: KernelRelease,
    /// Name and version of the base OS.
    pub base: String,
    /// Which of the node's sets this is; none on a machine that keeps no sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<SetStatus>,
    /// Every extension that the machine config names, in its order.
    pub extensions: Vec<ExtensionStatus>,
    /// What concerns the boot as a whole: no machine config, say, so that the base runs alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One of the sets that a node keeps, as far as this boot is concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetStatus {
    /// Its number; 0 is the base, with what its medium has.
    pub generation: u64,
    /// Why it runs.
    pub role: SetRole,
    /// For one on trial, how often it will be tried again unless somebody confirms it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries_left: Option<u32>,
}

/// Why a set runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SetRole {
    /// It was staged and nobody has confirmed it yet.
    Trial,
    /// It was confirmed.
    Current,
    /// The current one cannot run here, and this one ran before it.
    Previous,
    /// No other can run here.
    Fallback,
}

/// The outcome for one extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExtensionStatus {
    /// The name that the machine config gives.
    pub name: ExtensionName,
    /// In or out.
    pub state: State,
    /// The version that was chosen, if one was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The manifest that was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The keys of the trust policy that signed it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signers: Vec<String>,
    /// The developer override of the trust policy that let it in without a signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub developer: Option<String>,
    /// Where its image is by itself, for as long as the system runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// What stands for each block of its image, if it has a hash tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verity_root: Option<Digest>,
    /// The modules that were loaded for it, in order: those that it asks for, and those that these need.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<ModuleStatus>,
    /// The settings of the kernel that were made for it, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<SettingStatus>,
    /// What shows that it works, for whoever confirms the set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<Probe>,
    /// Why it is out; empty when it is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// What is worth a second look, though it is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Reason>,
}

/// What the kernel said to a module that was to be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModuleStatus {
    /// The module.
    pub name: ModuleName,
    /// What it was told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub parameters: String,
    /// Why it is not loaded; none if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What the kernel said to a setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SettingStatus {
    /// Its key, with dots.
    pub key: String,
    /// What it was to be.
    pub value: String,
    /// Why it is not; none if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Is an extension part of the running system?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Its files are overlaid.
    Active,
    /// It was left out.
    Refused,
}
