import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Machine, openMachine } from '@liquefy/machine'
import type { RunningNode } from '@liquefy/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { finished, lineOf, liquefy, type Run, start } from './liquefy.ts'
import { runningNode } from './running-node.ts'

const root = mkdtempSync(join(tmpdir(), 'liquefy-journey-'))
const dataDir = join(root, 'data')
const folder = join(root, 'pump')
const bundle = join(root, 'evidence.ndjson')
// As root, the database runs under an account of its own, which has to pass through.
chmodSync(root, 0o711)
const NEVER_MS = 2 ** 31 - 1
const OFFER = {
  payer: 'Nordmühle GmbH',
  payee: 'Silowerk AG',
  machineId: '1',
  meters: [
    {
      stream: 'volume',
      rule: {
        rule: 'counter',
        version: 1,
        unit: 'l',
        scale: 3,
        registerUnit: 'ml',
        factor: { numerator: 1, denominator: 1 },
        maxRate: { burst: '100000', perHour: '60000000' },
      },
      limit: { burst: '1000000', perHour: '60000000' },
    },
  ],
  tariff: { kind: 'linear', prices: ['2'], scale: 0 },
  capMinor: '1000000000',
  fundMinor: '100000000',
}

type Report = Record<string, unknown> & {
  ledgerProof: { facts: string[]; blockHash: string } | null
}

let node: RunningNode
let machine: Machine
let agreement: string

const run = (...args: string[]): Promise<Run> =>
  liquefy([...args, '--json'], { LIQUEFY_DATA_DIR: dataDir })
const litres = (thousandths: bigint) => ({
  unit: 'l',
  value: { mantissa: thousandths, exponent: -3 },
})

beforeAll(async () => {
  node = await runningNode(dataDir, {
    settle: { minMinor: 2n ** 96n, maxAgeMs: NEVER_MS },
    anchorIntervalMs: NEVER_MS,
  })
})

afterAll(async () => {
  await machine?.close()
  await node?.stop()
  rmSync(root, { recursive: true, force: true })
})

