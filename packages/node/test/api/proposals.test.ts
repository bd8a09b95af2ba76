import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  activateMachine,
  authorizeAgreement,
  type Client,
  closeAgreement,
  createClient,
  type Hex,
  openAgreement,
  type ProposalRequest,
  registerMachine,
  transferMachine,
  type Wallet,
} from '@liquefy/client'
import {
  agreementId,
  encodeTariffData,
  machineSigner,
  privateKeyFromBytes,
  type Terms,
  termsToJson,
} from '@liquefy/protocol'
import pino from 'pino'
import { createWalletClient, getAddress, http, toHex } from 'viem'
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningNode, startNode } from '../../src/index.ts'
import { RULE, termsOf } from '../business.ts'
import { signIn } from '../sign-in.ts'

const HOUR_MS = 3_600_000

let dataDir: string
let node: RunningNode
let aheadMs = 0
let machineId: bigint
let mill: Person
let plant: Person
let stranger: Person

interface Person {
  wallet: Wallet
  address: Hex
  client: Client
}

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'liquefy-proposals-'))
  node = await startNode({
    dataDir,
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    blockMs: 100,
    clock: { nowMs: () => Date.now() + aheadMs },
    logger: pino({ level: 'silent' }),
  })
  mill = await signedIn('Nordmühle GmbH')
  plant = await signedIn('Silowerk AG')
  stranger = await signedIn('City council')
  const key = privateKeyFromBytes('P-256', randomBytes(32))
  machineId = await registerMachine({ ...actionOf(plant), key })
  await activateMachine({ ...actionOf(plant), machineId })
  await node.idle()
}, 300_000)

afterAll(async () => {
  await node.stop()
  await rm(dataDir, { recursive: true, force: true })
})

const actionOf = ({ wallet }: Person) => ({
  deployment: node.deployment,
  publicClient: node.chain.publicClient,
  wallet,
})

function signedIn(name: string): Promise<Person> {
  const account = node.keys.people.find((one) => one.name === name)?.account
  if (!account) throw new Error(`no ${name}`)
  return signedInAs(account)
}

/** Somebody whom nobody knows: a key made this moment. */
const newcomer = () => privateKeyToAccount(generatePrivateKey())

async function signedInAs(account: PrivateKeyAccount): Promise<Person> {
  const wallet = createWalletClient({
    account,
    chain: node.chain.publicClient.chain,
    transport: http(node.rpcUrl),
  })
  const { client, address } = await signIn(node, account)
  return { wallet, address, client }
}

const newTerms = (change: Partial<Terms> = {}): Terms => ({
  ...termsOf(machineId, {
    deployment: node.deployment,
    payer: mill.wallet,
    payee: plant.wallet,
  }),
  ...change,
})

/** Terms of two parties that name no machine's streams. */
const termsBetween = (payer: Hex, payee: Hex, change: Partial<Terms> = {}): Terms =>
  newTerms({ payer, payee, meters: [], limits: [{ burst: 1n, perHour: 0n }], ...change })

const offerOf = async (
  by: Person,
  terms: Terms = newTerms(),
  change: Partial<ProposalRequest> = {},
): Promise<ProposalRequest> => ({
  terms: termsToJson(terms),
  rules: terms.meters.map(() => RULE),
  signature: await authorizeAgreement({ ...actionOf(by), terms }),
  fundMinor: '5000000',
  message: '',
  ...change,
})

const propose = async (by: Person, change: Partial<ProposalRequest> = {}) =>
  by.client.propose(await offerOf(by, newTerms(), change))

/** Proposals that wait count against a limit: each story takes its own back. */
const takeBack = (by: Person, proposalId: Hex) => by.client.withdrawProposal(proposalId, '')

