/**
 * Writes the typed ABIs and the creation bytecode of `@liquefy/abi` from Hardhat's artifacts.
 *
 * `node generate.ts` writes; `node generate.ts --check` writes nothing and fails if a committed file is stale. Both fail
 * if a contract's code is above the limit of EIP-170. Run `hardhat build` first.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { keccak256 } from 'viem'
import { type BuildOutput, immutableNames, layoutOf } from './compiler-output.ts'

type Artifact = {
  abi: unknown[]
  bytecode: string
  deployedBytecode: string
  immutableReferences: Record<string, { start: number; length: number }[]>
  buildInfoId: string
}

const MAX_CODE_BYTES = 24_576
const artifactsFolder = join(import.meta.dirname, 'artifacts')
const generatedFolder = join(import.meta.dirname, 'abi/src/generated')

/** Generated file -> artifact, name of its constants, and whether its ABI is of use to callers. */
const CONTRACTS = [
  {
    file: 'machine-registry',
    artifact: 'src/trust/MachineRegistry.sol/MachineRegistry',
    name: 'machineRegistry',
    abi: true,
  },
  {
    file: 'evidence-anchor',
    artifact: 'src/trust/EvidenceAnchor.sol/EvidenceAnchor',
    name: 'evidenceAnchor',
    abi: true,
  },
  {
    file: 'p256-sha256-verifier',
    artifact: 'src/trust/P256Sha256Verifier.sol/P256Sha256Verifier',
    name: 'p256Sha256Verifier',
    abi: false,
  },
  {
    file: 'erc7913-p256-verifier',
    artifact:
      '@openzeppelin/contracts/utils/cryptography/verifiers/ERC7913P256Verifier.sol/ERC7913P256Verifier',
    name: 'erc7913P256Verifier',
    abi: false,
  },
  {
    file: 'clearing-house',
    artifact: 'src/transact/ClearingHouse.sol/ClearingHouse',
    name: 'clearingHouse',
    abi: true,
  },
  {
    file: 'linear-tariff',
    artifact: 'src/transact/tariffs/LinearTariff.sol/LinearTariff',
    name: 'linearTariff',
    abi: true,
  },
  {
    file: 'tiered-tariff',
    artifact: 'src/transact/tariffs/TieredTariff.sol/TieredTariff',
    name: 'tieredTariff',
    abi: true,
  },
  {
    file: 'plan-tariff',
    artifact: 'src/transact/tariffs/PlanTariff.sol/PlanTariff',
    name: 'planTariff',
    abi: true,
  },
  {
    file: 'machine-account',
    artifact: 'src/trust/account/MachineAccount.sol/MachineAccount',
    name: 'machineAccount',
    abi: true,
  },
  {
    file: 'test-euro',
    artifact: 'src/transact/TestEuro.sol/TestEuro',
    name: 'testEuro',
    abi: true,
  },
  {
    file: 'machine-vault',
    artifact: 'src/cooperate/MachineVault.sol/MachineVault',
    name: 'machineVault',
    abi: true,
  },
  {
    file: 'machine-governor',
    artifact: 'src/cooperate/MachineGovernor.sol/MachineGovernor',
    name: 'machineGovernor',
    abi: true,
  },
  {
    file: 'vault-timelock',
    artifact: 'src/cooperate/VaultTimelock.sol/VaultTimelock',
    name: 'vaultTimelock',
    abi: true,
  },
  {
    file: 'vault-factory',
    artifact: 'src/cooperate/VaultFactory.sol/VaultFactory',
    name: 'vaultFactory',
    abi: true,
  },
  {
    file: 'allow-lists',
    artifact: 'src/cooperate/AllowLists.sol/AllowLists',
    name: 'allowLists',
    abi: true,
  },
  {
    file: 'identity-compliance',
    artifact: 'src/cooperate/IdentityCompliance.sol/IdentityCompliance',
    name: 'identityCompliance',
    abi: true,
  },
] as const

/** The ERC-1056 registry is deployed as its package has it: others wrote, compiled and looked through it. */
const DID_REGISTRY =
  'ethr-did-registry/artifacts/contracts/EthereumDIDRegistry.sol/EthereumDIDRegistry.json'

