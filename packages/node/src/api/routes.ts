import { Readable } from 'node:stream'
import type { FastifyInstance, FastifySchema } from 'fastify'
import { readEnvelope } from '../store/envelopes.ts'
import { readFineSeries } from '../store/fine-series.ts'
import { readPartyMachines } from '../store/machine-accounts.ts'
import { readFoldCodes, saveMachineName } from '../store/overview.ts'
import { readRefusals } from '../store/refusals.ts'
import { createStreamFigures } from '../store/stream-figures.ts'
import { addAccountRoutes } from './account-routes.ts'
import { agreementList, agreementView } from './agreement-view.ts'
import { openBundle } from './bundle.ts'
import { bytesGone } from './bytes-gone.ts'
import type { ApiContext } from './context.ts'
import { addCredentialRoutes } from './credential-routes.ts'
import { addDocumentRoutes } from './document-routes.ts'
import type { EventStream } from './event-stream.ts'
import { addLifeRoutes } from './life-routes.ts'
import {
  envelopeList,
  machineList,
  machineView,
  summaryOf,
  timelineView,
  unpricedList,
} from './machine-view.ts'
import { addMarketRoutes } from './market-routes.ts'
import { createMetrics } from './metrics.ts'
import { addMoneyRoutes } from './money-routes.ts'
import { addOperationRoutes } from './operation-routes.ts'
import { ownerOrOperatorOnly } from './owner.ts'
import { createPacedFigures } from './paced-figures.ts'
import { addPartRoutes } from './part-routes.ts'
import { addPartyRoutes } from './party-routes.ts'
import { addPlaceRoutes } from './place-routes.ts'
import { ProblemError, unknown } from './problem.ts'
import { addProposalRoutes } from './proposal-routes.ts'
import { addRightsRoutes } from './rights-routes.ts'
import { idOf, route } from './route.ts'
import * as schemas from './schemas.ts'
import { addSessionRoutes } from './session-routes.ts'
import { takeAttestation, takeMeterValue } from './signed-values.ts'
import { statusView } from './status-view.ts'
import { addThingRoutes } from './thing-routes.ts'
import { addVaultRoutes } from './vault-routes.ts'

const REFUSALS_SHOWN = 200
const RULES_BODY_BYTES = 262_144
const VALUE_BODY_BYTES = 16_384
const ATTESTATION_BODY_BYTES = 524_288

/** All routes under /v1, and /healthz and /metrics. */
export function addRoutes(app: FastifyInstance, context: ApiContext, stream: EventStream): void {
  app.get(
    '/v1/deployment',
    route('Where ledger and broker are', schemas.deployment),
    () => context.deployment,
  )
  app.get('/v1/status', route('Figures of the whole node', schemas.status), () =>
    statusView(context),
  )
  addMachineRoutes(app, context)
  addAgreementRoutes(app, context)
  addMoneyRoutes(app, context)
  addLogRoutes(app, context)
  addSessionRoutes(app, context)
  addPartyRoutes(app, context)
  addDocumentRoutes(app, context)
  addPlaceRoutes(app, context)
  addPartRoutes(app, context)
  addLifeRoutes(app, context)
  addCredentialRoutes(app, context)
  addAccountRoutes(app, context)
  addRightsRoutes(app, context)
  addProposalRoutes(app, context)
  addMarketRoutes(app, context)
  addThingRoutes(app, context)
  addVaultRoutes(app, context)
  app.get(
    '/v1/events',
    {
      schema: {
        summary: 'Server-sent events; resumes behind the header Last-Event-ID',
        produces: ['text/event-stream'],
        response: { 200: { type: 'string' } },
      } as FastifySchema,
    },
    (request, reply) => {
      reply.hijack()
      const lastId = request.headers['last-event-id']
      stream.serve(reply.raw, typeof lastId === 'string' ? lastId : undefined)
    },
  )
  app.get(
    '/healthz',
    {
      schema: {
        summary: 'Whether the log runs and the view of money equals the ledger',
        response: { 200: schemas.health, 503: schemas.health },
      } as FastifySchema,
    },
    async (_request, reply) => {
      const money = await context.checkMoney()
      const halted = context.evidence.halted()
      const ok = money.ok && halted === undefined
      return reply.status(ok ? 200 : 503).send({ ok, log: halted ?? 'running', money })
    },
  )
  const figures = createPacedFigures(context)
  const metrics = createMetrics(context, figures)
  addOperationRoutes(app, context, figures, metrics)
  app.get('/metrics', { schema: { hide: true } }, async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.metrics()),
  )
}

