import { compareStatements, type LogComparison, type LogWitness } from '@liquefy/audit'
import { type Client, createClient } from '@liquefy/client'
import {
  decodeEnvelope,
  type Hex,
  LiquefyError,
  type LogIdentity,
  type LogStatement,
  readCheckpoint,
  readSignedStatement,
  type StreamEnd,
  splitSequence,
  splitStatement,
} from '@liquefy/protocol'
import type { Command } from 'commander'
import { agreementIdOf } from '../agreement-id.ts'
import { type Context, contextOf } from '../context.ts'
import { readBytes, writeWhole } from '../document-file.ts'
import { CliError, EXIT } from '../failure.ts'
import { type Trust, trustOf } from '../log-trust.ts'
import { machineIdOf } from '../machine-id.ts'
import { checkStream, type StreamReport } from '../stream-check.ts'

const PAGE = 1_000n

interface TrustFlags {
  rpc?: string
  log?: string
}

/** `liquefy evidence receipt`, `statement`, `key`, `stream`, `complete`, `compare`: what holds without the node (docs/protocol/receipt.md). */
export function addReceiptCommands(evidence: Command, done: (exitCode: number) => void): void {
  for (const kind of ['receipt', 'statement'] as const) {
    evidence
      .command(kind)
      .description(
        kind === 'receipt'
          ? 'write the receipt of one logged envelope (RFC 9942)'
          : 'write one logged envelope with its receipt (RFC 9943)',
      )
      .argument('<logIndex>', 'where it stands in the evidence log')
      .option('--out <file>', `default: <logIndex>.${kind}.cose in the working folder`)
      .action(async (logIndex: string, options: { out?: string }, self: Command) => {
        const context = contextOf(self)
        const node = context.node()
        const bytes = await (kind === 'receipt'
          ? node.receipt(logIndex)
          : node.transparentStatement(logIndex))
        const file = options.out ?? `${logIndex}.${kind}.cose`
        writeWhole(file, bytes)
        context.out.result(
          { logIndex, file, bytes: bytes.length },
          `${file}: ${bytes.length} bytes`,
        )
      })
  }
  evidence
    .command('key')
    .description('print the key that signs the log, and those of a machine if one is named')
    .option('--machine <id>', 'a machine, whose keys the ledger has')
    .option('--rpc <url>', 'JSON-RPC of the ledger, instead of the one that runs here')
    .action(async (options: { machine?: string; rpc?: string }, self: Command) =>
      printKeys(contextOf(self), options),
    )
  evidence
    .command('stream')
    .description('write the statements of a stream into one file, and say where it ends')
    .argument('<machine/stream>', 'say 4/weight')
    .option('--from <seq>', 'default: 1')
    .option('--to <seq>', 'default: all that there is')
    .option('--out <file>', 'default: <machine>-<stream>.cborseq in the working folder')
    .action(
      async (name: string, options: { from?: string; to?: string; out?: string }, self: Command) =>
        exportStream(contextOf(self), name, options),
    )
  evidence
    .command('complete')
    .description('check that no envelope of a stream is missing, by keys and anchors of the ledger')
    .argument('<file>', 'what `liquefy evidence stream` wrote')
    .option('--from <seq:digest>', 'head behind which it begins; default: the beginning')
    .option('--to <seq:digest>', 'head with which it ends; default: the highest that is there')
    .option('--agreement <id>', 'an agreement that meters this stream alone: what it has settled')
    .option('--rpc <url>', 'JSON-RPC of the ledger, instead of the one that runs here')
    .option('--log <address>', 'account of the log you trust, instead of this data folder’s')
    .action(
      async (
        file: string,
        options: TrustFlags & { from?: string; to?: string; agreement?: string },
        self: Command,
      ) => {
        const context = contextOf(self)
        const report = await checkStream(trustOf(context, options), await itemsOf(file), {
          ...(options.from ? { from: headOf(options.from) } : {}),
          ...(options.to ? { to: headOf(options.to) } : {}),
          ...(options.agreement
            ? { agreement: await agreementIdOf(context, options.agreement) }
            : {}),
        })
        const holds = report.faults.length === 0 && report.splitSizes.length === 0
        context.out.result(streamJson(report), () => streamText(report))
        done(holds ? EXIT.ok : EXIT.faultFound)
      },
    )
  evidence
    .command('compare')
    .description('say whether two statements of the log are of one log, or prove that they are not')
    .argument('<a>', 'file (checkpoint, statement, signed root) or address of a node')
    .argument('<b>', 'the same')
    .option(
      '--node <url>',
      'a node of this log that proves, instead of one that is named or runs here',
    )
    .option('--rpc <url>', 'JSON-RPC of the ledger, instead of the one that runs here')
    .option('--log <address>', 'account of the log you trust, instead of this data folder’s')
    .action(
      async (a: string, b: string, options: TrustFlags & { node?: string }, self: Command) => {
        const context = contextOf(self)
        const trust = trustOf(context, options)
        const statements = [
          await statementOf(a, trust.log),
          await statementOf(b, trust.log),
        ] as const
        const node = options.node ?? [a, b].find(isUrl)
        const witness = witnessOf(node ? createClient({ url: node }) : localNode(context), trust)
        const anchors = await trust.ledger.anchors(trust.log.anchor, trust.log.log)
        const compared = await compareStatements(...statements, {
          anchors,
          ...(witness ? { witness } : {}),
        })
        context.out.result(comparisonJson(compared), () => comparisonText(compared, statements))
        done(compared.verdict === 'CONSISTENT' ? EXIT.ok : EXIT.faultFound)
      },
    )
}

