import type { Hex } from '@liquefy/client'
import type { QueryResultRow } from 'pg'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'

/** What the list of proposals tells of one. */
export interface StoredSummary {
  proposalId: Hex
  proposer: Hex
  counterparty: Hex
  payer: Hex
  machineId: bigint
  tariffWords: string
  replaces: Hex | null
  createdMs: number
  openByMs: number
  /** The machine that its meters read belongs to neither party any more: the ledger would refuse to open it. */
  machineIsGone: boolean
  answer: 'declined' | 'withdrawn' | 'replaced' | null
  answeredMs: number | null
}

/** What one party has proposed to the other, as it was stored. Terms and rules as JSON. */
export interface StoredProposal extends StoredSummary {
  terms: unknown
  rules: unknown[]
  signature: Hex
  fundMinor: bigint
  message: string
  answerWords: string | null
}

/** It has meters, and their machine belongs to neither party: the ledger would refuse to open it. */
const MACHINE_IS_GONE = `(jsonb_array_length(terms->'meters') > 0 AND (SELECT o.owner FROM machine_owners o
   WHERE o.machine_id = proposals.machine_id ORDER BY o.block DESC, o.log_index DESC LIMIT 1)
   NOT IN (proposer, counterparty)) IS TRUE`

/** Nobody has answered it at `now`, a placeholder of the statement, and the ledger has no agreement of it and could have one. */
const isWaitingAt = (now: string) =>
  `(answer IS NULL AND open_by_ms > ${now} AND NOT EXISTS (
     SELECT FROM agreements a WHERE a.agreement_id = proposal_id) AND NOT (${MACHINE_IS_GONE}))`

const SUMMARY_COLUMNS = `proposal_id, proposer, counterparty, payer, machine_id, tariff_words, replaces, created_ms, open_by_ms, answer, answered_ms,
  ${MACHINE_IS_GONE} AS machine_is_gone`

/** Those whom `party`, a placeholder, deals with: by an agreement, or because he has proposed one to them. */
const dealtWithBy = (party: string) =>
  `(SELECT payee FROM agreements WHERE payer = ${party}
    UNION SELECT payer FROM agreements WHERE payee = ${party}
    UNION SELECT counterparty FROM proposals WHERE proposer = ${party})`

/** Lets what one party proposes happen one after the other, until the transaction ends. */
export async function lockProposer(db: Queryable, proposer: Hex): Promise<void> {
  await db.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`proposals ${proposer}`])
}

/** Lets what strangers propose to somebody happen one after the other, until the transaction ends. */
export async function lockCounterparty(db: Queryable, counterparty: Hex): Promise<void> {
  await db.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
    `proposals to ${counterparty}`,
  ])
}

/** Stores a proposal. False: one of the same terms is stored already. */
export async function saveProposal(
  db: Queryable,
  proposal: Omit<StoredProposal, 'machineIsGone' | 'answer' | 'answerWords' | 'answeredMs'>,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `INSERT INTO proposals (proposal_id, proposer, counterparty, terms, rules, signature, fund_minor, message, replaces, created_ms, open_by_ms, payer, machine_id, tariff_words)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (proposal_id) DO NOTHING`,
    [
      bytesOf(proposal.proposalId),
      bytesOf(proposal.proposer),
      bytesOf(proposal.counterparty),
      JSON.stringify(proposal.terms),
      JSON.stringify(proposal.rules),
      bytesOf(proposal.signature),
      proposal.fundMinor,
      proposal.message,
      proposal.replaces && bytesOf(proposal.replaces),
      proposal.createdMs,
      proposal.openByMs,
      bytesOf(proposal.payer),
      proposal.machineId,
      proposal.tariffWords,
    ],
  )
  return rowCount === 1
}