function addMachineRoutes(app: FastifyInstance, context: ApiContext): void {
  const db = context.database.pool
  const params = schemas.machineParams
  const querystring = schemas.sinceQuery
  const readFigures = createStreamFigures(db)
  app.get<{ Querystring: { sinceMs?: number } }>(
    '/v1/machines',
    route('All machines', schemas.machineSummaries, { querystring }),
    ({ query }) => machineList(context, readFigures, query.sinceMs ?? 0),
  )
  app.get<{ Params: { id: string }; Querystring: { sinceMs?: number } }>(
    '/v1/machines/:id',
    route('One machine', schemas.machine, { params, querystring }),
    ({ params: { id }, query }) => machineView(context, BigInt(id), query.sinceMs ?? 0),
  )
  app.put<{ Params: { id: string }; Body: { name: string } }>(
    '/v1/machines/:id/name',
    route(
      'Names a machine for pages; for its owner, or the operator of its vault',
      schemas.machineName,
      {
        params,
        body: schemas.machineName,
        security: [{ session: [] }],
      },
    ),
    async (request) => {
      const machineId = BigInt(request.params.id)
      await ownerOrOperatorOnly(context, request, machineId, 'name it')
      await saveMachineName(db, machineId, request.body.name)
      return request.body
    },
  )
  app.get<{
    Params: { id: string }
    Querystring: { stream: string; fromMs: number; toMs: number; points?: number }
  }>(
    '/v1/machines/:id/readings',
    route('Readings of a stream in buckets', schemas.readingSeries, {
      params,
      querystring: schemas.readingsQuery,
    }),
    ({ params: { id }, query }) => {
      if (query.toMs <= query.fromMs) {
        throw new ProblemError(400, 'REQUEST_INVALID', 'toMs must be after fromMs.')
      }
      return readFineSeries(db, { ...query, points: query.points ?? 300, machineId: BigInt(id) })
    },
  )
  app.get<{ Params: { id: string } }>(
    '/v1/machines/:id/timeline',
    route('What happened to a machine, newest first', schemas.timeline, { params }),
    ({ params: { id } }) => timelineView(context, BigInt(id)),
  )
  app.get<{
    Params: { id: string }
    Querystring: { stream?: string; limit?: number; beforeIndex?: string }
  }>(
    '/v1/machines/:id/envelopes',
    route('Logged envelopes of a machine, newest first', schemas.envelopeSummaries, {
      params,
      querystring: schemas.envelopesQuery,
    }),
    ({ params: { id }, query: { stream, limit, beforeIndex } }) =>
      envelopeList(context, {
        machineId: BigInt(id),
        limit: limit ?? 100,
        ...(stream === undefined ? {} : { stream }),
        ...(beforeIndex === undefined ? {} : { beforeIndex: BigInt(beforeIndex) }),
      }),
  )
  app.get<{ Params: { id: string } }>(
    '/v1/machines/:id/unpriced',
    route(
      'Logged readings of a machine that nobody pays, newest first',
      schemas.envelopeSummaries,
      {
        params,
      },
    ),
    ({ params: { id } }) => unpricedList(context, BigInt(id)),
  )
  app.get<{ Params: { id: string } }>(
    '/v1/machines/:id/refusals',
    route(
      'What was refused from a machine, newest first; from 0: from whom the ledger does not know',
      schemas.refusals,
      { params: schemas.refusalParams },
    ),
    async ({ params: { id } }) =>
      (await readRefusals(db, BigInt(id), REFUSALS_SHOWN)).map(({ code, message, atMs }) => ({
        code,
        message,
        atMs,
      })),
  )
}

