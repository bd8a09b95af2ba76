import { defineConfig } from 'vitest/config'

// Most suites start a real database, chain and broker: few at a time, and time enough for a slow machine.
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
    maxWorkers: 2,
    testTimeout: 180_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 90_000 } },
  },
})
