import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openMachine } from '@liquefy/machine'
import type { RunningNode } from '@liquefy/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { liquefy, type Run } from './liquefy.ts'
import { runningNode } from './running-node.ts'

const root = mkdtempSync(join(tmpdir(), 'liquefy-commands-'))
const dataDir = join(root, 'data')
const folder = join(root, 'pump')
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
  tariff: { kind: 'plan', prices: ['2'], units: ['ml'], scale: 0, minimum: '1000' },
  capMinor: '1000000000',
  fundMinor: '10000',
}

let node: RunningNode
let agreement: string

const run = (...args: string[]): Promise<Run> =>
  liquefy([...args, '--json'], { LIQUEFY_DATA_DIR: dataDir })
const words = (...args: string[]): Promise<Run> => liquefy(args, { LIQUEFY_DATA_DIR: dataDir })
const offer = (name: string, changes: object) => {
  const path = join(root, name)
  writeFileSync(path, JSON.stringify({ ...OFFER, ...changes }))
  return path
}
/** The device measures, signs its meter value, and goes off again. */
const measure = async (...litres: bigint[]) => {
  const machine = await openMachine({ folder, signEveryMs: NEVER_MS })
  await expect.poll(() => machine.agreements()).toHaveLength(1)
  for (const mantissa of litres) {
    await machine.publish('volume', [{ unit: 'l', value: { mantissa, exponent: -3 } }])
  }
  await machine.flushed(60_000)
  await node.idle()
  const answers = await machine.meterNow(60_000)
  await machine.close()
  return answers.map(({ kind }) => kind)
}
const view = async () => (await run('agreement', 'show', agreement)).json() as Shown

/** What does not change by the time that passes, as the outlook of escrow and the warnings of it do. */
const still = async () => {
  const { outlook: _, notices: _later, ...rest } = await view()
  return rest
}

interface Shown {
  outlook: unknown
  notices: unknown
  open: boolean
  owedMinor: string
  includedMinor: string
  escrowMinor: string
  periods: { arrearsMinor: string; refundedMinor: string }[]
}

beforeAll(async () => {
  node = await runningNode(dataDir, {
    settle: { minMinor: 2n ** 96n, maxAgeMs: NEVER_MS },
    anchorIntervalMs: NEVER_MS,
  })
  await run('machine', 'keygen', folder)
  await run('machine', 'register', folder, '--as', 'silowerk')
  const opened = await run('agreement', 'open', offer('offer.json', {}))
  expect(opened.code, opened.stdout).toBe(0)
  agreement = (opened.json() as { agreementId: string }).agreementId
})

afterAll(async () => {
  await node?.stop()
  rmSync(root, { recursive: true, force: true })
})

