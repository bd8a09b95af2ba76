import type { Hex } from '@liquefy/client'
import type { ProposalStep } from '../chain/vault-events.ts'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'
import type { VaultEventOf } from './vault-facts.ts'

/** Stores what happened to proposals of a vault's owners. */
export async function saveGovernanceEvent(
  db: Queryable,
  event: VaultEventOf<'proposed' | 'voted' | 'step' | 'operation'>,
): Promise<void> {
  const { vault, block, atMs } = event
  switch (event.event) {
    case 'proposed':
      return saveProposed(db, event)
    case 'voted':
      return saveVote(db, event)
    case 'step':
      // Executed and cancelled is told by the governor and by the timelock.
      await db.query(
        'INSERT INTO proposal_steps VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING',
        [bytesOf(vault), event.proposalId, event.step, event.eta ?? null, block, atMs],
      )
      return
    case 'operation':
      await db.query(
        `INSERT INTO proposal_steps (vault, proposal_id, step, block, at_ms)
         SELECT vault, proposal_id, $3, $4, $5 FROM vault_proposals WHERE vault = $1 AND operation_id = $2
         ON CONFLICT DO NOTHING`,
        [bytesOf(vault), bytesOf(event.operationId), event.step, block, atMs],
      )
  }
}

async function saveProposed(db: Queryable, event: VaultEventOf<'proposed'>): Promise<void> {
  await db.query(
    'INSERT INTO vault_proposals VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)',
    [
      bytesOf(event.vault),
      event.proposalId,
      bytesOf(event.proposer),
      JSON.stringify(event.calls),
      event.description,
      bytesOf(event.descriptionHash),
      event.snapshot,
      event.deadline,
      bytesOf(event.operationId),
      event.block,
      event.logIndex,
      bytesOf(event.txHash),
      event.atMs,
    ],
  )
}

async function saveVote(db: Queryable, event: VaultEventOf<'voted'>): Promise<void> {
  await db.query('INSERT INTO proposal_votes VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)', [
    bytesOf(event.vault),
    event.proposalId,
    bytesOf(event.voter),
    event.support,
    event.weight,
    event.reason,
    event.block,
    event.logIndex,
    bytesOf(event.txHash),
    event.atMs,
  ])
}

/** A proposal of a vault's owners with the votes counted so far. */
export interface ProposalRow {
  vault: Hex
  vaultName: string
  proposalId: bigint
  proposer: Hex
  calls: { target: Hex; value: string; data: Hex }[]
  description: string
  descriptionHash: Hex
  /** Seconds. */
  snapshot: number
  deadline: number
  operationId: Hex
  txHash: Hex
  atMs: number
  for: bigint
  against: bigint
  abstain: bigint
  voters: number
  /** Supply at the snapshot, and the percent of it that must take part; as of now while the snapshot is to come. */
  supply: bigint
  quorumPercent: bigint
  steps: Partial<Record<ProposalStep, { atMs: number; eta: number | null }>>
}

