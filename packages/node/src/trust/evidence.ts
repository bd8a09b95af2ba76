import { setTimeout as sleep } from 'node:timers/promises'
import { evidenceAnchorAbi } from '@liquefy/abi'
import type { LogHead, SplitView, SplitViewStatement } from '@liquefy/client'
import {
  type AdmissionCode,
  append,
  type CompletedNode,
  checkpointTypedData,
  consistencyProof,
  type Erasure,
  emptyFrontier,
  encodeRootHeader,
  encodeSignedRoot,
  erasureTypedData,
  frontierRoot,
  type Hex,
  inclusionProof,
  LiquefyError,
  leafData,
  leafHash,
  type NodeReader,
  nodeHash,
  type PublicKey,
  rootAt,
  rootSigningHash,
  type SignedRoot,
  type TreeFrontier,
} from '@liquefy/protocol'
import type { BaseLogger } from 'pino'
import type { PrivateKeyAccount } from 'viem'
import { encodeFunctionData } from 'viem'
import type { Clock } from '../clock.ts'
import type { Connection } from '../store/copy.ts'
import type { Database, Queryable } from '../store/database.ts'
import { readEnvelope } from '../store/envelopes.ts'
import {
  type CheckpointRow,
  insertLogNodes,
  lockLogHead,
  readLogEnd,
  readLogHead,
  readLogNode,
  readNewestAnchor,
  readNewestCheckpoint,
  saveCheckpoint,
} from '../store/log.ts'
import { readSplitViews, saveSplitView } from '../store/split-views.ts'

/** What goes into one leaf. `loggedAt` in ms since 1970. */
interface Leaf {
  digest: Hex
  loggedAt: number
  code: AdmissionCode
}

/** End of the log inside the transaction that holds it. */
export interface OpenHead {
  frontier: TreeFrontier
  /** `loggedAt` of the last leaf, 0 if there is none. */
  lastLoggedAt: number
}

type Checkpoint = Omit<LogHead, 'anchored'>

/** The part of the ledger's outbox that anchoring needs. */
export interface AnchorOutbox {
  submit(intent: { intentId: string; kind: string; to?: Hex; data: Hex }): Promise<void>
  whenIncluded(intentId: string): Promise<{ status: string }>
}

/** The evidence log is halted: it has, or would have, two roots for one size. */
export class LogHaltedError extends LiquefyError {
  constructor(reason: string) {
    super(
      'LOG_HALTED',
      `The evidence log is halted: ${reason}. Keep the data folder as it is and compare it with the anchors on the ledger.`,
    )
  }
}

/** The ledger refused an anchor. */
class AnchorRevertedError extends LiquefyError {
  constructor(from: bigint, size: bigint) {
    super(
      'ANCHOR_REVERTED',
      `The ledger refused the anchor from size ${from} to ${size}. It is tried again once the node has followed the ledger; if it stays, compare EvidenceAnchor.latest(log) with the checkpoints.`,
    )
  }
}

/** The append-only log of everything authentic (docs/protocol/log.md). */
export interface Evidence {
  /** Takes the log for this transaction. Throws LogHaltedError. */
  lockHead(transaction: Queryable): Promise<OpenHead>
  /** Writes leaves behind `head` in the same transaction; call `committed` with the answer once it has committed. */
  append(transaction: Connection, head: OpenHead, leaves: readonly Leaf[]): Promise<OpenHead>
  committed(head: OpenHead): void
  /** The signed head of the log, at its present size, and the newest anchor. Throws LogHaltedError. */
  head(): Promise<LogHead>
  /**
   * The head signed at this moment, even if nothing was logged since the last time: what time alone decides (a gap that is
   * given up) is covered only by a checkpoint of a later time. Every leaf with an earlier `loggedAt` is in it, and every anchor
   * of an earlier block is in the node's tables, unless the ledger took longer than 20 s for it. Throws LogHaltedError.
   */
  headNow(): Promise<Checkpoint>
  /** The root at a size signed for receipts (docs/protocol/receipt.md). Throws LogHaltedError, RangeError for a size that the log has not. */
  signedRoot(size: bigint): Promise<SignedRoot>
  /**
   * Holds a root that the log's key has signed against this log. Undefined: this log has it. Otherwise the contradiction is kept, and the log halted for
   * good: the caller has verified the signature.
   */
  contradicts(
    stated: { size: bigint; root: Hex; statement: SplitViewStatement },
    /** Signs this log's own root; itself unless told. */
    sign?: Evidence['signedRoot'],
  ): Promise<SplitView | undefined>
  rootAt(size: bigint): Promise<Hex>
  inclusionProof(index: bigint, size: bigint): Promise<Hex[]>
  consistencyProof(size1: bigint, size2: bigint): Promise<Hex[]>
  /** Signs what was erased, as the log's account. @throws LiquefyError `KEY_MISSING` in a process without keys. */
  signErasure(erasure: Omit<Erasure, 'chainId' | 'anchor'>): Promise<Hex>
  /** Anchors the present head on the ledger if it is not yet, and waits until that is included. */
  anchorNow(): Promise<void>
  /** Why the log is halted; undefined while it is not. */
  halted(): string | undefined
  close(): Promise<void>
}

