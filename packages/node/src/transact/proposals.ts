import type { Deployment, Dialogue, Hex, Proposal, ProposalSummary } from '@liquefy/client'
import {
  agreementId,
  checkTariffUnits,
  explainTariff,
  isValidTariff,
  LiquefyError,
  MAX_OPEN_DAYS,
  type MeterRule,
  parseRule,
  parseTerms,
  parseUnsigned,
  recoverAccount,
  ruleHash,
  SIGNER_KIND,
  type Tariff,
  type Terms,
  tariffKindAt,
  tariffUnits,
  termsToJson,
} from '@liquefy/protocol'
import type { Clock } from '../clock.ts'
import type { Database, Queryable } from '../store/database.ts'
import { hexOf } from '../store/hex.ts'
import { readPartyMachines } from '../store/machine-accounts.ts'
import { readMachines } from '../store/machines.ts'
import { readMachineNames } from '../store/overview.ts'
import {
  answerProposal,
  countOfStrangers,
  countProposals,
  dealsWith,
  forgetProposals,
  lockCounterparty,
  lockProposer,
  readDialogue,
  readProposal,
  readProposalsOf,
  type StoredProposal,
  type StoredSummary,
  saveProposal,
} from '../store/proposals.ts'
import { type Agreements, MAX_GAP_TIMEOUT_SECONDS, tariffOf } from './agreements.ts'

/** What somebody proposes, as it comes from outside. */
export interface ProposalInput {
  terms: unknown
  rules: unknown[]
  signature: Hex
  fundMinor: string
  message: string
  replaces?: Hex
}

/** Agreements as a dialogue between two: one proposes, the other accepts, declines or proposes something else. */
export interface Proposals {
  /** Takes terms that `party` has signed. The same ones again while they wait: the same answer. @throws ProposalError */
  propose(party: Hex, input: ProposalInput): Promise<Proposal>
  /** Those that `party` has made or been made: those that wait first, of them those of people whom he deals with and his own first; each newest first. */
  of(party: Hex): Promise<ProposalSummary[]>
  /** All offers of the dialogue that a proposal belongs to. @throws ProposalError `PROPOSAL_UNKNOWN` to whoever is no party of it. */
  dialogue(party: Hex, proposalId: Hex): Promise<Dialogue>
  /** Says no, as the one whom it was made. @throws ProposalError */
  decline(party: Hex, proposalId: Hex, words: string): Promise<Proposal>
  /** Takes it back, as the one who made it. @throws ProposalError */
  withdraw(party: Hex, proposalId: Hex, words: string): Promise<Proposal>
}

export type ProposalRefusal =
  | 'ASSET_UNKNOWN'
  | 'FIELD_FORBIDDEN'
  | 'MACHINE_OWNER_NOT_PARTY'
  | 'MACHINE_UNKNOWN'
  | 'NOT_YOURS_TO_ANSWER'
  | 'PARTIES_DIFFER'
  | 'PROPOSALS_TOO_MANY'
  | 'PROPOSAL_ANSWERED'
  | 'PROPOSAL_EXISTS'
  | 'PROPOSAL_UNKNOWN'
  | 'PROPOSER_NOT_PARTY'
  | 'RULES_DIFFER'
  | 'RULE_INVALID'
  | 'SIGNATURE_INVALID'
  | 'SIGNER_UNKNOWN'
  | 'STREAM_TAKEN'
  | 'TARIFF_INVALID'
  | 'TARIFF_UNKNOWN'
  | 'TERMS_EXPIRED'
  | 'TERMS_INVALID'
  | 'UNIT_MISMATCH'

/** Nothing was proposed or answered; the message says why, and what to do. */
export class ProposalError extends LiquefyError {
  declare readonly code: ProposalRefusal

  constructor(code: ProposalRefusal, message: string) {
    super(code, message)
  }
}

/** Proposals of one party that wait for an answer. */
const MAX_WAITING = 20
/** Of them, those that wait for the same other party. */
const MAX_WAITING_FOR_ONE = 5
/** Proposals of all strangers together that wait for one party: those whom it has no agreement with, and has proposed nothing to. */
const MAX_OF_STRANGERS = 50
/** Proposals of one party that are kept, answered ones among them. */
const MAX_STORED = 500
/** So many are forgotten at once, so that no proposal waits for it. */
const FORGOTTEN_AT_ONCE = 1_000
const SHOWN = 200
const DAY_MS = 86_400_000
/** Whoever counts the days by another clock is not refused for it. */
const CLOCK_SLACK_MS = 3_600_000

