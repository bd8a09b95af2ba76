import type { PartReplacement } from '@liquefy/client'
import { decimalText } from '@liquefy/protocol'
import type { FastifyInstance } from 'fastify'
import { type LoggedReplacement, readReplacements } from '../store/sensors.ts'
import type { ApiContext } from './context.ts'
import { knownMachine } from './machine-view.ts'
import { route } from './route.ts'
import * as schemas from './schemas.ts'

const PARTS_SHOWN = 100

/** Which parts of a machine gave way to which: the history of a machine that is made of parts. */
export function addPartRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get<{ Params: { id: string }; Querystring: { limit?: number; beforeIndex?: string } }>(
    '/v1/machines/:id/parts',
    route('Replaced parts of a machine, the newest declared first', schemas.partReplacements, {
      params: schemas.machineParams,
      querystring: schemas.partsQuery,
    }),
    async ({ params: { id }, query: { limit, beforeIndex } }) => {
      const { machineId } = await knownMachine(context, BigInt(id))
      const replacements = await readReplacements(context.database.pool, {
        machineId,
        limit: limit ?? PARTS_SHOWN,
        ...(beforeIndex === undefined ? {} : { beforeIndex: BigInt(beforeIndex) }),
      })
      return replacements.map(partOf)
    },
  )
}

/** As the API tells of it. */
export function partOf(replacement: LoggedReplacement): PartReplacement {
  const { stream, atMs, oldPart, newPart, handover, seq, logIndex } = replacement
  return {
    stream,
    atMs,
    oldPart: oldPart ?? null,
    newPart: newPart ?? null,
    last: handover ? decimalText(handover.last) : null,
    first: handover ? decimalText(handover.first) : null,
    seq: String(seq),
    logIndex: String(logIndex),
  }
}