export interface EvidenceOptions {
  database: Database
  clock: Clock
  chainId: number
  evidenceAnchor: Hex
  /** Signs checkpoints and receipts, and is the sender of the anchors. */
  logAccount: Pick<PrivateKeyAccount, 'address' | 'publicKey' | 'sign' | 'signTypedData'>
  /** Without it nothing is anchored. */
  outbox?: AnchorOutbox | undefined
  anchorIntervalMs: number
  logger: BaseLogger
}

/** An anchor that takes longer is not waited for. */
const ANCHOR_PATIENCE_MS = 20_000
/** Some ten megabytes. */
const MAX_KEPT_NODES = 65_536

/**
 * Opens the log, and checks first that what is stored re-computes: the last leaf is that of the last envelope, each
 * frontier node follows from its children, and the newest checkpoint and anchor have the roots that the nodes give.
 *
 * @throws LogHaltedError if it does not.
 */
export async function openEvidence(options: EvidenceOptions): Promise<Evidence> {
  const { database, clock, logger } = options
  const read: NodeReader = async (level, index) => {
    const hash = await readLogNode(database.pool, level, index)
    if (hash === undefined) throw new LogHaltedError(`node ${level}/${index} is missing`)
    return hash
  }
  const readKept = keptNodes(read)
  let known: OpenHead = await loadHead(database.pool)
  let halt: string | undefined
  let signed: Checkpoint | undefined
  let includedSize = 0n
  let anchoring: Promise<void> | undefined

  function stop(reason: string): never {
    if (halt === undefined) logger.fatal({ reason }, 'evidence log halted')
    halt = reason
    throw new LogHaltedError(reason)
  }

  function assertRunning(): void {
    if (halt !== undefined) throw new LogHaltedError(halt)
  }

  async function checkStored(): Promise<void> {
    // It starts, and says so: what it has logged is still evidence.
    const [contradiction] = await readSplitViews(database.pool)
    if (contradiction) halt = reasonOf(contradiction)
    await checkFrontier(database.pool, known.frontier, read)
    const [checkpoint, anchor] = await Promise.all([
      readNewestCheckpoint(database.pool),
      readNewestAnchor(database.pool, options.logAccount.address),
    ])
    for (const statement of [checkpoint, anchor]) {
      if (statement !== undefined) await checkStatement(statement)
    }
    includedSize = anchor?.size ?? 0n
    if (checkpoint) signed = checkpointOf(checkpoint)
  }

  async function checkStatement(statement: { size: bigint; root: Hex }): Promise<void> {
    if (statement.size > known.frontier.size) {
      stop(`it was stated with ${statement.size} leaves and has ${known.frontier.size}`)
    }
    const root = await rootAt(statement.size, read)
    if (root !== statement.root) {
      stop(`two roots for size ${statement.size}: ${statement.root} was stated, ${root} is stored`)
    }
  }

  /** The head as signed last, if that was at this size. */
  async function signHead(): Promise<Checkpoint> {
    assertRunning()
    const { size, isSplit } = await readLogEnd(database.pool)
    if (isSplit) await haltBySplitView()
    // Another process may have appended.
    if (size > known.frontier.size) {
      known = await loadHead(database.pool)
    }
    if (signed?.size === String(known.frontier.size)) return signed
    return sign(known, clock.nowMs())
  }

  async function signNow(): Promise<Checkpoint> {
    // One on its way may be in a block that the node has not seen, and an audit would miss it.
    if (anchoring) {
      const tooLong = sleep(ANCHOR_PATIENCE_MS, undefined, { ref: false })
      await Promise.race([anchoring.catch(() => undefined), tooLong])
    }
    // Under the lock: who appends later takes a later time.
    const { head, nowMs } = await database.transaction(async (transaction) => {
      const head = await lockHead(transaction)
      return { head, nowMs: Math.max(clock.nowMs(), head.lastLoggedAt) }
    })
    return sign(head, nowMs)
  }

  async function sign({ frontier }: OpenHead, timestamp: number): Promise<Checkpoint> {
    const { size } = frontier
    const root = frontierRoot(frontier)
    const { chainId, evidenceAnchor: anchor } = options
    const signature = await options.logAccount.signTypedData(
      checkpointTypedData({ chainId, anchor, size, root, timestamp }),
    )
    const stored = await saveCheckpoint(database.pool, { size, root, timestamp, signature })
    if (stored.root !== root) {
      stop(`two roots for size ${size}: ${stored.root} was signed, ${root} is stored`)
    }
    signed = checkpointOf(stored)
    return signed
  }

  async function lockHead(transaction: Queryable): Promise<OpenHead> {
    assertRunning()
    const { isSplit, ...stored } = await lockLogHead(transaction)
    if (isSplit) await haltBySplitView()
    // Another process may have appended, or our last commit may have failed after all.
    if (stored.size !== known.frontier.size) known = await loadHead(transaction)
    return known
  }

  /** Another process may have been handed the contradiction. */
  async function haltBySplitView(): Promise<never> {
    const [contradiction] = await readSplitViews(database.pool)
    return stop(contradiction ? reasonOf(contradiction) : 'another process halted it')
  }

  async function signedRoot(size: bigint): Promise<SignedRoot> {
    assertRunning()
    const { size: present, isSplit } = await readLogEnd(database.pool)
    if (isSplit) await haltBySplitView()
    if (size < 1n || size > present) throw new RangeError(`The log has no size ${size}.`)
    const root = await rootAt(size, read)
    const { chainId, evidenceAnchor: anchor, logAccount } = options
    const protectedBytes = encodeRootHeader(
      { chainId, log: logAccount.address, anchor },
      { key: keyOf(logAccount.publicKey), size, iat: Math.floor(clock.nowMs() / 1_000) },
    )
    const signature = await logAccount.sign({ hash: rootSigningHash(protectedBytes, root) })
    return { size, root, protectedBytes, signature: Buffer.from(signature.slice(2, 130), 'hex') }
  }

  async function contradicts(
    stated: Parameters<Evidence['contradicts']>[0],
    sign: Evidence['signedRoot'] = signedRoot,
  ): Promise<SplitView | undefined> {
    // What was signed was committed before: a size beyond the present one is no race.
    const { size: present } = await readLogHead(database.pool)
    const isAhead = stated.size > present
    const ownSize = isAhead ? present : stated.size
    const root = await rootAt(ownSize, read)
    if (!isAhead && root === stated.root) return undefined
    // Signed before the log halts: only so everybody can see it.
    const own = await sign(ownSize).catch(() => undefined)
    const view: SplitView = {
      kind: isAhead ? 'ahead' : 'two-roots',
      size: String(stated.size),
      root: stated.root,
      statement: stated.statement,
      own: {
        size: String(ownSize),
        root,
        signed: own ? Buffer.from(encodeSignedRoot(own)).toString('base64') : null,
      },
      atMs: clock.nowMs(),
    }
    await saveSplitView(database.pool, view)
    const kept = await readSplitViews(database.pool)
    if (halt === undefined) logger.fatal({ splitView: view }, 'evidence log halted: split view')
    halt ??= reasonOf(kept[0] ?? view)
    return kept.find((one) => one.size === view.size && one.root === view.root) ?? view
  }

  async function anchorHead(): Promise<void> {
    const outbox = options.outbox
    if (outbox === undefined) return
    const anchor = await readNewestAnchor(database.pool, options.logAccount.address)
    if (anchor !== undefined) {
      await checkStatement(anchor)
      if (anchor.size > includedSize) includedSize = anchor.size
    }
    const head = await signHead()
    const size = BigInt(head.size)
    if (size === 0n || size <= includedSize) return
    const proof = await consistencyProof(includedSize, size, read)
    // With both sizes: an anchor that reverted because the ledger knew a newer one is asked for again from there.
    const intentId = `anchor:${includedSize}:${size}`
    await outbox.submit({
      intentId,
      kind: 'anchor',
      to: options.evidenceAnchor,
      data: encodeFunctionData({
        abi: evidenceAnchorAbi,
        functionName: 'anchor',
        args: [size, head.root, proof],
      }),
    })
    const { status } = await outbox.whenIncluded(intentId)
    if (status === 'reverted') throw new AnchorRevertedError(includedSize, size)
    includedSize = size
  }

  /** One at a time: the next proof starts from the anchor that the ledger has by then. */
  function anchorNow(): Promise<void> {
    anchoring ??= anchorHead().finally(() => {
      anchoring = undefined
    })
    return anchoring
  }

  await checkStored()
  const timer = setInterval(() => {
    if (halt !== undefined) return
    anchorNow().catch((error) => logger.error({ err: error }, 'could not anchor the evidence log'))
  }, options.anchorIntervalMs)
  timer.unref()

  return {
    lockHead,
    async append(transaction, head, leaves) {
      let { frontier, lastLoggedAt } = head
      const nodes: CompletedNode[] = []
      for (const leaf of leaves) {
        const data = leafData(leaf.digest, leaf.loggedAt, leaf.code)
        const step = append(frontier, leafHash(data))
        frontier = step.frontier
        lastLoggedAt = leaf.loggedAt
        nodes.push(...step.completed)
      }
      await insertLogNodes(transaction, nodes)
      return { frontier, lastLoggedAt }
    },
    committed(head) {
      known = head
    },
    async head() {
      const head = await signHead()
      const anchor = await readNewestAnchor(database.pool, options.logAccount.address)
      return {
        ...head,
        anchored:
          anchor === undefined
            ? null
            : { size: String(anchor.size), root: anchor.root, txHash: anchor.txHash },
      }
    },
    headNow: signNow,
    signedRoot,
    contradicts,
    rootAt: (size) => rootAt(size, read),
    inclusionProof: (index, size) => inclusionProof(index, size, readKept),
    consistencyProof: (size1, size2) => consistencyProof(size1, size2, readKept),
    async signErasure(erasure) {
      const { chainId, evidenceAnchor: anchor } = options
      return options.logAccount.signTypedData(erasureTypedData({ ...erasure, chainId, anchor }))
    },
    // A second call while one runs may have started before the newest leaf: ask again behind it.
    async anchorNow() {
      if (anchoring !== undefined) await anchoring
      await anchorNow()
    },
    halted: () => halt,
    async close() {
      clearInterval(timer)
      await anchoring?.catch(() => undefined)
    },
  }
}

