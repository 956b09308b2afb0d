//! Bytes that are wrong lie in a store under the name of right ones, and a later pull finds them there.

use std::fs;

use spec::Digest;
use spec::defence::Threat;
use tests::Context;

use crate::harness::comes_to_nothing;
use crate::registry::{blob, registry, world};
use crate::world::Extension;

#[test]
fn what_lies_in_a_store_is_not_believed_for_its_name() {
    comes_to_nothing(Threat::A9, |programs| {
        let (world, manifest) = world();
        let (address, _) = registry(&world, &manifest, |_, honest| honest);
        let image = Extension::new("tool").image().0;
        let context = Context::new();
        programs.pull(&context, address, ":1.0.0");
        let stored = blob(&context.dir().join("out"), &Digest::of(&image));
        fs::remove_file(&stored).unwrap();
        fs::write(&stored, vec![0; image.len()]).unwrap();

        let outcome = programs.pull(&context, address, ":1.0.0");
        assert_eq!(outcome.code, Some(0), "{outcome:#?}");
        match fs::read(&stored).unwrap() == image {
            true => Ok(()),
            false => Err("the poisoned image was kept".to_owned()),
        }
    });
}
