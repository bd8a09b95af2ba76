import { Readable } from 'node:stream'
import type { LogKey, SplitViewStatement, StatementJudged } from '@liquefy/client'
import {
  accountOf,
  checkpointDigest,
  coseKey,
  coseThumbprint,
  encode,
  encodeConsistencyReceipt,
  encodeInclusionReceipt,
  encodeSignedRoot,
  encodeStatement,
  type Hex,
  type LogIdentity,
  type LogStatement,
  MAX_STATEMENT_BYTES,
  type PublicKey,
  readCheckpoint,
  readSignedStatement,
  recoverPublicKey,
  type SignedRoot,
} from '@liquefy/protocol'
import type { FastifyInstance, FastifyReply, FastifySchema } from 'fastify'
import { type LogEntry, readEnvelope, readStretch, stretchFacts } from '../store/envelopes.ts'
import { readNewestAnchor, readNewestCheckpoint } from '../store/log.ts'
import { readSplitViews } from '../store/split-views.ts'
import { bytesGone } from './bytes-gone.ts'
import type { ApiContext } from './context.ts'
import { BusyError, ProblemError, unknown } from './problem.ts'
import { route } from './route.ts'
import * as schemas from './schemas.ts'
import { createSignedRoots, type SignedRoots } from './signed-roots.ts'
import { inTurn, oneAtATime } from './turns.ts'

const RECEIPT = 'application/scitt-receipt+cose'
const STATEMENT = 'application/scitt-statement+cose'
const COSE = 'application/cose'
const CBOR = 'application/cbor'
const SEQUENCE = 'application/cbor-seq'
/** Numbers of one stream in one answer. */
const MOST_STATEMENTS = 1_000
/** Held in memory for each that reads slowly: with envelopes of 64 KiB a few megabytes. */
const PORTION = 25
/** Streams that are read at once, and how long one may stand still. */
const MOST_READERS = 8
const STANDSTILL_MS = 30_000
/** Verifying a signature or making one takes milliseconds of the processor: the node must acknowledge what machines send meanwhile. */
const MOST_WAITING = 32
const logBusy = () =>
  new BusyError('LOG_BUSY', 'Too many ask for signatures of the log: ask again.', 1)

/** Receipts and statements on the terms of RFC 9942 and RFC 9943 (docs/protocol/receipt.md), in a scope of its own, which reads COSE. */
export function addReceiptRoutes(app: FastifyInstance, context: ApiContext): void {
  const roots = createSignedRoots(context.evidence)
  addEnvelopeRoutes(app, context, roots)
  addRootRoutes(app, context, roots)
  addKeyRoutes(app, context)
  addStatementIntake(app, context)
}

function addEnvelopeRoutes(app: FastifyInstance, context: ApiContext, roots: SignedRoots): void {
  const { database } = context
  const params = schemas.envelopeParams
  let readers = 0
  const entryAt = async (logIndex: string) => {
    const row = await readEnvelope(database.pool, BigInt(logIndex))
    if (!row) throw unknown('ENVELOPE_UNKNOWN', `Envelope ${logIndex}`)
    return row
  }
  app.get<{ Params: { logIndex: string } }>(
    '/v1/envelopes/:logIndex/receipt',
    binary('Receipt of one logged envelope (RFC 9942)', RECEIPT, { params }),
    async ({ params: { logIndex } }, reply) => {
      const row = await entryAt(logIndex)
      const root = await rootFor(context, roots, row.logIndex)
      return send(reply, RECEIPT, await receiptOf(context, root, row))
    },
  )
  app.get<{ Params: { logIndex: string } }>(
    '/v1/envelopes/:logIndex/statement',
    binary('One logged envelope with its receipt: a transparent statement (RFC 9943)', STATEMENT, {
      params,
    }),
    async ({ params: { logIndex } }, reply) => {
      const row = await entryAt(logIndex)
      if (!row.raw) throw await bytesGone(database.pool, row)
      const root = await rootFor(context, roots, row.logIndex)
      const statement = encodeStatement(row.raw, [await receiptOf(context, root, row)])
      return send(reply, STATEMENT, statement)
    },
  )
  app.get<{
    Params: { id: string; stream: string }
    Querystring: { from: string; to: string }
  }>(
    '/v1/machines/:id/streams/:stream/statements',
    binary(
      `Statements of a stream from one seq to another, at most ${MOST_STATEMENTS} numbers, in order of seq, as a CBOR sequence (RFC 8742)`,
      SEQUENCE,
      { params: schemas.streamParams, querystring: schemas.statementsQuery },
    ),
    async ({ params: { id, stream }, query }, reply) => {
      const [from, to] = [BigInt(query.from), BigInt(query.to)]
      if (from > to || to - from >= BigInt(MOST_STATEMENTS)) {
        const message = `from <= to < from + ${MOST_STATEMENTS} must hold: ask for the rest behind it.`
        throw new ProblemError(400, 'REQUEST_INVALID', message)
      }
      const stretch = { machineId: BigInt(id), stream, from, to }
      const facts = await stretchFacts(database.pool, stretch)
      if (facts.firstGone) throw await bytesGone(database.pool, facts.firstGone)
      if (readers >= MOST_READERS) throw logBusy()
      readers += 1
      reply.raw.once('close', () => {
        readers -= 1
      })
      reply.raw.setTimeout(STANDSTILL_MS, () => reply.raw.destroy())
      const statements = statementsOf(context, roots, stretch, facts.lastIndex)
      return reply.type(SEQUENCE).send(Readable.from(statements, { objectMode: false }))
    },
  )
}

