//! The record of the modules in an image: a JSON document beside it, so that nobody must open the image to judge it.

use serde::{Deserialize, Serialize};
use spec::artifact::limits;
use spec::{Diagnose, ModuleName, Outcome};

use crate::Module;

/// The layout of the document that this version writes and reads.
const SCHEMA: u32 = 1;

/// The modules of an image, each name once, sorted by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    modules: Vec<Module>,
}

/// The document as it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document<M> {
    schema_version: u32,
    modules: M,
}

/// Why modules do not make a record, or a document is none.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Two files hold a module of the same name; `-` and `_` are the same.
    #[error("kernel ABI record: module {name} is there twice: {first} and {second}")]
    Duplicate {
        /// The name.
        name: ModuleName,
        /// One file.
        first: String,
        /// The other.
        second: String,
    },
    /// The document is larger than [`limits::FACTS`].
    #[error("kernel ABI record: the document has {0} bytes; at most {max} are read", max = limits::FACTS)]
    TooLarge(usize),
    /// It is no JSON document of this kind.
    #[error("kernel ABI record: the document cannot be read")]
    Json(#[source] serde_json::Error),
    /// It has another layout.
    #[error("kernel ABI record: the document has schemaVersion {0}; expected 1")]
    Schema(u32),
}

impl Diagnose for RecordError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}

impl Record {
    /// The record of these modules.
    pub fn new(mut modules: Vec<Module>) -> Result<Record, RecordError> {
        modules.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
        match modules.windows(2).find(|pair| pair[0].name == pair[1].name) {
            None => Ok(Record { modules }),
            Some(pair) => Err(RecordError::Duplicate {
                name: pair[0].name.clone(),
                first: pair[0].path.to_string(),
                second: pair[1].path.to_string(),
            }),
        }
    }

    /// Reads a document.
    pub fn parse(json: &[u8]) -> Result<Record, RecordError> {
        if json.len() as u64 > limits::FACTS {
            return Err(RecordError::TooLarge(json.len()));
        }
        let document: Document<Vec<Module>> = serde_json::from_slice(json).map_err(RecordError::Json)?;
        match document.schema_version {
            SCHEMA => Record::new(document.modules),
            other => Err(RecordError::Schema(other)),
        }
    }

    /// The document: one line of JSON, the same bytes for the same modules.
    pub fn to_json(&self) -> Vec<u8> {
        let document = Document { schema_version: SCHEMA, modules: &self.modules };
        serde_json::to_vec(&document).expect("strings and numbers always make JSON")
    }

