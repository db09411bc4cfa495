// A wallet's claim built, simulated, sent and confirmed with @solana/web3.js against a drill, and one that is refused.
//
// Standard input: {url, secret, proof: {key, signature, message}, claim: {program, data, keys}, again: the same shape}.
// Standard output: what the client saw, as JSON. Any error ends the process with a code other than 0.
"use strict";

const web3 = require("@solana/web3.js");

const bytes = (text) => Buffer.from(text, "base64");

function claimOf({ program, data, keys }) {
  return new web3.TransactionInstruction({
    programId: new web3.PublicKey(program),
    data: bytes(data),
    keys: keys.map(([pubkey, isSigner, isWritable]) => ({ pubkey: new web3.PublicKey(pubkey), isSigner, isWritable })),
  });
}

async function main(given) {
  const connection = new web3.Connection(given.url, "confirmed");
  const payer = web3.Keypair.fromSecretKey(bytes(given.secret));
  const proof = web3.Ed25519Program.createInstructionWithPublicKey({
    publicKey: bytes(given.proof.key),
    signature: bytes(given.proof.signature),
    message: bytes(given.proof.message),
  });
  const transaction = new web3.Transaction();
  for (const part of given.before) transaction.add(claimOf(part));
  transaction.add(proof, claimOf(given.claim));
  const airdrop = await connection.requestAirdrop(payer.publicKey, 2 * web3.LAMPORTS_PER_SOL);
  await connection.confirmTransaction(airdrop, "confirmed");
  const signature = await web3.sendAndConfirmTransaction(connection, transaction, [payer], { commitment: "confirmed" });
  const status = (await connection.getSignatureStatuses([signature])).value[0];
  const again = new web3.Transaction().add(proof, claimOf(given.claim));
  let refusal = null;
  try {
    await connection.sendTransaction(again, [payer]);
  } catch (error) {
    refusal = { name: error.constructor.name, message: error.message, logs: error.logs };
  }
  const fee = await connection.getFeeForMessage(again.compileMessage());
  const height = await connection.getBlockHeight();
  const balance = await connection.getTokenAccountBalance(new web3.PublicKey(given.account));
  const listed = await connection.getSignaturesForAddress(payer.publicKey, {}, "confirmed");
  return { signature, status, refusal, fee: fee.value, height, balance: balance.value, listed: listed.map((row) => row.signature) };
}

let text = "";
process.stdin.on("data", (part) => (text += part));
process.stdin.on("end", () =>
  main(JSON.parse(text)).then(
    (found) => process.stdout.write(JSON.stringify(found), () => process.exit(0)),
    (error) => {
      process.stderr.write(String(error.stack || error));
      process.exit(1);
    },
  ),
);