async function* statementsOf(
  context: ApiContext,
  roots: SignedRoots,
  stretch: { machineId: bigint; stream: string; from: bigint; to: bigint },
  lastIndex: bigint | undefined,
): AsyncGenerator<Uint8Array> {
  if (lastIndex === undefined) return
  const root = await rootFor(context, roots, lastIndex)
  const { to } = stretch
  for (let { from } = stretch; from <= to; from += BigInt(PORTION)) {
    const end = from + BigInt(PORTION) - 1n
    const portion = { ...stretch, from, to: end < to ? end : to }
    for (const row of await readStretch(context.database.pool, portion)) {
      // What was logged meanwhile is not under this root.
      if (row.logIndex >= root.size || !row.raw) continue
      yield encodeStatement(row.raw, [await receiptOf(context, root, row)])
    }
  }
}

/** The newest root that stands on the ledger, if it covers the leaf: then nobody needs to believe the log at all. */
async function rootFor(
  { database, deployment }: ApiContext,
  roots: SignedRoots,
  index: bigint,
): Promise<SignedRoot> {
  const anchor = await readNewestAnchor(database.pool, deployment.log)
  return anchor && anchor.size > index ? roots.at(anchor.size) : roots.covering(index)
}

async function receiptOf(
  { evidence }: ApiContext,
  root: SignedRoot,
  { logIndex, loggedAt, code }: LogEntry,
): Promise<Uint8Array> {
  const path = await evidence.inclusionProof(logIndex, root.size)
  return encodeInclusionReceipt(root, { index: logIndex, path, loggedAt, code })
}

function addRootRoutes(app: FastifyInstance, context: ApiContext, roots: SignedRoots): void {
  const { evidence } = context
  const turns = oneAtATime(MOST_WAITING)
  const signedAt = async (size: bigint) => {
    const present = BigInt((await evidence.head()).size)
    if (size < 1n || size > present) {
      throw new ProblemError(400, 'REQUEST_INVALID', `The log has sizes from 1 to ${present}.`)
    }
    return inTurn(turns, () => roots.at(size), logBusy)
  }
  app.get<{ Querystring: { from: string; to: string } }>(
    '/v1/log/consistency/receipt',
    binary('Receipt of consistency between two sizes of the log (RFC 9942)', RECEIPT, {
      querystring: schemas.consistencyQuery,
    }),
    async ({ query }, reply) => {
      const [size1, size2] = [BigInt(query.from), BigInt(query.to)]
      if (size1 < 1n || size1 >= size2) {
        throw new ProblemError(400, 'REQUEST_INVALID', '1 <= from < to must hold.')
      }
      const root = await signedAt(size2)
      const path = await evidence.consistencyProof(size1, size2)
      return send(reply, RECEIPT, encodeConsistencyReceipt(root, { size1, path }))
    },
  )
  app.get<{ Params: { size: string } }>(
    '/v1/log/roots/:size',
    binary('Root of the log at a size, signed as in receipts', COSE, {
      params: schemas.rootParams,
    }),
    async ({ params: { size } }, reply) =>
      send(reply, COSE, encodeSignedRoot(await signedAt(BigInt(size)))),
  )
}

