import { globSync } from 'node:fs'
import { createRequire } from 'node:module'
import { defineConfig } from 'hardhat/config'
import { compilingBeside } from './compiling-beside.ts'

const require = createRequire(import.meta.url)

const compiler = {
  version: '0.8.37',
  path: require.resolve('solc/soljson.js'),
  settings: {
    evmVersion: 'osaka',
    viaIR: true,
    // No hash of sources and comments in the bytecode: only a change of code changes it.
    metadata: { bytecodeHash: 'none' },
    optimizer: { enabled: true, runs: 20_000 },
  },
}

const contractCompiler = {
  ...compiler,
  settings: {
    ...compiler.settings,
    // Where a value stands in storage, for proofs of it (docs/protocol/ledger-proof.md).
    outputSelection: { '*': { '*': ['storageLayout'] } },
  },
}

/** Fewer runs make smaller code, that costs more gas to run. */
const madeFor = (runs: number) => ({
  ...contractCompiler,
  settings: { ...contractCompiler.settings, optimizer: { enabled: true, runs } },
})

/** What a test itself computes need not be fast: to optimise it took most of the time of a build. The contracts under test are as deployed. */
const testCompiler = {
  ...compiler,
  settings: { ...compiler.settings, optimizer: { enabled: false } },
}

const testProfile = {
  fsPermissions: {
    readDirectory: [
      'artifacts',
      '../docs/protocol/vectors',
      '../node_modules/ethr-did-registry/artifacts',
      '../node_modules/@tokenysolutions/t-rex/artifacts',
    ],
  },
  fuzz: { runs: 128, seed: '0x6c697175656679' },
  invariant: { runs: 24, depth: 60, failOnRevert: true },
  blockTimestamp: 1_800_000_000n,
}

export default defineConfig({
  plugins: [compilingBeside],
  solidity: {
    profiles: {
      default: {
        compilers: [contractCompiler],
        overrides: {
          // So large that they fit the limit only when made smaller.
          'src/cooperate/MachineVault.sol': madeFor(1),
          'src/cooperate/MachineGovernor.sol': madeFor(1_000),
          ...Object.fromEntries(
            globSync('test/**/*.sol', { cwd: import.meta.dirname }).map((file) => [
              file,
              testCompiler,
            ]),
          ),
        },
      },
    },
    npmFilesToBuild: [
      '@openzeppelin/contracts/utils/cryptography/verifiers/ERC7913P256Verifier.sol',
    ],
  },
  paths: {
    sources: './src',
    tests: { solidity: './test' },
  },
  test: {
    solidity: {
      profiles: {
        default: testProfile,
        // Every call a transaction of its own: cold slots, calldata and the base cost count, as they do on a chain.
        gas: { ...testProfile, isolate: true },
        // Ten thousand stories, other ones each night: a story that fails is printed whole.
        nightly: {
          ...testProfile,
          fuzz: { runs: 10_000 },
          invariant: { ...testProfile.invariant, runs: 10_000, depth: 100 },
        },
      },
    },
  },
})
