import type { Hex, OwnerStatement, VaultOwner, VaultProposalSummary } from '@liquefy/client'
import type { FastifyInstance, FastifySchema } from 'fastify'
import { ownerStatement, type Statement } from '../cooperate/owner-statement.ts'
import { isOpenProposal } from '../cooperate/proposal-state.ts'
import { ownerStatementCsv } from '../documents/owner-statement-csv.ts'
import { readProposals, readVotedOn } from '../store/governance.ts'
import { readAllowed, readMoves, readOwnersOf, readSupply, readVotes } from '../store/shares.ts'
import { readCredits, readIncomeRecords, readIncomes, readMonths } from '../store/vault-income.ts'
import { readPayments, readVaults, readVaultsOf, type VaultRow } from '../store/vaults.ts'
import type { ApiContext } from './context.ts'
import { proposalSummaries, proposalView } from './governance-view.ts'
import { route } from './route.ts'
import * as schemas from './schemas.ts'
import * as vaultSchemas from './vault-schemas.ts'
import {
  holdingOf,
  incomeView,
  knownVault,
  ledgerSeconds,
  ppmOf,
  vaultSummaries,
  vaultView,
} from './vault-view.ts'

const PAGE = 50
const LINES_A_PAGE = 500
/** Vaults of one account, and of each of them the newest votes, that its portfolio tells of. */
const HOLDINGS_SHOWN = 100
const VOTES_OF_EACH = 20

interface Page {
  offset?: number
  limit?: number
}

/** Machines that many own: vaults, their owners, income and votes, and what one account has of them. */
export function addVaultRoutes(app: FastifyInstance, context: ApiContext): void {
  const db = context.database.pool
  const params = vaultSchemas.vaultParams
  app.get<{ Querystring: Page & { machineId?: string } }>(
    '/v1/vaults',
    route('Machines that many own, newest first', vaultSchemas.vaultPage, {
      querystring: vaultSchemas.vaultsQuery,
    }),
    async ({ query }) => {
      const machineId = query.machineId === undefined ? undefined : BigInt(query.machineId)
      const { items, nextOffset } = await paged(query, (page) =>
        readVaults(db, { ...page, machineId }),
      )
      return { vaults: await vaultSummaries(context, items), nextOffset }
    },
  )
  app.get<{ Params: { vault: string } }>(
    '/v1/vaults/:vault',
    route('One vault: shares, sale, waterfall, governance, buy-out', vaultSchemas.vault, {
      params,
    }),
    (request) => vaultView(context, request.params.vault),
  )
  app.get<{ Params: { vault: string }; Querystring: Page }>(
    '/v1/vaults/:vault/owners',
    route('Who owns shares of a vault, the largest first', vaultSchemas.ownerPage, {
      params,
      querystring: vaultSchemas.pageQuery,
    }),
    async ({ params: { vault: address }, query }) => {
      const { vault } = await knownVault(context, address)
      const [{ items, nextOffset }, supply] = await Promise.all([
        paged(query, (page) => readOwnersOf(db, vault, page)),
        readSupply(db, vault),
      ])
      const owners = items.map(
        (one): VaultOwner => ({
          account: one.account,
          shares: String(one.shares),
          sharePpm: ppmOf(one.shares, supply),
          claimedMinor: String(one.claimedMinor),
          claimableMinor: String(one.earnedMinor - one.claimedMinor),
          delegate: one.delegate,
        }),
      )
      return { owners, nextOffset }
    },
  )
  app.get<{ Params: { vault: string }; Querystring: Page }>(
    '/v1/vaults/:vault/allowed',
    route("Accounts on a vault's allow-list", vaultSchemas.allowedPage, {
      params,
      querystring: vaultSchemas.pageQuery,
    }),
    async ({ params: { vault: address }, query }) => {
      const { vault } = await knownVault(context, address)
      const { items, nextOffset } = await paged(query, (page) => readAllowed(db, vault, page))
      return { accounts: items, nextOffset }
    },
  )
  addIncomeRoutes(app, context)
  addGovernanceRoutes(app, context)
  addOwnerRoutes(app, context)
}