async function printKeys(
  context: Context,
  options: { machine?: string; rpc?: string },
): Promise<void> {
  const key = await context.node().logKey()
  const point = ({ x, y }: { x: Hex; y: Hex }) => `04${x.slice(2)}${y.slice(2)}`
  const log = { address: key.address, kid: key.kid, key: point(key) }
  const machineId = options.machine === undefined ? undefined : machineIdOf(options.machine)
  const trust = machineId ? trustOf(context, { ...options, log: key.address }) : undefined
  const machine = await trust?.ledger.machine(trust.registry, BigInt(machineId ?? 0))
  const keys = (machine?.keys ?? []).map((epoch) => ({
    epoch: String(epoch.epoch),
    curve: epoch.key.curve,
    kid: epoch.keyId,
    key: point(epoch.key),
  }))
  context.out.result({ log, ...(options.machine ? { machine: keys } : {}) }, () =>
    [
      `log ${log.address}: ${log.key}`,
      ...keys.map(({ epoch, curve, key: hex }) => `key ${epoch} (${curve}): ${hex}`),
    ].join('\n'),
  )
}

async function exportStream(
  context: Context,
  name: string,
  options: { from?: string; to?: string; out?: string },
): Promise<void> {
  const [, machineId = '', stream = ''] = /^([1-9][0-9]*)\/([a-z][a-z0-9-]*)$/.exec(name) ?? []
  if (!stream)
    throw new CliError('STREAM_INVALID', `Name a machine's stream, say 4/weight, not ${name}.`)
  const node = context.node()
  const [first, last] = [options.from ?? '1', options.to].map((text) => {
    if (text === undefined || /^[1-9][0-9]{0,17}$/.test(text)) return text
    throw new CliError('SEQ_INVALID', `--from and --to take numbers from 1, not ${text}.`)
  })
  const end = last === undefined ? await lastSeq(node, machineId, stream) : BigInt(last)
  const statements: Uint8Array[] = []
  for (let from = BigInt(first ?? 1); from <= end; from += PAGE) {
    const to = from + PAGE - 1n < end ? from + PAGE - 1n : end
    const range = { from: String(from), to: String(to) }
    for (const one of await node.statements(machineId, stream, range)) statements.push(one)
    context.out.progress.show('writing statements', statements.length)
  }
  const file = options.out ?? `${machineId}-${stream}.cborseq`
  writeWhole(file, Buffer.concat(statements))
  const head = await headOfStream(node, machineId, stream, end)
  context.out.result(
    { machineId, stream, file, statements: statements.length, head },
    `${file}: ${statements.length} statements up to ${head ?? 'nothing'}. Check it with: liquefy evidence complete ${file}`,
  )
}

