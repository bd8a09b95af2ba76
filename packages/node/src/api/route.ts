import type { Hex } from '@liquefy/client'
import type { FastifySchema } from 'fastify'
import * as schemas from './schemas.ts'

/** Schema of a route: what it takes and answers, and that every other answer is a problem. */
export function route(
  summary: string,
  answer: object,
  takes: Pick<FastifySchema, 'params' | 'querystring' | 'body' | 'security'> = {},
): { schema: FastifySchema & { summary: string } } {
  return { schema: { summary, ...takes, response: { 200: answer, default: schemas.problem } } }
}

/** An agreement's id as it is stored: in a path it may have capitals. */
export function idOf(id: string): Hex {
  return id.toLowerCase() as Hex
}
