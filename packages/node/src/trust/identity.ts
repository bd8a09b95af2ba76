import type { MachineState } from '@liquefy/client'
import {
  type Curve,
  type Envelope,
  type Hex,
  keyId,
  type PublicKey,
  parsePublicKey,
  type RefusalCode,
  registryAudience,
  verifyToken,
} from '@liquefy/protocol'
import type { Queryable } from '../store/database.ts'
import { hexOf } from '../store/hex.ts'
import { type KeyRow, readMachines } from '../store/machines.ts'

/** How far a key's envelopes count: for ever, only up to the heads declared when it was rotated away, or not at all. */
type Validity =
  | { kind: 'current' }
  | { kind: 'up-to'; heads: ReadonlyMap<string, { seq: bigint; digest: Hex }> }
  | { kind: 'revoked' }

interface MachineKey {
  epoch: bigint
  keyId: Hex
  /** Undefined if what the ledger holds is no point of its curve. */
  key: PublicKey | undefined
  validity: Validity
}

/** A machine as the ledger has it, with its keys parsed. */
export interface MachineIdentity {
  machineId: bigint
  /** 0: signs for itself. */
  controller: bigint
  state: MachineState
  /** Why it is suspended, as its owner said on the ledger. */
  suspendedFor: string | undefined
  /** Undefined if the ledger has told of none. */
  owner: Hex | undefined
  keys: readonly MachineKey[]
}

/** What identity asks of an envelope. */
type Signed = Pick<Envelope, 'alg' | 'kid' | 'iss' | 'machineId' | 'stream' | 'seq' | 'digest'>

/** What identity says of an envelope, before its signature is checked. */
type Identified =
  | { ok: true; key: PublicKey; epoch: bigint }
  | { ok: false; code: RefusalCode; message: string }

/** The outcome of a machine's log-in. */
type Authenticated =
  | { ok: true; keyId: Hex }
  | { ok: false; code: 'DEVICE_UNKNOWN' | 'TOKEN_INVALID'; message: string }

/** Which machine may sign with which key, as far as the node has followed the ledger. */
export interface Identity {
  /** Machines by id; those that the ledger does not know are absent. */
  load(machineIds: Iterable<bigint>): Promise<Map<bigint, MachineIdentity>>
  /** The key that an envelope must verify under, from machines that `load` gave. */
  identify(envelope: Signed, machines: ReadonlyMap<bigint, MachineIdentity>): Identified
  /** Checks a machine's password (docs/protocol/transport.md). `nowMs` since 1970. */
  authenticate(machineId: bigint, token: string, nowMs: number): Promise<Authenticated>
  /** Id of the key that the machine may log in with at present; undefined if it has none. */
  currentKeyId(machineId: bigint): Promise<Hex | undefined>
  /** Whose a machine is, if that is cached: it is of each that has logged in. */
  ownerOf(machineId: bigint): Hex | undefined
  /** Forgets what is cached of these machines: call after their ledger events were applied. */
  refresh(machineIds: readonly bigint[]): void
  /** Forgets all that is cached: the ledger may have told of any machine. */
  refreshAll(): void
  /** Called with the machines of every `refresh`; the answer removes the listener. */
  onChange(listener: (machineIds: readonly bigint[]) => void): () => void
}

const MAX_CACHED = 20_000
const CURVES: ReadonlyMap<number, Curve> = new Map([
  [1, 'P-256'],
  [2, 'secp256k1'],
])

