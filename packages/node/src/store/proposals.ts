import type { Hex } from '@liquefy/client'
import type { QueryResultRow } from 'pg'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'

/** What one party has proposed to the other, as it was stored. Terms and rules as JSON. */
export interface StoredProposal {
  proposalId: Hex
  proposer: Hex
  counterparty: Hex
  terms: unknown
  rules: unknown[]
  signature: Hex
  fundMinor: bigint
  message: string
  replaces: Hex | null
  createdMs: number
  openByMs: number
  answer: 'declined' | 'withdrawn' | 'replaced' | null
  answerWords: string | null
  answeredMs: number | null
}

/** Lets what one party proposes happen one after the other, until the transaction ends. */
export async function lockProposer(db: Queryable, proposer: Hex): Promise<void> {
  await db.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`proposals ${proposer}`])
}

/** Stores a proposal. False: one of the same terms is stored already. */
export async function saveProposal(
  db: Queryable,
  proposal: Omit<StoredProposal, 'answer' | 'answerWords' | 'answeredMs'>,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `INSERT INTO proposals (proposal_id, proposer, counterparty, terms, rules, signature, fund_minor, message, replaces, created_ms, open_by_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (proposal_id) DO NOTHING`,
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
    'SELECT * FROM proposals WHERE proposal_id = $1 AND $2 IN (proposer, counterparty)',
    [bytesOf(proposalId), bytesOf(party)],
  )
  return rows.map(proposalOf)[0]
}

/** The newest proposals that somebody has made or been made, newest first. */
export async function readProposalsOf(
  db: Queryable,
  party: Hex,
  limit: number,
): Promise<StoredProposal[]> {
  const { rows } = await db.query(
    'SELECT * FROM proposals WHERE $1 IN (proposer, counterparty) ORDER BY position DESC LIMIT $2',
    [bytesOf(party), limit],
  )
  return rows.map(proposalOf)
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
     SELECT * FROM proposals
     WHERE proposal_id IN (SELECT proposal_id FROM before UNION SELECT proposal_id FROM after)
       AND $2 IN (proposer, counterparty)
     ORDER BY position DESC LIMIT $3`,
    [bytesOf(proposalId), bytesOf(party), limit],
  )
  return rows.map(proposalOf).reverse()
}

/** How many proposals of somebody wait for an answer, and how many are stored. */
export async function countProposals(
  db: Queryable,
  proposer: Hex,
  nowMs: number,
): Promise<{ waiting: number; stored: number }> {
  const { rows } = await db.query(
    `SELECT count(*) FILTER (WHERE answer IS NULL AND open_by_ms > $2 AND NOT EXISTS (
         SELECT FROM agreements a WHERE a.agreement_id = proposal_id)) AS waiting,
       count(*) AS stored
     FROM proposals WHERE proposer = $1`,
    [bytesOf(proposer), nowMs],
  )
  return { waiting: Number(rows[0].waiting), stored: Number(rows[0].stored) }
}

/** Forgets proposals of somebody that could not be opened any more at `beforeMs`. */
export async function forgetProposals(
  db: Queryable,
  proposer: Hex,
  beforeMs: number,
): Promise<void> {
  await db.query('DELETE FROM proposals WHERE proposer = $1 AND open_by_ms < $2', [
    bytesOf(proposer),
    beforeMs,
  ])
}

function proposalOf(row: QueryResultRow): StoredProposal {
  return {
    proposalId: hexOf(row.proposal_id),
    proposer: hexOf(row.proposer),
    counterparty: hexOf(row.counterparty),
    terms: row.terms,
    rules: row.rules,
    signature: hexOf(row.signature),
    fundMinor: row.fund_minor,
    message: row.message,
    replaces: row.replaces && hexOf(row.replaces),
    createdMs: Number(row.created_ms),
    openByMs: Number(row.open_by_ms),
    answer: row.answer,
    answerWords: row.answer_words,
    answeredMs: row.answered_ms === null ? null : Number(row.answered_ms),
  }
}
