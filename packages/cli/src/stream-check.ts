import {
  type CompletenessReport,
  checkCompleteness,
  decodeEnvelope,
  evidenceHead,
  type Hex,
  type PublicKey,
  type StreamEnd,
  splitStatement,
} from '@liquefy/protocol'
import { CliError } from './failure.ts'
import type { Trust } from './log-trust.ts'

/** A stream file checked against the ledger. */
export interface StreamReport extends CompletenessReport {
  machineId: bigint
  stream: string
  from: StreamEnd
  to: StreamEnd
  /** Sizes of the log, of those that the receipts are of, whose root stands on the ledger. */
  anchored: bigint[]
  /** The ledger has another root for a size that a receipt is of. */
  splitSizes: bigint[]
  /** The highest `seq` of the stream that a settlement of the agreement names as its head. */
  settledTo: bigint | undefined
}

interface Named {
  machineId: bigint
  signerId: bigint
  stream: string
  seq: bigint
  digest: Hex
}

/**
 * Checks that the statements are a whole stretch of one stream, signed by keys that the ledger names and in the log.
 *
 * @param ends unless told, from the beginning to the highest `seq` that is there.
 * @throws CliError `STREAM_UNREADABLE` if no statement says which stream it is.
 */
export async function checkStream(
  trust: Trust,
  statements: readonly Uint8Array[],
  ends: { from?: StreamEnd; to?: StreamEnd; agreement?: Hex },
): Promise<StreamReport> {
  const named = statements.flatMap(nameOf)
  const [first] = named
  if (!first) {
    throw new CliError(
      'STREAM_UNREADABLE',
      'It holds no statement. Name a file that `liquefy evidence stream` wrote.',
    )
  }
  const { machineId, stream } = first
  const keys = await keysOf(trust, machineId)
  const from = ends.from ?? { seq: 0n }
  const last = named.reduce((most, one) => (one.seq > most.seq ? one : most), first)
  const to = ends.to ?? { seq: last.seq }
  const { log, registry } = trust
  const stretch = { log, registry, machineId, stream, from, to }
  const check = checkCompleteness({ ...stretch, keyOf: (_, kid) => keys.get(kid) })
  for (const statement of statements) check.take(statement)
  const report = check.end()
  return {
    ...report,
    machineId,
    stream,
    from,
    to: report.head ?? to,
    ...(await anchorsOf(trust, report)),
    settledTo: await settledTo(trust, named, ends.agreement),
  }
}

function nameOf(statement: Uint8Array): Named[] {
  const split = splitStatement(statement)
  const decoded = split.ok ? decodeEnvelope(split.envelope) : split
  if (!decoded.ok) return []
  const { machineId, iss, stream, seq, digest } = decoded.envelope
  return [{ machineId, signerId: iss.machineId, stream, seq, digest }]
}

/** Every key that the machine or its controller ever had. */
async function keysOf({ ledger, registry }: Trust, id: bigint): Promise<Map<Hex, PublicKey>> {
  const machine = await ledger.machine(registry, id)
  const controller =
    machine && machine.controller > 0n
      ? await ledger.machine(registry, machine.controller)
      : undefined
  const epochs = [machine, controller].flatMap((one) => one?.keys ?? [])
  return new Map(epochs.map(({ keyId, key }) => [keyId, key]))
}

async function anchorsOf({ ledger, log }: Trust, { roots }: CompletenessReport) {
  const anchors = await ledger.anchors(log.anchor, log.log)
  const at = new Map(anchors.map(({ size, root }) => [size, root]))
  const onLedger = roots.filter(({ size }) => at.has(size))
  const isSame = ({ size, root }: { size: bigint; root: Hex }) => at.get(size) === root
  return {
    anchored: onLedger.filter(isSame).map(({ size }) => size),
    splitSizes: onLedger.filter((root) => !isSame(root)).map(({ size }) => size),
  }
}

/** Of an agreement that meters this stream alone, a settlement's evidence head is the hash of one digest. */
async function settledTo(
  { ledger, clearingHouse }: Trust,
  named: readonly Named[],
  agreement: Hex | undefined,
): Promise<bigint | undefined> {
  if (!agreement) return undefined
  const payments = await ledger.payments(clearingHouse, agreement)
  const heads = new Set(
    payments.flatMap((payment) => (payment.kind === 'settled' ? [payment.evidenceHead] : [])),
  )
  const settled = named.filter(({ digest }) => heads.has(evidenceHead([digest])))
  return settled.reduce<bigint | undefined>(
    (most, { seq }) => (most === undefined || seq > most ? seq : most),
    undefined,
  )
}
