import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Hex } from '@liquefy/client'
import { startAnvil } from '../../packages/node/src/chain/anvil.ts'

const CHAIN_ID = 515_151
const BALANCE = '0xd3c21bcecceda1000000'

/** An EVM chain outside the node, whose blocks the harness makes. */
export interface OutsideChain {
  readonly url: string
  /** Time between blocks, ms. */
  blockMs: number
  /** No blocks are made while this is true. */
  isHalted: boolean
  /** Replaces the newest blocks with as many empty ones; their transactions are gone. */
  reorganise(depth: number): Promise<void>
  call(method: string, params?: unknown[]): Promise<unknown>
  stop(): Promise<void>
}

/** Starts a chain on which these accounts hold coin, with a block each 50 ms until told otherwise. */
export async function startOutsideChain(
  folder: string,
  accounts: readonly Hex[],
): Promise<OutsideChain> {
  await mkdir(folder, { recursive: true })
  const genesis = {
    config: { chainId: CHAIN_ID },
    timestamp: '0x5744e000',
    gasLimit: '0x3938700',
    difficulty: '0x0',
    alloc: Object.fromEntries(accounts.map((address) => [address, { balance: BALANCE }])),
  }
  await writeFile(join(folder, 'genesis.json'), JSON.stringify(genesis))
  const anvil = await startAnvil({
    folder,
    chainId: CHAIN_ID,
    genesisTimestamp: Math.floor(Date.now() / 1_000) - 1,
    onOrphan: () => undefined,
  })
  let isOver = false
  // One at a time: what reorganises must not meet a block that is being made.
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = last.then(work)
    last = result.catch(() => undefined)
    return result
  }
  const chain: OutsideChain = {
    url: anvil.url,
    blockMs: 50,
    isHalted: false,
    async reorganise(depth) {
      await inTurn(() => anvil.rpc.call('anvil_reorg', [depth, []]))
    },
    call: (method, params) => anvil.rpc.call(method, params),
    async stop() {
      isOver = true
      await mining
      await anvil.stop()
    },
  }
  const mining = keepMining()

  async function keepMining(): Promise<void> {
    while (!isOver) {
      if (!chain.isHalted) await inTurn(() => anvil.rpc.call('evm_mine')).catch(() => undefined)
      await sleep(chain.blockMs)
    }
  }
  return chain
}
