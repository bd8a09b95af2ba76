import type { PartyDetails } from '@liquefy/client'
import type { FastifyInstance } from 'fastify'
import { partyProblem } from '../documents/party-check.ts'
import { readParty, saveParty } from '../store/parties.ts'
import type { ApiContext } from './context.ts'
import { ProblemError } from './problem.ts'
import { route } from './route.ts'
import * as schemas from './schemas.ts'
import { sessionOf } from './session-routes.ts'

const security = [{ session: [] }]

/** What whoever is signed in says of himself for invoices. Nobody is shown another one's: that stands on the invoices of both alone (INV-24). */
export function addPartyRoutes(app: FastifyInstance, context: ApiContext): void {
  const db = context.database.pool
  app.get(
    '/v1/parties/me',
    route("One's own details, as they stand on invoices", schemas.party, { security }),
    async (request) => {
      const { address } = await sessionOf(context, request)
      const details = await readParty(db, address)
      if (details) return details
      throw new ProblemError(
        404,
        'DETAILS_MISSING',
        'You have not said who you are before the law: fill in "My details".',
      )
    },
  )
  app.put<{ Body: PartyDetails }>(
    '/v1/parties/me',
    route('Says who one is before the law, in place of what stood there', schemas.party, {
      body: schemas.party,
      security,
    }),
    async (request) => {
      const { address } = await sessionOf(context, request)
      const problem = partyProblem(request.body)
      if (problem) throw new ProblemError(422, 'DETAILS_INVALID', problem)
      await saveParty(db, address, request.body)
      return request.body
    },
  )
}