describe('from a new key to settled money', () => {
  test('keygen, register, agreement open', async () => {
    expect(await run('machine', 'keygen', folder)).toMatchObject({ code: 0 })
    const registered = await run('machine', 'register', folder, '--as', 'silowerk')
    expect(registered.json()).toMatchObject({ machineId: '1', folder })
    const again = await run('machine', 'register', folder, '--as', 'silowerk')
    expect(again.json()).toMatchObject({ error: { code: 'MACHINE_REGISTERED' } })
    writeFileSync(join(root, 'offer.json'), JSON.stringify(OFFER))
    const opened = await run('agreement', 'open', join(root, 'offer.json'))
    expect(opened.code, opened.stdout).toBe(0)
    agreement = (opened.json() as { agreementId: string }).agreementId
    expect(agreement).toMatch(/^0x[0-9a-f]{64}$/)
  })

  test('a refused offer says why', async () => {
    writeFileSync(join(root, 'bad.json'), JSON.stringify({ ...OFFER, payee: 'City council' }))
    const stranger = await run('agreement', 'open', join(root, 'bad.json'))
    expect(stranger.code).toBe(2)
    expect(stranger.stdout).toContain('who must be payer or payee')
  })

  test.each([
    ['an unknown field', { ...OFFER, prize: 1 }, '"prize"'],
    ['no object', null, 'one JSON object'],
    ['a meter that is none', { ...OFFER, meters: [null] }, '"meters"'],
    [
      'a kind of tariff that is none',
      { ...OFFER, tariff: { ...OFFER.tariff, kind: 'flat' } },
      'tiered',
    ],
    ['no scale', { ...OFFER, tariff: { kind: 'linear', prices: ['2'] } }, 'scale'],
    [
      'a price too many',
      { ...OFFER, tariff: { ...OFFER.tariff, prices: ['2', '3'] } },
      'one price',
    ],
  ])('an offer with %s is refused before anything is sent', async (_, offer, words) => {
    writeFileSync(join(root, 'bad.json'), JSON.stringify(offer))
    const refused = await run('agreement', 'open', join(root, 'bad.json'))
    expect(refused.code).toBe(2)
    expect(refused.json()).toMatchObject({
      error: { code: 'OFFER_INVALID', message: expect.stringContaining(words) },
    })
  })

  test('what the ledger would refuse is said in words, and leaves nothing half open', async () => {
    const messageOf = async (offer: object) => {
      writeFileSync(join(root, 'refused.json'), JSON.stringify(offer))
      const refused = await run('agreement', 'open', join(root, 'refused.json'))
      expect(refused.code).toBe(2)
      return refused.json()
    }
    expect(await messageOf({ ...OFFER, machineId: '99' })).toMatchObject({
      error: { message: expect.stringContaining('Machine 99 is not registered') },
    })
    expect(await messageOf({ ...OFFER, capMinor: '7' })).toMatchObject({
      error: { message: expect.stringContaining(`is billed already, by agreement ${agreement}`) },
    })
    expect(await messageOf({ ...OFFER, fundMinor: String(10n ** 30n) })).toMatchObject({
      error: { code: 'FUNDS_MISSING' },
    })
  })

  test('readings are metered, settled and anchored', async () => {
    machine = await openMachine({ folder, signEveryMs: NEVER_MS })
    await expect.poll(() => machine.agreements()).toHaveLength(1)
    // Quick blocks run ahead of the clock, and so may the agreement's start: nothing counts before it.
    const { terms } = (await run('agreement', 'show', agreement)).json() as {
      terms: { start: string }
    }
    await expect
      .poll(() => Date.now() / 1_000, { timeout: 60_000 })
      .toBeGreaterThan(Number(terms.start))
    for (const value of [0n, 1_500n, 2_750n, 4_000n]) await machine.sample('volume', litres(value))
    await machine.flushed()
    await node.idle()
    const answers = await machine.meterNow()
    expect(answers.map(({ kind }) => kind)).toContain('accepted')
    await node.settleNow()
    await node.anchorNow()
    await machine.sample('volume', litres(5_000n))
    await machine.flushed()
    await node.idle()
  })

  test('status has exactly the documented shape', async () => {
    expect((await run('status')).json()).toEqual({
      machines: 1,
      envelopes: { logged: 5, duplicate: 0, refused: {}, priced: 5, unpriced: {}, waiting: 0 },
      owedMinor: '10000',
      settledMinor: '8000',
      chain: expect.objectContaining({ embedded: true }),
    })
    const { stdout } = await liquefy(['status'], { LIQUEFY_DATA_DIR: dataDir })
    expect(stdout).toMatch(/settled\s+0\.008000 tEUR/)
  })

  test('list and show', async () => {
    expect((await run('machine', 'list')).json()).toMatchObject([
      { machineId: '1', state: 'active' },
    ])
    expect((await run('machine', 'show', '1')).json()).toMatchObject({
      streams: [{ stream: 'volume', lastSeq: '5' }],
    })
    expect((await run('agreement', 'list')).json()).toMatchObject([{ agreementId: agreement }])
    expect((await run('agreement', 'show', agreement.slice(0, 12))).json()).toMatchObject({
      agreementId: agreement,
      open: true,
      outlook: {
        inWords: expect.stringMatching(/^(lasts about|enough for the most|no end in sight)/),
      },
    })
    const unknown = await run('machine', 'show', '99')
    expect(unknown.code).toBe(2)
  })

  test('audit: difference 0, exit 0', async () => {
    const audited = await run('audit', agreement)
    expect(audited.json()).toMatchObject({
      agreement,
      envelopes: 5,
      owedMinor: '10000',
      settledMinor: '8000',
      differenceMinor: '0',
      firstFault: null,
      unanchored: 1,
      signedBy: ['machine 1'],
    })
    expect(audited.code).toBe(0)
  })
})