function reasonOf({ kind, size, root, own }: SplitView): string {
  return kind === 'two-roots'
    ? `its key has signed two roots for size ${size}: ${root} was handed in, ${own.root} is stored`
    : `its key has signed ${size} leaves, and it has ${own.size}: its end is lost, or it is copied`
}

/** The point of an account's key, uncompressed as SEC 1 writes it. */
function keyOf(publicKey: Hex): PublicKey {
  return {
    curve: 'secp256k1',
    x: `0x${publicKey.slice(4, 68)}`,
    y: `0x${publicKey.slice(68)}`,
  }
}

function checkpointOf({ size, ...rest }: CheckpointRow): Checkpoint {
  return { size: String(size), ...rest }
}

/** Proofs share their upper nodes, and a complete subtree never changes: those read last are kept. */
function keptNodes(read: NodeReader): NodeReader {
  const kept = new Map<string, Promise<Hex>>()
  return (level, index) => {
    const name = `${level}/${index}`
    const known = kept.get(name)
    if (known) return known
    const node = read(level, index)
    kept.set(name, node)
    node.catch(() => kept.delete(name))
    const [oldest] = kept.keys()
    if (kept.size > MAX_KEPT_NODES && oldest !== undefined) kept.delete(oldest)
    return node
  }
}

