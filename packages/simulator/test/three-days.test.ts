import { mkdtempSync, rmSync } from 'node:fs'
import { cp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKey, saveIdentity } from '@liquefy/machine'
import { afterAll, expect, test } from 'vitest'
import { ledger } from './evidence-node.ts'
import { type Handicap, MACHINE_ID, runDisturbed, storyOf, undisturbed } from './three-days.ts'

const SEEDS = Number(process.env.LIQUEFY_SEEDS ?? 1_000)
/** A spool waits for the disk: others work meanwhile. */
const AT_ONCE = 8
const root = mkdtempSync(join(tmpdir(), 'liquefy-three-days-'))
const template = join(root, 'template')
const key = createKey(template)
saveIdentity(template, { machineId: MACHINE_ID, ...ledger })
afterAll(() => rmSync(root, { recursive: true, force: true }))

async function runSeed(seed: number, handicap: Handicap = {}) {
  const folder = join(root, String(seed))
  await cp(template, folder, { recursive: true })
  try {
    return await runDisturbed(storyOf(seed), { key, folder, seed }, handicap)
  } catch (cause) {
    throw new Error(`seed ${seed}: ${cause instanceof Error ? cause.message : cause}`, { cause })
  } finally {
    await rm(folder, { recursive: true })
  }
}

const seedsFrom = (first: number, count: number) =>
  Array.from({ length: count }, (_, index) => first + index)

test(`three days offline with duplicates, reordering, a two-hour clock jump and a replaced probe: registers and money as undisturbed, over ${SEEDS} seeds`, async () => {
  const seen = { duplicates: 0, outOfOrder: 0, clocks: 0, handovers: 0, metered: 0, minor: 0n }
  for (let first = 1; first <= SEEDS; first += AT_ONCE) {
    const seeds = seedsFrom(first, Math.min(AT_ONCE, SEEDS - first + 1))
    await Promise.all(seeds.map(checkSeed))
  }

  async function checkSeed(seed: number): Promise<void> {
    const { registers, minor, own, counts, log } = await runSeed(seed)
    expect({ seed, registers, minor }).toEqual({ seed, ...undisturbed(storyOf(seed)) })
    // The machine's own fold, by the receipts that it got, says the same.
    for (const [period, both] of Object.entries(own)) {
      expect({ seed, both }).toEqual({ seed, both: registers[Number(period)] })
    }
    const codes = [...new Set(log.map(({ code }) => code))]
    const { mismatches, duplicates, outOfOrder } = counts
    expect({ seed, codes, mismatches }).toEqual({ seed, codes: ['OK'], mismatches: 0 })
    const declared = log.flatMap(({ content }) =>
      content.kind === 'declaration' ? [content.declaration] : [],
    )
    seen.duplicates += duplicates
    seen.outOfOrder += outOfOrder
    seen.clocks += declared.filter(({ kind }) => kind === 'clock').length
    seen.handovers += declared.filter((one) => one.kind === 'replacement' && one.handover).length
    seen.metered += Object.keys(own).length > 0 ? 1 : 0
    seen.minor += minor.reduce((sum, amount) => sum + amount, 0n)
  }

  expect(seen.duplicates).toBeGreaterThan(SEEDS)
  expect(seen.outOfOrder).toBeGreaterThan(SEEDS)
  expect(seen.clocks).toBeGreaterThan(SEEDS)
  expect(seen.handovers).toBeGreaterThanOrEqual(SEEDS)
  expect(seen.metered).toBe(Math.floor(SEEDS / 10))
  expect(seen.minor).toBeGreaterThan(0n)
}, 900_000)

test('the story bites: a machine that follows its wall clock, or loses what flowed before the swap, is paid otherwise', async () => {
  for (const handicap of [{ wallClockOnly: true }, { noHandover: true }]) {
    const paid = await Promise.all(
      seedsFrom(1, 10).map(async (seed) => {
        const { minor } = await runSeed(seed, handicap)
        return minor.join() === undisturbed(storyOf(seed)).minor.join()
      }),
    )
    expect({ handicap, paid }).toEqual({ handicap, paid: paid.map(() => false) })
  }
})