describe('an audit that believes no RPC', () => {
  test('--prove says what was proven, and against which block', async () => {
    const proven = await run('audit', agreement, '--prove')
    const { ledgerProof, ...report } = proven.json() as Report
    expect(proven.code).toBe(0)
    expect(report).toMatchObject({ settledMinor: '8000', differenceMinor: '0', firstFault: null })
    expect(ledgerProof?.facts).toHaveLength(7)
    const { hash } = await node.chain.publicClient.getBlock()
    expect(ledgerProof?.blockHash).toBe(hash)
    const { stdout } = await liquefy(['audit', agreement, '--block-hash', hash], {
      LIQUEFY_DATA_DIR: dataDir,
    })
    expect(stdout).toContain(`${hash}: compare it with another source`)
    expect(stdout).toMatch(/proven\s+agreement 0x/)
  })

  test('--block-hash of another ledger is the first fault, and what is no hash is refused', async () => {
    const foreign = await run('audit', agreement, '--block-hash', `0x${'ab'.repeat(32)}`)
    expect(foreign.code).toBe(1)
    expect(foreign.json()).toMatchObject({ firstFault: { code: 'BLOCK_HASH_DIFFERS' } })
    expect((await run('audit', agreement, '--block-hash', '0xab')).json()).toMatchObject({
      error: { code: 'BLOCK_HASH_INVALID' },
    })
  })

  test('a block from before the payment does not vouch for it', async () => {
    const { publicClient } = node.chain
    const head = await publicClient.getBlockNumber()
    const early = await publicClient.getBlock({ blockNumber: head - 2n })
    const audited = await run('audit', agreement, '--block-hash', early.hash)
    expect(audited.code).toBe(1)
    expect(audited.json()).toMatchObject({ firstFault: { code: 'CHECKPOINT_INVALID' } })
  })
})

describe('INV-23 the database tampered with: exit 1, and it names which', () => {
  const tampered: [what: string, change: string, undo: string, fault: object][] = [
    [
      'one bit of a stored envelope',
      'UPDATE envelopes SET raw = set_bit(raw, 801, 1 - get_bit(raw, 801)) WHERE seq = 3',
      'UPDATE envelopes SET raw = set_bit(raw, 801, 1 - get_bit(raw, 801)) WHERE seq = 3',
      { stream: 'volume', seq: '3' },
    ],
    [
      'one bit of its signature',
      'UPDATE envelopes SET raw = set_bit(raw, length(raw) * 8 - 4, 1 - get_bit(raw, length(raw) * 8 - 4)) WHERE seq = 2',
      'UPDATE envelopes SET raw = set_bit(raw, length(raw) * 8 - 4, 1 - get_bit(raw, length(raw) * 8 - 4)) WHERE seq = 2',
      { code: 'SIGNATURE_INVALID', stream: 'volume', seq: '2' },
    ],
    [
      'the time of one',
      'UPDATE envelopes SET logged_at = logged_at + 1 WHERE seq = 4',
      'UPDATE envelopes SET logged_at = logged_at - 1 WHERE seq = 4',
      { code: 'PROOF_INVALID', seq: '4' },
    ],
    [
      'one row deleted',
      'CREATE TABLE hidden AS SELECT * FROM envelopes WHERE seq = 3; DELETE FROM envelopes WHERE seq = 3',
      'INSERT INTO envelopes SELECT * FROM hidden; DROP TABLE hidden',
      { code: 'ENVELOPE_MISSING', stream: 'volume', seq: '3' },
    ],
    [
      'the last row deleted',
      'CREATE TABLE hidden AS SELECT * FROM envelopes WHERE seq = 5; DELETE FROM envelopes WHERE seq = 5',
      'INSERT INTO envelopes SELECT * FROM hidden; DROP TABLE hidden',
      { code: 'ENVELOPE_MISSING', stream: 'volume', seq: '5' },
    ],
    [
      'one register raised where envelopes are metered',
      'UPDATE metered SET register = register + 1 WHERE seq = 3',
      'UPDATE metered SET register = register - 1 WHERE seq = 3',
      { code: 'REGISTER_MISMATCH', stream: 'volume', seq: '3', period: 0 },
    ],
    [
      'one register raised in what is owed',
      'UPDATE owed SET registers = ARRAY[registers[1] + 1]',
      'UPDATE owed SET registers = ARRAY[registers[1] - 1]',
      { code: 'REGISTER_MISMATCH', period: 0, expected: '[5000]', found: '[5001]' },
    ],
    [
      'one register raised in a signed meter value',
      'UPDATE meter_values SET registers = ARRAY[registers[1] + 1]',
      'UPDATE meter_values SET registers = ARRAY[registers[1] - 1]',
      { code: 'SIGNATURE_INVALID', period: 0 },
    ],
    [
      'the amount owed raised',
      'UPDATE owed SET owed_minor = owed_minor + 1',
      'UPDATE owed SET owed_minor = owed_minor - 1',
      { code: 'OWED_MISMATCH', expected: '10000', found: '10001' },
    ],
    [
      'a payment raised',
      "UPDATE agreement_events SET amount = amount + 1 WHERE kind = 'settled'",
      "UPDATE agreement_events SET amount = amount - 1 WHERE kind = 'settled'",
      { code: 'AMOUNT_MISMATCH', expected: '8000', found: '8001' },
    ],
  ]
  test.each(tampered)('%s', async (_what, change, undo, fault) => {
    await node.database.pool.query(change)
    try {
      const audited = await run('audit', agreement)
      expect(audited.json()).toMatchObject({ firstFault: fault })
      expect(audited.code).toBe(1)
    } finally {
      await node.database.pool.query(undo)
    }
    expect(await run('audit', agreement)).toMatchObject({ code: 0 })
  })
})

