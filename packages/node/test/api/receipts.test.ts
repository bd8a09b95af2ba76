import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  activateMachine,
  type Client,
  createClient,
  registerMachine,
  type Wallet,
} from '@liquefy/client'
import {
  checkCompleteness,
  checkpointTypedData,
  decodeEnvelope,
  decodeReceipt,
  decodeStrict,
  encodeRootHeader,
  encodeSignedRoot,
  type Hex,
  type LogIdentity,
  type PublicKey,
  privateKeyFromBytes,
  rootSigningHash,
  splitStatement,
  verifyConsistencyReceipt,
  verifyInclusionReceipt,
  verifySignedRoot,
} from '@liquefy/protocol'
import pino from 'pino'
import { createWalletClient, http } from 'viem'
import { type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningNode, startNode } from '../../src/index.ts'
import { connectDevice } from '../device.ts'

const COUNT = 6
let dataDir: string
let node: RunningNode
let client: Client
let machineId: bigint
let log: LogIdentity
const key = privateKeyFromBytes('P-256', randomBytes(32))

const start = async () => {
  node = await startNode({
    dataDir,
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    anchorIntervalMs: 2 ** 31 - 1,
    logger: pino({ level: 'silent' }),
  })
  client = createClient({ url: node.url })
}

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'liquefy-receipts-'))
  await start()
  const { deployment } = node
  const { chainId, evidenceAnchor: anchor } = deployment
  log = { chainId, log: deployment.log.toLowerCase() as Hex, anchor }
  const { publicClient } = node.chain
  const [owner] = node.keys.people.map(
    ({ account }): Wallet =>
      createWalletClient({ account, chain: publicClient.chain, transport: http(node.rpcUrl) }),
  )
  if (!owner) throw new Error('somebody owns it')
  const by = { deployment, publicClient, wallet: owner }
  machineId = await registerMachine({ ...by, key })
  await activateMachine({ ...by, machineId })
  await node.idle()
  const device = await connectDevice(node, machineId, key)
  for (let index = 1; index <= COUNT; index += 1) {
    expect(await device.publish(BigInt(index) * 100n)).toBe('OK')
  }
  await device.close()
}, 300_000)

afterAll(async () => {
  await node?.stop()
  await rm(dataDir, { recursive: true, force: true })
})

const ask = (path: string, init?: RequestInit) => fetch(new URL(path, node.url), init)
const give = (body: Uint8Array | object) =>
  ask('/v1/log/checkpoints', {
    method: 'POST',
    headers: {
      'content-type': body instanceof Uint8Array ? 'application/cose' : 'application/json',
    },
    body: body instanceof Uint8Array ? Buffer.from(body) : JSON.stringify(body),
  })

/** A root that an account signs as the log would. */
async function stated(account: PrivateKeyAccount, size: bigint, root: Hex, identity = log) {
  const { publicKey } = account
  const point: PublicKey = {
    curve: 'secp256k1',
    x: `0x${publicKey.slice(4, 68)}`,
    y: `0x${publicKey.slice(68)}`,
  }
  const header = { key: point, size, iat: 1_760_000_000 }
  const protectedBytes = encodeRootHeader({ ...identity, log: account.address }, header)
  const hex = await account.sign({ hash: rootSigningHash(protectedBytes, root) })
  const signature = Buffer.from(hex.slice(2, 130), 'hex')
  return encodeSignedRoot({ size, root, protectedBytes, signature })
}

const checkpointBy = async (account: PrivateKeyAccount, size: bigint, root: Hex) => {
  const timestamp = Date.now()
  const { chainId, anchor } = log
  const typed = checkpointTypedData({ chainId, anchor, size, root, timestamp })
  return { size: String(size), root, timestamp, signature: await account.signTypedData(typed) }
}