/** Members of a Solidity enum, in order, read from the source: an ABI does not carry them. */
function enumMembers(sourceFile: string, name: string): string[] {
  const source = readFileSync(join(import.meta.dirname, sourceFile), 'utf8')
  const body = new RegExp(`enum ${name} \\{([^}]*)\\}`).exec(source)?.[1]
  if (body === undefined) throw new Error(`No enum ${name} in ${sourceFile}: adapt generate.ts.`)
  return body.split(',').map((member) => member.trim())
}

function readArtifact(path: string): Artifact {
  try {
    return JSON.parse(readFileSync(join(artifactsFolder, `${path}.json`), 'utf8')) as Artifact
  } catch (cause) {
    throw new Error(`No artifact ${path}: run \`npm run build -w @liquefy/contracts\`.`, { cause })
  }
}

function codeBytes(hex: string): number {
  return (hex.length - 2) / 2
}

function render(): Map<string, string> {
  const files = new Map<string, string>()
  const sizes: Record<string, number> = {}
  for (const { file, artifact, name, abi } of CONTRACTS) {
    const { abi: entries, bytecode, deployedBytecode } = readArtifact(artifact)
    if (bytecode.includes('__$'))
      throw new Error(`${name} needs linking: use internal libraries only.`)
    const size = codeBytes(deployedBytecode)
    if (size > MAX_CODE_BYTES) {
      throw new Error(
        `${name} has ${size} bytes of code, ${size - MAX_CODE_BYTES} too many: split it.`,
      )
    }
    sizes[name] = size
    const parts = ['// Generated by contracts/generate.ts. Do not edit.\n']
    if (abi) parts.push(`export const ${name}Abi = ${JSON.stringify(entries, null, 2)} as const\n`)
    parts.push(`export const ${name}Bytecode =\n  '${bytecode}' as const\n`)
    files.set(join(generatedFolder, `${file}.ts`), parts.join('\n'))
  }
  const didRegistry = JSON.parse(
    readFileSync(join(import.meta.dirname, '../node_modules', DID_REGISTRY), 'utf8'),
  ) as Artifact
  files.set(
    join(generatedFolder, 'did-registry.ts'),
    [
      '// Generated by contracts/generate.ts from ethr-did-registry. Do not edit.\n',
      `export const didRegistryAbi = ${JSON.stringify(didRegistry.abi, null, 2)} as const\n`,
      `export const didRegistryBytecode =\n  '${didRegistry.bytecode}' as const\n`,
    ].join('\n'),
  )
  const skipReasons = enumMembers('src/transact/Terms.sol', 'SkipReason')
  const states = enumMembers('src/trust/MachineRegistry.sol', 'State')
  const phases = enumMembers('src/cooperate/VaultSetup.sol', 'Phase')
  files.set(
    join(generatedFolder, 'enums.ts'),
    [
      '// Generated by contracts/generate.ts. Do not edit.\n',
      '/** Why `settle` skipped an item; the index is what the event `Skipped` carries. */',
      `export const SKIP_REASONS = ${JSON.stringify(skipReasons, null, 2)} as const\n`,
      '/** States of a machine; the index is what `stateOf` and the event `StateChanged` carry. */',
      `export const MACHINE_STATES = ${JSON.stringify(states, null, 2)} as const\n`,
      '/** Phases of a vault; the index is what `phase` and the event `PhaseChanged` carry. */',
      `export const VAULT_PHASES = ${JSON.stringify(phases, null, 2)} as const\n`,
    ].join('\n'),
  )
  files.set(join(generatedFolder, 'deployed-code.ts'), renderDeployedCode())
  files.set(join(generatedFolder, 'storage-layout.ts'), renderStorageLayout())
  files.set(join(import.meta.dirname, 'code-size.json'), `${JSON.stringify(sizes, null, 2)}\n`)
  return files
}