/** A proposal's terms, rules and tariff, read as one. */
interface Read {
  terms: Terms
  rules: MeterRule[]
  tariff: Tariff
  fundMinor: bigint
}

export function createProposals(options: {
  database: Database
  clock: Clock
  agreements: Agreements
  deployment: Deployment
  /** Asks the ledger whether a contract account accepts a signature of a digest (ERC-1271). */
  contractAccepts(signed: { address: Hex; hash: Hex; signature: Hex }): Promise<boolean>
}): Proposals {
  const { database, clock, agreements, deployment, contractAccepts } = options

  const stateOf = (stored: StoredSummary): Proposal['state'] => {
    // The ledger has the last word: a signature that was given away cannot be taken back.
    if (agreements.get(stored.proposalId)) return 'accepted'
    if (stored.answer) return stored.answer
    if (stored.machineIsGone) return 'ended'
    return stored.openByMs <= clock.nowMs() ? 'expired' : 'waiting'
  }

  const wordsOf = (tariff: Tariff, terms: Terms, rules: readonly MeterRule[]): string =>
    explainTariff(tariff, { units: tariffUnits(terms, rules), asset: deployment.asset })

  const summaryOf = (
    stored: StoredSummary,
    names: ReadonlyMap<bigint, string>,
  ): ProposalSummary => {
    const { proposer, counterparty, payer, machineId } = stored
    return {
      proposalId: stored.proposalId,
      proposer,
      counterparty,
      payer,
      payee: payer === proposer ? counterparty : proposer,
      machineId: String(machineId),
      machineName: names.get(machineId) ?? String(machineId),
      state: stateOf(stored),
      tariffInWords: stored.tariffWords,
      createdMs: stored.createdMs,
      openByMs: stored.openByMs,
      replaces: stored.replaces,
      answeredMs: stored.answeredMs,
    }
  }

  const viewOf = (stored: StoredProposal, names: ReadonlyMap<bigint, string>): Proposal => {
    const summary = summaryOf(stored, names)
    return {
      ...summary,
      terms: stored.terms,
      rules: stored.rules,
      // Whoever has not seen it while the offer stood does not get it afterwards.
      signature: summary.state === 'waiting' ? stored.signature : null,
      fundMinor: String(stored.fundMinor),
      message: stored.message,
      answerWords: stored.answerWords,
    }
  }

  const known = async (db: Queryable, party: Hex, proposalId: Hex): Promise<StoredProposal> => {
    const stored = await readProposal(db, proposalId, party)
    if (stored) return stored
    throw new ProposalError(
      'PROPOSAL_UNKNOWN',
      'No proposal of this id was made by you or to you. Sign in as the party that it concerns.',
    )
  }

  const requireWaiting = (stored: StoredProposal): void => {
    const state = stateOf(stored)
    if (state === 'waiting') return
    throw new ProposalError(
      'PROPOSAL_ANSWERED',
      `This proposal is ${STATE_WORDS[state]}: nothing more can be said to it.`,
    )
  }

  const answer = async (
    party: Hex,
    proposalId: Hex,
    said: { answer: 'declined' | 'withdrawn'; words: string },
  ): Promise<Proposal> => {
    const db = database.pool
    const stored = await known(db, party, proposalId)
    const by = said.answer === 'declined' ? stored.counterparty : stored.proposer
    if (by !== party) {
      throw new ProposalError(
        'NOT_YOURS_TO_ANSWER',
        said.answer === 'declined'
          ? 'Only the other party declines what you have proposed: withdraw it.'
          : 'Only who made a proposal withdraws it: decline it.',
      )
    }
    requireWaiting(stored)
    await answerProposal(db, { proposalId, ...said, nowMs: clock.nowMs() })
    return viewOf(await known(db, party, proposalId), await readMachineNames(db))
  }

  const requireSigned = async (party: Hex, hash: Hex, signature: Hex): Promise<void> => {
    if (recoverAccount(hash, signature) === party) return
    if (await contractAccepts({ address: party, hash, signature })) return
    throw new ProposalError(
      'SIGNATURE_INVALID',
      'The terms are not signed by you as they stand: sign exactly these (EIP-712), with the account that you are signed in with.',
    )
  }

  const read = async (party: Hex, input: ProposalInput): Promise<Read> => {
    const parsed = parseTerms(input.terms)
    if (!parsed.ok) throw new ProposalError(parsed.code, parsed.message)
    const { terms } = parsed
    const fundMinor = parseUnsigned(input.fundMinor)
    if (fundMinor === undefined) {
      throw new ProposalError('TERMS_INVALID', 'fundMinor must be a whole number as text.')
    }
    requireParties(terms, party)
    requireTimes(terms, clock.nowMs())
    if (terms.asset !== deployment.asset.address.toLowerCase()) {
      throw new ProposalError(
        'ASSET_UNKNOWN',
        `The terms pay in ${terms.asset}. Here one pays in ${deployment.asset.symbol}, ${deployment.asset.address}.`,
      )
    }
    const rules = readRules(terms, input.rules)
    const tariff = readTariff(terms, rules, deployment)
    await requireMachines(database.pool, terms)
    requireFreeStreams(terms, agreements)
    return { terms, rules, tariff, fundMinor }
  }

  return {
    async propose(party, input) {
      const { terms, rules, tariff, fundMinor } = await read(party, input)
      const proposalId = agreementId({ ...deployment, terms })
      await requireSigned(party, proposalId, input.signature)
      if (agreements.get(proposalId)) {
        throw new ProposalError('PROPOSAL_EXISTS', `Agreement ${proposalId} is open already.`)
      }
      const counterparty = [terms.payer, terms.payee].find((address) => address !== party) as Hex
      const nowMs = clock.nowMs()
      await database.transaction(async (db) => {
        await lockProposer(db, party)
        const before = await readProposal(db, proposalId, party)
        if (before) {
          requireStanding(stateOf(before))
          if (isSame(before, party, input, fundMinor)) return
          throw proposedBefore()
        }
        await forgetProposals(db, nowMs - MAX_OPEN_DAYS * DAY_MS, FORGOTTEN_AT_ONCE)
        if (input.replaces) {
          const replaced = await known(db, party, input.replaces)
          if (![replaced.proposer, replaced.counterparty].includes(counterparty)) {
            throw new ProposalError(
              'PARTIES_DIFFER',
              'A counter-offer goes to who made the offer: these terms name somebody else.',
            )
          }
          requireWaiting(replaced)
          const isFirst = await answerProposal(db, {
            proposalId: replaced.proposalId,
            answer: 'replaced',
            words: null,
            nowMs,
          })
          if (!isFirst) requireWaiting(await known(db, party, input.replaces))
        }
        // What this one replaces waits no more, and makes room for it.
        await requireRoom(db, { proposer: party, counterparty, nowMs })
        const isSaved = await saveProposal(db, {
          proposalId,
          proposer: party,
          counterparty,
          payer: terms.payer,
          machineId: terms.machineId,
          tariffWords: wordsOf(tariff, terms, rules),
          terms: termsToJson(terms),
          rules,
          signature: input.signature,
          fundMinor,
          message: input.message,
          replaces: input.replaces ?? null,
          createdMs: nowMs,
          openByMs: Number(terms.openBy) * 1_000,
        })
        if (!isSaved) throw proposedBefore()
      })
      const db = database.pool
      return viewOf(await known(db, party, proposalId), await readMachineNames(db))
    },

    async of(party) {
      const db = database.pool
      const names = await readMachineNames(db)
      const shown = await readProposalsOf(db, party, { limit: SHOWN, nowMs: clock.nowMs() })
      return shown.map((stored) => summaryOf(stored, names))
    },

    async dialogue(party, proposalId) {
      const db = database.pool
      await known(db, party, proposalId)
      const names = await readMachineNames(db)
      const offers = await readDialogue(db, proposalId, party, SHOWN)
      return { offers: offers.map((stored) => viewOf(stored, names)) }
    },

    decline: (party, proposalId, words) => answer(party, proposalId, { answer: 'declined', words }),
    withdraw: (party, proposalId, words) =>
      answer(party, proposalId, { answer: 'withdrawn', words }),
  }
}