describe('receipts', () => {
  test('each envelope has one: signed by the log, and its proof leads to the root that was signed', async () => {
    for (let index = 0; index < COUNT; index += 1) {
      const answer = await ask(`/v1/envelopes/${index}/statement`)
      expect(answer.headers.get('content-type')).toBe('application/scitt-statement+cose')
      const split = splitStatement(new Uint8Array(await answer.arrayBuffer()))
      if (!split.ok) throw new Error(split.message)
      const decoded = decodeEnvelope(split.envelope)
      if (!decoded.ok) throw new Error(decoded.message)
      const proof = await client.envelope(String(index))
      expect(Buffer.from(split.envelope).toString('base64')).toBe(proof.raw)
      const [bytes = new Uint8Array()] = split.receipts
      expect(Buffer.from(bytes)).toEqual(Buffer.from(await client.receipt(String(index))))
      const receipt = decodeReceipt(bytes)
      if (!receipt.ok) throw new Error(receipt.message)
      const { digest } = decoded.envelope
      const verified = verifyInclusionReceipt(receipt.receipt, { digest, log })
      expect(verified).toMatchObject({ ok: true, signed: { root: proof.checkpoint.root } })
    }
  })

  test('one signature serves all leaves of a size', async () => {
    const signatures = await Promise.all(
      Array.from({ length: COUNT }, async (_, index) => {
        const receipt = decodeReceipt(await client.receipt(String(index)))
        return receipt.ok ? Buffer.from(receipt.receipt.signature).toString('hex') : ''
      }),
    )
    expect(new Set(signatures).size).toBe(1)
  })

  test('consistency: what was signed later has what was signed before', async () => {
    const first = decodeReceipt(await client.signedRoot('2'))
    if (!first.ok) throw new Error(first.message)
    const verified = verifySignedRoot(first.receipt, log)
    if (!verified.ok) throw new Error(verified.message)
    const second = decodeReceipt(await client.consistencyReceipt('2', String(COUNT)))
    if (!second.ok) throw new Error(second.message)
    const { root: root1 } = verified.signed
    const head = await client.logHead()
    expect(verifyConsistencyReceipt(second.receipt, { root1, log })).toMatchObject({
      ok: true,
      signed: { size: BigInt(COUNT), root: head.root },
    })
    const other: Hex = `0x${'ab'.repeat(32)}`
    expect(verifyConsistencyReceipt(second.receipt, { root1: other, log }).ok).toBe(false)
  })

  test('the key is told as a COSE Key Set, by its thumbprint, and in hex', async () => {
    const told = await client.logKey()
    expect(told.address).toBe(log.log)
    const answer = await ask('/.well-known/scitt-keys')
    expect(answer.headers.get('content-type')).toBe('application/cbor')
    const limits = { maxBytes: 1_000, maxDepth: 4, tags: [] }
    const set = decodeStrict(new Uint8Array(await answer.arrayBuffer()), limits)
    const [cose] = set.ok ? (set.value as Map<number, Uint8Array | number>[]) : []
    const hexOf = (label: number) =>
      `0x${Buffer.from(cose?.get(label) as Uint8Array).toString('hex')}`
    expect([hexOf(-2), hexOf(-3), hexOf(2)]).toEqual([told.x, told.y, told.kid])
    expect([cose?.get(1), cose?.get(-1), cose?.get(3)]).toEqual([2, 8, -47])
    const kid = Buffer.from(told.kid.slice(2), 'hex').toString('base64url')
    expect((await ask(`/.well-known/scitt-keys/${kid}`)).status).toBe(200)
    expect((await ask(`/.well-known/scitt-keys/${'A'.repeat(43)}`)).status).toBe(404)
  })

  test.each([
    ['/v1/envelopes/99/receipt', 404, 'ENVELOPE_UNKNOWN'],
    ['/v1/log/roots/99', 400, 'REQUEST_INVALID'],
    ['/v1/log/consistency/receipt?from=2&to=99', 400, 'REQUEST_INVALID'],
    ['/v1/log/consistency/receipt?from=0&to=2', 400, 'REQUEST_INVALID'],
    ['/v1/machines/1/streams/weight/statements?from=2&to=1', 400, 'REQUEST_INVALID'],
    ['/v1/machines/1/streams/weight/statements?from=1&to=1001', 400, 'REQUEST_INVALID'],
  ])('%s is %i %s', async (path, status, code) => {
    const answer = await ask(path)
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
      status,
      code,
    ])
  })
})