function addAgreementRoutes(app: FastifyInstance, context: ApiContext): void {
  const params = schemas.agreementParams
  app.get('/v1/agreements', route('All agreements', schemas.agreementSummaries), () =>
    agreementList(context),
  )
  app.get<{ Params: { id: string } }>(
    '/v1/agreements/:id',
    route('One agreement', schemas.agreement, { params }),
    ({ params: { id } }) => agreementView(context, idOf(id)),
  )
  app.get<{ Params: { id: string } }>(
    '/v1/agreements/:id/bundle',
    {
      schema: {
        summary: 'The evidence bundle, one JSON object a line',
        params,
        produces: ['application/x-ndjson'],
        response: { 200: { type: 'string' }, default: schemas.problem },
      } as FastifySchema,
    },
    async ({ params: { id } }, reply) => {
      const lines = await openBundle(context, idOf(id))
      return reply
        .type('application/x-ndjson; charset=utf-8')
        .send(Readable.from(lines, { objectMode: false, highWaterMark: 65_536 }))
    },
  )
  app.get<{ Querystring: { party?: string } }>(
    '/v1/notices',
    route(
      'Warnings to the parties of agreements: low on escrow, or a calibration that ends or is missing',
      schemas.notices,
      {
        querystring: schemas.noticesQuery,
      },
    ),
    async ({ query }) => {
      const party = query.party?.toLowerCase()
      if (party === undefined) return context.notices()
      const machines = await readPartyMachines(context.database.pool)
      return context
        .notices()
        .filter((one) => one.party === party || machines.get(one.party)?.owner === party)
    },
  )
  app.post<{ Params: { id: string }; Body: unknown }>(
    '/v1/agreements/:id/meter-values',
    {
      ...route("Takes a meter value signed by the agreement's signer", schemas.valueTaken, {
        params,
        body: schemas.anyObject,
      }),
      bodyLimit: VALUE_BODY_BYTES,
    },
    ({ params: { id }, body }) => takeMeterValue(context, idOf(id), body),
  )
  app.post<{ Body: unknown }>(
    '/v1/attestations',
    {
      ...route(
        'Takes one signature of an attestor over many meter values',
        schemas.attestationTaken,
        {
          body: schemas.anyObject,
        },
      ),
      bodyLimit: ATTESTATION_BODY_BYTES,
    },
    ({ body }) => takeAttestation(context, body),
  )
  app.post<{ Body: unknown[] }>(
    '/v1/rules',
    {
      ...route('Makes meter rules known; they are found by their hash', schemas.rulesTaken, {
        body: schemas.rulesBody,
      }),
      bodyLimit: RULES_BODY_BYTES,
    },
    async ({ body }) => {
      const taken = await context.agreements.submitRules(body)
      if (!taken.ok) throw new ProblemError(422, taken.code, taken.message)
      await context.onRules()
      return { ruleHashes: taken.ruleHashes }
    },
  )
}

function addLogRoutes(app: FastifyInstance, context: ApiContext): void {
  const { database, evidence } = context
  app.get('/v1/log/head', route('Signed head of the evidence log', schemas.logHead), () =>
    evidence.head(),
  )
  app.get<{ Querystring: { from: string; to: string } }>(
    '/v1/log/consistency',
    route('Consistency proof between two sizes (RFC 9162)', schemas.consistency, {
      querystring: schemas.consistencyQuery,
    }),
    async ({ query }) => {
      const [from, to] = [BigInt(query.from), BigInt(query.to)]
      const size = BigInt((await evidence.head()).size)
      if (from > to || to > size) {
        throw new ProblemError(400, 'REQUEST_INVALID', `from <= to <= ${size} must hold.`)
      }
      return { proof: await evidence.consistencyProof(from, to) }
    },
  )
  app.get<{ Params: { logIndex: string } }>(
    '/v1/envelopes/:logIndex',
    route('One logged envelope with its inclusion proof', schemas.envelopeProof, {
      params: schemas.envelopeParams,
    }),
    async ({ params: { logIndex } }) => {
      const row = await readEnvelope(database.pool, BigInt(logIndex))
      if (!row) throw unknown('ENVELOPE_UNKNOWN', `Envelope ${logIndex}`)
      if (!row.raw) throw await bytesGone(database.pool, row)
      const codes = await readFoldCodes(database.pool, [row.digest])
      const { anchored: _, ...checkpoint } = await evidence.head()
      return {
        ...summaryOf(row, codes.get(row.digest)),
        machineId: String(row.machineId),
        admission: row.code,
        raw: row.raw.toString('base64'),
        proof: await evidence.inclusionProof(row.logIndex, BigInt(checkpoint.size)),
        checkpoint,
      }
    },
  )
}
