import type { FastifyRequest } from 'fastify'
import { ProblemError } from './problem.ts'

/** Where whoever asks reaches the node, without a path: `http://127.0.0.1:4280`. @throws ProblemError 400 `REQUEST_INVALID`. */
export function originOf({
  protocol,
  headers,
}: Pick<FastifyRequest, 'protocol' | 'headers'>): string {
  const origin = `${protocol}://${headers.host ?? ''}`
  if (URL.canParse(origin)) return new URL(origin).origin
  throw new ProblemError(
    400,
    'REQUEST_INVALID',
    'The header Host must say where you reach the node.',
  )
}
