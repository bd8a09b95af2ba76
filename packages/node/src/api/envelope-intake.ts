import type { FastifyInstance, FastifySchema } from 'fastify'
import {
  type HttpIngest,
  MAX_BODY_BYTES,
  MAX_BODY_ENVELOPES,
  NotTakenError,
} from '../connect/http-ingest.ts'
import type { FrameOutcome } from '../connect/inbox.ts'
import { ProblemError } from './problem.ts'
import * as schemas from './schemas.ts'

interface Route {
  Params: { id: string }
  Body: Uint8Array
}

const PATH = '/v1/machines/:id/envelopes'
const SEQUENCE = 'application/cbor-seq'
const SIGN1 = 'application/cose'
const RETRY_SECONDS = 1

/** The route by which devices send envelopes, in a scope of its own: no other route reads CBOR, and this one nothing else. */
export function addEnvelopeIntake(scope: FastifyInstance, ingest: HttpIngest): void {
  const asIs = { parseAs: 'buffer' as const, bodyLimit: MAX_BODY_BYTES }
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser(
    [SEQUENCE, SIGN1],
    asIs,
    async (_request: unknown, body: Buffer) => body,
  )
  scope.post<Route>(
    PATH,
    {
      schema: {
        summary: `Takes up to ${MAX_BODY_ENVELOPES} envelopes of a machine, ${MAX_BODY_BYTES} bytes in all; answers when they are logged`,
        params: schemas.machineParams,
        body: {
          content: {
            [SEQUENCE]: { schema: { description: 'CBOR sequence of envelopes (RFC 8742)' } },
            [`${SIGN1}; cose-type="cose-sign1"`]: { schema: { description: 'One envelope' } },
          },
        },
        security: [{ machineToken: [] }],
        response: { 200: schemas.envelopesTaken, default: schemas.problem },
      } as FastifySchema,
      bodyLimit: MAX_BODY_BYTES,
      async onRequest({ params, headers }, reply) {
        const bytes = headers['content-length']
        const machineId = machineIdOf(params.id)
        const { authorization } = headers
        const release = await ingest
          .admit({
            machineId,
            authorization,
            bytes: bytes === undefined ? undefined : Number(bytes),
          })
          .catch((error: unknown) => {
            if (error instanceof NotTakenError && error.status === 503) {
              reply.header('retry-after', RETRY_SECONDS)
            }
            if (error instanceof NotTakenError && error.status === 401) {
              reply.header('www-authenticate', 'Bearer')
            }
            throw problemOf(error)
          })
        if (reply.raw.closed) release()
        else reply.raw.once('close', release)
      },
    },
    async ({ params, headers, body }, reply) => {
      const isGone = () => reply.raw.closed
      const machineId = machineIdOf(params.id)
      const isOne = headers['content-type']?.toLowerCase().startsWith(SIGN1)
      const taken = isOne
        ? ingest.takeOne(machineId, body, isGone)
        : ingest.takeSequence(machineId, body, isGone)
      const outcomes = await taken.catch((error: unknown) => {
        throw problemOf(error)
      })
      return { entries: outcomes.map(entryOf) }
    },
  )
}

/** Paths are matched before they are validated. */
function machineIdOf(text: string): bigint {
  if (/^[1-9][0-9]{0,76}$/.test(text)) return BigInt(text)
  throw new ProblemError(400, 'REQUEST_INVALID', 'A machine id is a positive decimal number.')
}

function problemOf(error: unknown): unknown {
  if (!(error instanceof NotTakenError)) return error
  return new ProblemError(error.status, error.code, error.message)
}

function entryOf(outcome: FrameOutcome): object {
  if (outcome.kind === 'refused') {
    const { code, message, digest } = outcome
    return { code, message, ...(digest === undefined ? {} : { digest }) }
  }
  const { machineId, stream, seq, digest, loggedAt, code, logIndex, reason } = outcome.entry
  return {
    machineId: String(machineId),
    stream,
    seq: String(seq),
    digest,
    loggedAt,
    code,
    logIndex: String(logIndex),
    ...(reason === undefined ? {} : { reason }),
  }
}
