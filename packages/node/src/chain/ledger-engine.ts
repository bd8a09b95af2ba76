import { setTimeout as sleep } from 'node:timers/promises'
import { type Hex, numberToHex } from 'viem'
import type { Clock } from '../clock.ts'
import { type Anvil, BLOCK_GAS_LIMIT, startAnvil } from './anvil.ts'
import type { Journal, JournalBlock } from './journal.ts'
import { RpcError, RpcUnreachable } from './json-rpc.ts'
import type { Logger } from './logger.ts'
import { type RawTransaction, readRawTransaction } from './raw-transaction.ts'
import { dropSnapshot, readSnapshot, writeSnapshot } from './snapshot.ts'

/** Transactions that wait for a lower nonce of their sender, as any node's pool keeps them: in memory, bounded. */
const MAX_HELD = 1_024
/** Transactions that wait for room in a block. */
const MAX_BACKLOG = 10_000
/** A snapshot is due when the journal outgrew the last one by this many blocks, and by a fifth. */
const SNAPSHOT_BLOCKS = 500
const MAX_RESTARTS = 5

export interface LedgerEngine {
  /** Takes a raw transaction into the next block. The hash is answered when that block is on disk and mined. */
  submit(raw: unknown): Promise<Hex>
  /** Passes a read through. While anvil is being started again it waits. */
  forward(body: string): Promise<string>
  /** As {@link LedgerEngine.forward}, as of the block that would be made now. */
  forwardPending(body: string): Promise<string>
  onBlock: (listener: (number: number) => void) => () => void
  /** Process id of anvil, for who wants to end it. */
  pid: () => number | undefined
  stop(): Promise<void>
}

interface Waiting extends RawTransaction {
  resolve: (hash: Hex) => void
  reject: (error: Error) => void
}

interface MinedBlock {
  number: Hex
  hash: Hex
  transactions: Hex[]
}

/** Runs one piece of work at a time, in order of arrival. */
function createTurns() {
  let last: Promise<unknown> = Promise.resolve()
  return <T>(work: () => Promise<T>): Promise<T> => {
    const result = last.then(work)
    last = result.catch(() => {})
    return result
  }
}

/**
 * The embedded chain: anvil behind the journal (docs/protocol/chain.md). A block is decided, written to the journal,
 * then mined; when anvil dies or disagrees it is started again and told the journal.
 */
