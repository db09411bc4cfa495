// Reads served cases with the official JavaScript clients and prints what they saw, as JSON.
//
// Standard input: {name: {url, grants: [address], accounts: [address], program}}.
// Standard output: {name: {web3: {…}, kit: {…}}}. Any error ends the process with a code other than 0.
"use strict";

const { Connection, PublicKey } = require("@solana/web3.js");
const { createSolanaRpc } = require("@solana/rpc");

const CLAIMS = new Set(["7d86e9875212b108", "021c4156b6aea735"]);
const ED25519 = "Ed25519SigVerify111111111111111111111111111";
const PAGE = 7;
const BATCH = 20;

function entryHash(before) {
  if (!before || before.program !== ED25519) return null;
  const start = before.data.readUInt16LE(10);
  const size = before.data.readUInt16LE(12);
  const message = before.data.subarray(start, start + size);
  return size === 177 || size === 209 ? message.subarray(size - 40, size - 8).toString("hex") : null;
}

function claimsIn(signature, slot, time, err, instructions, program) {
  return instructions
    .map((item, at) => ({ ...item, before: instructions[at - 1] }))
    .filter((item) => item.program === program && CLAIMS.has(item.data.subarray(0, 8).toString("hex")))
    .map((item) => [
      signature,
      Number(slot),
      time === null ? null : Number(time),
      err === null,
      item.accounts[0],
      item.accounts[3],
      Number(item.data.readBigUInt64LE(8)),
      entryHash(item.before),
    ]);
}

async function signaturesWithWeb3(connection, grants) {
  const found = new Map();
  for (const grant of grants) {
    let before;
    for (;;) {
      const rows = await connection.getSignaturesForAddress(new PublicKey(grant), { before, limit: PAGE });
      if (rows.length === 0) break;
      for (const row of rows) found.set(row.signature, row);
      before = rows[rows.length - 1].signature;
    }
  }
  return [...found.keys()];
}

async function readWithWeb3({ url, grants, accounts, program }) {
  const connection = new Connection(url, { commitment: "finalized", disableRetryOnRateLimit: true });
  const signatures = await signaturesWithWeb3(connection, grants);
  const claims = [];
  let parsed = 0;
  const config = { maxSupportedTransactionVersion: 0, commitment: "finalized" };
  for (let at = 0; at < signatures.length; at += BATCH) {
    const part = signatures.slice(at, at + BATCH);
    const answers = await connection.getTransactions(part, config); // one batch of JSON-RPC
    answers.forEach((answer, place) => {
      if (answer === null) return;
      const message = answer.transaction.message;
      const keys = message.getAccountKeys({ accountKeysFromLookups: answer.meta.loadedAddresses });
      const instructions = message.compiledInstructions.map((item) => ({
        program: keys.get(item.programIdIndex).toBase58(),
        accounts: item.accountKeyIndexes.map((key) => keys.get(key).toBase58()),
        data: Buffer.from(item.data),
      }));
      claims.push(...claimsIn(part[place], answer.slot, answer.blockTime, answer.meta.err, instructions, program));
    });
    const known = await connection.getParsedTransactions(part, config);
    parsed += known.filter((answer) => answer !== null && answer.transaction.message.instructions.length > 0).length;
  }
  const slot = await connection.getSlot();
  const infos = [];
  for (let at = 0; at < accounts.length; at += 100) {
    const part = accounts.slice(at, at + 100).map((key) => new PublicKey(key));
    infos.push(...(await connection.getMultipleAccountsInfo(part)));
  }
  const own = await connection.getProgramAccounts(new PublicKey(program), { filters: [{ dataSize: 73 }] });
  const statuses = await connection.getSignatureStatuses(signatures.slice(0, 256), { searchTransactionHistory: true });
  return {
    claims,
    parsed,
    transactions: signatures.length,
    slot,
    time: await connection.getBlockTime(slot),
    genesis: await connection.getGenesisHash(),
    accounts: infos.map((info) => (info === null ? null : Buffer.from(info.data).toString("base64"))),
    program_accounts: own.map((item) => item.pubkey.toBase58()),
    errors: statuses.value.map((status) => status !== null && status.err !== null).filter(Boolean).length,
    version: (await connection.getVersion())["solana-core"],
  };
}

async function readWithKit({ url, grants, accounts, program }) {
  const rpc = createSolanaRpc(url);
  const transactions = [];
  const seen = new Set();
  for (const grant of grants) {
    for (const row of await rpc.getSignaturesForAddress(grant, { limit: 1000 }).send()) seen.add(row.signature);
  }
  const config = { encoding: "base64", maxSupportedTransactionVersion: 0 };
  const signatures = [...seen];
  for (let at = 0; at < signatures.length; at += BATCH) {
    const part = signatures.slice(at, at + BATCH);
    const answers = await Promise.all(part.map((signature) => rpc.getTransaction(signature, config).send()));
    answers.forEach((answer, place) => {
      if (answer !== null) transactions.push([part[place], Number(answer.slot), Number(answer.blockTime), answer.meta.err === null]);
    });
  }
  const { context, value } = await rpc.getMultipleAccounts(accounts.slice(0, 100), { encoding: "base64" }).send();
  return {
    transactions,
    slot: Number(await rpc.getSlot().send()),
    context: Number(context.slot),
    genesis: await rpc.getGenesisHash().send(),
    health: await rpc.getHealth().send(),
    accounts: value.map((account) => (account === null ? null : account.data[0])),
    program_accounts: (await rpc.getProgramAccounts(program, { encoding: "base64", filters: [{ dataSize: 73n }] }).send()).map(
      (item) => item.pubkey,
    ),
  };
}

async function main() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  const cases = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  const found = {};
  for (const [name, served] of Object.entries(cases)) {
    found[name] = { web3: await readWithWeb3(served), kit: await readWithKit(served) };
  }
  process.stdout.write(JSON.stringify(found));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