describe('an agreement in plain words', () => {
  test('explain: parties, measure, price, what happens when, and an example bill by the same arithmetic', async () => {
    const said = await words('agreement', 'explain', agreement)
    expect(said.code, said.stderr).toBe(0)
    for (const text of [
      'Nordmühle GmbH pays Silowerk AG for what machine 1 measures.',
      'Counts in ml what a rising meter adds',
      'The price is 0.002 tEUR per l; at least 0.001 tEUR a period.',
      'signed by machine 1',
      'If escrow runs short',
    ]) {
      expect(said.stdout).toContain(text)
    }
    const explained = (await run('agreement', 'explain', agreement)).json() as {
      bill: { amountMinor: string }[]
    }
    expect(explained.bill.map(({ amountMinor }) => amountMinor)).toEqual(['1000', '200000'])
  })

  test('statement: a table or a PDF into a file; not both, not of a period that there is not', async () => {
    const statement = (name: string, ...flags: string[]) =>
      run('agreement', 'statement', agreement, '--out', join(root, name), ...flags)
    expect((await statement('bill.csv')).code).toBe(0)
    expect(readFileSync(join(root, 'bill.csv'), 'utf8')).toContain(`npx liquefy audit ${agreement}`)
    const pdf = await statement('bill.pdf', '--pdf', '--time-zone', 'Europe/Berlin')
    expect(pdf.json()).toMatchObject({ file: join(root, 'bill.pdf') })
    expect(readFileSync(join(root, 'bill.pdf')).subarray(0, 5).toString()).toBe('%PDF-')
    for (const [code, flags] of [
      ['FORMAT_AMBIGUOUS', ['--pdf', '--csv']],
      ['PERIOD_INVALID', ['--period', 'first']],
      ['PERIOD_UNKNOWN', ['--period', '999999']],
      ['FILE_UNWRITABLE', ['--out', join(root, 'nowhere', 'bill.csv')]],
    ] as const) {
      expect((await statement('none.csv', ...flags)).json()).toMatchObject({ error: { code } })
    }
    expect(existsSync(join(root, 'none.csv'))).toBe(false)
  })

  test('an offer is explained before it is opened', async () => {
    const explained = await words('agreement', 'explain', join(root, 'offer.json'))
    expect(explained.stdout).toContain('0.002 tEUR per l')
  })

  test.each([
    ['UNIT_MISMATCH', { tariff: { ...OFFER.tariff, units: ['Wh'] } }],
    [
      'UNIT_MISMATCH',
      { meters: OFFER.meters.map((meter) => ({ ...meter, rule: { ...meter.rule, scale: 2 } })) },
    ],
    ['OFFER_INVALID', { tariff: { ...OFFER.tariff, kind: 'progressive' } }],
    ['OFFER_INVALID', { tariff: { ...OFFER.tariff, minimum: '5', maximum: '4' } }],
    ['OFFER_INVALID', { signer: 'nobody' }],
    ['OFFER_INVALID', { signer: 7 }],
    ['OFFER_INVALID', { signer: { threshold: 1 } }],
    ['QUORUM_INVALID', { signer: { threshold: 3, signers: ['Nordmühle GmbH', 'Silowerk AG'] } }],
    ['PERSON_UNKNOWN', { signer: { account: 'nobody' } }],
    ['OFFER_INVALID', { tariff: null }],
    ['OFFER_INVALID', { tariff: { ...OFFER.tariff, fee: '1', feeSeconds: '60' } }],
    ['OFFER_INVALID', { tariff: { ...OFFER.tariff, feeSeconds: 0 } }],
    ['OFFER_INVALID', { limits: [null] }],
    ['OFFER_INVALID', { payer: 5 }],
    ['OFFER_INVALID', { linkedTo: '0x12' }],
  ])('%s: an offer that cannot be is refused before anything is sent', async (code, changes) => {
    const refused = await run('agreement', 'open', offer('bad.json', changes))
    expect(refused).toMatchObject({ code: 2 })
    expect(refused.json()).toMatchObject({ error: { code } })
  })
})

