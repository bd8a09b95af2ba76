import { LiquefyError } from '@liquefy/protocol'
import type { FastifyError, FastifyInstance } from 'fastify'
import type { BaseLogger } from 'pino'
import { LogHaltedError } from '../trust/evidence.ts'

/** An answer that is not 2xx: `code` and a message that says what to do. */
export class ProblemError extends LiquefyError {
  readonly status: number

  constructor(status: number, code: string, message: string) {
    super(code, message)
    this.status = status
  }
}

/** 503 for what may be asked again in so many seconds, which the answer says in `Retry-After`. */
export class BusyError extends ProblemError {
  readonly retryAfterSeconds: number

  constructor(code: string, message: string, retryAfterSeconds: number) {
    super(503, code, message)
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** 404 for something that this node does not know. */
export function unknown(code: string, what: string): ProblemError {
  return new ProblemError(404, code, `${what} is not known to this node.`)
}

/** 410 for an envelope whose bytes were archived; `file` has them, with their proof. */
export function archived(logIndex: string, file: string | undefined): ProblemError {
  return new ProblemError(
    410,
    'ARCHIVED',
    `Envelope ${logIndex} was archived: ask the operator for ${file}, which holds it with its proof.`,
  )
}

/** 410 for an envelope whose bytes were erased; its leaf stays. */
export function erased(logIndex: string): ProblemError {
  return new ProblemError(
    410,
    'ENVELOPE_ERASED',
    `Envelope ${logIndex} was erased when its machine was decommissioned. What is kept of it: GET /v1/envelopes/${logIndex}/leaf`,
  )
}

/** Every error becomes an `ApiProblem`; what we did not foresee is logged, and its text kept from the outside. */
export function answerProblems(app: FastifyInstance, logger: BaseLogger): void {
  app.setErrorHandler((error: FastifyError | ProblemError, request, reply) => {
    const { status, code, message } = problemOf(error, request.routeOptions.bodyLimit)
    if (status >= 500 && status !== 503)
      logger.error({ err: error, url: request.url }, 'request failed')
    if (error instanceof BusyError) reply.header('retry-after', error.retryAfterSeconds)
    return reply.status(status).send({ code, message })
  })
}

function problemOf(
  error: FastifyError | ProblemError,
  bodyLimit: number,
): {
  status: number
  code: string
  message: string
} {
  if (error instanceof ProblemError) {
    return { status: error.status, code: error.code, message: error.message }
  }
  if (error instanceof LogHaltedError) {
    return { status: 503, code: error.code, message: error.message }
  }
  const status = error.statusCode ?? 500
  if (status === 413) {
    const message = `The body is too large; send it in parts of at most ${bodyLimit} bytes.`
    return { status, code: 'TOO_LARGE', message }
  }
  if (status >= 400 && status < 500) {
    return { status, code: 'REQUEST_INVALID', message: error.message.slice(0, 500) }
  }
  return { status: 500, code: 'INTERNAL', message: 'The node failed; its log says why.' }
}
