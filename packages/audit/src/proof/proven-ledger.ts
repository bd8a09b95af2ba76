import { clearingHouseAbi, DEPLOYED_CODE, evidenceAnchorAbi } from '@liquefy/abi'
import { TARIFF_KINDS } from '@liquefy/protocol'
import { domainSeparator, type Hex, pad, parseEventLogs } from 'viem'
import type { LedgerProof, LedgerReader } from '../ledger.ts'
import { kept, type LogSource, readAgreement, readAnchors, readMachine } from '../viem-ledger.ts'
import { checkAgreementState } from './agreement-state.ts'
import { checkAnchorState } from './anchor-state.ts'
import { addressIn, type Immutables, provenContract } from './contract-code.ts'
import { type HeaderChain, openHeaderChain } from './header-chain.ts'
import { LedgerProofError, notProven } from './ledger-proof-error.ts'
import { checkMachineState } from './machine-state.ts'
import { openProofRpc } from './proof-rpc.ts'
import { openProvenLogs } from './proven-logs.ts'
import { openProvenState, type ProvenState } from './state-proof.ts'

export interface ProvenLedgerOptions {
  /** JSON-RPC endpoint of the ledger; it is not believed. */
  rpcUrl: string
  /** Hash of a block that is trusted, not older than what is audited. */
  blockHash: Hex
  /** First block to look for events in; on a public chain, the one of the deployment. */
  fromBlock?: bigint
  /** Called while headers are read: how many of how many. */
  onProgress?: (progress: { headers: number; of: number }) => void
}

/**
 * Reads the ledger over JSON-RPC and believes nothing but the hash of one block: all that it answers follows from that hash by headers, receipts and
 * state proofs (docs/protocol/ledger-proof.md), and is as of that block. Throws LedgerProofError where it does not, which an audit makes its first fault.
 */