describe('money', () => {
  test('what is proven beyond escrow is arrears; three ways of topping up, then collect', async () => {
    expect(await measure(0n, 20_000n)).toContain('accepted')
    await node.settleNow()
    expect(await view()).toMatchObject({
      includedMinor: '10000',
      escrowMinor: '0',
      periods: [{ arrearsMinor: '30000' }],
    })
  })

  test.each([
    ['approve', '10000', '20000'],
    ['permit', '5000', '15000'],
    ['authorization', '20000', '0'],
  ])('fund --with %s, then collect', async (way, amount, arrears) => {
    const as = ['--as', 'Nordmühle']
    const funded = await run(
      'agreement',
      'fund',
      agreement,
      '--amount',
      amount,
      '--with',
      way,
      ...as,
    )
    expect(funded.code, funded.stdout).toBe(0)
    expect(funded.json()).toMatchObject({ fundedMinor: amount, with: way })
    if (way === 'approve') {
      // While there is escrow and something is owed, nobody takes it home.
      const early = await run('agreement', 'close', agreement, '--as', 'silowerk')
      expect(early.json()).toMatchObject({ error: { code: 'TRANSACTION_REVERTED' } })
    }
    const collected = await run('agreement', 'collect', agreement, '--as', 'silowerk')
    expect(collected.code, collected.stdout).toBe(0)
    await node.idle()
    await expect.poll(view).toMatchObject({ periods: [{ arrearsMinor: arrears }] })
  })

  test('refund: the payee gives back; what was paid stands', async () => {
    const args = ['--period', '0', '--amount', '7', '--as', 'silowerk']
    expect((await run('agreement', 'refund', agreement, ...args)).code).toBe(0)
    await expect
      .poll(view)
      .toMatchObject({ includedMinor: '40000', periods: [{ refundedMinor: '7' }] })
  })

  test.each([
    [['fund', '--amount', '-5', '--as', 'Nordmühle'], 'AMOUNT_INVALID'],
    [['fund', '--amount', '5', '--with', 'cash', '--as', 'Nordmühle'], 'WAY_UNKNOWN'],
    [['fund', '--amount', '5'], 'WALLET_MISSING'],
    [['fund', '--amount', '99999999999999999999', '--as', 'Nordmühle'], 'FUNDS_MISSING'],
    [['collect', '--period', 'first', '--as', 'silowerk'], 'AMOUNT_INVALID'],
    [['collect', '--period', '9999999999', '--as', 'silowerk'], 'AMOUNT_INVALID'],
    [['collect', '--period', '12', '--as', 'silowerk'], 'PERIOD_UNKNOWN'],
    [['refund', '--period', '0', '--amount', '1', '--as', 'City council'], 'TRANSACTION_REVERTED'],
    [['close', '--as', 'City council'], 'TRANSACTION_REVERTED'],
    [['close', '--as', 'nobody'], 'PERSON_UNKNOWN'],
  ])('%j is refused with %s, and moves nothing', async ([name = '', ...rest], code) => {
    const before = await still()
    const refused = await run('agreement', name, agreement, ...rest)
    expect(refused.code).toBe(2)
    expect(refused.json()).toMatchObject({ error: { code } })
    expect(await still()).toEqual(before)
  })
})