async function lastSeq(node: Client, machineId: string, stream: string): Promise<bigint> {
  const [newest] = await node.envelopes(machineId, { stream, limit: 1 })
  return newest ? BigInt(newest.seq) : 0n
}

/** What the node says of the end; whoever checks compares it with what he knows. */
async function headOfStream(
  node: Client,
  machineId: string,
  stream: string,
  seq: bigint,
): Promise<string | null> {
  const range = { from: String(seq), to: String(seq) }
  const [last] = seq > 0n ? await node.statements(machineId, stream, range) : []
  if (!last) return null
  const split = splitStatement(last)
  const decoded = split.ok ? decodeEnvelope(split.envelope) : split
  return decoded.ok ? `${seq}:${decoded.envelope.digest}` : null
}

async function itemsOf(file: string): Promise<Uint8Array[]> {
  const split = splitSequence(readBytes(file), Number.MAX_SAFE_INTEGER)
  if (split.ok) return split.items
  throw new CliError(
    'STREAM_UNREADABLE',
    `${file} is cut off or no CBOR sequence: ${split.message}.`,
  )
}

function headOf(text: string): StreamEnd {
  const [, seq, digest] = /^(0|[1-9][0-9]{0,17}):(0x[0-9a-f]{64})$/.exec(text) ?? []
  if (seq !== undefined) return { seq: BigInt(seq), digest: digest as Hex }
  throw new CliError(
    'HEAD_INVALID',
    `A head is <seq>:<digest>, with 0x and 64 digits, not ${text}.`,
  )
}

function streamJson(report: StreamReport): object {
  const { machineId, stream, envelopes, from, to, head, settledTo } = report
  const end = ({ seq, digest }: StreamEnd) => ({ seq: String(seq), digest: digest ?? null })
  return {
    machineId: String(machineId),
    stream,
    envelopes,
    from: end(from),
    to: end(head ?? to),
    faults: report.faults.map(({ code, seq, lastSeq, message }) => ({
      code,
      seq: String(seq),
      ...(lastSeq === undefined ? {} : { lastSeq: String(lastSeq) }),
      message,
    })),
    gaps: report.gaps.map(({ first, last, declaredAt, reason }) => ({
      first: String(first),
      last: String(last),
      declaredAt: String(declaredAt),
      reason,
    })),
    equivocations: report.equivocations.map(String),
    broken: report.broken.map(String),
    anchored: report.anchored.map(String),
    splitSizes: report.splitSizes.map(String),
    settledTo: settledTo === undefined ? null : String(settledTo),
  }
}