export async function startLedgerEngine(options: {
  folder: string
  chainId: number
  genesisTimestamp: number
  journal: Journal
  clock: Clock
  blockMs: number
  logger: Logger
}): Promise<LedgerEngine> {
  const { folder, chainId, genesisTimestamp, journal, clock, blockMs, logger } = options
  const inTurn = createTurns()
  const listeners = new Set<(number: number) => void>()
  /** In anvil's pool, bound for the next block, in order. */
  let next: Waiting[] = []
  let backlog: Waiting[] = []
  /** By sender and nonce. */
  const held = new Map<string, RawTransaction>()
  let anvil: Anvil | undefined
  let stopping = false
  let failed: Error | undefined
  let timer: NodeJS.Timeout | undefined
  let lastBlockAt = Number.NEGATIVE_INFINITY
  let snapshotNumber = 0

  const nextTimestamp = () => {
    const now = Math.floor(clock.nowMs() / 1000)
    return Math.max(now, (journal.lastTimestamp() ?? genesisTimestamp) + 1)
  }

  // ── starting and replaying ──────────────────────────────────────────────────────────────────────────────────

  async function replayBlock(to: Anvil, block: JournalBlock): Promise<MinedBlock> {
    for (const raw of block.transactions) {
      // What the pool refuses now it refused, or dropped, when the block was made: it had no effect then either.
      await to.rpc.call('eth_sendRawTransaction', [raw]).catch(tolerateRpcError)
    }
    return mine(to, block)
  }

  async function mine(on: Anvil, block: JournalBlock): Promise<MinedBlock> {
    await on.rpc.call('evm_mine', [{ timestamp: block.timestamp, blocks: 1 }])
    const mined = await on.rpc.call<MinedBlock>('eth_getBlockByNumber', ['latest', false])
    if (Number(mined.number) !== block.number) {
      throw new RpcUnreachable(`anvil is at block ${Number(mined.number)}, not ${block.number}.`)
    }
    return mined
  }

  /** Position of the journal that anvil has after the snapshot was loaded; the journal's start if it was of no use. */
  async function loadSnapshot(into: Anvil) {
    const start = { number: 0, bytes: 0 }
    const snapshot = await readSnapshot(folder)
    if (!snapshot) return start
    if (await journal.hasPrefix(snapshot.position)) {
      await into.rpc.call('anvil_loadState', [snapshot.state]).catch(tolerateRpcError)
      const head = await into.rpc.call<MinedBlock>('eth_getBlockByNumber', ['latest', false])
      if (head.hash === snapshot.hash && Number(head.number) === snapshot.position.number) {
        snapshotNumber = snapshot.position.number
        return snapshot.position
      }
    }
    await dropSnapshot(folder)
    logger.warn('The snapshot of the chain does not fit its journal; replaying from the start')
    return undefined
  }

  async function launch(): Promise<Anvil> {
    const onOrphan = (pid: number) => logger.warn({ pid }, 'Ended an anvil of an earlier run')
    const startedAt = performance.now()
    const start = () => startAnvil({ folder, chainId, genesisTimestamp, onOrphan })
    let fresh = await start()
    try {
      let from = await loadSnapshot(fresh)
      if (!from) {
        await fresh.stop()
        fresh = await start()
        from = { number: 0, bytes: 0 }
      }
      let blocks = 0
      for await (const block of journal.blocksFrom(from.bytes)) {
        await replayBlock(fresh, block)
        blocks += 1
      }
      const ms = Math.round(performance.now() - startedAt)
      logger.info({ ms, blocks, head: journal.position().number }, 'The embedded chain is up')
    } catch (error) {
      await fresh.stop()
      throw error
    }
    anvil = fresh
    void fresh.exited.then(() => {
      if (stopping || anvil !== fresh) return
      logger.error('anvil has died; starting it again from the journal')
      anvil = undefined
      void inTurn(ensureRunning).catch(() => {})
    })
    failed = undefined
    return fresh
  }

  /** For work that has its turn: only it starts anvil again, so that nobody waits for who waits for him. */
  async function ensureRunning(): Promise<Anvil> {
    if (!anvil && !failed) await recover()
    if (!anvil) throw new RpcError(-32000, `The ledger has failed: ${failed?.message}`)
    return anvil
  }

  /** Starts anvil again and tells every waiting caller what became of his transaction. */
  async function recover(): Promise<void> {
    await anvil?.stop()
    anvil = undefined
    const running = await relaunch()
    const lost = next
    next = []
    for (const waiting of lost) await tellLost(waiting, running)
    releaseTurn()
  }

  async function tellLost(waiting: Waiting, on: Anvil | undefined): Promise<void> {
    try {
      if (!on) throw new RpcUnreachable('The ledger has failed; the next start tells.')
      const receipt = await on.rpc.call('eth_getTransactionReceipt', [waiting.hash])
      if (!receipt) throw new RpcError(-32000, 'Not written to a block; send it again.')
      waiting.resolve(waiting.hash)
    } catch (error) {
      waiting.reject(error as Error)
    }
  }

  async function relaunch(): Promise<Anvil | undefined> {
    for (let attempt = 1; attempt <= MAX_RESTARTS; attempt += 1) {
      try {
        return await launch()
      } catch (error) {
        logger.error({ err: error, attempt }, 'The embedded chain could not be started')
        failed = error as Error
      }
    }
    return undefined
  }

  let turn = Promise.withResolvers<void>()
  function releaseTurn() {
    turn.resolve()
    turn = Promise.withResolvers<void>()
  }

  /** For reads, which have no turn: waits while anvil is being started again. */
  async function running(): Promise<Anvil> {
    for (;;) {
      if (stopping) throw new RpcError(-32000, 'The ledger is shutting down.')
      if (failed) throw new RpcError(-32000, `The ledger has failed: ${failed.message}`)
      if (anvil) return anvil
      await turn.promise
    }
  }

  // ── taking transactions in ──────────────────────────────────────────────────────────────────────────────────

  const roomLeft = () => BLOCK_GAS_LIMIT - next.reduce((sum, { gas }) => sum + gas, 0n)

  /** Gives the transaction to anvil's pool, which checks nonce, balance and fee. Runs in turn. */
  async function admit(waiting: Waiting): Promise<void> {
    const to = await ensureRunning()
    const count = await to.rpc.call<Hex>('eth_getTransactionCount', [waiting.from, 'pending'])
    const expected = Number(count)
    if (waiting.nonce > expected) return hold(waiting)
    if (next.some(({ from, nonce }) => from === waiting.from && nonce === waiting.nonce)) {
      throw new RpcError(
        -32000,
        `replacement transaction underpriced: nonce ${waiting.nonce} is already bound for the next block`,
      )
    }
    if (waiting.gas > roomLeft()) {
      if (backlog.length >= MAX_BACKLOG) throw new RpcError(-32000, 'txpool is full; try again')
      backlog.push(waiting)
      return
    }
    await to.rpc.call('eth_sendRawTransaction', [waiting.raw])
    next.push(waiting)
    scheduleBlock()
    await promote(waiting.from, waiting.nonce + 1)
  }

  // As on any node: the hash is no promise. It is mined when the nonces below it are.
  function hold(waiting: Waiting): void {
    const [oldest] = held.keys()
    if (held.size >= MAX_HELD && oldest !== undefined) held.delete(oldest)
    const { raw, hash, from, nonce, gas } = waiting
    held.set(`${from} ${nonce}`, { raw, hash, from, nonce, gas })
    waiting.resolve(hash)
  }

  async function promote(from: Hex, nonce: number): Promise<void> {
    const key = `${from} ${nonce}`
    const transaction = held.get(key)
    if (!transaction) return
    held.delete(key)
    const reject = (error: Error) =>
      logger.warn({ hash: transaction.hash, err: error }, 'A transaction that waited was dropped')
    await admitOrReject({ ...transaction, resolve: () => {}, reject })
  }

  async function admitOrReject(waiting: Waiting): Promise<void> {
    try {
      await admit(waiting)
    } catch (error) {
      waiting.reject(error as Error)
      // It may stand in anvil's pool all the same, and would be mined without being in the journal.
      if (error instanceof RpcUnreachable) await recover()
    }
  }

  async function submit(input: unknown): Promise<Hex> {
    const transaction = await readRawTransaction(input, chainId)
    return new Promise<Hex>((resolve, reject) => {
      void inTurn(async () => {
        const same = [...next, ...backlog].find(({ hash }) => hash === transaction.hash)
        if (same) return alsoTell(same, resolve, reject)
        await admitOrReject({ ...transaction, resolve, reject })
      })
    })
  }

  function alsoTell(
    waiting: Waiting,
    resolve: (hash: Hex) => void,
    reject: (error: Error) => void,
  ): void {
    const { resolve: first, reject: firstReject } = waiting
    waiting.resolve = (hash) => {
      first(hash)
      resolve(hash)
    }
    waiting.reject = (error) => {
      firstReject(error)
      reject(error)
    }
  }

  // ── making blocks ───────────────────────────────────────────────────────────────────────────────────────────

  function scheduleBlock(): void {
    if (timer || stopping) return
    const wait = Math.max(0, lastBlockAt + blockMs - performance.now())
    timer = setTimeout(() => {
      timer = undefined
      void inTurn(makeBlock).catch((error) => {
        logger.error({ err: error }, 'No block could be made')
      })
    }, wait)
  }

  async function makeBlock(): Promise<void> {
    if (next.length === 0) return
    const on = await ensureRunning()
    // Starting again has told those who waited.
    if (next.length === 0) return
    lastBlockAt = performance.now()
    const block: JournalBlock = {
      number: journal.position().number + 1,
      timestamp: nextTimestamp(),
      transactions: next.map(({ raw }) => raw),
    }
    try {
      await journal.append(block)
      const mined = await mine(on, block)
      answer(new Set(mined.transactions))
      for (const listener of listeners) listener(block.number)
    } catch (error) {
      logger.error({ err: error, number: block.number }, 'A block could not be made')
      await recover()
    }
    const again = backlog
    backlog = []
    for (const waiting of again) await admitOrReject(waiting)
    await snapshotIfDue()
  }

  function answer(mined: Set<Hex>): void {
    const known = new Set(next.map(({ hash }) => hash))
    if ([...mined].some((hash) => !known.has(hash)))
      throw new RpcUnreachable('anvil mined what the journal lacks.')
    const told = next
    next = []
    for (const waiting of told) {
      if (mined.has(waiting.hash)) waiting.resolve(waiting.hash)
      else waiting.reject(new RpcError(-32000, 'The transaction could not be executed; not mined.'))
    }
  }

  // ── snapshots ───────────────────────────────────────────────────────────────────────────────────────────────

  async function snapshotIfDue(): Promise<void> {
    const grown = journal.position().number - snapshotNumber
    if (grown >= Math.max(SNAPSHOT_BLOCKS, snapshotNumber / 5)) await takeSnapshot()
  }

  async function takeSnapshot(): Promise<void> {
    const position = journal.position()
    if (!anvil || position.number === snapshotNumber) return
    try {
      const { hash } = await anvil.rpc.call<MinedBlock>('eth_getBlockByNumber', ['latest', false])
      const state = await anvil.rpc.call<Hex>('anvil_dumpState')
      await writeSnapshot(folder, { position, hash, state })
      snapshotNumber = position.number
    } catch (error) {
      // Only the next start takes longer.
      logger.warn({ err: error }, 'No snapshot of the chain could be taken')
    }
  }

  await launch()

  return {
    submit,
    async forward(body) {
      const on = await running()
      try {
        return await on.rpc.forward(body)
      } catch (error) {
        // Reads can be asked again; a dead anvil is noticed a moment after its socket.
        await Promise.race([on.exited, sleep(100)])
        if (anvil === on) throw error
        return (await running()).rpc.forward(body)
      }
    },
    forwardPending: (body) =>
      inTurn(async () => {
        const on = await ensureRunning()
        await on.rpc.call('evm_setNextBlockTimestamp', [numberToHex(nextTimestamp())])
        return on.rpc.forward(body)
      }),
    onBlock(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    pid: () => anvil?.pid,
    stop: () =>
      inTurn(async () => {
        while (next.length > 0 && !failed) await makeBlock()
        stopping = true
        clearTimeout(timer)
        await takeSnapshot()
        releaseTurn()
        await anvil?.stop()
        await journal.close()
      }),
  }
}

function tolerateRpcError(error: unknown): void {
  if (!(error instanceof RpcError)) throw error
}
