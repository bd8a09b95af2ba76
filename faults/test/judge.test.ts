import { afterEach, expect, test } from 'vitest'
import { heardAgain } from '../src/campaign.ts'
import { judge } from '../src/judge.ts'
import { startWorld, type World } from '../src/world.ts'

const TIMEOUT_MS = 180_000
const PATIENCE_MS = 2_000
const OTHER = `0x${'ab'.repeat(32)}` as const

let world: World
afterEach(() => world?.stop())

test(
  'the judge finds nothing in a run without faults, and whatever is then made wrong in it',
  async () => {
    world = await startWorld({ seed: 6, devices: 1 })
    await heardAgain(world)
    const [site] = world.sites
    if (!site) throw new Error('No site')
    expect((await judge(world)).wrong).toEqual([])

    const model = world.fleet.counted(site.machineId)
    const lies: [string, () => void, () => void][] = [
      ['money is', () => (model.last += 1n), () => (model.last -= 1n)],
      ['envelopes are logged', () => (model.lastSeq += 1n), () => (model.lastSeq -= 1n)],
      [
        'is logged with another content',
        () => model.published.set(1n, OTHER),
        () => model.published.delete(1n),
      ],
      [
        'is not what the log has',
        () => model.receipts.set(1n, { digest: OTHER, loggedAt: 0, code: 'OK' }),
        () => model.receipts.delete(1n),
      ],
    ]
    for (const [said, lie, takeBack] of lies) {
      lie()
      expect((await judge(world, PATIENCE_MS)).wrong.join()).toContain(said)
      takeBack()
    }

    // Whoever has the operator's key sends something that no intent asked for.
    await world.chain.call('anvil_impersonateAccount', [world.operator])
    await world.chain.call('eth_sendTransaction', [{ from: world.operator, to: world.operator }])
    await expect
      .poll(async () => (await judge(world, PATIENCE_MS)).wrong.join(), { timeout: 30_000 })
      .toContain('transactions of the operator')
  },
  TIMEOUT_MS,
)
