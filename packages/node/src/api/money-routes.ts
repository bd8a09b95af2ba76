import type { FastifyInstance } from 'fastify'
import { periodList, settlementList } from './agreement-view.ts'
import type { ApiContext } from './context.ts'
import { escrowOutlook } from './escrow-outlook.ts'
import { moneyHistory } from './money-history.ts'
import { idOf, route } from './route.ts'
import * as schemas from './schemas.ts'
import { envelopePayments, placeOf, settlementEvidence } from './settlement-evidence.ts'

const HISTORY_POINTS = 200
const ROWS = 15

/** An agreement's money over time, its periods and settlements page by page, and what each settlement rests on. */
export function addMoneyRoutes(app: FastifyInstance, context: ApiContext): void {
  const params = schemas.agreementParams
  app.get<{ Params: { id: string }; Querystring: { fromMs?: number; points?: number } }>(
    '/v1/agreements/:id/money',
    route('Owed, included and final over time', schemas.moneyHistory, {
      params,
      querystring: schemas.moneyQuery,
    }),
    ({ params: { id }, query: { fromMs, points } }) =>
      moneyHistory(context, idOf(id), {
        points: points ?? HISTORY_POINTS,
        ...(fromMs === undefined ? {} : { fromMs }),
      }),
  )
  app.get<{ Params: { id: string } }>(
    '/v1/agreements/:id/escrow',
    route('How long escrow lasts at the pace of the last 24 hours', schemas.escrowOutlook, {
      params,
    }),
    ({ params: { id } }) => escrowOutlook(context, idOf(id)),
  )
  app.get<{ Params: { id: string }; Querystring: { before?: number; limit?: number } }>(
    '/v1/agreements/:id/periods',
    route('Periods of an agreement, newest first', schemas.periods, {
      params,
      querystring: schemas.periodsQuery,
    }),
    ({ params: { id }, query: { before, limit } }) =>
      periodList(context, idOf(id), {
        limit: limit ?? ROWS,
        ...(before === undefined ? {} : { before }),
      }),
  )
  app.get<{ Params: { id: string }; Querystring: { before?: string; limit?: number } }>(
    '/v1/agreements/:id/settlements',
    route('Settlements of an agreement, newest first', schemas.settlements, {
      params,
      querystring: schemas.settlementsQuery,
    }),
    ({ params: { id }, query: { before, limit } }) =>
      settlementList(context, idOf(id), {
        limit: limit ?? ROWS,
        before: before === undefined ? undefined : placeOf(before),
      }),
  )
  app.get<{ Params: { id: string; place: string } }>(
    '/v1/agreements/:id/settlements/:place',
    route('One settlement with what it rests on', schemas.settlementEvidence, {
      params: schemas.settlementParams,
    }),
    ({ params: { id, place } }) => settlementEvidence(context, idOf(id), placeOf(place)),
  )
  app.get<{ Params: { logIndex: string } }>(
    '/v1/envelopes/:logIndex/payments',
    route('Periods that an envelope moved, and what paid for it', schemas.envelopePayments, {
      params: schemas.envelopeParams,
    }),
    ({ params: { logIndex } }) => envelopePayments(context, BigInt(logIndex)),
  )
}