function addIncomeRoutes(app: FastifyInstance, context: ApiContext): void {
  const db = context.database.pool
  const params = vaultSchemas.vaultParams
  app.get<{ Params: { vault: string }; Querystring: { before?: string; limit?: number } }>(
    '/v1/vaults/:vault/income',
    route('Incomes of a vault and what became of each, newest first', vaultSchemas.incomePage, {
      params,
      querystring: vaultSchemas.incomeQuery,
    }),
    async ({ params: { vault: address }, query }) => {
      const { vault } = await knownVault(context, address)
      const limit = query.limit ?? PAGE
      const [block, logIndex] = (query.before ?? '').split('-').map(Number)
      const before = block === undefined || logIndex === undefined ? undefined : { block, logIndex }
      const rows = await readIncomes(db, vault, { before, limit: limit + 1 })
      const { final } = context.block()
      const incomes = rows.slice(0, limit).map((row) => incomeView(row, final))
      return { incomes, before: rows.length > limit ? (incomes.at(-1)?.place ?? null) : null }
    },
  )
  app.get<{ Params: { vault: string } }>(
    '/v1/vaults/:vault/income/months',
    route('Income of a vault by month, the oldest first', vaultSchemas.months, { params }),
    async ({ params: { vault: address } }) => {
      const { vault } = await knownVault(context, address)
      return (await readMonths(db, vault)).map((one) => ({
        month: one.month,
        minor: String(one.minor),
        reserveMinor: String(one.reserve),
        lenderMinor: String(one.lender),
        feesMinor: String(one.fees),
        ownersMinor: String(one.owners),
      }))
    },
  )
}

function addGovernanceRoutes(app: FastifyInstance, context: ApiContext): void {
  const db = context.database.pool
  app.get<{ Params: { vault: string }; Querystring: Page }>(
    '/v1/vaults/:vault/proposals',
    route('What owners vote on, newest first', vaultSchemas.proposalPage, {
      params: vaultSchemas.vaultParams,
      querystring: vaultSchemas.pageQuery,
    }),
    async ({ params: { vault: address }, query }) => {
      const vault = await knownVault(context, address)
      const { items, nextOffset } = await paged(query, (page) =>
        readProposals(db, { vaults: [vault.vault], ...page }),
      )
      return { proposals: await proposalSummaries(context, vault, items), nextOffset }
    },
  )
  app.get<{ Params: { vault: string; id: string } }>(
    '/v1/vaults/:vault/proposals/:id',
    route('One proposal, its votes, and each call in words', vaultSchemas.proposal, {
      params: vaultSchemas.proposalParams,
    }),
    ({ params: { vault, id } }) => proposalView(context, vault, BigInt(id)),
  )
}

function addOwnerRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get<{ Params: { account: string } }>(
    '/v1/portfolio/:account',
    route('What an account has of vaults, and votes that wait for it', vaultSchemas.portfolio, {
      params: vaultSchemas.accountParams,
    }),
    (request) => portfolioView(context, request.params.account.toLowerCase() as Hex),
  )
  app.get<{ Params: { vault: string; account: string } }>(
    '/v1/vaults/:vault/statement/:account.csv',
    {
      schema: {
        summary: 'All that a vault owed and paid an owner, as CSV (RFC 4180)',
        params: vaultSchemas.ownerParams,
        produces: ['text/csv'],
        response: { 200: { type: 'string' }, default: schemas.problem },
      } as FastifySchema,
    },
    async ({ params: { vault: address, account } }, reply) => {
      const vault = await knownVault(context, address)
      const owner = account.toLowerCase() as Hex
      const { lines } = await statementOf(context, vault, owner)
      const name = `statement-${vault.vault.slice(2, 10)}-${owner.slice(2, 10)}.csv`
      return reply
        .type('text/csv; charset=utf-8')
        .header('content-disposition', `attachment; filename="${name}"`)
        .header('cache-control', 'no-store')
        .send(ownerStatementCsv(lines, assetOf(context, vault)))
    },
  )
  app.get<{ Params: { vault: string; account: string }; Querystring: Page }>(
    '/v1/vaults/:vault/statement/:account',
    route('All that a vault owed and paid an owner, the oldest first', vaultSchemas.statement, {
      params: vaultSchemas.ownerParams,
      querystring: vaultSchemas.linesQuery,
    }),
    async ({ params: { vault: address, account }, query }): Promise<OwnerStatement> => {
      const vault = await knownVault(context, address)
      const owner = account.toLowerCase() as Hex
      const [statement, credits] = await Promise.all([
        statementOf(context, vault, owner),
        readCredits(context.database.pool, vault.vault, owner),
      ])
      const { offset = 0, limit = LINES_A_PAGE } = query
      const { lines, shares, earnedMinor, claimedMinor } = statement
      return {
        vault: vault.vault,
        name: vault.name,
        symbol: vault.symbol,
        account: owner,
        asset: assetOf(context, vault),
        shares: String(shares),
        earnedMinor: String(earnedMinor),
        claimedMinor: String(claimedMinor),
        balanceMinor: String(earnedMinor - claimedMinor),
        creditMinor: String(credits[0]?.minor ?? 0n),
        lines: lines.slice(offset, offset + limit),
        nextOffset: lines.length > offset + limit ? offset + limit : null,
      }
    },
  )
}