/** Contracts whose code an audit recognizes in a proven state. */
const RECOGNIZED = {
  machineRegistry: 'src/trust/MachineRegistry.sol/MachineRegistry',
  evidenceAnchor: 'src/trust/EvidenceAnchor.sol/EvidenceAnchor',
  clearingHouse: 'src/transact/ClearingHouse.sol/ClearingHouse',
  termsRules: 'src/transact/TermsRules.sol/TermsRules',
  quorumVerifier: 'src/trust/QuorumVerifier.sol/QuorumVerifier',
  linearTariff: 'src/transact/tariffs/LinearTariff.sol/LinearTariff',
  tieredTariff: 'src/transact/tariffs/TieredTariff.sol/TieredTariff',
  planTariff: 'src/transact/tariffs/PlanTariff.sol/PlanTariff',
} as const

/** Contracts whose storage an audit reads in a proven state, with the variables and structs that it reads. */
const PROVEN_STORAGE = {
  machineRegistry: { variables: ['_machines'], structs: ['Machine'] },
  evidenceAnchor: { variables: ['_latestSize', '_roots'], structs: [] },
  clearingHouse: {
    variables: ['_accounts', '_totals', '_periods', '_adjustments'],
    structs: ['Totals', 'Period'],
  },
} as const

const buildOutputs = new Map<string, BuildOutput>()

function buildOutputOf({ buildInfoId }: Artifact): BuildOutput {
  const known =
    buildOutputs.get(buildInfoId) ??
    (JSON.parse(
      readFileSync(join(artifactsFolder, 'build-info', `${buildInfoId}.output.json`), 'utf8'),
    ) as BuildOutput)
  buildOutputs.set(buildInfoId, known)
  return known
}

/** Hash of each code with its immutables set to zero, and where those stand by name. */
function renderDeployedCode(): string {
  const entries = Object.entries(RECOGNIZED).map(([name, path]) => {
    const artifact = readArtifact(path)
    const names = immutableNames(buildOutputOf(artifact))
    const immutables = Object.fromEntries(
      Object.entries(artifact.immutableReferences)
        .map(
          ([id, places]) =>
            [names.get(Number(id)) ?? id, places.map(({ start }) => start)] as const,
        )
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    )
    // The compiler's own output has zeros where immutables will be.
    return [name, { hash: keccak256(artifact.deployedBytecode as `0x${string}`), immutables }]
  })
  return [
    '// Generated by contracts/generate.ts. Do not edit.\n',
    '/** Of each contract: keccak-256 of its deployed code with every immutable as 32 zero bytes, and where in bytes those stand. */',
    `export const DEPLOYED_CODE = ${JSON.stringify(Object.fromEntries(entries), null, 2)} as const\n`,
  ].join('\n')
}

/** Slots of variables, and the places of fields in structs. */
function renderStorageLayout(): string {
  const entries = Object.entries(PROVEN_STORAGE).map(([name, wanted]) => {
    const [file = '', contract = ''] =
      RECOGNIZED[name as keyof typeof PROVEN_STORAGE].split('.sol/')
    const output = buildOutputOf(readArtifact(`${file}.sol/${contract}`))
    return [name, layoutOf(output, `${file}.sol`, contract, wanted)]
  })
  return [
    '// Generated by contracts/generate.ts. Do not edit.\n',
    "/** Where the compiler keeps what is proven: slots of variables; of a struct's fields slot, first byte from the right, and size in bytes. */",
    `export const STORAGE_LAYOUT = ${JSON.stringify(Object.fromEntries(entries), null, 2)} as const\n`,
  ].join('\n')
}

function isCurrent(path: string, content: string): boolean {
  try {
    return readFileSync(path, 'utf8') === content
  } catch {
    return false
  }
}

const files = render()
const stale = [...files].filter(([path, content]) => !isCurrent(path, content))
if (process.argv.includes('--check')) {
  for (const [path] of stale) console.error(`stale: ${path}`)
  console.log(`${files.size - stale.length} of ${files.size} generated files are current`)
  process.exitCode = stale.length === 0 ? 0 : 1
} else {
  mkdirSync(generatedFolder, { recursive: true })
  for (const [path, content] of stale) writeFileSync(path, content)
  console.log(`${stale.length} of ${files.size} generated files written`)
}
