import { fromRlp, type Hex, isHex, keccak256, numberToHex, toHex } from 'viem'
import type { BlockHeader } from './block-header.ts'
import { notProven } from './ledger-proof-error.ts'
import type { ProofRpc } from './proof-rpc.ts'
import { provenAt } from './trie.ts'

/** The state after the trusted block. */
export interface ProvenState {
  /** Hash of an account's code; undefined if there is no such account. */
  codeHash(address: Hex): Promise<Hex | undefined>
  /** Code of an account, `0x` if it has none. */
  code(address: Hex): Promise<Hex>
  /** Values of storage slots, in the order asked. */
  storage(address: Hex, slots: readonly Hex[]): Promise<bigint[]>
}

interface Account {
  storageRoot: Hex
  codeHash: Hex
}

const NO_CODE = keccak256('0x')

/** Reads state by `eth_getProof` (EIP-1186); each answer is held against the state root of `block`. All throw LedgerProofError. */
export function openProvenState(rpc: ProofRpc, block: BlockHeader): ProvenState {
  const at = numberToHex(block.number)

  async function prove(address: Hex, slots: readonly Hex[]) {
    const answer = readProof(await rpc.ask('eth_getProof', [address, slots, at]))
    const fault = (what: string) =>
      notProven(`the proof of ${what} does not lead to the state of the trusted block`, {
        block: String(block.number),
      })
    if (answer?.storageProofs.length !== slots.length) throw fault(`account ${address}`)
    const value = await provenAt(block.stateRoot, address, answer.accountProof)
    if (value === undefined) throw fault(`account ${address}`)
    const account = value === null ? undefined : readAccount(value)
    const values = await Promise.all(
      slots.map(async (slot, index) => {
        if (!account) return 0n
        const nodes = answer.storageProofs[index] ?? []
        const stored = await provenAt(account.storageRoot, slot, nodes)
        if (stored === undefined) throw fault(`slot ${slot} of ${address}`)
        return stored === null ? 0n : BigInt(fromRlp(stored, 'hex') as Hex)
      }),
    )
    return { account, values }
  }

  const codeHash = async (address: Hex) => (await prove(address, [])).account?.codeHash
  return {
    codeHash,
    async code(address) {
      const [hash = NO_CODE, code] = await Promise.all([
        codeHash(address),
        rpc.ask('eth_getCode', [address, at]),
      ])
      if (isHex(code) && keccak256(code) === hash) return code
      throw notProven(`the code of ${address} is not the one in the state of the trusted block`, {
        block: String(block.number),
        expected: hash,
        found: isHex(code) ? keccak256(code) : 'no code',
      })
    },
    storage: async (address, slots) => (await prove(address, slots)).values,
  }
}

function readAccount(rlp: Hex): Account | undefined {
  const [, , storageRoot, codeHash] = fromRlp(rlp, 'hex') as Hex[]
  return storageRoot && codeHash ? { storageRoot, codeHash } : undefined
}

/** The nodes alone: what the answer says in plain beside them is not used. */
function readProof(answer: unknown): { accountProof: Hex[]; storageProofs: Hex[][] } | undefined {
  const { accountProof, storageProof } = (answer ?? {}) as Record<string, unknown>
  if (!isNodes(accountProof) || !Array.isArray(storageProof)) return undefined
  const storageProofs = storageProof.map(
    (entry: unknown) => (entry as { proof?: unknown } | null)?.proof,
  )
  return storageProofs.every(isNodes) ? { accountProof, storageProofs } : undefined
}

function isNodes(value: unknown): value is Hex[] {
  return Array.isArray(value) && value.every((node) => isHex(node) && node.length % 2 === 0)
}

/** Slot of a mapping's entry, as Solidity lays it out; `mapping` is its own slot. */
export function entrySlot(mapping: bigint, key: Hex | bigint): Hex {
  const word = typeof key === 'bigint' ? toHex(key, { size: 32 }) : key
  return keccak256(`${padded(word)}${toHex(mapping, { size: 32 }).slice(2)}`)
}

function padded(hex: Hex): Hex {
  return `0x${hex.slice(2).toLowerCase().padStart(64, '0')}`
}
