import type { Hex } from '@liquefy/client'
import type { FastifyInstance } from 'fastify'
import { readRunBy } from '../store/vaults.ts'
import { ProposalError, type ProposalInput, type ProposalRefusal } from '../transact/proposals.ts'
import type { ApiContext } from './context.ts'
import { ProblemError } from './problem.ts'
import { route } from './route.ts'
import * as schemas from './schemas.ts'
import { sessionOf } from './session-routes.ts'

const PROPOSAL_BODY_BYTES = 65_536
const ANSWER_BODY_BYTES = 4_096
/** Vaults of one operator that are looked through. */
const VAULTS_RUN = 50
const security = [{ session: [] }]

/** Refusals that are not about what the request says (422). */
const STATUS: Partial<Record<ProposalRefusal, number>> = {
  // To whoever is no party of it, a proposal does not exist.
  PROPOSAL_UNKNOWN: 404,
  NOT_YOURS_TO_ANSWER: 403,
  PROPOSAL_ANSWERED: 409,
  PROPOSAL_EXISTS: 409,
  STREAM_TAKEN: 409,
  PROPOSALS_TOO_MANY: 429,
}

/** Agreements as a dialogue between two who are signed in: nobody else sees any of it. A vault's operator sees what is proposed to the vault. */
export function addProposalRoutes(app: FastifyInstance, context: ApiContext): void {
  const { proposals } = context
  const params = schemas.proposalParams
  app.get(
    '/v1/proposals',
    route('Agreements that you have proposed or been proposed', schemas.proposalSummaries, {
      security,
    }),
    async (request) => {
      const { address } = await sessionOf(context, request)
      const lists = await Promise.all(
        (await partiesOf(context, address)).map((party) => proposals.of(party)),
      )
      return lists.flat()
    },
  )
  app.post<{ Body: ProposalInput }>(
    '/v1/proposals',
    {
      ...route('Proposes an agreement to its other party', schemas.proposal, {
        body: schemas.proposalBody,
        security,
      }),
      bodyLimit: PROPOSAL_BODY_BYTES,
    },
    async (request) => {
      const { address } = await sessionOf(context, request)
      const { replaces, ...body } = request.body
      const proposal = await told(
        proposals.propose(address, { ...body, ...(replaces ? { replaces: lower(replaces) } : {}) }),
      )
      // The ledger has only their hashes: once the agreement is open, metering begins by these.
      const taken = await context.agreements.submitRules(proposal.rules)
      if (taken.ok) await context.onRules()
      return proposal
    },
  )
  app.get<{ Params: { id: Hex } }>(
    '/v1/proposals/:id',
    route('All offers of one negotiation', schemas.dialogue, { params, security }),
    async (request) => {
      const { address } = await sessionOf(context, request)
      return told(
        asParty(context, address, (party) => proposals.dialogue(party, lower(request.params.id))),
      )
    },
  )
  for (const answer of ['decline', 'withdraw'] as const) {
    app.post<{ Params: { id: Hex }; Body: { message: string } }>(
      `/v1/proposals/:id/${answer}`,
      {
        ...route(
          answer === 'decline' ? 'Declines what you were proposed' : 'Takes your proposal back',
          schemas.proposal,
          { params, body: schemas.answerBody, security },
        ),
        bodyLimit: ANSWER_BODY_BYTES,
      },
      async (request) => {
        const { address } = await sessionOf(context, request)
        const { params: of, body } = request
        return told(
          asParty(context, address, (party) =>
            proposals[answer](party, lower(of.id), body.message),
          ),
        )
      },
    )
  }
}

/** Whom somebody speaks for: himself, and the vaults that he runs. */
async function partiesOf({ database }: ApiContext, address: Hex): Promise<Hex[]> {
  return [address, ...(await readRunBy(database.pool, address, VAULTS_RUN))]
}

/** Does `work` as the party that the proposal concerns. */
async function asParty<T>(
  context: ApiContext,
  address: Hex,
  work: (party: Hex) => Promise<T>,
): Promise<T> {
  const [self = address, ...vaults] = await partiesOf(context, address)
  let doing = work(self)
  for (const vault of vaults) {
    doing = doing.catch((error: unknown) => {
      if (error instanceof ProposalError && error.code === 'PROPOSAL_UNKNOWN') return work(vault)
      throw error
    })
  }
  return doing
}

const lower = (hex: Hex): Hex => hex.toLowerCase() as Hex

const told = <T>(work: Promise<T>): Promise<T> =>
  work.catch((error: unknown) => {
    if (!(error instanceof ProposalError)) throw error
    throw new ProblemError(STATUS[error.code] ?? 422, error.code, error.message)
  })