const STATE_WORDS: Record<Proposal['state'], string> = {
  waiting: 'waiting for an answer',
  accepted: 'accepted, the agreement is open',
  declined: 'declined',
  withdrawn: 'withdrawn',
  replaced: 'replaced by another offer',
  ended: 'over, since its machine belongs to neither party any more',
  expired: 'too old to be accepted',
}

function proposedBefore(): ProposalError {
  return new ProposalError(
    'PROPOSAL_EXISTS',
    'These very terms were proposed before, by the other party or with other words beside them. Take another salt, or answer the proposal that is there.',
  )
}

/** Refuses terms that were proposed before and wait no more: a party that hears nothing but "proposed" would believe them open. */
function requireStanding(state: Proposal['state']): void {
  if (state === 'waiting') return
  throw new ProposalError(
    'PROPOSAL_ANSWERED',
    `These very terms were proposed before, and are ${STATE_WORDS[state]}. To propose the same again, make the terms anew, with another salt.`,
  )
}

function isSame(
  before: StoredProposal,
  party: Hex,
  { message, replaces }: ProposalInput,
  fundMinor: bigint,
): boolean {
  return (
    before.proposer === party &&
    before.message === message &&
    before.replaces === (replaces ?? null) &&
    before.fundMinor === fundMinor
  )
}

