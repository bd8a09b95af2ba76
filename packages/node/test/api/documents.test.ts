import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  activateMachine,
  approve,
  authorizeAgreement,
  type Client,
  createClient,
  fund,
  openAgreement,
  registerMachine,
  type Wallet,
} from '@liquefy/client'
import { type Hex, privateKeyFromBytes } from '@liquefy/protocol'
import pino from 'pino'
import { extractText, getDocumentProxy } from 'unpdf'
import { createWalletClient, http } from 'viem'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type RunningNode, startNode } from '../../src/index.ts'
import { RULE, termsOf } from '../business.ts'
import { connectDevice } from '../device.ts'
import { BUYER, SELLER } from '../documents/fixture.ts'
import { ruleFaults, schemaFaults } from '../documents/outside-validators.ts'
import { signIn } from '../sign-in.ts'

const TWO_DAYS_MS = 2 * 86_400_000

let dataDir: string
let node: RunningNode
let id: Hex
let aheadMs = 0

const walletOf = (name: string): Wallet => {
  const person = node.keys.people.find((one) => one.name === name)
  if (!person) throw new Error(`no ${name}`)
  return createWalletClient({
    account: person.account,
    chain: node.chain.publicClient.chain,
    transport: http(node.rpcUrl),
  })
}
const actionOf = (wallet: Wallet) => ({
  deployment: node.deployment,
  publicClient: node.chain.publicClient,
  wallet,
})
const anybody = () => createClient({ url: node.url })

/** The API as one of the people, signed in. */
async function signedInAs(name: string): Promise<Client> {
  const person = node.keys.people.find((one) => one.name === name)
  if (!person) throw new Error(`no ${name}`)
  return (await signIn(node, person.account)).client
}

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'liquefy-documents-'))
  node = await startNode({
    dataDir,
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    blockMs: 100,
    settle: { minMinor: 1n, maxAgeMs: 1_000 },
    clock: { nowMs: () => Date.now() + aheadMs },
    logger: pino({ level: 'silent' }),
  })
  const [payer, payee] = [walletOf('Nordmühle GmbH'), walletOf('Silowerk AG')]
  const key = privateKeyFromBytes('P-256', randomBytes(32))
  const machineId = await registerMachine({ ...actionOf(payee), key })
  await activateMachine({ ...actionOf(payee), machineId })
  await node.idle()
  await node.nameMachine(machineId, '=Silo, 1')
  const device = await connectDevice(node, machineId, key)
  await anybody().submitRules([RULE])
  const terms = termsOf(machineId, { ...actionOf(payee), payer, payee })
  id = await openAgreement({
    ...actionOf(payee),
    terms,
    payerSignature: await authorizeAgreement({ ...actionOf(payer), terms }),
  })
  const amountMinor = 5_000_000n
  await approve({ ...actionOf(payer), asset: terms.asset, amountMinor })
  await fund({ ...actionOf(payer), agreementId: id, amountMinor })
  await device.hears('agreement', (json) => json.agreementId === id)
  await device.publish(1_000n)
  await device.publish(2_001n)
  await node.idle()
  await device.meter({ agreementId: id, registers: [1_001n], asOf: Math.floor(Date.now() / 1000) })
  await vi.waitFor(async () => expect((await anybody().agreement(id)).finalMinor).toBe('420420'), {
    timeout: 90_000,
    interval: 200,
  })
  await device.close()
}, 300_000)

afterAll(async () => {
  await node?.stop()
  await rm(dataDir, { recursive: true, force: true })
})

describe('the statement is for everybody', () => {
  test('CSV: what is owed, paid, by which transaction; a name is no formula', async () => {
    const [settlement] = (await anybody().agreement(id)).settlements
    const csv = await (await anybody().statement(id, { as: 'csv' })).text()
    expect(csv).toContain(`"'=Silo, 1 (1)"`)
    expect(csv).toContain('weight (kg)')
    expect(csv).toContain('1.001,0.420420,0.420420,0.420420')
    expect(csv).toContain(settlement?.txHash)
    const none = await (await anybody().statement(id, { as: 'csv', period: 3 })).text()
    expect(none).not.toContain(settlement?.txHash)
  })

  test('PDF: a file with a name, in the time zone that was asked for', async () => {
    const answer = await fetch(
      new URL(`/v1/agreements/${id}/statement.pdf?timeZone=Europe/Berlin`, node.url),
    )
    expect(answer.headers.get('content-type')).toBe('application/pdf')
    expect(answer.headers.get('content-disposition')).toBe(
      `attachment; filename="statement-${id.slice(2, 14)}.pdf"`,
    )
    expect((await answer.text()).slice(0, 5)).toBe('%PDF-')
  })

  test.each([
    ['of a period that there is not', { as: 'csv', period: 30 }, 404, 'PERIOD_UNKNOWN'],
    ['of a period below zero', { as: 'csv', period: -1 }, 400, 'REQUEST_INVALID'],
    ['in no time zone', { as: 'pdf', timeZone: 'Mars/Base' }, 400, 'REQUEST_INVALID'],
  ] as const)('%s it is refused', async (_, query, status, code) => {
    await expect(anybody().statement(id, query)).rejects.toMatchObject({ status, code })
  })
})