/** Proposals of vaults, newest first: of one vault, or one proposal of it, or of all that are in `vaults`, of each at most `ofEach`. */
export async function readProposals(
  db: Queryable,
  page: {
    vaults: readonly Hex[]
    proposalId?: bigint
    /** Only those whose vote ends then or later; seconds. */
    openAtSeconds?: number
    ofEach?: number
    offset: number
    limit: number
  },
): Promise<ProposalRow[]> {
  const { rows } = await db.query(
    `SELECT p.*, v.name AS vault_name, counted.*,
       (SELECT jsonb_object_agg(step, jsonb_build_object('atMs', s.at_ms, 'eta', eta_s)) FROM proposal_steps s
         WHERE s.vault = p.vault AND s.proposal_id = p.proposal_id) AS steps,
       coalesce((SELECT shares FROM share_moves m WHERE m.vault = p.vault AND m.account = decode(repeat('00', 20), 'hex') AND m.at_ms <= p.snapshot_s * 1000
         ORDER BY m.block DESC, m.log_index DESC LIMIT 1), 0) AS supply,
       (SELECT value FROM vault_facts f WHERE f.vault = p.vault AND f.name = 'quorum-percent' AND f.at_ms <= p.snapshot_s * 1000
         ORDER BY f.block DESC, f.log_index DESC LIMIT 1) AS quorum_percent
     FROM (SELECT found.* FROM unnest($1::bytea[]) AS v (vault), LATERAL (
             SELECT * FROM vault_proposals o WHERE o.vault = v.vault AND ($2::numeric IS NULL OR proposal_id = $2)
               AND ($5::bigint IS NULL OR deadline_s >= $5) ORDER BY block DESC, log_index DESC LIMIT $6) found
           ORDER BY block DESC, log_index DESC OFFSET $3 LIMIT $4) p
     JOIN vaults v USING (vault),
     LATERAL (SELECT coalesce(sum(weight) FILTER (WHERE support = 1), 0) AS votes_for,
                     coalesce(sum(weight) FILTER (WHERE support = 0), 0) AS votes_against,
                     coalesce(sum(weight) FILTER (WHERE support = 2), 0) AS votes_abstain, count(*)::int AS voters
              FROM proposal_votes c WHERE c.vault = p.vault AND c.proposal_id = p.proposal_id) counted
     ORDER BY p.block DESC, p.log_index DESC`,
    [
      page.vaults.map(bytesOf),
      page.proposalId ?? null,
      page.offset,
      page.limit,
      page.openAtSeconds ?? null,
      page.ofEach ?? null,
    ],
  )
  return rows.map((row) => ({
    vault: hexOf(row.vault),
    vaultName: row.vault_name,
    proposalId: BigInt(row.proposal_id),
    proposer: hexOf(row.proposer),
    calls: row.calls,
    description: row.description,
    descriptionHash: hexOf(row.description_hash),
    snapshot: Number(row.snapshot_s),
    deadline: Number(row.deadline_s),
    operationId: hexOf(row.operation_id),
    txHash: hexOf(row.tx_hash),
    atMs: Number(row.at_ms),
    for: BigInt(row.votes_for),
    against: BigInt(row.votes_against),
    abstain: BigInt(row.votes_abstain),
    voters: row.voters,
    supply: BigInt(row.supply),
    quorumPercent: BigInt(row.quorum_percent ?? 0),
    steps: row.steps ?? {},
  }))
}

/** One vote as it was cast. */
export interface VoteRow {
  voter: Hex
  support: number
  weight: bigint
  reason: string
  txHash: Hex
  atMs: number
}

/** Votes on a proposal, the newest first. */
export async function readProposalVotes(
  db: Queryable,
  vault: Hex,
  proposalId: bigint,
  limit: number,
): Promise<VoteRow[]> {
  const { rows } = await db.query(
    `SELECT * FROM proposal_votes WHERE vault = $1 AND proposal_id = $2
     ORDER BY block DESC, log_index DESC LIMIT $3`,
    [bytesOf(vault), proposalId, limit],
  )
  return rows.map((row) => ({
    voter: hexOf(row.voter),
    support: row.support,
    weight: row.weight,
    reason: row.reason,
    txHash: hexOf(row.tx_hash),
    atMs: Number(row.at_ms),
  }))
}

/** Which of these proposals an account has voted on. */
export async function readVotedOn(
  db: Queryable,
  voter: Hex,
  proposals: readonly { vault: Hex; proposalId: bigint }[],
): Promise<Set<string>> {
  const { rows } = await db.query(
    'SELECT vault, proposal_id FROM proposal_votes WHERE voter = $1 AND vault = ANY($2::bytea[]) AND proposal_id = ANY($3::numeric[])',
    [
      bytesOf(voter),
      proposals.map(({ vault }) => bytesOf(vault)),
      proposals.map(({ proposalId }) => proposalId),
    ],
  )
  return new Set(rows.map((row) => `${hexOf(row.vault)} ${row.proposal_id}`))
}