async function requireRoom(
  db: Queryable,
  to: { proposer: Hex; counterparty: Hex; nowMs: number },
): Promise<void> {
  const { proposer, counterparty, nowMs } = to
  const { waiting, waitingForOne, stored } = await countProposals(db, to)
  if (waiting >= MAX_WAITING) {
    throw new ProposalError(
      'PROPOSALS_TOO_MANY',
      `${MAX_WAITING} proposals of yours wait for an answer: withdraw one first.`,
    )
  }
  if (waitingForOne >= MAX_WAITING_FOR_ONE) {
    throw new ProposalError(
      'PROPOSALS_TOO_MANY',
      `${MAX_WAITING_FOR_ONE} proposals of yours wait for an answer of ${counterparty}: withdraw or replace one first.`,
    )
  }
  if (stored >= MAX_STORED) {
    throw new ProposalError(
      'PROPOSALS_TOO_MANY',
      `${MAX_STORED} proposals of yours are kept here: propose again when the oldest of them are ${MAX_OPEN_DAYS} days past.`,
    )
  }
  if (await dealsWith(db, counterparty, proposer)) return
  await lockCounterparty(db, counterparty)
  if ((await countOfStrangers(db, counterparty, nowMs)) >= MAX_OF_STRANGERS) {
    throw new ProposalError(
      'PROPOSALS_TOO_MANY',
      `${MAX_OF_STRANGERS} proposals of people whom ${counterparty} has no agreement with wait for an answer already: ask for a proposal to you instead, or try again when some are answered.`,
    )
  }
}

function requireParties({ payer, payee }: Terms, party: Hex): void {
  if (payer === payee) {
    throw new ProposalError(
      'TERMS_INVALID',
      'Payer and payee are the same: name the other party as one of them.',
    )
  }
  if (payer !== party && payee !== party) {
    throw new ProposalError(
      'PROPOSER_NOT_PARTY',
      'You are neither payer nor payee of these terms: propose what you are a party of.',
    )
  }
}

function requireTimes(terms: Terms, nowMs: number): void {
  const openByMs = Number(terms.openBy) * 1_000
  if (openByMs <= nowMs) {
    throw new ProposalError('TERMS_EXPIRED', 'openBy has passed: let it lie ahead.')
  }
  if (openByMs > nowMs + MAX_OPEN_DAYS * DAY_MS + CLOCK_SLACK_MS) {
    throw new ProposalError(
      'TERMS_INVALID',
      `openBy is more than ${MAX_OPEN_DAYS} days ahead: let the offer end sooner.`,
    )
  }
  const endMs = (Number(terms.start) + terms.periodSeconds * terms.periods) * 1_000
  if (endMs <= nowMs) {
    throw new ProposalError(
      'TERMS_EXPIRED',
      'The last period is over: let the agreement start later, or last longer.',
    )
  }
  if (terms.gapTimeoutSeconds > MAX_GAP_TIMEOUT_SECONDS) {
    throw new ProposalError(
      'TERMS_INVALID',
      'gapTimeoutSeconds is more than 31 days: this node holds nothing back for so long.',
    )
  }
}