export function provenLedgerReader(options: ProvenLedgerOptions): LedgerReader {
  const rpc = openProofRpc(options.rpcUrl)
  const facts = new Set<string>()
  let opened: Opened | undefined
  const open = kept(async (_: 'once'): Promise<Opened> => {
    const chain = await openHeaderChain(rpc, options.blockHash, (headers, of) =>
      options.onProgress?.({ headers, of }),
    )
    const logs = openProvenLogs(rpc, chain, options.fromBlock ?? 0n)
    opened = { chain, state: openProvenState(rpc, chain.trusted), logs }
    return opened
  })
  const parts = () => open('once')

  const registry = kept(async (address: Hex) => {
    const immutables = await provenContract((await parts()).state, address, 'machineRegistry')
    requireOwnDomain(immutables, address, 'Liquefy MachineRegistry')
    facts.add(`machine registry ${address}: its code, its chain and its verifiers`)
    return immutables
  })
  const clearingHouse = kept(async (address: Hex) => {
    const { state } = await parts()
    const immutables = await provenContract(state, address, 'clearingHouse')
    await provenContract(state, addressIn(immutables, '_rules'), 'termsRules')
    await provenContract(state, addressIn(immutables, '_quorums'), 'quorumVerifier')
    requireOwnDomain(immutables, address, 'Liquefy ClearingHouse')
    facts.add(`clearing house ${address}: its code and its machine registry`)
    return immutables
  })
  const evidenceAnchor = kept(async (address: Hex) => {
    await provenContract((await parts()).state, address, 'evidenceAnchor')
    facts.add(`evidence anchor ${address}: its code`)
  })
  const verifiers = async (address: Hex) => {
    const immutables = await registry(address)
    return {
      p256Sha256Verifier: addressIn(immutables, 'p256Sha256Verifier'),
      p256RawVerifier: addressIn(immutables, 'p256RawVerifier'),
    }
  }
  const logs = kept(async (name: string) => {
    const [address, topic] = name.split('/') as [Hex, Hex]
    return (await parts()).logs.of(address, topic)
  })
  const source: LogSource = {
    verifiers,
    seconds: async (number) => (await (await parts()).chain.at(number)).seconds,
    logs: (address, topic) => logs(`${address}/${topic}`),
  }

  const agreement = kept(async (name: string) => {
    const [address, id] = name.split('/') as [Hex, Hex]
    await clearingHouse(address)
    const read = await readAgreement(source, address, id)
    const logs = parseEventLogs({
      abi: clearingHouseAbi,
      logs: await source.logs(address, id),
      eventName: 'Opened',
    })
    await checkAgreementState((await parts()).state, address, id, {
      opened: logs[0],
      closed: read.opening?.closedSeconds !== undefined,
      payments: read.payments,
    })
    facts.add(
      `agreement ${id}: its terms, ${read.opening ? 'opened' : 'never opened'}, ${read.payments.length} payments with their times, what each period was paid`,
    )
    return read
  })
  const machine = kept(async (name: string) => {
    const [address, id] = name.split('/') as [Hex, string]
    const read = await readMachine(source, address, BigInt(id))
    await registry(address)
    await checkMachineState((await parts()).state, address, BigInt(id), read)
    const known = `${read?.keys.length} keys and ${read?.states.length} states with their times`
    facts.add(`machine ${id}: ${read ? known : 'not registered'}`)
    return read
  })
  const anchors = kept(async (name: string) => {
    const [address, log] = name.split('/') as [Hex, Hex]
    await evidenceAnchor(address)
    const read = await readAnchors(source, address, log)
    const events = parseEventLogs({
      abi: evidenceAnchorAbi,
      logs: await source.logs(address, pad(log, { size: 32 })),
      eventName: 'Anchored',
    })
    await checkAnchorState(
      (await parts()).state,
      address,
      log,
      events.map(({ args }) => args),
    )
    facts.add(`log ${log}: all ${read.length} anchors with their times`)
    return read
  })

  return {
    chainId: async (address) => Number((await registry(address))._cachedChainId),
    registryOf: async (address) => addressIn(await clearingHouse(address), 'registry'),
    verifiers,
    opening: async (address, id) => (await agreement(`${address}/${id}`)).opening,
    payments: async (address, id) => (await agreement(`${address}/${id}`)).payments,
    machine: (address, id) => machine(`${address}/${id}`),
    anchors: (address, log) => anchors(`${address}/${log}`),
    tariffKind: async (tariff) => {
      const hash = await (await parts()).state.codeHash(tariff)
      const kind = TARIFF_KINDS.find((one) => DEPLOYED_CODE[`${one}Tariff`].hash === hash)
      if (kind) facts.add(`tariff ${tariff}: the code of the ${kind} tariff`)
      return kind ?? 'other'
    },
    async callTariff(tariff) {
      throw notProven(
        `the tariff ${tariff} is none of ours, and what it answers cannot be proven: audit without a trusted block`,
      )
    },
    proof: () => (opened ? proofOf(opened, facts) : null),
  }
}

interface Opened {
  chain: HeaderChain
  state: ProvenState
  logs: ReturnType<typeof openProvenLogs>
}

/** What is signed for a contract is bound to its address and chain by an immutable of its code (EIP-712), which a stranger may have set otherwise. */
function requireOwnDomain(immutables: Immutables, address: Hex, name: string): void {
  const chainId = Number(immutables._cachedChainId)
  const expected = domainSeparator({
    domain: { name, version: '1', chainId, verifyingContract: address },
  })
  const found = immutables._cachedDomainSeparator ?? '0x'
  if (found === expected && addressIn(immutables, '_cachedThis') === address.toLowerCase()) return
  throw new LedgerProofError({
    code: 'CONTRACT_UNKNOWN',
    message: `the contract at ${address} was made for another address or chain`,
    expected,
    found,
  })
}

function proofOf({ chain, logs }: Opened, facts: ReadonlySet<string>): LedgerProof {
  const { hash, number, seconds } = chain.trusted
  return {
    blockHash: hash,
    blockNumber: String(number),
    blockSeconds: seconds,
    headers: chain.count(),
    receiptBlocks: logs.blockCount(),
    facts: [...facts].sort(),
  }
}