describe('a stream', () => {
  const complete = async (from: bigint, to: bigint) => {
    const statements = await client.statements(String(machineId), 'weight', {
      from: String(from),
      to: String(to),
    })
    const check = checkCompleteness({
      log,
      registry: node.deployment.registry.toLowerCase() as Hex,
      machineId,
      stream: 'weight',
      from: { seq: from - 1n },
      to: { seq: to },
      keyOf: () => key.publicKey,
    })
    for (const statement of statements) check.take(statement)
    return check.end()
  }

  test('is told whole, and in parts', async () => {
    expect(await complete(1n, BigInt(COUNT))).toMatchObject({ faults: [], envelopes: COUNT })
    expect(await complete(3n, 4n)).toMatchObject({ faults: [], envelopes: 2 })
    expect(await complete(5n, 8n)).toMatchObject({
      faults: [{ code: 'OMITTED', seq: 7n, lastSeq: 8n }],
    })
  })

  test('its receipts lead to the root that is anchored on the ledger, once that covers it', async () => {
    await node.anchorNow()
    const { roots } = await complete(1n, BigInt(COUNT))
    const [root] = roots
    const onLedger = await node.chain.publicClient.readContract({
      address: log.anchor,
      abi: [
        {
          type: 'function',
          name: 'rootAt',
          stateMutability: 'view',
          inputs: [{ type: 'address' }, { type: 'uint64' }],
          outputs: [{ type: 'bytes32' }],
        },
      ],
      functionName: 'rootAt',
      args: [log.log, root?.size ?? 0n],
    })
    expect(roots).toHaveLength(1)
    expect(root?.root).toBe(onLedger)
  })
})