/** Answers a proposal that nobody has answered. False: somebody has. */
export async function answerProposal(
  db: Queryable,
  answer: {
    proposalId: Hex
    answer: NonNullable<StoredProposal['answer']>
    words: string | null
    nowMs: number
  },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE proposals SET answer = $2, answer_words = $3, answered_ms = $4
     WHERE proposal_id = $1 AND answer IS NULL`,
    [bytesOf(answer.proposalId), answer.answer, answer.words, answer.nowMs],
  )
  return rowCount === 1
}

/** One proposal that somebody is a party of; undefined if he is none, or there is none. */
export async function readProposal(
  db: Queryable,
  proposalId: Hex,
  party: Hex,
): Promise<StoredProposal | undefined> {
  const { rows } = await db.query(
    `SELECT *, ${MACHINE_IS_GONE} AS machine_is_gone FROM proposals
     WHERE proposal_id = $1 AND $2 IN (proposer, counterparty)`,
    [bytesOf(proposalId), bytesOf(party)],
  )
  return rows.map(proposalOf)[0]
}

/**
 * Proposals that somebody has made or been made: those that wait first, of them those of people whom he deals with and his own first; each of these newest
 * first. So strangers crowd out nothing that he expects.
 */
export async function readProposalsOf(
  db: Queryable,
  party: Hex,
  { limit, nowMs }: { limit: number; nowMs: number },
): Promise<StoredSummary[]> {
  const { rows } = await db.query(
    `SELECT ${SUMMARY_COLUMNS} FROM proposals, LATERAL (SELECT ${isWaitingAt('$3')} AS is_waiting) w
     WHERE $1 IN (proposer, counterparty)
     ORDER BY is_waiting DESC,
       is_waiting AND (proposer = $1 OR proposer IN ${dealtWithBy('$1')}) DESC,
       position DESC
     LIMIT $2`,
    [bytesOf(party), limit, nowMs],
  )
  return rows.map(summaryOf)
}

/** All offers of the dialogue that one proposal belongs to, of those that a party may see, the oldest first, the newest `limit` of them. */
export async function readDialogue(
  db: Queryable,
  proposalId: Hex,
  party: Hex,
  limit: number,
): Promise<StoredProposal[]> {
  const { rows } = await db.query(
    `WITH RECURSIVE before AS (
       SELECT proposal_id, replaces FROM proposals WHERE proposal_id = $1
       UNION SELECT p.proposal_id, p.replaces FROM proposals p JOIN before b ON p.proposal_id = b.replaces
     ), after AS (
       SELECT proposal_id FROM proposals WHERE proposal_id = $1
       UNION SELECT p.proposal_id FROM proposals p JOIN after a ON p.replaces = a.proposal_id
     )
     SELECT *, ${MACHINE_IS_GONE} AS machine_is_gone FROM proposals
     WHERE proposal_id IN (SELECT proposal_id FROM before UNION SELECT proposal_id FROM after)
       AND $2 IN (proposer, counterparty)
     ORDER BY position DESC LIMIT $3`,
    [bytesOf(proposalId), bytesOf(party), limit],
  )
  return rows.map(proposalOf).reverse()
}

/** How many proposals of somebody wait for an answer, how many of them for that of `counterparty`, and how many are stored. */
export async function countProposals(
  db: Queryable,
  { proposer, counterparty, nowMs }: { proposer: Hex; counterparty: Hex; nowMs: number },
): Promise<{ waiting: number; waitingForOne: number; stored: number }> {
  const { rows } = await db.query(
    `SELECT count(*) FILTER (WHERE is_waiting) AS waiting,
       count(*) FILTER (WHERE is_waiting AND counterparty = $2) AS waiting_for_one,
       count(*) AS stored
     FROM proposals, LATERAL (SELECT ${isWaitingAt('$3')} AS is_waiting) w WHERE proposer = $1`,
    [bytesOf(proposer), bytesOf(counterparty), nowMs],
  )
  const [{ waiting, waiting_for_one, stored }] = rows
  return {
    waiting: Number(waiting),
    waitingForOne: Number(waiting_for_one),
    stored: Number(stored),
  }
}

/** Whether somebody deals with another: by an agreement, or because he has proposed one to him. */
export async function dealsWith(db: Queryable, party: Hex, other: Hex): Promise<boolean> {
  const { rows } = await db.query(`SELECT $2 IN ${dealtWithBy('$1')} AS deals`, [
    bytesOf(party),
    bytesOf(other),
  ])
  return rows[0].deals
}

/** How many proposals of those whom somebody does not deal with wait for his answer. */
export async function countOfStrangers(
  db: Queryable,
  counterparty: Hex,
  nowMs: number,
): Promise<number> {
  const { rows } = await db.query(
    `SELECT count(*) AS waiting FROM proposals
     WHERE counterparty = $1 AND ${isWaitingAt('$2')} AND proposer NOT IN ${dealtWithBy('$1')}`,
    [bytesOf(counterparty), nowMs],
  )
  return Number(rows[0].waiting)
}

/** Forgets proposals that could not be opened any more at `beforeMs`, whoever made them, at most `limit`. */
export async function forgetProposals(
  db: Queryable,
  beforeMs: number,
  limit: number,
): Promise<void> {
  await db.query(
    `DELETE FROM proposals WHERE proposal_id IN (
       SELECT proposal_id FROM proposals WHERE open_by_ms < $1
       ORDER BY open_by_ms LIMIT $2 FOR UPDATE SKIP LOCKED)`,
    [beforeMs, limit],
  )
}

function summaryOf(row: QueryResultRow): StoredSummary {
  return {
    proposalId: hexOf(row.proposal_id),
    proposer: hexOf(row.proposer),
    counterparty: hexOf(row.counterparty),
    payer: hexOf(row.payer),
    machineId: BigInt(row.machine_id),
    tariffWords: row.tariff_words,
    replaces: row.replaces && hexOf(row.replaces),
    createdMs: Number(row.created_ms),
    openByMs: Number(row.open_by_ms),
    machineIsGone: row.machine_is_gone,
    answer: row.answer,
    answeredMs: row.answered_ms === null ? null : Number(row.answered_ms),
  }
}

function proposalOf(row: QueryResultRow): StoredProposal {
  return {
    ...summaryOf(row),
    terms: row.terms,
    rules: row.rules,
    signature: hexOf(row.signature),
    fundMinor: row.fund_minor,
    message: row.message,
    answerWords: row.answer_words,
  }
}
