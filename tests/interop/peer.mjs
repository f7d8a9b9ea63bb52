/**
 * Other implementations behind one pipe: a request a line on standard input, an answer a line on standard output.
 *
 * Digital Bazaar's @digitalbazaar/vc with its cryptosuites, the DCC's verifier-core, and jose. The contexts are
 * the pinned ones of the folder given as argument, DIDs are did:key and what a request brings the document of, and
 * nothing is fetched: whatever would need the network fails.
 */
import {readFileSync} from 'node:fs';
import {createInterface} from 'node:readline';

import * as EcdsaMultikey from '@digitalbazaar/ecdsa-multikey';
import * as Ed25519Multikey from '@digitalbazaar/ed25519-multikey';
import {cryptosuite as ecdsaRdfc} from '@digitalbazaar/ecdsa-rdfc-2019-cryptosuite';
import {cryptosuite as eddsaRdfc} from '@digitalbazaar/eddsa-rdfc-2022-cryptosuite';
import * as eddsaJcs from '@digitalbazaar/eddsa-jcs-2022-cryptosuite';
import {DataIntegrityProof} from '@digitalbazaar/data-integrity';
import * as vc from '@digitalbazaar/vc';
import * as jose from 'jose';

// Standard output is for answers alone, and verifier-core tells of the schemas that it could not fetch.
console.log = console.info = console.warn = () => {};
globalThis.fetch = () => Promise.reject(new Error('nothing is fetched'));
const {verifyCredential: verifierCore} = await import('@digitalcredentials/verifier-core');

const folder = process.argv[2];
const contexts = new Map(JSON.parse(readFileSync(`${folder}/manifest.json`)).map(
  ({url, file}) => [url, JSON.parse(readFileSync(`${folder}/${file}`))]));
const MULTIKEY = 'https://w3id.org/security/multikey/v1';

const SUITES = {
  'eddsa-rdfc-2022': {sign: eddsaRdfc, verify: eddsaRdfc},
  'eddsa-jcs-2022': {sign: eddsaJcs.createSignCryptosuite(), verify: eddsaJcs.createVerifyCryptosuite()},
  'ecdsa-rdfc-2019': {sign: ecdsaRdfc, verify: ecdsaRdfc}
};

async function documentLoader(url) {
  if(contexts.has(url)) {
    return {contextUrl: null, documentUrl: url, document: contexts.get(url)};
  }
  const [did, fragment] = url.split('#');
  if(documents.has(did)) {
    const document = documents.get(did);
    const method = document.verificationMethod.find(({id}) => id === url);
    return {contextUrl: null, documentUrl: url, document: fragment ? {'@context': MULTIKEY, ...method} : document};
  }
  if(!did.startsWith('did:key:')) {
    throw new Error(`not among the pinned contexts: ${url}`);
  }
  const publicKeyMultibase = did.slice('did:key:'.length);
  const id = `${did}#${publicKeyMultibase}`;
  const method = {'@context': MULTIKEY, id, type: 'Multikey', controller: did, publicKeyMultibase};
  const document = fragment ? method : {
    '@context': ['https://www.w3.org/ns/did/v1', MULTIKEY],
    id: did, verificationMethod: [method], assertionMethod: [id], authentication: [id]
  };
  return {contextUrl: null, documentUrl: url, document};
}

async function makeKey(cryptosuite) {
  const key = cryptosuite.startsWith('ecdsa') ?
    await EcdsaMultikey.generate({curve: 'P-256'}) : await Ed25519Multikey.generate({});
  const {publicKeyMultibase} = await key.export({publicKey: true});
  key.controller = `did:key:${publicKeyMultibase}`;
  key.id = `${key.controller}#${publicKeyMultibase}`;
  return key;
}

const keys = new Map();
const documents = new Map();

const operations = {
  async issuer({cryptosuite}) {
    if(!keys.has(cryptosuite)) {
      keys.set(cryptosuite, await makeKey(cryptosuite));
    }
    return keys.get(cryptosuite).controller;
  },
  async issue({cryptosuite, credential}) {
    const suite = new DataIntegrityProof({
      signer: keys.get(cryptosuite).signer(), cryptosuite: SUITES[cryptosuite].sign
    });
    return vc.issue({credential, suite, documentLoader});
  },
  async resolve({document}) {
    documents.set(document.id, document);
    return document.id;
  },
  async verify({credential}) {
    const suite = Object.values(SUITES).map(({verify}) => new DataIntegrityProof({cryptosuite: verify}));
    const result = await vc.verifyCredential({
      credential, suite, documentLoader, checkStatus: async () => ({verified: true})
    });
    return result.verified ? 'verified' : String(result.error?.errors?.[0] ?? result.error);
  },
  async verifierCore({credential}) {
    const result = await verifierCore({credential, knownDIDRegistries: []});
    const signature = result.log?.find(({id}) => id === 'valid_signature');
    return signature?.valid ? 'verified' : JSON.stringify(result.errors ?? result.log);
  },
  async joseVerify({token, jwk}) {
    const key = await jose.importJWK(jwk);
    return jose.compactVerify(token, key).then(() => 'verified', error => String(error));
  },
  async joseIssue({algorithm, header, payload}) {
    if(!keys.has(algorithm)) {
      keys.set(algorithm, await jose.generateKeyPair(algorithm, {extractable: true}));
    }
    const {publicKey, privateKey} = keys.get(algorithm);
    const token = await new jose.CompactSign(new TextEncoder().encode(JSON.stringify(payload)))
      .setProtectedHeader({alg: algorithm, ...header}).sign(privateKey);
    return {token, jwk: await jose.exportJWK(publicKey)};
  }
};

for await (const line of createInterface({input: process.stdin})) {
  const {operation, ...request} = JSON.parse(line);
  const answer = await operations[operation](request).then(
    value => ({value}), error => ({error: String(error?.stack ?? error)}));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