function addKeyRoutes(app: FastifyInstance, context: ApiContext): void {
  let known: PublicKey | undefined
  const key = async () => {
    known ??= await keyOfLog(context)
    return known
  }
  app.get(
    '/v1/log/key',
    route('Key that signs the evidence log', schemas.logKey),
    async (): Promise<LogKey> => {
      const found = await key()
      const { x, y } = found
      return { address: accountOf(found), x, y, kid: coseThumbprint(found) }
    },
  )
  app.get(
    '/.well-known/scitt-keys',
    binary('Keys that sign receipts, as a COSE Key Set', CBOR),
    async (_request, reply) => send(reply, CBOR, encode([coseKey(await key())])),
  )
  app.get<{ Params: { kid: string } }>(
    '/.well-known/scitt-keys/:kid',
    binary('One key that signs receipts, by its kid in base64url, as a COSE Key', CBOR, {
      params: schemas.kidParams,
    }),
    async ({ params: { kid } }, reply) => {
      const found = await key()
      const named = Buffer.from(kid, 'base64url').toString('hex')
      if (`0x${named}` !== coseThumbprint(found)) throw unknown('KEY_UNKNOWN', `Key ${kid}`)
      return send(reply, CBOR, encode(coseKey(found)))
    },
  )
}

/** Found by what it signed, so that a process without it can tell; also when the log is halted. */
async function keyOfLog(context: ApiContext): Promise<PublicKey> {
  const { database, evidence } = context
  const { chainId, anchor } = identityOf(context)
  const stored = await readNewestCheckpoint(database.pool)
  const { size, root, timestamp, signature } = stored ?? (await evidence.head())
  const checkpoint = { chainId, anchor, size: BigInt(size), root, timestamp }
  const key = recoverPublicKey(checkpointDigest(checkpoint), signature)
  if (key) return key
  throw new ProblemError(503, 'LOG_KEY_UNKNOWN', 'The log has signed nothing yet: ask again.')
}

function addStatementIntake(app: FastifyInstance, context: ApiContext): void {
  const { evidence, database } = context
  const turns = oneAtATime(MOST_WAITING)
  app.addContentTypeParser(
    [COSE, RECEIPT, STATEMENT],
    { parseAs: 'buffer', bodyLimit: MAX_STATEMENT_BYTES },
    async (_request: unknown, body: Buffer) => body,
  )
  app.post<{ Body: unknown }>(
    '/v1/log/checkpoints',
    {
      schema: {
        summary:
          'Takes a statement that this log has signed, from anybody, and holds it against the log: a checkpoint, a transparent statement, or a receipt with its root',
        body: {
          content: {
            'application/json': { schema: schemas.anyObject },
            [COSE]: { schema: { description: 'A signed root' } },
            [RECEIPT]: { schema: { description: 'A receipt with its root attached' } },
            [STATEMENT]: { schema: { description: 'A transparent statement' } },
          },
        },
        response: { 200: schemas.statementJudged, default: schemas.problem },
      } as FastifySchema,
      bodyLimit: MAX_STATEMENT_BYTES,
    },
    ({ body }) => inTurn(turns, () => judged(evidence, identityOf(context), body), logBusy),
  )
  app.get(
    '/v1/log/split-view',
    route(
      'What the key of this log has signed and this log does not have; empty while it is one log',
      schemas.splitViews,
    ),
    async () => ({ splitViews: await readSplitViews(database.pool) }),
  )
}

async function judged(
  evidence: ApiContext['evidence'],
  log: LogIdentity,
  body: unknown,
): Promise<StatementJudged> {
  const read =
    body instanceof Uint8Array ? readSignedStatement(body, log) : readCheckpoint(body, log)
  if (!read.ok) throw new ProblemError(422, read.code, read.message)
  const { size, root } = read.stated
  const splitView = await evidence.contradicts({ size, root, statement: jsonOf(read.stated) })
  if (splitView) return { verdict: 'SPLIT_VIEW', splitView }
  return { verdict: 'CONSISTENT', size: String(size), root }
}

function jsonOf(stated: LogStatement): SplitViewStatement {
  if (stated.form === 'checkpoint') return { ...stated, size: String(stated.size) }
  return { form: 'cose', signed: Buffer.from(stated.signed).toString('base64') }
}

function identityOf({ deployment }: ApiContext): LogIdentity {
  const { chainId, log, evidenceAnchor: anchor } = deployment
  return { chainId, log: log.toLowerCase() as Hex, anchor: anchor.toLowerCase() as Hex }
}

function binary(
  summary: string,
  type: string,
  takes: Pick<FastifySchema, 'params' | 'querystring'> = {},
): { schema: FastifySchema } {
  const response = { 200: { content: { [type]: { schema: {} } } }, default: schemas.problem }
  return { schema: { summary, produces: [type], ...takes, response } as FastifySchema }
}

function send(reply: FastifyReply, type: string, bytes: Uint8Array): FastifyReply {
  return reply.type(type).send(Buffer.from(bytes))
}
