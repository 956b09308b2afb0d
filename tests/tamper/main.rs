//! The attacks that Tenon is to withstand, each against the real programs, one file for each threat.
//!
//! A file says what the attack is and how it is refused. [`harness`] runs it twice: against the programs that users get,
//! which must refuse it and leave no trace, and against programs without the one defence, which must not. The numbers are
//! those of `spec::defence::Threat`; `docs/threats.md` has the table. Images are mounted, so the tests need root.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests; the allowance in clippy.toml covers only the tests themselves"
)]
#![allow(unreachable_pub, missing_docs, reason = "a test has no users")]

mod compose;
mod forge;
mod harness;
mod registry;
#[path = "../../catalog/tests/support/server.rs"]
mod server;
#[path = "../../extruntime/tests/world/mod.rs"]
mod world;

mod a1_old_policy;
mod a1_old_set;
mod a2_mix_and_match;
mod a3_wrong_name;
mod a4_wrong_architecture;
mod a5_manifest_and_index;
mod a6_other_statement;
mod a7_one_key_twice;
mod a8_no_fallback;
mod a9_killed_programs;
mod a9_poisoned_store;
mod b1_lying_registry;
mod b2_leaked_credentials;
mod b3_changing_tag;
mod b4_flood_of_signatures;
mod b5_missing_signature;
mod c10_undeclared_hooks;
mod c11_module_takeover;
mod c12_known_hole;
mod c1_hidden_files;
mod c2_replaced_files;
mod c3_colliding_extensions;
mod c4_special_permissions;
mod c5_special_files;
mod c6_astray_links;
mod c7_ambiguous_archives;
mod c8_kernel_parser;
mod c9_decompression_bomb;
mod d1_changing_bytes;
mod d2_swapped_paths;
mod d3_loop_devices;
mod d4_lying_index;
mod d5_unsigned_module;
mod lying_layouts;
mod switch;
mod table;