/** Creates the identity of one registry's machines over the node's copy of the ledger. */
export function createIdentity(options: {
  database: Queryable
  chainId: number
  registry: Hex
}): Identity {
  const registry = options.registry.toLowerCase()
  const audience = registryAudience(options.chainId, registry)
  const cache = new Map<bigint, MachineIdentity>()
  const listeners = new Set<(machineIds: readonly bigint[]) => void>()
  let generation = 0

  async function load(machineIds: Iterable<bigint>): Promise<Map<bigint, MachineIdentity>> {
    const found = new Map<bigint, MachineIdentity>()
    const absent = new Set<bigint>()
    for (const machineId of machineIds) {
      const machine = cache.get(machineId)
      if (machine === undefined) absent.add(machineId)
      else found.set(machineId, machine)
    }
    if (absent.size === 0) return found
    const startedAt = generation
    for (const row of await readMachines(options.database, [...absent])) {
      const machine = {
        machineId: row.machineId,
        controller: row.controller,
        state: row.state,
        suspendedFor: row.suspendedFor ?? undefined,
        owner: row.owner === null ? undefined : hexOf(row.owner),
        keys: keysOf(row.keys),
      }
      found.set(row.machineId, machine)
      // A refresh while we were reading: what we read may be the state before it.
      if (generation === startedAt) remember(cache, machine)
    }
    return found
  }

  return {
    load,
    identify(envelope, machines) {
      if (envelope.iss.chainId !== options.chainId || envelope.iss.registry !== registry) {
        return refuse('DEVICE_UNKNOWN', `iss must be a machine of ${audience}`)
      }
      const signer = machines.get(envelope.iss.machineId)
      const measured = machines.get(envelope.machineId)
      if (signer === undefined || measured === undefined) {
        const unknown = signer === undefined ? envelope.iss.machineId : envelope.machineId
        return refuse('DEVICE_UNKNOWN', `machine ${unknown} is not registered on ${audience}`)
      }
      if (signer !== measured && measured.controller !== signer.machineId) {
        return refuse(
          'SIGNER_NOT_CONTROLLER',
          `machine ${signer.machineId} is not the controller of machine ${measured.machineId}`,
        )
      }
      return identifyKey(envelope, signer)
    },
    async authenticate(machineId, token, nowMs) {
      const machine = (await load([machineId])).get(machineId)
      if (machine === undefined) {
        return {
          ok: false,
          code: 'DEVICE_UNKNOWN',
          message: `machine ${machineId} is not registered`,
        }
      }
      const current = currentKey(machine)
      if (current?.key === undefined) {
        return {
          ok: false,
          code: 'TOKEN_INVALID',
          message: `machine ${machineId} has no valid key at present`,
        }
      }
      const now = Math.floor(nowMs / 1_000)
      const verified = verifyToken(token, current.key, { machineId, audience, now })
      return verified.ok ? { ok: true, keyId: current.keyId } : verified
    },
    async currentKeyId(machineId) {
      const machine = (await load([machineId])).get(machineId)
      return machine === undefined ? undefined : currentKey(machine)?.keyId
    },
    ownerOf: (machineId) => cache.get(machineId)?.owner,
    refresh(machineIds) {
      generation += 1
      for (const machineId of machineIds) cache.delete(machineId)
      for (const listener of listeners) listener(machineIds)
    },
    refreshAll() {
      const machineIds = [...cache.keys()]
      this.refresh(machineIds)
    },
    onChange(listener) {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
  }
}

/** True if what these two sign and measure may be priced now: the machine, and its controller if it has one, are active. */
export function isActive(
  machineId: bigint,
  machines: ReadonlyMap<bigint, MachineIdentity>,
): boolean {
  const machine = machines.get(machineId)
  if (machine?.state !== 'active') return false
  return machine.controller === 0n || machines.get(machine.controller)?.state === 'active'
}

/** Why what these two sign and measure is not priced now, as the owner of the one that is suspended said; undefined if nobody said. */
export function suspensionReason(
  machineId: bigint,
  machines: ReadonlyMap<bigint, MachineIdentity>,
): string | undefined {
  const machine = machines.get(machineId)
  return machine?.suspendedFor ?? machines.get(machine?.controller ?? 0n)?.suspendedFor
}

function currentKey(machine: MachineIdentity): MachineKey | undefined {
  return machine.keys.find(({ validity }) => validity.kind === 'current')
}

function identifyKey(envelope: Signed, signer: MachineIdentity): Identified {
  const known = signer.keys.find((key) => key.keyId === envelope.kid)
  if (known === undefined) {
    return refuse('KEY_UNKNOWN', `${envelope.kid} was never a key of machine ${signer.machineId}`)
  }
  if (known.key === undefined) {
    return refuse('KEY_INVALID', `key ${envelope.kid} is no point of its curve`)
  }
  if (known.key.curve !== envelope.alg) {
    return refuse('ALG_MISMATCH', `alg is for ${envelope.alg}, the key is on ${known.key.curve}`)
  }
  if (!counts(envelope, known.validity)) {
    return refuse(
      'KEY_REVOKED',
      known.validity.kind === 'revoked'
        ? `key ${envelope.kid} was revoked`
        : `key ${envelope.kid} was rotated away before ${envelope.stream} seq ${envelope.seq}`,
    )
  }
  return { ok: true, key: known.key, epoch: known.epoch }
}

function counts(envelope: Signed, validity: Validity): boolean {
  if (validity.kind === 'current') return true
  if (validity.kind === 'revoked') return false
  const head = validity.heads.get(headName(envelope))
  if (head === undefined || envelope.seq > head.seq) return false
  return envelope.seq < head.seq || envelope.digest === head.digest
}

/** Heads name the signer's own streams as they are, and those of a machine that it controls with that machine's id. */
function headName(envelope: Signed): string {
  return envelope.iss.machineId === envelope.machineId
    ? envelope.stream
    : `${envelope.machineId}/${envelope.stream}`
}

function keysOf(rows: readonly KeyRow[]): MachineKey[] {
  return rows.flatMap((row, index) => {
    if (row.keyId === null) return []
    return [
      {
        epoch: row.epoch,
        keyId: hexOf(row.keyId),
        key: publicKeyOf(row),
        validity: validityOf(rows[index + 1]),
      },
    ]
  })
}

/** A key's fate is told by the row behind it. */
function validityOf(next: KeyRow | undefined): Validity {
  if (next === undefined) return { kind: 'current' }
  if (next.keyId === null) return { kind: 'revoked' }
  return {
    kind: 'up-to',
    heads: new Map(
      next.heads.map(({ stream, seq, digest }) => [
        stream,
        { seq: BigInt(seq), digest: digest.toLowerCase() as Hex },
      ]),
    ),
  }
}

function publicKeyOf(row: KeyRow): PublicKey | undefined {
  if (row.x === null || row.y === null || row.keyId === null || row.curve === null) return undefined
  const parsed = parsePublicKey({
    curve: CURVES.get(row.curve),
    x: hexOf(row.x),
    y: hexOf(row.y),
  })
  return parsed.ok && keyId(parsed.key) === hexOf(row.keyId) ? parsed.key : undefined
}

function remember(cache: Map<bigint, MachineIdentity>, machine: MachineIdentity): void {
  if (cache.size >= MAX_CACHED) {
    const oldest = cache.keys().next()
    if (!oldest.done) cache.delete(oldest.value)
  }
  cache.set(machine.machineId, machine)
}

function refuse(code: RefusalCode, message: string): Identified {
  return { ok: false, code, message }
}