describe('split view', () => {
  const forged: Hex = `0x${'66'.repeat(32)}`
  const stranger = privateKeyToAccount(`0x${'44'.repeat(32)}`)

  test('what this log has signed is consistent with it, whoever hands it in', async () => {
    const { anchored: _, ...head } = await client.logHead()
    expect(await client.submitLogStatement(head)).toMatchObject({ verdict: 'CONSISTENT' })
    const given = [
      await client.signedRoot('3'),
      await client.transparentStatement('2'),
      await stated(node.keys.operator, BigInt(head.size), head.root),
    ]
    for (const statement of given) {
      expect(await client.submitLogStatement(statement)).toMatchObject({ verdict: 'CONSISTENT' })
    }
    expect(await client.splitViews()).toEqual([])
  })

  test('ATK nobody halts the log without its key', async () => {
    const own = new Uint8Array(await client.signedRoot('3'))
    const statement = await client.transparentStatement('2')
    const elsewhere = { ...log, chainId: log.chainId + 1 }
    const attempts: [Uint8Array | object, string][] = [
      [await stated(stranger, 2n, forged), 'RECEIPT_OF_ANOTHER_LOG'],
      // The log's name with another's signature.
      [own.with(own.length - 1, (own.at(-1) ?? 0) ^ 1), 'RECEIPT_SIGNATURE_INVALID'],
      // Its signature under another root, or another size.
      [swap(own, forged), 'RECEIPT_SIGNATURE_INVALID'],
      [await stated(node.keys.operator, 2n, forged, elsewhere), 'RECEIPT_OF_ANOTHER_LOG'],
      [await checkpointBy(stranger, 2n, forged), 'CHECKPOINT_SIGNATURE_INVALID'],
      [
        { ...(await checkpointBy(node.keys.operator, 2n, forged)), size: '1' },
        'CHECKPOINT_SIGNATURE_INVALID',
      ],
      [{ size: 2, root: forged }, 'CHECKPOINT_MALFORMED'],
      [
        { size: '9'.repeat(30), root: forged, timestamp: 1, signature: '0x' },
        'CHECKPOINT_MALFORMED',
      ],
      [{}, 'CHECKPOINT_MALFORMED'],
      [new Uint8Array(10_000), 'RECEIPT_MALFORMED'],
      [statement.with(40, (statement.at(40) ?? 0) ^ 1), ''],
    ]
    for (const [body, code] of attempts) {
      const answer = await give(body)
      expect(answer.status).toBe(422)
      if (code) expect(((await answer.json()) as { code: string }).code).toBe(code)
    }
    expect((await give(new Uint8Array(200_000))).status).toBe(413)
    expect(await client.splitViews()).toEqual([])
    expect((await ask('/healthz')).status).toBe(200)
  })

  test('ATK a flood of statements is answered or told to wait, and halts nothing', async () => {
    const one = await stated(stranger, 2n, forged)
    const answers = await Promise.all(Array.from({ length: 200 }, () => give(one)))
    const statuses = new Set(answers.map(({ status }) => status))
    for (const status of statuses) expect([422, 503]).toContain(status)
    expect((await ask('/healthz')).status).toBe(200)
  })

  test('another root for a size, signed by the log: both are kept, the log halts, and everybody is told', async () => {
    const bad = await stated(node.keys.operator, 4n, forged)
    const judged = await client.submitLogStatement(bad)
    expect(judged).toMatchObject({
      verdict: 'SPLIT_VIEW',
      splitView: { kind: 'two-roots', size: '4', root: forged },
    })
    await haltedBy(bad)
    // Nothing is acknowledged any more.
    const device = await connectDevice(node, machineId, key, [forged])
    const sent = device.publish(900n).then(() => 'logged')
    const pause = new Promise((resolve) => setTimeout(() => resolve('waits'), 1_000))
    expect(await Promise.race([sent, pause])).toBe('waits')
    sent.catch(() => undefined)
    await device.close()
  })

  test('a restart changes nothing of it, and what was logged is still told', async () => {
    const before = await client.splitViews()
    await node.stop()
    await start()
    expect(await client.splitViews()).toEqual(before)
    const answer = await ask('/healthz')
    expect(answer.status).toBe(503)
    expect(((await answer.json()) as { log: string }).log).toContain('two roots for size 4')
    expect((await client.logKey()).address).toBe(log.log)
    await expect(client.logHead()).rejects.toMatchObject({ code: 'LOG_HALTED', status: 503 })
    const proof = await ask('/v1/log/consistency?from=1&to=2')
    expect(proof.status).toBe(503)
  })

  /** Both statements verify by the key alone, and are told wherever an operator looks. */
  async function haltedBy(bad: Uint8Array) {
    const [view] = await client.splitViews()
    if (view?.statement.form !== 'cose') throw new Error('it is kept as it was handed in')
    expect(view.statement.signed).toBe(Buffer.from(bad).toString('base64'))
    const roots = [view.statement.signed, view.own.signed ?? ''].map((signed) => {
      const decoded = decodeReceipt(Buffer.from(signed, 'base64'))
      const verified = decoded.ok && verifySignedRoot(decoded.receipt, log)
      if (verified === false || !verified.ok) throw new Error('it is signed by the log')
      return verified.signed
    })
    expect(roots.map(({ size }) => size)).toEqual([4n, 4n])
    expect(roots[0]?.root).not.toBe(roots[1]?.root)
    const told = async () => {
      const { log: shown, alerts } = await client.operation()
      const metrics = await (await ask('/metrics')).text()
      return {
        halted: shown?.halted?.includes('two roots for size 4'),
        splitViews: shown?.splitViews,
        alerts: alerts.map(({ name }) => name).filter((name) => /Log|Split/.test(name)),
        metric: /^liquefy_log_split_views 1$/m.test(metrics),
        logHalted: /^liquefy_log_halted 1$/m.test(metrics),
      }
    }
    await expect.poll(told).toEqual({
      halted: true,
      splitViews: 1,
      alerts: ['LiquefyLogHalted', 'LiquefySplitView'],
      metric: true,
      logHalted: true,
    })
  }

  function swap(signed: Uint8Array, root: Hex): Uint8Array {
    const bytes = Buffer.from(signed)
    Buffer.from(root.slice(2), 'hex').copy(bytes, bytes.length - 64 - 2 - 32)
    return bytes
  }
})
