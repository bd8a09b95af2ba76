/**
 * `npm run test:faults -- [--cycles N] [--seed S]…`: strikes a node with faults that the seed chooses, and holds what is left against a model. Fails with the
 * seed and the folder of what was found.
 */
import { parseArgs } from 'node:util'
import { runCampaign } from './src/campaign.ts'

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '10' },
    seed: { type: 'string', multiple: true, default: [] },
  },
})
const cycles = wholeNumber('--cycles', values.cycles)
const seeds = values.seed.map((text) => wholeNumber('--seed', text))
if (seeds.length === 0) seeds.push(Date.now() % 2 ** 31)

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,10}$/.test(text) && Number(text) < 2 ** 31) return Number(text)
  process.stderr.write(
    `${name} is "${text}"; it must be a whole number from 0 to ${2 ** 31 - 1}.\n`,
  )
  process.exit(2)
}

const ending = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    process.stdout.write('  ending after this cycle\n')
    process.exitCode = 130
    ending.abort()
  })
}

for (const seed of seeds) {
  if (ending.signal.aborted) break
  process.stdout.write(`seed ${seed}, ${cycles} cycles\n`)
  try {
    const found = await runCampaign({
      cycles,
      seed,
      signal: ending.signal,
      say: (line) => process.stdout.write(`  ${line}\n`),
    })
    for (const what of found.wrong) process.stdout.write(`  WRONG: ${what}\n`)
    const { envelopes, receipted, settlements, paidMinor, folder } = found
    process.stdout.write(
      `  ${envelopes} envelopes logged, ${receipted} receipts held, ${settlements} settlements paid ${paidMinor}\n`,
    )
    if (folder === undefined) continue
    process.stdout.write(`  What was found lies in ${folder}.\n`)
  } catch (error) {
    if (ending.signal.aborted) break
    process.stdout.write(`  FAILED: ${error instanceof Error ? error.stack : error}\n`)
  }
  process.stdout.write(`  Again: npm run test:faults -- --cycles ${cycles} --seed ${seed}\n`)
  process.exitCode = 1
}