async function statementOf(
  context: ApiContext,
  { vault }: VaultRow,
  account: Hex,
): Promise<Statement> {
  const db = context.database.pool
  const [records, moves, payments] = await Promise.all([
    readIncomeRecords(db, vault),
    readMoves(db, vault, account),
    readPayments(db, vault, account),
  ])
  return ownerStatement({ records, moves, payments })
}

function assetOf({ deployment }: ApiContext, { asset }: VaultRow): OwnerStatement['asset'] {
  return deployment.asset.address.toLowerCase() === asset
    ? { ...deployment.asset, address: asset }
    : { address: asset, symbol: 'smallest units', decimals: 0 }
}

async function portfolioView(context: ApiContext, account: Hex) {
  const db = context.database.pool
  const rows = await readVaultsOf(db, account, HOLDINGS_SHOWN)
  const summaries = await vaultSummaries(context, rows)
  const holdings = await Promise.all(
    summaries.map(async (summary) => {
      const { vault, name, symbol, phase, machines } = summary
      const has = await holdingOf(context, summary, account)
      return {
        vault,
        name,
        symbol,
        phase,
        machines,
        shares: String(has.shares),
        sharePpm: has.sharePpm,
        bought: String(has.bought),
        claimableMinor: String(has.claimableMinor),
        claimedMinor: String(has.claimedMinor),
        earnedMinor: String(has.earnedMinor),
        creditMinor: String(has.creditMinor),
        delegate: has.delegate,
        votes: String(has.votes),
        redeemableMinor: has.redeemableMinor === null ? null : String(has.redeemableMinor),
        refused: String(has.refused),
      }
    }),
  )
  return { account, holdings, waitingVotes: await waitingVotes(context, rows, account) }
}

/** Proposals on which an account has a vote and has not cast it; those on which it will have one, as far as it can be told now. */
async function waitingVotes(context: ApiContext, vaults: readonly VaultRow[], account: Hex) {
  const db = context.database.pool
  const rows = await readProposals(db, {
    vaults: vaults.map(({ vault }) => vault),
    openAtSeconds: await ledgerSeconds(context),
    // Anybody gives away a share of a vault of his own, with as many proposals as he likes: they must not push others out.
    ofEach: VOTES_OF_EACH,
    offset: 0,
    limit: HOLDINGS_SHOWN * VOTES_OF_EACH,
  })
  const voted = await readVotedOn(db, account, rows)
  const waiting: (VaultProposalSummary & { weight: string })[] = []
  for (const vault of vaults) {
    const unvoted = rows.filter(
      (row) => row.vault === vault.vault && !voted.has(`${row.vault} ${row.proposalId}`),
    )
    for (const summary of await proposalSummaries(context, vault, unvoted)) {
      if (!isOpenProposal(summary.state)) continue
      if (summary.state !== 'active' && summary.state !== 'pending') continue
      const weight = await readVotes(db, vault.vault, account, summary.votesFromMs)
      if (weight > 0n) waiting.push({ ...summary, weight: String(weight) })
    }
  }
  return waiting
}

/** One page of a list, and where the next one begins. */
async function paged<Item>(
  { offset = 0, limit = PAGE }: Page,
  read: (page: { offset: number; limit: number }) => Promise<Item[]>,
): Promise<{ items: Item[]; nextOffset: number | null }> {
  const items = await read({ offset, limit: limit + 1 })
  return {
    items: items.slice(0, limit),
    nextOffset: items.length > limit ? offset + limit : null,
  }
}