describe('the invoice is for its two parties', () => {
  test('without details it says who must say what, and then it is one that outside validators accept', async () => {
    const [payer, payee] = [await signedInAs('Nordmühle GmbH'), await signedInAs('Silowerk AG')]
    await expect(payer.invoice(id, 0)).rejects.toMatchObject({
      status: 409,
      code: 'DETAILS_MISSING',
      message: expect.stringMatching(/seller, Silowerk AG .*My details/),
    })
    await expect(payee.myDetails()).rejects.toMatchObject({ status: 404, code: 'DETAILS_MISSING' })
    await payee.saveMyDetails({
      ...SELLER,
      vat: { category: 'AE', ratePercent: null, reason: null },
    })
    await payer.saveMyDetails({ ...BUYER, vatId: null, taxNumber: '22/815' })
    await expect(payer.invoice(id, 0)).rejects.toMatchObject({
      status: 409,
      message: expect.stringMatching(/reverse charge .*buyer, Nordmühle GmbH/),
    })
    await payee.saveMyDetails(SELLER)
    await payer.saveMyDetails(BUYER)
    expect(await payer.myDetails()).toEqual(BUYER)
    const xml = await (await payer.invoice(id, 0)).text()
    expect(await schemaFaults(xml)).toEqual([])
    expect(await ruleFaults(xml)).toEqual([])
    expect(xml).toContain('<ram:TypeCode>325</ram:TypeCode>')
    expect(xml).toContain('<ram:BilledQuantity unitCode="KGM">1.001</ram:BilledQuantity>')
    expect(xml).toContain('<ram:TotalPrepaidAmount>0.42</ram:TotalPrepaidAmount>')
    expect(await (await payee.invoice(id, 0)).text()).toContain('Silowerk AG')
  })

  test('INV-24 ATK nobody else gets it, nor the details of another one', async () => {
    await expect(anybody().invoice(id, 0)).rejects.toMatchObject({ status: 401 })
    await expect(anybody().myDetails()).rejects.toMatchObject({ status: 401 })
    const stranger = await signedInAs('City council')
    await expect(stranger.invoice(id, 0)).rejects.toMatchObject({ status: 403, code: 'NOT_PARTY' })
    await expect(stranger.myDetails()).rejects.toMatchObject({ code: 'DETAILS_MISSING' })
    const open = JSON.stringify([await anybody().agreement(id), await anybody().deployment()])
    const statement = await (await anybody().statement(id, { as: 'csv' })).text()
    for (const secret of [SELLER.street, SELLER.vatId ?? '', BUYER.street, BUYER.vatId ?? '']) {
      expect(open + statement).not.toContain(secret)
    }
  })

  test('what is wrong with details is said, and nothing of them is kept', async () => {
    const payer = await signedInAs('Nordmühle GmbH')
    await expect(payer.saveMyDetails({ ...BUYER, country: 'XX' })).rejects.toMatchObject({
      status: 422,
      code: 'DETAILS_INVALID',
    })
    await expect(payer.saveMyDetails({ ...BUYER, name: 'a\u{0}b' })).rejects.toMatchObject({
      status: 400,
    })
    expect(await payer.myDetails()).toEqual(BUYER)
  })

  test('a period that nothing is owed for has none', async () => {
    const payer = await signedInAs('Nordmühle GmbH')
    await expect(payer.invoice(id, 1)).rejects.toMatchObject({
      status: 409,
      code: 'NOTHING_TO_INVOICE',
    })
    await expect(payer.invoice(id, 30)).rejects.toMatchObject({ status: 404 })
  })
})