function streamText(report: StreamReport): string {
  const { machineId, stream, faults, gaps, envelopes, from, to, anchored, settledTo } = report
  const lines = [
    ...faults.map(
      ({ code, seq, lastSeq, message }) =>
        `FAULT ${code} at seq ${seq}${lastSeq === undefined ? '' : ` to ${lastSeq}`}: ${message}`,
    ),
    ...report.splitSizes.map(
      (size) => `FAULT SPLIT_VIEW: the ledger has another root for size ${size}`,
    ),
    ...gaps.map(
      ({ first, last, declaredAt }) =>
        `declared missing by the machine at seq ${declaredAt}: seq ${first} to ${last}`,
    ),
    ...report.equivocations.map((seq) => `a second envelope at seq ${seq}, kept as proof`),
    ...report.broken.map((seq) => `logged at seq ${seq} although it breaks the chain`),
  ]
  const where = `machine ${machineId}, stream ${stream}, from behind seq ${from.seq} to ${to.seq}${to.digest ? `:${to.digest}` : ''}`
  const tied = [
    anchored.length > 0
      ? `under the root that the ledger has for ${anchored.join(', ')} leaves`
      : 'not anchored yet',
    ...(settledTo === undefined ? [] : [`settled on the ledger up to seq ${settledTo}`]),
  ].join('; ')
  const isWhole = faults.length + report.splitSizes.length === 0
  return [
    ...lines,
    `${isWhole ? `${envelopes} envelopes, complete` : 'NOT COMPLETE'}: ${where}; ${tied}.`,
  ].join('\n')
}

const isUrl = (text: string) => /^https?:\/\//.test(text)

/** A checkpoint, statement or signed root of the log, verified. @throws CliError with the code of docs/protocol/receipt.md. */
async function statementOf(given: string, log: LogIdentity): Promise<LogStatement> {
  const read = isUrl(given)
    ? readCheckpoint(await createClient({ url: given }).logHead(), log)
    : readStatement(readBytes(given), log)
  if (read.ok) return read.stated
  throw new CliError(read.code, `${given} states nothing of the log ${log.log}: ${read.message}`)
}

function readStatement(bytes: Uint8Array, log: LogIdentity): ReturnType<typeof readCheckpoint> {
  if (bytes[0] !== '{'.charCodeAt(0)) return readSignedStatement(bytes, log)
  try {
    return readCheckpoint(JSON.parse(Buffer.from(bytes).toString()), log)
  } catch {
    return { ok: false, code: 'CHECKPOINT_MALFORMED', message: 'it is no JSON.' }
  }
}

function localNode(context: Context): Client | undefined {
  try {
    return context.node()
  } catch {
    return undefined
  }
}

function witnessOf(node: Client | undefined, { log }: Trust): LogWitness | undefined {
  if (!node) return undefined
  const orNothing = (error: unknown) => {
    if (error instanceof LiquefyError) return undefined
    throw error
  }
  return {
    async rootAt(size) {
      const bytes = await node.signedRoot(String(size)).catch(orNothing)
      const read = bytes && readSignedStatement(bytes, log)
      return read?.ok ? read.stated : undefined
    },
    consistency: (size1, size2) =>
      node.consistency(String(size1), String(size2)).then(({ proof }) => proof, orNothing),
  }
}

function comparisonJson(compared: LogComparison): object {
  if (compared.verdict !== 'SPLIT_VIEW') return compared
  const { first, second } = compared
  return { verdict: compared.verdict, first: plain(first), second: plain(second) }
}

function plain(one: LogStatement | { size: bigint; root: Hex; transaction: Hex }): object {
  const { size, root } = one
  const base = { size: String(size), root }
  if ('transaction' in one) return { ...base, anchor: one.transaction }
  return one.form === 'cose'
    ? { ...base, signed: Buffer.from(one.signed).toString('base64') }
    : { ...base, timestamp: one.timestamp, signature: one.signature }
}

function comparisonText(compared: LogComparison, given: readonly LogStatement[]): string {
  switch (compared.verdict) {
    case 'CONSISTENT': {
      const sizes = given.map(({ size }) => size).join(' and ')
      return `CONSISTENT: both are of one log, of ${sizes} leaves.`
    }
    case 'NOT_PROVEN':
      return `NOT PROVEN: ${compared.message}. Name a node of this log: --node <url>.`
    case 'SPLIT_VIEW': {
      const { first, second } = compared
      const lines = [first, second].map((one) => JSON.stringify(plain(one)))
      return `SPLIT_VIEW: two roots for size ${first.size}, both of this log's account:\n${lines.join('\n')}`
    }
  }
}