/** The end of the log from what is stored: the size from the envelopes, the frontier from the nodes. */
async function loadHead(database: Queryable): Promise<OpenHead> {
  const { size, lastLoggedAt } = await readLogHead(database)
  if (size === 0n) return { frontier: emptyFrontier, lastLoggedAt }
  const nodes: Hex[] = []
  for (const { level, index } of frontierPlaces(size)) {
    const hash = await readLogNode(database, level, index)
    if (hash === undefined) throw new LogHaltedError(`node ${level}/${index} is missing`)
    nodes.push(hash)
  }
  return { frontier: { size, nodes }, lastLoggedAt }
}

/** Where the complete left subtrees of a log stand, smallest first. */
function frontierPlaces(size: bigint): { level: number; index: bigint }[] {
  const places: { level: number; index: bigint }[] = []
  for (let level = 0, rest = size; rest > 0n; level += 1, rest >>= 1n) {
    if (rest & 1n) places.push({ level, index: rest - 1n })
  }
  return places
}

async function checkFrontier(
  database: Queryable,
  frontier: TreeFrontier,
  read: NodeReader,
): Promise<void> {
  if (frontier.size === 0n) return
  const last = await readEnvelope(database, frontier.size - 1n)
  if (last === undefined) throw new LogHaltedError('the last envelope is missing')
  const leaf = leafHash(leafData(last.digest, last.loggedAt, last.code))
  if ((await read(0, frontier.size - 1n)) !== leaf) {
    throw new LogHaltedError(`leaf ${frontier.size - 1n} is not that of its envelope`)
  }
  for (const { level, index } of frontierPlaces(frontier.size)) {
    if (level === 0) continue
    const [left, right] = await Promise.all([
      read(level - 1, index * 2n),
      read(level - 1, index * 2n + 1n),
    ])
    if ((await read(level, index)) !== nodeHash(left, right)) {
      throw new LogHaltedError(`node ${level}/${index} does not follow from its children`)
    }
  }
}