describe('a proposal', () => {
  test('is seen by its two parties, and opened on the ledger with the signature that it carries', async () => {
    const terms = newTerms()
    const offer = await offerOf(plant, terms, { message: 'For the new silo.\nWe start at once.' })
    const made = await plant.client.propose(offer)
    expect(made).toMatchObject({
      proposalId: agreementId({ ...node.deployment, terms }),
      proposer: plant.address,
      counterparty: mill.address,
      state: 'waiting',
      tariffInWords: '0.42 tEUR per kg',
      fundMinor: '5000000',
      replaces: null,
    })
    // INV-4: the same once more is the same proposal, also at the same moment.
    const again = await Promise.all([plant.client.propose(offer), plant.client.propose(offer)])
    expect(again).toEqual([made, made])
    await expect(plant.client.propose({ ...offer, message: 'Another' })).rejects.toMatchObject({
      status: 409,
      code: 'PROPOSAL_EXISTS',
    })
    for (const party of [plant, mill]) {
      expect(await party.client.proposals()).toMatchObject([{ proposalId: made.proposalId }])
      expect(await party.client.proposal(made.proposalId)).toEqual({ offers: [made] })
    }
    if (!made.signature) throw new Error('no signature')
    const id = await openAgreement({
      ...actionOf(mill),
      terms,
      payeeSignature: made.signature,
    })
    await node.idle()
    expect(id).toBe(made.proposalId)
    const [accepted] = (await mill.client.proposal(id)).offers
    expect(accepted).toMatchObject({ state: 'accepted', signature: null })
    // Its rules came with it: nothing stands in the way of metering.
    expect((await mill.client.agreement(id)).problem).toBeNull()
    await expect(mill.client.declineProposal(id, '')).rejects.toMatchObject({
      status: 409,
      code: 'PROPOSAL_ANSWERED',
    })
    await expect(propose(plant)).rejects.toMatchObject({
      status: 409,
      code: 'STREAM_TAKEN',
      message: expect.stringContaining(id),
    })
    await closeAgreement({ ...actionOf(plant), agreementId: id })
    await node.idle()
  })

  test('INV-24 nobody else sees it, or learns that it is there', async () => {
    const { proposalId } = await propose(plant)
    const nothing = `0x${'77'.repeat(32)}` as Hex
    for (const work of [
      () => stranger.client.proposal(proposalId),
      () => stranger.client.declineProposal(proposalId, ''),
      () => stranger.client.withdrawProposal(proposalId, ''),
      () => stranger.client.proposal(nothing),
    ]) {
      await expect(work()).rejects.toMatchObject({
        status: 404,
        code: 'PROPOSAL_UNKNOWN',
        message:
          'No proposal of this id was made by you or to you. Sign in as the party that it concerns.',
      })
    }
    expect(await stranger.client.proposals()).toEqual([])
    const nobody = createClient({ url: node.url })
    for (const work of [() => nobody.proposals(), () => nobody.proposal(proposalId)]) {
      await expect(work()).rejects.toMatchObject({ status: 401, code: 'SESSION_MISSING' })
    }
    await takeBack(plant, proposalId)
  })

  test('is answered by a counter-offer of either, once; the dialogue shows all of it from any of its offers', async () => {
    const first = await propose(plant)
    const counter = await propose(mill, { replaces: first.proposalId, message: '0.40 is enough.' })
    expect(counter).toMatchObject({ replaces: first.proposalId, counterparty: plant.address })
    await expect(propose(mill, { replaces: first.proposalId })).rejects.toMatchObject({
      status: 409,
      code: 'PROPOSAL_ANSWERED',
    })
    const third = await propose(mill, { replaces: counter.proposalId })
    for (const { proposalId } of [first, counter, third]) {
      const { offers } = await plant.client.proposal(proposalId)
      expect(offers.map((offer) => [offer.proposalId, offer.state])).toEqual([
        [first.proposalId, 'replaced'],
        [counter.proposalId, 'replaced'],
        [third.proposalId, 'waiting'],
      ])
      expect(offers.map(({ signature }) => signature === null)).toEqual([true, true, false])
    }
    await takeBack(mill, third.proposalId)
  })

  test('INV-4 a counter-offer that is sent twice at once is one', async () => {
    const { proposalId } = await propose(plant)
    const offer = await offerOf(mill, newTerms(), { replaces: proposalId })
    const [one, other] = await Promise.all([mill.client.propose(offer), mill.client.propose(offer)])
    expect(one).toEqual(other)
    await takeBack(mill, one.proposalId)
  })

  test('ATK two counter-offers at once: one of them stands', async () => {
    const { proposalId } = await propose(plant)
    const made = await Promise.allSettled([
      propose(mill, { replaces: proposalId }),
      propose(plant, { replaces: proposalId }),
    ])
    expect(made.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    const { offers } = await plant.client.proposal(proposalId)
    expect(offers.map(({ state }) => state)).toEqual(['replaced', 'waiting'])
    const [standing] = offers.slice(-1)
    if (standing)
      await takeBack(standing.proposer === mill.address ? mill : plant, standing.proposalId)
  })

  test('ATK nobody answers with a counter-offer what was not proposed to him, or to somebody else', async () => {
    const { proposalId } = await propose(plant)
    const foreign = newTerms({
      payee: stranger.address,
      meters: [],
      limits: [{ burst: 1n, perHour: 0n }],
    })
    await expect(
      stranger.client.propose(
        await offerOf(stranger, foreign, { replaces: proposalId, rules: [] }),
      ),
    ).rejects.toMatchObject({ status: 404, code: 'PROPOSAL_UNKNOWN' })
    const elsewhere = { ...foreign, payer: mill.address }
    await expect(
      mill.client.propose(await offerOf(mill, elsewhere, { replaces: proposalId, rules: [] })),
    ).rejects.toMatchObject({ status: 422, code: 'PARTIES_DIFFER' })
    expect((await plant.client.proposal(proposalId)).offers).toMatchObject([{ state: 'waiting' }])
    await takeBack(plant, proposalId)
  })

  test('is declined by the other party only, and withdrawn by its own only', async () => {
    const { proposalId } = await propose(plant)
    await expect(plant.client.declineProposal(proposalId, '')).rejects.toMatchObject({
      status: 403,
      code: 'NOT_YOURS_TO_ANSWER',
    })
    await expect(mill.client.withdrawProposal(proposalId, '')).rejects.toMatchObject({
      status: 403,
      code: 'NOT_YOURS_TO_ANSWER',
    })
    expect(await mill.client.declineProposal(proposalId, 'Too dear.')).toMatchObject({
      state: 'declined',
      answerWords: 'Too dear.',
      signature: null,
    })
    await expect(plant.client.withdrawProposal(proposalId, '')).rejects.toMatchObject({
      code: 'PROPOSAL_ANSWERED',
    })
    const other = await propose(mill)
    expect(await mill.client.withdrawProposal(other.proposalId, 'A mistake')).toMatchObject({
      state: 'withdrawn',
      answerWords: 'A mistake',
    })
  })

  test('is over when its terms can no longer be opened', async () => {
    const { proposalId } = await propose(plant)
    aheadMs = 2 * HOUR_MS
    expect(
      (await mill.client.proposals()).find((one) => one.proposalId === proposalId),
    ).toMatchObject({ state: 'expired' })
    await expect(mill.client.declineProposal(proposalId, '')).rejects.toMatchObject({
      code: 'PROPOSAL_ANSWERED',
    })
    aheadMs = 0
    await takeBack(plant, proposalId)
  })
})

describe('what cannot be proposed is refused with what to do', () => {
  test('ATK a signature of other terms, or of somebody else', async () => {
    const terms = newTerms()
    const offer = await offerOf(plant, terms)
    const dearer = { ...termsToJson(terms), capMinor: '2000000000' }
    for (const forged of [
      { ...offer, terms: dearer },
      { ...offer, signature: await authorizeAgreement({ ...actionOf(mill), terms }) },
      { ...offer, signature: '0x00' as Hex },
    ]) {
      await expect(plant.client.propose(forged)).rejects.toMatchObject({
        status: 422,
        code: 'SIGNATURE_INVALID',
      })
    }
  })

  test.each<[string, (terms: Terms) => Partial<Terms>, string, RegExp]>([
    [
      'of two others',
      () => ({ payee: stranger.address }),
      'PROPOSER_NOT_PARTY',
      /neither payer nor/,
    ],
    ['with oneself', (terms) => ({ payer: terms.payee }), 'TERMS_INVALID', /the same/],
    [
      'with oneself in capitals',
      (terms) => ({ payer: getAddress(terms.payee) }),
      'TERMS_INVALID',
      /the same/,
    ],
    ['that is too old', () => ({ openBy: 1_000n }), 'TERMS_EXPIRED', /openBy has passed/],
    ['that stands for ever', () => ({ openBy: 2n ** 63n }), 'TERMS_INVALID', /90 days/],
    ['that has ended', () => ({ start: 1_000n }), 'TERMS_EXPIRED', /last period is over/],
    ['in other money', () => ({ asset: `0x${'22'.repeat(20)}` }), 'ASSET_UNKNOWN', /tEUR/],
    [
      'at a strange contract',
      () => ({ tariff: `0x${'22'.repeat(20)}` }),
      'TARIFF_UNKNOWN',
      /no tariff/,
    ],
    ['with broken prices', () => ({ tariffData: '0x1234' }), 'TARIFF_INVALID', /would refuse/],
    [
      'with a price too many',
      () => ({ tariffData: encodeTariffData({ kind: 'linear', prices: [1n, 2n], scale: 0 }) }),
      'TARIFF_INVALID',
      /1 registers/,
    ],
    [
      'of a machine that is not there',
      () => ({ machineId: 999n, signer: machineSigner(999n) }),
      'MACHINE_UNKNOWN',
      /register it first/,
    ],
    ['signed by no machine', () => ({ signer: machineSigner(998n) }), 'SIGNER_UNKNOWN', /998/],
    ['that waits too long', () => ({ gapTimeoutSeconds: 40 * 86_400 }), 'TERMS_INVALID', /31 days/],
    [
      'by another rule',
      (terms) => ({
        meters: terms.meters.map((meter) => ({ ...meter, ruleHash: toHex(7n, { size: 32 }) })),
      }),
      'RULES_DIFFER',
      /not the one whose hash/,
    ],
  ])('an offer %s', async (_, change, code, words) => {
    const terms = newTerms()
    const changed = { ...terms, ...change(terms) }
    await expect(plant.client.propose(await offerOf(plant, changed))).rejects.toMatchObject({
      status: 422,
      code,
      message: expect.stringMatching(words),
    })
  })

  test("ATK a machine of which neither is the owner: nobody squats a stranger's stream", async () => {
    const terms = newTerms({ payee: stranger.address })
    await expect(stranger.client.propose(await offerOf(stranger, terms))).rejects.toMatchObject({
      code: 'MACHINE_OWNER_NOT_PARTY',
    })
  })

  test('rules that are missing, or none', async () => {
    const offer = await offerOf(plant)
    await expect(plant.client.propose({ ...offer, rules: [] })).rejects.toMatchObject({
      code: 'RULES_DIFFER',
    })
    await expect(plant.client.propose({ ...offer, rules: [{ rule: 'x' }] })).rejects.toMatchObject({
      code: 'RULE_INVALID',
    })
  })

  test('fields that are unknown, words that are too many', async () => {
    const offer = await offerOf(plant)
    const strange = { ...(offer.terms as object), discount: '5' }
    await expect(plant.client.propose({ ...offer, terms: strange })).rejects.toMatchObject({
      code: 'FIELD_FORBIDDEN',
    })
    for (const message of ['x'.repeat(501), 'a\u0000b']) {
      await expect(plant.client.propose({ ...offer, message })).rejects.toMatchObject({
        status: 400,
        code: 'REQUEST_INVALID',
      })
    }
    const large = { ...(offer.terms as object), tariffData: `0x${'00'.repeat(70_000)}` }
    await expect(plant.client.propose({ ...offer, terms: large })).rejects.toMatchObject({
      status: 413,
      code: 'TOO_LARGE',
    })
  })

  test('ATK more than five that wait for the same party; a place is had by replacing one', async () => {
    const made: Hex[] = []
    for (let count = 0; count < 5; count += 1) made.push((await propose(plant)).proposalId)
    await expect(propose(plant)).rejects.toMatchObject({
      status: 429,
      code: 'PROPOSALS_TOO_MANY',
      message: expect.stringContaining('withdraw or replace one first'),
    })
    const [replaced, ...others] = made
    if (!replaced) throw new Error('none made')
    const { proposalId } = await propose(plant, { replaces: replaced })
    for (const id of [...others, proposalId]) await takeBack(plant, id)
  })

  test('ATK more than twenty that wait', async () => {
    const others = [1, 2, 3, 4].map(() => newcomer().address.toLowerCase() as Hex)
    const offerTo = async (other: Hex) =>
      plant.client.propose(await offerOf(plant, termsBetween(other, plant.address)))
    const made: Hex[] = []
    for (const other of others) {
      for (let count = 0; count < 5; count += 1) made.push((await offerTo(other)).proposalId)
    }
    await expect(propose(plant)).rejects.toMatchObject({
      status: 429,
      code: 'PROPOSALS_TOO_MANY',
      message: '20 proposals of yours wait for an answer: withdraw one first.',
    })
    for (const id of made) await takeBack(plant, id)
    await takeBack(plant, (await propose(plant)).proposalId)
  })

  test('ATK terms that were declined or withdrawn: a dead offer is not called proposed', async () => {
    const offer = await offerOf(plant)
    const { proposalId } = await plant.client.propose(offer)
    await mill.client.declineProposal(proposalId, 'No')
    await expect(plant.client.propose(offer)).rejects.toMatchObject({
      status: 409,
      code: 'PROPOSAL_ANSWERED',
      message:
        'These very terms were proposed before, and are declined. To propose the same again, make the terms anew, with another salt.',
    })
    const other = await offerOf(plant)
    await takeBack(plant, (await plant.client.propose(other)).proposalId)
    await expect(plant.client.propose(other)).rejects.toMatchObject({
      code: 'PROPOSAL_ANSWERED',
      message: expect.stringContaining('are withdrawn'),
    })
  })
})

describe('ATK strangers with throwaway keys', () => {
  const offerTo = async (by: Person, payer: Hex) => {
    const terms = termsBetween(payer, by.address)
    return by.client.propose(await offerOf(by, terms))
  }

  test('fill no more than their own places, and crowd out nobody whom one deals with', async () => {
    // The council deals with the plant once it has proposed to it; the plant with the council only by that.
    const { proposalId: asked } = await offerTo(stranger, plant.address)
    const crowd: Person[] = []
    for (let count = 0; count < 10; count += 1) crowd.push(await signedInAs(newcomer()))
    for (const one of crowd) {
      for (let count = 0; count < 5; count += 1) await offerTo(one, stranger.address)
      await expect(offerTo(one, stranger.address)).rejects.toMatchObject({ status: 429 })
    }
    const late = await signedInAs(newcomer())
    await expect(offerTo(late, stranger.address)).rejects.toMatchObject({
      status: 429,
      code: 'PROPOSALS_TOO_MANY',
      message: expect.stringContaining('ask for a proposal to you instead'),
    })
    const { proposalId: dealt } = await offerTo(plant, stranger.address)
    const list = await stranger.client.proposals()
    expect(list.slice(0, 2).map(({ proposalId }) => proposalId)).toEqual([dealt, asked])
    expect(list.filter(({ state }) => state === 'waiting')).toHaveLength(52)

    // What is answered stands behind all that waits, and makes room for another.
    const unwanted = list[2]
    if (!unwanted) throw new Error('nothing of the crowd is shown')
    await stranger.client.declineProposal(unwanted.proposalId, '')
    expect((await stranger.client.proposals()).at(52 - 1)).toMatchObject({
      proposalId: unwanted.proposalId,
      state: 'declined',
    })
    await offerTo(late, stranger.address)
    await takeBack(stranger, asked)
    await takeBack(plant, dealt)
  })
})

test('proposals stand in no event', async () => {
  const events: unknown[] = []
  const stop = new AbortController()
  const connected = Promise.withResolvers<void>()
  const following = createClient({ url: node.url }).events({
    signal: stop.signal,
    onEvent: (event) => events.push(event),
    onState: (isConnected) => isConnected && connected.resolve(),
  })
  await connected.promise
  const { proposalId } = await propose(plant)
  await mill.client.declineProposal(proposalId, 'No')
  await node.idle()
  stop.abort()
  await following
  expect(JSON.stringify(events)).not.toContain(proposalId)
})

test('what could not be opened for 90 days is forgotten, whoever proposes next', async () => {
  const { proposalId } = await propose(plant)
  aheadMs = 91 * 24 * HOUR_MS
  const now = BigInt(Math.floor((Date.now() + aheadMs) / 1_000))
  const later = await signedInAs(newcomer())
  const terms = termsBetween(mill.address, later.address, { start: now, openBy: now + 3_600n })
  await later.client.propose(await offerOf(later, terms))
  aheadMs = 0
  // Whoever signed in so late has ended the sessions of before.
  plant = await signedIn('Silowerk AG')
  await expect(plant.client.proposal(proposalId)).rejects.toMatchObject({
    code: 'PROPOSAL_UNKNOWN',
  })
})

test('a proposal is over when its machine is sold to a third, and stands again if it comes back', async () => {
  // Time has moved on since they signed in.
  mill = await signedIn('Nordmühle GmbH')
  plant = await signedIn('Silowerk AG')
  stranger = await signedIn('City council')
  const key = privateKeyFromBytes('P-256', randomBytes(32))
  const own = await registerMachine({ ...actionOf(stranger), key })
  await activateMachine({ ...actionOf(stranger), machineId: own })
  await node.idle()
  const terms = newTerms({
    machineId: own,
    signer: machineSigner(own),
    payee: stranger.address,
  })
  const { proposalId } = await stranger.client.propose(await offerOf(stranger, terms))
  const seen = async (by: Person) => (await by.client.proposal(proposalId)).offers[0]
  const stateIn = async (by: Person) =>
    (await by.client.proposals()).find((one) => one.proposalId === proposalId)?.state
  expect(await seen(mill)).toMatchObject({ state: 'waiting', signature: expect.any(String) })

  await transferMachine({ ...actionOf(stranger), machineId: own, to: plant.address })
  await node.idle()
  expect(await seen(mill)).toMatchObject({ state: 'ended', signature: null })
  expect(await stateIn(mill)).toBe('ended')
  await expect(mill.client.declineProposal(proposalId, '')).rejects.toMatchObject({
    code: 'PROPOSAL_ANSWERED',
    message: expect.stringContaining('belongs to neither party'),
  })
  await expect(stranger.client.propose(await offerOf(stranger, terms))).rejects.toMatchObject({
    code: 'MACHINE_OWNER_NOT_PARTY',
  })

  await transferMachine({ ...actionOf(plant), machineId: own, to: stranger.address })
  await node.idle()
  expect(await stateIn(stranger)).toBe('waiting')
  await stranger.client.withdrawProposal(proposalId, '')
})
