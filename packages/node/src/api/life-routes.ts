import type { ErasureStatement, Hex, KeptLeaf, MachineRecord } from '@liquefy/client'
import { isSigned, LiquefyError, MAX_ORIGIN_BYTES, readOrigin } from '@liquefy/protocol'
import type { FastifyInstance, FastifySchema } from 'fastify'
import { readEnvelope } from '../store/envelopes.ts'
import { readErasures } from '../store/erasures.ts'
import { lockRecords, readRecordBytes, readRecords, saveRecord } from '../store/machine-records.ts'
import { ErasureError, eraseMachine } from '../trust/erasure.ts'
import type { ApiContext } from './context.ts'
import { erasureView, lifeView } from './life-view.ts'
import { knownMachine } from './machine-view.ts'
import { ownerOnly } from './owner.ts'
import { ProblemError, unknown } from './problem.ts'
import { route } from './route.ts'
import * as schemas from './schemas.ts'
import { sessionOf } from './session-routes.ts'
import { inTurn, oneAtATime } from './turns.ts'

/** A whole life is many questions to the database. */
const MOST_WAITING = 32

const MAX_RECORDS = 100
/** Base64, and JSON around it. */
const RECORD_BODY_BYTES = Math.ceil((MAX_ORIGIN_BYTES * 4) / 3) + 1_024
const SIGN1 = 'application/cose; cose-type="cose-sign1"'

/** The life of a machine: what a buyer asks, what is kept when it is over, and where its parts come from. */
export function addLifeRoutes(app: FastifyInstance, context: ApiContext): void {
  const turns = oneAtATime(MOST_WAITING)
  const params = schemas.machineParams
  const security = [{ session: [] }]
  app.get<{ Params: { id: string } }>(
    '/v1/machines/:id/life',
    route('What a buyer wants to know of a machine', schemas.machineLife, { params }),
    ({ params: { id } }) => inTurn(turns, () => lifeView(context, BigInt(id))),
  )
  app.get<{ Params: { id: string } }>(
    '/v1/machines/:id/erasures',
    route('Signed statements of what was erased of a machine', schemas.erasures, { params }),
    async ({ params: { id } }) => {
      await knownMachine(context, BigInt(id))
      return (await readErasures(context.database.pool, BigInt(id))).map(erasureView)
    },
  )
  app.post<{ Params: { id: string } }>(
    '/v1/machines/:id/erasure',
    route('Erases what a decommissioned machine measured; for its owner', schemas.erasure, {
      params,
      security,
    }),
    async (request) => {
      const machineId = BigInt(request.params.id)
      await ownerOnly(context, request, machineId, 'erase what it measured')
      return erase(context, machineId, (await sessionOf(context, request)).address)
    },
  )
  app.get<{ Params: { logIndex: string } }>(
    '/v1/envelopes/:logIndex/leaf',
    route('What stays of an envelope whatever becomes of its bytes', schemas.keptLeaf, {
      params: schemas.envelopeParams,
    }),
    ({ params: { logIndex } }) => leafView(context, logIndex),
  )
  addRecordRoutes(app, context)
}

function addRecordRoutes(app: FastifyInstance, context: ApiContext): void {
  const db = context.database.pool
  const params = schemas.machineParams
  app.get<{ Params: { id: string } }>(
    '/v1/machines/:id/records',
    route("Makers' records of a machine and its parts", schemas.machineRecords, { params }),
    async ({ params: { id } }) => {
      await knownMachine(context, BigInt(id))
      return readRecords(db, BigInt(id))
    },
  )
  app.post<{ Params: { id: string }; Body: { record: string } }>(
    '/v1/machines/:id/records',
    {
      ...route("Adds a maker's signed record to a machine; for its owner", schemas.machineRecord, {
        params,
        body: schemas.recordBody,
        security: [{ session: [] }],
      }),
      bodyLimit: RECORD_BODY_BYTES,
    },
    async (request) => {
      const machineId = BigInt(request.params.id)
      await ownerOnly(context, request, machineId, 'add records to it')
      const { address } = await sessionOf(context, request)
      return addRecord(context, machineId, address, Buffer.from(request.body.record, 'base64'))
    },
  )
  app.get<{ Params: { id: string; recordId: Hex } }>(
    '/v1/machines/:id/records/:recordId',
    {
      schema: {
        summary: 'One record as its maker signed it (COSE_Sign1)',
        params: schemas.recordParams,
        produces: [SIGN1],
        response: { 200: { type: 'string' }, default: schemas.problem },
      } as FastifySchema,
    },
    async ({ params: { id, recordId } }, reply) => {
      const raw = await readRecordBytes(db, BigInt(id), recordId.toLowerCase() as Hex)
      if (!raw) throw unknown('RECORD_UNKNOWN', `Record ${recordId} of machine ${id}`)
      return reply.type(SIGN1).send(raw)
    },
  )
}

async function erase(
  context: ApiContext,
  machineId: bigint,
  owner: Hex,
): Promise<ErasureStatement> {
  const { deployment } = context
  try {
    const { final } = context.block()
    return erasureView(
      await eraseMachine({ ...context, ...deployment }, { machineId, owner, finalBlock: final }),
    )
  } catch (error) {
    if (error instanceof ErasureError) throw new ProblemError(409, error.code, error.message)
    if (!(error instanceof LiquefyError) || error.code !== 'KEY_MISSING') throw error
    throw new ProblemError(
      503,
      'ERASURE_ABSENT',
      'This process cannot sign for the log, and nothing is erased without a signed statement. Start a node that does everything on this database, and ask that one.',
    )
  }
}

async function addRecord(
  { database, clock }: ApiContext,
  machineId: bigint,
  addedBy: Hex,
  raw: Uint8Array,
): Promise<MachineRecord> {
  const read = readOrigin(raw)
  if (!read.ok) throw new ProblemError(422, read.code, `This is no record: ${read.message}.`)
  if (!isSigned(read.record)) {
    throw new ProblemError(
      422,
      'ORIGIN_SIGNATURE_INVALID',
      `The record is not signed by ${read.record.issuer}, whom it names as its maker.`,
    )
  }
  const { recordId, issuer, subject, content } = read.record
  const addedMs = clock.nowMs()
  return database.transaction(async (db) => {
    await lockRecords(db, machineId)
    const records = await readRecords(db, machineId)
    const before = records.find((one) => one.recordId === recordId)
    if (before) return before
    if (records.length >= MAX_RECORDS) {
      throw new ProblemError(
        409,
        'RECORDS_TOO_MANY',
        `A machine has at most ${MAX_RECORDS} records: keep the others yourself.`,
      )
    }
    const record = { recordId, kind: content.kind, issuer, subject, addedBy, addedMs }
    await saveRecord(db, machineId, record, raw)
    return record
  })
}

async function leafView({ database, evidence }: ApiContext, logIndex: string): Promise<KeptLeaf> {
  const row = await readEnvelope(database.pool, BigInt(logIndex))
  if (!row) throw unknown('ENVELOPE_UNKNOWN', `Envelope ${logIndex}`)
  const { anchored: _, ...checkpoint } = await evidence.head()
  return {
    logIndex,
    machineId: String(row.machineId),
    stream: row.stream,
    seq: String(row.seq),
    digest: row.digest,
    prev: row.prev,
    loggedAtMs: row.loggedAt,
    admission: row.code,
    bytes: row.raw ? 'here' : row.isErased ? 'erased' : 'archived',
    proof: await evidence.inclusionProof(row.logIndex, BigInt(checkpoint.size)),
    checkpoint,
  }
}
