import { mkdtempSync, rmSync } from 'node:fs'
import { cp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKey } from '@liquefy/machine'
import { afterAll, expect, test } from 'vitest'
import { type Handicap, runDisturbed, runUndisturbed, storyOf } from './three-days.ts'

const SEEDS = Number(process.env.LIQUEFY_SEEDS ?? 1_000)
const root = mkdtempSync(join(tmpdir(), 'liquefy-three-days-'))
const key = createKey(join(root, 'key'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

async function runSeed(seed: number, handicap: Handicap = {}) {
  const story = storyOf(seed)
  const folders = ['undisturbed', 'disturbed'].map((name) => join(root, `${seed}-${name}`))
  for (const folder of folders) await cp(join(root, 'key'), folder, { recursive: true })
  const [own = '', other = ''] = folders
  try {
    const undisturbed = await runUndisturbed(story, key, own)
    const disturbed = await runDisturbed(story, { key, folder: other, seed }, handicap)
    return { story, undisturbed, disturbed }
  } catch (cause) {
    throw new Error(`seed ${seed}: ${cause instanceof Error ? cause.message : cause}`, { cause })
  } finally {
    for (const folder of folders) await rm(folder, { recursive: true })
  }
}

test(`three days offline with duplicates, reordering, a two-hour clock jump and a replaced probe: registers and money as undisturbed, over ${SEEDS} seeds`, async () => {
  const seen = { duplicates: 0, outOfOrder: 0, clocks: 0, handovers: 0, minor: 0n }
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { undisturbed, disturbed } = await runSeed(seed)
    const { registers, minor, own, counts, log } = disturbed
    expect({ seed, registers, minor }).toEqual({ seed, ...undisturbed })
    // The machine's own fold, by the receipts that it got, says the same.
    for (const [period, both] of Object.entries(own)) {
      expect({ seed, both }).toEqual({ seed, both: registers[Number(period)] })
    }
    expect({ seed, codes: [...new Set(log.map(({ code }) => code))] }).toEqual({
      seed,
      codes: ['OK'],
    })
    expect({ seed, mismatches: counts.mismatches }).toEqual({ seed, mismatches: 0 })
    const declared = log.flatMap(({ content }) =>
      content.kind === 'declaration' ? [content.declaration] : [],
    )
    seen.duplicates += counts.duplicates
    seen.outOfOrder += counts.outOfOrder
    seen.clocks += declared.filter(({ kind }) => kind === 'clock').length
    seen.handovers += declared.filter(
      (one) => one.kind === 'replacement' && one.handover !== undefined,
    ).length
    seen.minor += minor.reduce((sum, amount) => sum + amount, 0n)
  }
  expect(seen.duplicates).toBeGreaterThan(SEEDS)
  expect(seen.outOfOrder).toBeGreaterThan(SEEDS)
  expect(seen.clocks).toBeGreaterThan(SEEDS)
  expect(seen.handovers).toBeGreaterThanOrEqual(SEEDS)
  expect(seen.minor).toBeGreaterThan(0n)
}, 600_000)

test('the story bites: a machine that follows its wall clock, or loses what flowed before the swap, is paid otherwise', async () => {
  for (const handicap of [{ wallClockOnly: true }, { noHandover: true }]) {
    const paid: boolean[] = []
    for (let seed = 1; seed <= 10; seed += 1) {
      const { undisturbed, disturbed } = await runSeed(seed, handicap)
      paid.push(undisturbed.minor.join() === disturbed.minor.join())
    }
    expect({ handicap, paid }).toEqual({ handicap, paid: paid.map(() => false) })
  }
})
