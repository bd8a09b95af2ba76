import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Minutes each, whatever their size: started last, one of them runs alone at the end while the other core idles. */
const LONGEST = ['packages/cli/test/replay.test.ts', 'packages/node/test/theft.test.ts']

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rankOf = ({ moduleId }: TestSpecification) => {
      const index = LONGEST.findIndex((name) => moduleId.endsWith(`/${name}`))
      return index < 0 ? LONGEST.length : index
    }
    return (await super.sort(files)).toSorted((a, b) => rankOf(a) - rankOf(b))
  }
}

// Most suites start a real database, chain and broker, and wait for blocks most of their time: some more of them than cores, and time enough for
// a slow machine.
export default defineConfig({
  test: {
    include: [
      'packages/*/test/**/*.test.ts',
      'contracts/test/**/*.test.ts',
      'examples/*/test/**/*.test.ts',
      'apps/*/test/**/*.test.ts',
      'faults/test/**/*.test.ts',
    ],
    exclude: ['**/node_modules/**'],
    // Its modules name each other without an ending, as bundlers want it.
    server: { deps: { inline: ['@ldclabs/cose-ts'] } },
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    testTimeout: 180_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 90_000 } },
  },
})
