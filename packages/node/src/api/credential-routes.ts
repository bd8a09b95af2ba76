import type { FastifyInstance } from 'fastify'
import { CredentialError } from '../trust/credentials.ts'
import type { ApiContext } from './context.ts'
import { knownMachine } from './machine-view.ts'
import { ProblemError } from './problem.ts'
import { route } from './route.ts'
import * as schemas from './schemas.ts'
import { inTurn, oneAtATime } from './turns.ts'

/** Anybody may hand in what has to be verified. */
const MOST_WAITING = 32

const CREDENTIAL_BODY_BYTES = 16_384
const STATUS_LIST_BODY_BYTES = 270_000

/** Refusals that are not about what was handed in alone (422). */
const STATUS: Partial<Record<CredentialError['code'], number>> = {
  CREDENTIAL_TOO_LARGE: 413,
  CREDENTIAL_REUSED: 409,
  CREDENTIAL_OLDER: 409,
  STATUS_LIST_OLDER: 409,
  STATUS_LISTS_TOO_MANY: 409,
}

/** What makers say of machines. Whoever holds such a document may hand it in: it is bound to a key, and says itself who it is from. */
export function addCredentialRoutes(app: FastifyInstance, context: ApiContext): void {
  const { credentials } = context
  const turns = oneAtATime(MOST_WAITING)
  const params = schemas.machineParams
  app.get(
    '/v1/issuers',
    route('Makers whose credentials the operator trusts', schemas.issuers),
    () => credentials.issuers,
  )
  app.get<{ Params: { id: string } }>(
    '/v1/machines/:id/credential',
    route('What its maker says of a machine, to be checked by anybody', schemas.checkable, {
      params,
    }),
    async (request) => {
      const { machineId } = await knownMachine(context, BigInt(request.params.id))
      const found = await credentials.checkable(machineId)
      if (found) return found
      throw new ProblemError(
        404,
        'CREDENTIAL_UNKNOWN',
        `No maker says anything of machine ${machineId}. Hand in its credential: PUT here.`,
      )
    },
  )
  app.put<{ Params: { id: string }; Body: { credential: string } }>(
    '/v1/machines/:id/credential',
    {
      ...route('Takes what its maker says of a machine, from anybody', schemas.credential, {
        params,
        body: schemas.credentialBody,
      }),
      bodyLimit: CREDENTIAL_BODY_BYTES,
    },
    async (request) => {
      const { machineId } = await knownMachine(context, BigInt(request.params.id))
      return inTurn(turns, () => told(credentials.attest(machineId, request.body.credential)))
    },
  )
  app.post<{ Body: { statusList: string } }>(
    '/v1/status-lists',
    {
      ...route('Takes a maker’s list of revoked credentials, from anybody', schemas.statusList, {
        body: schemas.statusListBody,
      }),
      bodyLimit: STATUS_LIST_BODY_BYTES,
    },
    ({ body }) => inTurn(turns, () => told(credentials.takeStatusList(body.statusList))),
  )
}

const told = <T>(work: Promise<T>): Promise<T> =>
  work.catch((error: unknown) => {
    if (!(error instanceof CredentialError)) throw error
    throw new ProblemError(STATUS[error.code] ?? 422, error.code, error.message)
  })