/** The rules of the meters, each the one whose hash the terms have. */
function readRules({ meters }: Terms, given: readonly unknown[]): MeterRule[] {
  if (given.length !== meters.length) {
    throw new ProposalError(
      'RULES_DIFFER',
      `The terms have ${meters.length} meters, and ${given.length} rules were given: give one for each, in their order.`,
    )
  }
  return given.map((json, index) => {
    const parsed = parseRule(json)
    if (!parsed.ok) {
      throw new ProposalError('RULE_INVALID', `Rule ${index + 1}: ${parsed.message}`)
    }
    if (ruleHash(parsed.rule) !== meters[index]?.ruleHash) {
      throw new ProposalError(
        'RULES_DIFFER',
        `Rule ${index + 1} is not the one whose hash stands in the terms: give that one, or make the terms anew.`,
      )
    }
    return parsed.rule
  })
}

function readTariff(terms: Terms, rules: readonly MeterRule[], deployment: Deployment): Tariff {
  if (!tariffKindAt(deployment, terms.tariff)) {
    throw new ProposalError(
      'TARIFF_UNKNOWN',
      `${terms.tariff} is no tariff of this node: take one that GET /v1/deployment names.`,
    )
  }
  const tariff = tariffOf(terms, deployment)
  if (!tariff || !isValidTariff(tariff, terms.limits.length)) {
    throw new ProposalError(
      'TARIFF_INVALID',
      `The tariff contract would refuse this data for ${terms.limits.length} registers: one price a register, tiers that rise, a minimum not above the maximum.`,
    )
  }
  const metered = terms.meters.flatMap(({ stream }, index) => {
    const rule = rules[index]
    return rule ? [{ stream, rule }] : []
  })
  const mismatch = checkTariffUnits(metered)
  if (mismatch) throw new ProposalError('UNIT_MISMATCH', `The units do not fit: ${mismatch}`)
  return tariff
}

/** What the clearing house asks of machines when an agreement is opened. */
async function requireMachines(db: Queryable, terms: Terms): Promise<void> {
  const signerId = terms.signerKind === SIGNER_KIND.machine ? [BigInt(terms.signer)] : []
  const named = terms.machineId === 0n ? [] : [terms.machineId]
  const machines = await readMachines(db, [...new Set([...named, ...signerId])])
  const machine = machines.find(({ machineId }) => machineId === terms.machineId)
  if (!machine && (named.length > 0 || terms.meters.length > 0)) {
    throw new ProposalError(
      'MACHINE_UNKNOWN',
      `Machine ${terms.machineId} is not known to this node: register it first.`,
    )
  }
  const owner = machine?.owner && hexOf(machine.owner)
  const accounts = await readPartyMachines(db, [terms.payer, terms.payee])
  const isAccountParty = [...accounts.values()].some(
    ({ machineId }) => machineId === String(terms.machineId),
  )
  const isOfParty = owner === terms.payer || owner === terms.payee || isAccountParty
  if (terms.meters.length > 0 && !isOfParty) {
    throw new ProposalError(
      'MACHINE_OWNER_NOT_PARTY',
      `Machine ${terms.machineId} belongs to ${owner}, who must be payer or payee, or the machine's own account.`,
    )
  }
  if (signerId.some((id) => !machines.some(({ machineId }) => machineId === id))) {
    throw new ProposalError(
      'SIGNER_UNKNOWN',
      `Machine ${signerId[0]}, which is to sign, is not known to this node: register it first.`,
    )
  }
}

function requireFreeStreams({ machineId, meters, shared }: Terms, agreements: Agreements): void {
  for (const { stream } of meters) {
    const holder = agreements
      .metering(machineId, stream)
      .find(({ terms }) => !shared || !terms?.shared)
    if (!holder) continue
    throw new ProposalError(
      'STREAM_TAKEN',
      `The stream ${stream} of machine ${machineId} is billed already, by agreement ${holder.agreementId}: that one must be closed first, or choose another stream.`,
    )
  }
}