    /// The modules by name.
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// The module of that name.
    pub fn get(&self, name: &ModuleName) -> Option<&Module> {
        let index = self.modules.binary_search_by(|module| module.name.cmp(name)).ok()?;
        self.modules.get(index)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use spec::Digest;

    use super::*;
    use crate::ModuleSignature;
    use crate::testing::{ModuleFile, module};

    /// A module that has every fact.
    fn everything() -> Module {
        let file = ModuleFile::new("everything")
            .layout(1280, Some(312), Some(1200))
            .section(".BTF", b"x")
            .info("intree", "Y")
            .info("livepatch", "Y")
            .info("srcversion", "A5")
            .info("depends", "a,b")
            .info("softdep", "pre: c")
            .info("weakdep", "d e")
            .info("firmware", "f.bin")
            .info("alias", "pci:v*")
            .info("import_ns", "N")
            .import("_printk", 1)
            .weak("maybe")
            .export_in("give", 2, true, "M");
        let signature = ModuleSignature {
            signer: Some("Somebody".parse().unwrap()),
            issuer: Some(Digest::of(b"Somebody")),
            key: "1ba0".parse().unwrap(),
            hash: "sha256".parse().unwrap(),
        };
        Module { signature: Some(signature), extended_only: true, ..file.parse() }
    }

    #[test]
    fn a_record_round_trips_and_is_sorted() {
        let record = Record::new(vec![
            ModuleFile::new("zeta").import("_printk", 1).weak("maybe").export("z", 2).parse(),
            ModuleFile::new("alpha").info("alias", "pci:v*").gpl_export("a", 3).parse(),
            everything(),
        ])
        .unwrap();
        assert_eq!(record.modules()[0].name.as_str(), "alpha");
        assert_eq!(Record::parse(&record.to_json()).unwrap(), record);
        assert_eq!(record.get(&"zeta".parse().unwrap()), Some(&record.modules()[2]));
        assert_eq!(record.get(&"beta".parse().unwrap()), None);
    }

    #[test]
    fn the_form_of_the_document_is_an_interface() {
        let record =
            Record::new(vec![everything(), module("a", &[("_printk", 0x92997ed8)], &[("give", 0x12)])])
                .unwrap();
        assert_eq!(
            String::from_utf8(record.to_json()).unwrap(),
            concat!(
                r#"{"schemaVersion":1,"modules":[{"name":"a","path":"/usr/lib/modules/6.1.0-test/kernel/a.ko","#,
                r#""arch":"amd64","vermagic":"6.1.0-test SMP mod_unload modversions ","versioned":true,"#,
                r#""layout":{"size":64},"license":"GPL","#,
                r#""imports":{"_printk":{"crc":"0x92997ed8"}},"exports":{"give":{"crc":"0x00000012"}}},"#,
                r#"{"name":"everything","path":"/usr/lib/modules/6.1.0-test/kernel/everything.ko","#,
                r#""arch":"amd64","vermagic":"6.1.0-test SMP mod_unload modversions ","versioned":true,"extendedOnly":true,"#,
                r#""layout":{"size":1280,"init":312,"exit":1200},"btf":"split","#,
                r#""signature":{"signer":"Somebody","#,
                r#""issuer":"sha256:9a220ba2513aefec81930512044cb5e6dd379a84abc274df3bb1829293d2f18d","#,
                r#""key":"1ba0","hash":"sha256"},"license":"GPL","#,
                r#""inTree":true,"livepatch":true,"srcversion":"A5","depends":["a","b"],"softdeps":["pre: c"],"#,
                r#""weakdeps":["d e"],"firmware":["f.bin"],"aliases":["pci:v*"],"namespaces":["N"],"#,
                r#""imports":{"_printk":{"crc":"0x00000001"},"maybe":{"weak":true}},"#,
                r#""exports":{"give":{"crc":"0x00000002","gpl":true,"namespace":"M"}}}]}"#
            )
        );
    }

    #[test]
    fn broken_documents_are_refused() {
        let good = String::from_utf8(Record::new(vec![everything()]).unwrap().to_json()).unwrap();
        assert!(Record::parse(good.as_bytes()).is_ok());
        for (from, to) in [
            ("schemaVersion\":1", "schemaVersion\":2"),
            ("\"arch\"", "\"colour\":1,\"arch\""),
            ("\"amd64\"", "\"vax\""),
            ("/usr/lib", "/usr/../lib"),
            ("}]}", "}"),
            ("SMP ", "SMP\\n"),
            ("\"size\":1280", "\"size\":4294967296"),
            ("\"size\"", "\"sizes\""),
            ("\"split\"", "\"else\""),
            ("\"1ba0\"", "\"1BA0\""),
            ("\"hash\"", "\"hashes\""),
            ("\"_printk\":{", "\"maybe\":{},\"_printk\":{"),
            ("\"give\":{", "\"give\":{},\"give\":{"),
            ("\"versioned\":true", "\"versioned\":1"),
        ] {
            assert!(good.contains(from), "{from}");
            assert!(Record::parse(good.replace(from, to).as_bytes()).is_err(), "{to}");
        }
    }

    #[test]
    fn one_name_is_one_module() {
        let mut other = module("a-b", &[], &[]);
        other.path = "/usr/lib/modules/6.1.0-test/extra/a_b.ko".parse().unwrap();
        let error = Record::new(vec![module("a_b", &[], &[]), other]).unwrap_err();
        assert!(error.to_string().contains("a_b is there twice"), "{error}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(index: prop::sample::Index, bytes in prop::collection::vec(any::<u8>(), 0..9)) {
            let mut json = Record::new(vec![everything()]).unwrap().to_json();
            let start = index.index(json.len());
            json.splice(start..(start + bytes.len()).min(json.len()), bytes);
            let _ = Record::parse(&json);
        }
    }
}