describe('an invoice of a final period stays what it is', () => {
  const number = () => `LQ-${id.slice(2, 14).toUpperCase()}-0`
  const invoiceFor = async (client: Client) => {
    const file = await client.invoice(id, 0)
    return { name: file.name, xml: await file.text() }
  }
  /** An event of the ledger as the node keeps it, of the first period. */
  const happen = (kind: string, amountMinor: bigint, detail: object) =>
    node.database.pool.query(
      `INSERT INTO agreement_events (block, log_index, tx_hash, agreement_id, kind, period, as_of, amount, detail, at_ms)
       SELECT max(number), 1000 + (SELECT count(*) FROM agreement_events), $1, $2, $3, 0, 0, $4, $5, 0 FROM blocks`,
      [randomBytes(32), Buffer.from(id.slice(2), 'hex'), kind, amountMinor, detail],
    )
  let payer: Client
  let payee: Client

  beforeAll(async () => {
    aheadMs = TWO_DAYS_MS
    payer = await signedInAs('Nordmühle GmbH')
    payee = await signedInAs('Silowerk AG')
  })

  test('of requests at once one issues it, and a day later it is still that one, byte for byte', async () => {
    const all = await Promise.all(
      Array.from({ length: 12 }, (_, index) => invoiceFor(index % 2 === 0 ? payer : payee)),
    )
    const [first] = all
    expect(first?.name).toBe(`${number()}.xml`)
    expect(first?.xml).toContain('<ram:TypeCode>380</ram:TypeCode>')
    expect(first?.xml).toContain(`<ram:ID>${number()}</ram:ID>`)
    expect(new Set(all.map(({ xml }) => xml)).size).toBe(1)
    aheadMs += 86_400_000
    const later = await signedInAs('Nordmühle GmbH')
    expect(await invoiceFor(later)).toEqual(first)
    payer = later
    payee = await signedInAs('Silowerk AG')
    expect((await node.database.pool.query('SELECT FROM invoices')).rowCount).toBe(1)
  })

  test.each<[string, () => Promise<unknown>, string]>([
    [
      'details that somebody changed',
      () => payer.saveMyDetails({ ...BUYER, street: 'Mühlenweg 3' }),
      'Mühlenweg 3',
    ],
    [
      'late evidence while escrow is empty',
      () => happen('adjusted', 0n, { adjustment: '30000' }),
      '<ram:DuePayableAmount>0.03</ram:DuePayableAmount>',
    ],
    [
      'a value of its last period that was signed late',
      () => happen('settled', 100_000n, { registers: ['1001'], owed: '520420' }),
      '<ram:TotalPrepaidAmount>0.52</ram:TotalPrepaidAmount>',
    ],
    [
      'what was given back, be it the whole of it',
      async () => {
        await happen('collected', 30_000n, {})
        await happen('refunded', 550_420n, {})
      },
      '<ram:GrandTotalAmount>0.00</ram:GrandTotalAmount>',
    ],
  ])('%s: the next correction, which replaces the one before', async (_, change, told) => {
    const before = await invoiceFor(payee)
    await change()
    const at = Number((await node.database.pool.query('SELECT FROM invoices')).rowCount)
    const [one, other] = await Promise.all([invoiceFor(payer), invoiceFor(payee)])
    expect(one.name).toBe(`${number()}-C${at}.xml`)
    expect(other).toEqual(one)
    expect(one.xml).toContain('<ram:TypeCode>384</ram:TypeCode>')
    const replaced = `<ram:IssuerAssignedID>${before.name.replace('.xml', '')}</ram:IssuerAssignedID>`
    expect(one.xml).toContain(replaced)
    expect(one.xml).toContain(told)
    expect(before.xml).not.toContain(told)
    expect(await schemaFaults(one.xml)).toEqual([])
    expect(await ruleFaults(one.xml)).toEqual([])
    expect(await invoiceFor(payer)).toEqual(one)
  })
})

describe('a long history', () => {
  const MANY = 2_500
  const settlementsIn = (csv: string) =>
    csv.split('\r\n').filter((row) => row.startsWith('settlement,'))

  beforeAll(async () => {
    await node.database.pool.query(
      `INSERT INTO agreement_events (block, log_index, tx_hash, agreement_id, kind, period, as_of, amount, detail, at_ms)
       SELECT (SELECT min(number) FROM blocks), 100000 + n, decode(lpad(to_hex(n), 64, '0'), 'hex'), $1, 'collected', 7, 0, 1, '{}', 0
       FROM generate_series(1, $2::int) n`,
      [Buffer.from(id.slice(2), 'hex'), MANY],
    )
  })

  test('CSV: every settlement once, what late evidence added too where escrow had nothing for it', async () => {
    const rows = settlementsIn(await (await anybody().statement(id, { as: 'csv' })).text())
    expect(new Set(rows).size).toBe(rows.length)
    expect(rows.filter((row) => row.includes('arrears collected,included,7,'))).toHaveLength(0)
    expect(rows.filter((row) => row.includes('arrears collected,final,7,'))).toHaveLength(MANY)
    expect(rows.join('\n')).toMatch(/adjusted for late evidence,\w+,0,.*,0\.000000,/)
    const one = await (await anybody().statement(id, { as: 'csv', period: 7 })).text()
    expect(settlementsIn(one)).toHaveLength(MANY)
  })

  test('PDF: its newest, and exactly how many are left out', async () => {
    const pdf = await (await anybody().statement(id, { as: 'pdf', period: 7 })).arrayBuffer()
    const { text } = await extractText(await getDocumentProxy(new Uint8Array(pdf)), {
      mergePages: true,
    })
    expect(text.replaceAll(/\s+/g, ' ')).toContain(
      `${MANY - 400} earlier settlements are left out: the CSV has all of them.`,
    )
  })

  test('ATK more PDFs at once than wait their turn are refused, with words and when to come back', async () => {
    const url = new URL(`/v1/agreements/${id}/statement.pdf?period=1`, node.url)
    const answers = await Promise.all(Array.from({ length: 40 }, () => fetch(url)))
    const refused = answers.filter(({ status }) => status === 503)
    const drawn = answers.filter(({ status }) => status === 200)
    expect(drawn.length).toBeGreaterThanOrEqual(9)
    expect(refused.length).toBe(answers.length - drawn.length)
    expect(refused.length).toBeGreaterThan(0)
    for (const answer of refused) {
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(await answer.json()).toMatchObject({ code: 'DRAWING_BUSY' })
    }
    expect((await fetch(url)).status).toBe(200)
  })
})
