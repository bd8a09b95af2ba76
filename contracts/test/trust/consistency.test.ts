import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { evidenceAnchorAbi, evidenceAnchorBytecode } from '@liquefy/abi'
import { createHardhatRuntimeEnvironment } from 'hardhat/hre'
import { createPublicClient, createWalletClient, custom, type Hex, pad, toHex } from 'viem'
import { expect, test } from 'vitest'

type Vector = {
  size1: number
  size2: number
  root1: string
  root2: string
  proof?: string[]
  desc: string
  wantErr: boolean
}

const root = resolve(import.meta.dirname, '../../..')
const folder = join(
  resolve(root, process.env.LIQUEFY_SHARED ?? '../shared'),
  'vectors/merkle-rfc6962',
)
const present = existsSync(folder)

function readVectors(): Vector[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith('consistency_') && name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Vector)
}

/** What is no 32 bytes long ("WrongRoot") is padded: a contract cannot even be handed it otherwise. */
const fromBase64 = (text: string): Hex =>
  pad(toHex(new Uint8Array(Buffer.from(text, 'base64'))), { size: 32 })

async function deployAnchor() {
  const hre = await createHardhatRuntimeEnvironment({})
  const { provider } = await hre.network.create()
  const transport = custom(provider)
  const reader = createPublicClient({ transport })
  const [account] = await createWalletClient({ transport }).getAddresses()
  const writer = createWalletClient({ transport, ...(account === undefined ? {} : { account }) })
  const deploy = async (): Promise<Hex> => {
    const hash = await writer.deployContract({
      abi: evidenceAnchorAbi,
      bytecode: evidenceAnchorBytecode,
      chain: null,
    })
    const { contractAddress } = await reader.waitForTransactionReceipt({ hash })
    if (contractAddress == null) throw new Error('The anchor was not deployed.')
    return contractAddress
  }
  return { reader, writer, deploy }
}

/** True if a fresh log anchors the first tree and then the second. */
async function accepts(
  { reader, writer, deploy }: Awaited<ReturnType<typeof deployAnchor>>,
  vector: Vector,
) {
  const address = await deploy()
  const anchor = async (size: number, hash: string, proof: string[]) => {
    const transaction = await writer.writeContract({
      address,
      abi: evidenceAnchorAbi,
      functionName: 'anchor',
      args: [BigInt(size), fromBase64(hash), proof.map(fromBase64)],
      chain: null,
    })
    await reader.waitForTransactionReceipt({ hash: transaction })
  }
  await anchor(vector.size1, vector.root1, [])
  try {
    await anchor(vector.size2, vector.root2, vector.proof ?? [])
    return true
  } catch {
    return false
  }
}

test.runIf(present || process.env.CI !== undefined)(
  'INV-22 the anchor gives the verdict of every third-party consistency vector',
  async () => {
    const vectors = readVectors()
    expect(vectors.length).toBeGreaterThan(0)
    const anchor = await deployAnchor()
    const differing: string[] = []
    for (const vector of vectors) {
      if ((await accepts(anchor, vector)) === vector.wantErr) {
        differing.push(`${vector.desc} ${vector.size1} ${vector.size2}`)
      }
    }
    console.log(`consistency vectors run on EvidenceAnchor: ${vectors.length}`)
    expect(differing).toEqual([])
  },
)
