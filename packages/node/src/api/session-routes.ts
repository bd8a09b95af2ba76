import type { Hex } from '@liquefy/client'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { WalletError } from '../chain/people-wallets.ts'
import { SignInError } from '../trust/sessions.ts'
import type { ApiContext } from './context.ts'
import { ProblemError } from './problem.ts'
import { route } from './route.ts'
import * as schemas from './schemas.ts'

const BEARER = /^Bearer ([A-Za-z0-9_-]{43})$/
const SIGN_IN_BODY_BYTES = 16_384
const WALLET_BODY_BYTES = 262_144
const security = [{ session: [] }]

/** Who asks. @throws ProblemError 401 `SESSION_MISSING`, `SESSION_INVALID`. */
export async function sessionOf(
  { sessions }: Pick<ApiContext, 'sessions'>,
  { headers }: Pick<FastifyRequest, 'headers'>,
): Promise<{ address: Hex; expiresMs: number }> {
  return sessions.of(tokenOf(headers)).catch((error: unknown) => {
    throw error instanceof SignInError ? new ProblemError(401, error.code, error.message) : error
  })
}

function tokenOf({ authorization = '' }: FastifyRequest['headers']): string {
  const token = BEARER.exec(authorization)?.[1]
  if (token !== undefined) return token
  throw new ProblemError(
    401,
    'SESSION_MISSING',
    'Only who is signed in may do this: POST /v1/sessions gives a token for the header "Authorization: Bearer".',
  )
}

/** Sign-in, and the wallets of demo people where the node has them. */
export function addSessionRoutes(app: FastifyInstance, context: ApiContext): void {
  const { sessions, peopleWallets } = context
  app.post(
    '/v1/sessions/nonce',
    route('A nonce for one message of Sign-In with Ethereum (EIP-4361)', schemas.signInNonce),
    () => sessions.nonce(),
  )
  app.post<{ Body: { message: string; signature: Hex } }>(
    '/v1/sessions',
    {
      ...route('Signs in whoever signed the message', schemas.session, { body: schemas.signIn }),
      bodyLimit: SIGN_IN_BODY_BYTES,
    },
    ({ body, headers, protocol }) => {
      const origin = new URL(`${protocol}://${headers.host}`)
      return sessions.signIn({ ...body, origin }).catch((error: unknown) => {
        throw error instanceof SignInError
          ? new ProblemError(401, error.code, error.message)
          : error
      })
    },
  )
  app.get('/v1/session', route('Who is signed in', schemas.sessionOwner, { security }), (request) =>
    sessionOf(context, request),
  )
  app.delete(
    '/v1/session',
    route('Signs out', schemas.sessionOwner, { security }),
    async (request) => {
      const session = await sessionOf(context, request)
      await sessions.end(tokenOf(request.headers))
      return session
    },
  )
  app.post<{ Params: { address: Hex }; Body: { method: string; params: unknown[] } }>(
    '/v1/people/:address/wallet',
    {
      ...route(
        "Signs or sends for one of the embedded chain's demo people (EIP-1193)",
        schemas.walletAnswer,
        { params: schemas.personParams, body: schemas.walletRequest },
      ),
      bodyLimit: WALLET_BODY_BYTES,
    },
    async ({ params: { address }, body }) => {
      if (!peopleWallets) {
        throw new ProblemError(
          403,
          'WALLETS_ABSENT',
          'Demo people can be acted as on the embedded chain of a node on loopback only: use a wallet of your own.',
        )
      }
      try {
        return { result: await peopleWallets.request(address, body) }
      } catch (error) {
        if (error instanceof WalletError) throw new ProblemError(422, error.code, error.message)
        // What the ledger refuses is told as the ledger told it.
        const reason = (error as { shortMessage?: unknown }).shortMessage
        if (typeof reason === 'string') throw new ProblemError(409, 'LEDGER_REFUSED', reason)
        throw error
      }
    },
  )
}