describe("a machine's life", () => {
  const state = async () => ((await run('machine', 'show', '1')).json() as { state: string }).state

  test('of which parts it was made', async () => {
    expect((await words('machine', 'parts', '1')).stdout).toContain('No part of machine 1')
    const machine = await openMachine({ folder, signEveryMs: NEVER_MS })
    const whole = (mantissa: bigint) => ({ mantissa, exponent: 0 })
    await machine.declareReplacement('pressure', {
      reason: 'worn',
      oldPart: 'SN 1',
      newPart: 'SN 2',
      handover: { last: { mantissa: 1_205n, exponent: -1 }, first: whole(3n) },
    })
    await machine.declareReplacement('pressure', { reason: 'worn again' })
    await machine.flushed(60_000)
    await machine.close()
    const none = { oldPart: null, newPart: null, last: null, first: null }
    expect((await run('machine', 'parts', '1')).json()).toMatchObject([
      { stream: 'pressure', seq: '2', ...none },
      { seq: '1', oldPart: 'SN 1', newPart: 'SN 2', last: '120.5', first: '3' },
    ])
    expect((await words('machine', 'parts', '1')).stdout).toMatch(
      /pressure +SN 1 +120\.5 +SN 2 +3 +1/,
    )
    expect((await run('machine', 'parts', 'x')).json()).toMatchObject({
      error: { code: 'MACHINE_INVALID' },
    })
  })

  test('suspended, what it signs is logged and not priced; resumed, it goes on', async () => {
    expect((await run('machine', 'suspend', '1', '--as', 'silowerk')).code).toBe(0)
    await expect.poll(state).toBe('suspended')
    await measure(21_000n)
    expect((await view()).owedMinor).toBe('40000')
    expect((await run('machine', 'resume', '1', '--as', 'silowerk')).code).toBe(0)
    await expect.poll(state).toBe('active')
    await measure(22_000n)
    expect((await view()).owedMinor).toBe('44000')
  })

  test('rotated, it goes on in the same period under its new key', async () => {
    const before = ((await run('machine', 'show', '1')).json() as { key: { keyId: string } }).key
    const rotated = await run('machine', 'rotate', folder, '--as', 'silowerk')
    expect(rotated.code, rotated.stdout).toBe(0)
    const { keyId } = rotated.json() as { keyId: string }
    expect(keyId).not.toBe(before.keyId)
    await expect
      .poll(async () => ((await run('machine', 'show', '1')).json() as { key: object }).key)
      .toMatchObject({ keyId })
    expect(await measure(23_000n)).toContain('accepted')
    expect((await view()).owedMinor).toBe('46000')
  })

  test('revoked after theft: only what was anchored before counts, and that stays payable under the next key', async () => {
    await node.anchorNow()
    await measure(30_000n)
    expect((await view()).owedMinor).toBe('60000')
    const asked = await run('machine', 'revoke', '1', '--as', 'silowerk')
    expect(asked.json()).toMatchObject({ error: { code: 'REVOKE_UNCONFIRMED' } })
    expect((await run('machine', 'revoke', '1', '--yes', '--as', 'silowerk')).code).toBe(0)
    // The seven litres that no anchor had covered are cut off.
    await expect.poll(async () => (await view()).owedMinor).toBe('46000')
    const rekeyed = await run('machine', 'rekey', folder, '--as', 'silowerk')
    expect(rekeyed.code, rekeyed.stdout).toBe(0)
    const audited = await run('audit', agreement)
    expect(audited.json()).toMatchObject({
      owedMinor: '46000',
      differenceMinor: '0',
      firstFault: null,
    })
  })

  test('transferred, it belongs to another', async () => {
    const args = ['--to', 'City council', '--as', 'silowerk']
    expect((await run('machine', 'transfer', '1', ...args)).code).toBe(0)
    await expect
      .poll(async () => ((await run('machine', 'show', '1')).json() as { owner: string }).owner)
      .not.toBe('')
    const notMine = await run('machine', 'suspend', '1', '--as', 'silowerk')
    expect(notMine.json()).toMatchObject({ error: { code: 'TRANSACTION_REVERTED' } })
  })

  test.each([
    [['suspend', 'one', '--as', 'silowerk'], 'MACHINE_INVALID'],
    [['suspend', '99', '--as', 'silowerk'], 'TRANSACTION_REVERTED'],
    [['resume', '1', '--as', 'City council'], 'TRANSACTION_REVERTED'],
    [['rotate', '/nowhere', '--as', 'silowerk'], 'MACHINE_UNREGISTERED'],
    [['rekey', '/nowhere', '--as', 'silowerk'], 'MACHINE_UNREGISTERED'],
    [['transfer', '1', '--to', 'nobody', '--as', 'City council'], 'PERSON_UNKNOWN'],
  ])('%j is refused with %s', async (args, code) => {
    const refused = await run('machine', ...args)
    expect(refused.code).toBe(2)
    expect(refused.json()).toMatchObject({ error: { code } })
  })
})

describe('the end', () => {
  test('closed, what was left in escrow is the payer’s', async () => {
    expect((await run('agreement', 'close', agreement, '--as', 'silowerk')).code).toBe(0)
    await expect.poll(view).toMatchObject({ open: false, escrowMinor: '0' })
    const late = await run('agreement', 'fund', agreement, '--amount', '1', '--as', 'Nordmühle')
    expect(late.json()).toMatchObject({ error: { code: 'AGREEMENT_CLOSED' } })
  })

  test('withdrawn, what was earned and what came back leaves the clearing house, once', async () => {
    const withdraw = async (as: string) => {
      const paid = await run('agreement', 'withdraw', agreement, '--as', as)
      expect(paid.code, paid.stdout).toBe(0)
      return BigInt((paid.json() as { withdrawnMinor: string }).withdrawnMinor)
    }
    const { includedMinor, periods } = await view()
    const refunded = BigInt(periods[0]?.refundedMinor ?? 0)
    expect(await withdraw('silowerk')).toBe(BigInt(includedMinor) - refunded)
    // 45,000 had been put into escrow: what was not paid comes home, and the refund.
    expect(await withdraw('Nordmühle')).toBe(45_000n - BigInt(includedMinor) + refunded)
    expect(await withdraw('silowerk')).toBe(0n)
  })
})