describe('a bundle outlives the node', () => {
  test('export and verify', async () => {
    const exported = await run('evidence', 'export', agreement, '--out', bundle)
    expect(exported.json()).toEqual({ agreement, file: bundle, lines: 11 })
    expect((await run('evidence', 'verify', bundle)).json()).toMatchObject({
      envelopes: 5,
      firstFault: null,
    })
  })

  test('with the node off, `liquefy chain` is enough', async () => {
    await machine.close()
    await node.stop()
    rmSync(join(dataDir, 'running.json'))
    const off = await run('audit', agreement, '--bundle', bundle)
    expect(off.json()).toMatchObject({ error: { code: 'LEDGER_NOT_RUNNING' } })
    const chain = start(['chain', '--rpc-port', '0'], { LIQUEFY_DATA_DIR: dataDir })
    const ended = finished(chain)
    try {
      await lineOf(chain, (line) => line.includes('http://'))
      const audited = await run('audit', agreement, '--bundle', bundle)
      expect(audited.json()).toMatchObject({
        differenceMinor: '0',
        settledMinor: '8000',
        firstFault: null,
      })
      expect(audited.code).toBe(0)
      const stranger = `0x${'ab'.repeat(20)}`
      const another = await run('audit', agreement, '--bundle', bundle, '--log', stranger)
      expect(another.code).toBe(1)
      expect(another.json()).toMatchObject({ firstFault: { code: expect.any(String) } })
      expect(
        (await run('audit', agreement, '--bundle', bundle, '--log', 'x')).json(),
      ).toMatchObject({
        error: { code: 'LOG_INVALID' },
      })
      const short = await run('audit', agreement.slice(0, 10), '--bundle', bundle)
      expect(short).toMatchObject({ code: 0 })
      expect(short.json()).toMatchObject({ agreement, differenceMinor: '0' })
      const other = `0x${agreement.startsWith('0x0') ? '1' : '0'}badc0de`
      expect((await run('audit', other, '--bundle', bundle)).json()).toMatchObject({
        error: { code: 'AGREEMENT_UNKNOWN' },
      })
      const lines = readFileSync(bundle, 'utf8').split('\n')
      writeFileSync(`${bundle}.cut`, `${lines.filter((_, index) => index !== 5).join('\n')}`)
      expect(await run('audit', agreement, '--bundle', `${bundle}.cut`)).toMatchObject({ code: 1 })
      expect(await run('evidence', 'verify', `${bundle}.cut`)).toMatchObject({ code: 1 })
    } finally {
      chain.kill('SIGTERM')
    }
    expect(await ended).toMatchObject({ code: 0 })
  })
})
