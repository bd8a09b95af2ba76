import { createRequire } from 'node:module'
import { defineConfig } from 'hardhat/config'

const require = createRequire(import.meta.url)

const testProfile = {
  fsPermissions: {
    readDirectory: [
      'artifacts',
      '../docs/protocol/vectors',
      '../node_modules/ethr-did-registry/artifacts',
    ],
  },
  fuzz: { runs: 128, seed: '0x6c697175656679' },
  invariant: { runs: 24, depth: 60, failOnRevert: true },
  blockTimestamp: 1_800_000_000n,
}

const solc = {
  version: '0.8.37',
  path: require.resolve('solc/soljson.js'),
  settings: {
    evmVersion: 'osaka',
    viaIR: true,
    // No hash of sources and comments in the bytecode: only a change of code changes it.
    metadata: { bytecodeHash: 'none' },
    optimizer: { enabled: true, runs: 20_000 },
    // Where a value stands in storage, for proofs of it (docs/protocol/ledger-proof.md).
    outputSelection: { '*': { '*': ['storageLayout'] } },
  },
}

export default defineConfig({
  solidity: {
    profiles: {
      default: {
        compilers: [solc],
        // So large that it fits the limit only when made small.
        overrides: {
          'src/cooperate/MachineVault.sol': {
            ...solc,
            settings: { ...solc.settings, optimizer: { enabled: true, runs: 1 } },
          },
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
