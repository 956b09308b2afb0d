// node verify.cjs MODULES BUNDLE KEY
//
// Has @sigstore/verify judge a bundle by one public key (SPKI PEM). MODULES is the directory with node_modules. No
// transparency log and no timestamp is asked for: the bundle says when nothing.
"use strict";

const { readFileSync } = require("node:fs");
const { createPublicKey } = require("node:crypto");
const { createRequire } = require("node:module");

const [modules, bundleFile, keyFile] = process.argv.slice(2);
const from = createRequire(`${modules}/`);
const { bundleFromJSON } = from("@sigstore/bundle");
const { Verifier, toSignedEntity } = from("@sigstore/verify");

const publicKey = createPublicKey(readFileSync(keyFile));
const trust = {
  certificateAuthorities: [],
  timestampAuthorities: [],
  tlogs: [],
  ctlogs: [],
  publicKey: (hint) => ({ publicKey, hint, validFor: () => true }),
};
const verifier = new Verifier(trust, { tlogThreshold: 0, ctlogThreshold: 0, tsaThreshold: 0, timestampThreshold: 0 });

try {
  const bundle = bundleFromJSON(JSON.parse(readFileSync(bundleFile, "utf8")));
  verifier.verify(toSignedEntity(bundle));
  console.log("verified");
} catch (error) {
  console.error(`${error.code ?? error.name}: ${error.message}`);
  process.exit(1);
}
