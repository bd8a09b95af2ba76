import {
  clearingHouseAbi,
  evidenceAnchorAbi,
  linearTariffAbi,
  MACHINE_STATES,
  machineRegistryAbi,
} from '@liquefy/abi'
import { type Curve, parsePublicKey, type TariffContracts, tariffKindAt } from '@liquefy/protocol'
import {
  BaseError,
  ContractFunctionRevertedError,
  ContractFunctionZeroDataError,
  createPublicClient,
  type Hex,
  http,
  numberToHex,
  type PublicClient,
  pad,
  parseEventLogs,
  type RpcLog,
} from 'viem'
import type { KeyEpoch, LedgerAnchor, LedgerMachine, LedgerReader, Payment } from './ledger.ts'

export interface ViemLedgerOptions {
  /** JSON-RPC endpoint of the ledger. */
  rpcUrl: string
  /** First block to look for events in; on a public chain, the one of the deployment. */
  fromBlock?: bigint
  /** Tariff contracts of the trusted deployment, whose results are recomputed here instead of asked for. */
  tariffs?: TariffContracts
}

/** Curve numbers of `MachineRegistry`. */
const CURVES: Readonly<Record<number, Curve>> = { 1: 'P-256', 2: 'secp256k1' }

/**
 * Reads the ledger over JSON-RPC: contracts and their events alone. What it has read it keeps: make a new one for a
 * later look at the ledger.
 */
export function viemLedgerReader(options: ViemLedgerOptions): LedgerReader {
  const client: PublicClient = createPublicClient({ transport: http(options.rpcUrl) })
  const verifiers = kept((registry: Hex) => readVerifiers(client, registry))
  const source: LogSource = {
    verifiers,
    seconds: kept((blockNumber: bigint) =>
      client.getBlock({ blockNumber }).then((block) => Number(block.timestamp)),
    ),
    logs: (address, topic) =>
      client.request({
        method: 'eth_getLogs',
        params: [
          {
            address,
            topics: [null, topic],
            fromBlock: numberToHex(options.fromBlock ?? 0n),
            toBlock: 'latest',
          },
        ],
      }),
  }
  const chainId = kept(() => client.getChainId())
  const registryOf = kept((address: Hex) =>
    client.readContract({ address, abi: clearingHouseAbi, functionName: 'registry' }),
  )
  const agreement = kept((name: string) => {
    const [clearingHouse, agreementId] = name.split('/') as [Hex, Hex]
    return readAgreement(source, clearingHouse, agreementId)
  })
  const machine = kept((name: string) => {
    const [registry, machineId] = name.split('/') as [Hex, string]
    return readMachine(source, registry, BigInt(machineId))
  })
  const anchors = kept((name: string) => {
    const [evidenceAnchor, log] = name.split('/') as [Hex, Hex]
    return readAnchors(source, evidenceAnchor, log)
  })
  return {
    chainId: () => chainId(''),
    registryOf,
    verifiers,
    opening: async (clearingHouse, id) => (await agreement(`${clearingHouse}/${id}`)).opening,
    payments: async (clearingHouse, id) => (await agreement(`${clearingHouse}/${id}`)).payments,
    machine: (registry, machineId) => machine(`${registry}/${machineId}`),
    anchors: (evidenceAnchor, log) => anchors(`${evidenceAnchor}/${log}`),
    async tariffKind(tariff) {
      return (options.tariffs && tariffKindAt(options.tariffs, tariff)) ?? 'other'
    },
    callTariff: (tariff, data, registers, elapsedSeconds) =>
      client
        .readContract({
          address: tariff,
          abi: linearTariffAbi,
          functionName: 'owed',
          args: [data, registers, elapsedSeconds],
        })
        .catch((error: unknown) => {
          if (isRevert(error)) return undefined
          throw error
        }),
  }
}

/** The contract itself refused, or answered no amount; anything else is a fault of the connection. */
function isRevert(error: unknown): boolean {
  return (
    error instanceof BaseError &&
    error.walk(
      (cause) =>
        cause instanceof ContractFunctionRevertedError ||
        cause instanceof ContractFunctionZeroDataError,
    ) !== null
  )
}

/** Where events come from: an endpoint that is believed, or blocks that were proven. */
export interface LogSource {
  /** The verifiers that this registry allows for P-256 keys. */
  verifiers(registry: Hex): Promise<{ p256Sha256Verifier: Hex; p256RawVerifier: Hex }>
  /** Time of a block. */
  seconds(blockNumber: bigint): Promise<number>
  /** Logs of a contract whose first indexed field is this one, of any event, in the order of the ledger. */
  logs(address: Hex, topic: Hex): Promise<RpcLog[]>
}

/** Asks each question once. A failed answer is not kept. */
export function kept<Key, Answer>(
  ask: (key: Key) => Promise<Answer>,
): (key: Key) => Promise<Answer> {
  const answers = new Map<Key, Promise<Answer>>()
  return (key) => {
    const known = answers.get(key) ?? ask(key)
    answers.set(key, known)
    known.catch(() => answers.delete(key))
    return known
  }
}

async function readVerifiers(
  client: PublicClient,
  address: Hex,
): Promise<{ p256Sha256Verifier: Hex; p256RawVerifier: Hex }> {
  const ask = (functionName: 'p256Sha256Verifier' | 'p256RawVerifier') =>
    client.readContract({ address, abi: machineRegistryAbi, functionName })
  const [p256Sha256Verifier, p256RawVerifier] = await Promise.all([
    ask('p256Sha256Verifier'),
    ask('p256RawVerifier'),
  ])
  return { p256Sha256Verifier, p256RawVerifier }
}

export async function readAnchors(
  source: LogSource,
  evidenceAnchor: Hex,
  log: Hex,
): Promise<LedgerAnchor[]> {
  const logs = await source.logs(evidenceAnchor, pad(log, { size: 32 }))
  const events = parseEventLogs({ abi: evidenceAnchorAbi, logs, eventName: 'Anchored' })
  return Promise.all(
    events.map(async ({ args, blockNumber, transactionHash }) => ({
      size: args.size,
      root: args.root,
      blockSeconds: await source.seconds(BigInt(blockNumber)),
      transaction: transactionHash,
    })),
  )
}

/** Every event of a clearing house that is of one agreement bears its id as the first indexed field. */
export async function readAgreement(
  source: LogSource,
  clearingHouse: Hex,
  agreementId: Hex,
): Promise<{
  opening: { openedSeconds: number; closedSeconds?: number } | undefined
  payments: Payment[]
}> {
  const logs = await source.logs(clearingHouse, agreementId)
  const events = parseEventLogs({
    abi: clearingHouseAbi,
    logs,
    eventName: ['Opened', 'Settled', 'Collected', 'Adjusted', 'Refunded', 'EscrowShort', 'Closed'],
  })
  let opening: { openedSeconds: number; closedSeconds?: number } | undefined
  const payments: Payment[] = []
  for (const event of events) {
    const blockSeconds = await source.seconds(BigInt(event.blockNumber))
    const at = { blockSeconds, transaction: event.transactionHash }
    if (event.eventName === 'Opened') {
      opening = { openedSeconds: blockSeconds }
    } else if (event.eventName === 'Closed') {
      if (opening) opening.closedSeconds = blockSeconds
    } else if (event.eventName === 'Settled') {
      const { period, asOf, registers, evidenceHead, paid } = event.args
      const value = { period, asOf, registers: [...registers], evidenceHead, paidMinor: paid }
      payments.push({ kind: 'settled', ...value, ...at })
    } else if (event.eventName === 'Collected') {
      const { period, paid } = event.args
      payments.push({ kind: 'collected', period, paidMinor: paid, ...at })
    } else if (event.eventName === 'Adjusted') {
      const { period, amount, evidenceHead, paid } = event.args
      const added = { period, amountMinor: amount, evidenceHead, paidMinor: paid }
      payments.push({ kind: 'adjusted', ...added, ...at })
    } else if (event.eventName === 'Refunded') {
      const { period, amount } = event.args
      payments.push({ kind: 'refunded', period, amountMinor: amount, ...at })
    } else {
      const { period, missing } = event.args
      payments.push({ kind: 'short', period, missingMinor: missing, ...at })
    }
  }
  return { opening, payments }
}

export async function readMachine(
  source: LogSource,
  registry: Hex,
  machineId: bigint,
): Promise<LedgerMachine | undefined> {
  const logs = await source.logs(registry, numberToHex(machineId, { size: 32 }))
  const events = parseEventLogs({
    abi: machineRegistryAbi,
    logs,
    eventName: ['MachineRegistered', 'KeyChanged', 'KeyRevoked', 'StateChanged'],
  })
  const { p256RawVerifier } = await source.verifiers(registry)
  let machine: LedgerMachine | undefined
  for (const event of events) {
    const fromSeconds = await source.seconds(BigInt(event.blockNumber))
    if (event.eventName === 'MachineRegistered') {
      const { owner, controller } = event.args
      machine = { machineId, owner, controller, keys: [], states: [] }
    } else if (event.eventName === 'StateChanged') {
      const state = (MACHINE_STATES[event.args.to] ?? 'None').toLowerCase()
      machine?.states.push({ state, fromSeconds })
    } else if (event.eventName === 'KeyRevoked') {
      endEpoch(machine?.keys.at(-1), { end: 'revoked', endSeconds: fromSeconds })
    } else {
      const { epoch, keyId, curve, x, y, verifier } = event.args
      const heads = event.args.heads.map((head) => ({ ...head }))
      endEpoch(machine?.keys.at(-1), { end: 'rotated', endSeconds: fromSeconds, heads })
      const parsed = parsePublicKey({ curve: CURVES[curve], x, y })
      if (!parsed.ok) continue
      const signsRawDigest = verifier.toLowerCase() === p256RawVerifier.toLowerCase()
      const open = { fromSeconds, endSeconds: undefined, end: undefined, heads: [] }
      machine?.keys.push({ epoch, keyId, key: parsed.key, signsRawDigest, ...open })
    }
  }
  return machine
}

/** A revoked epoch stays revoked when the next one opens. */
function endEpoch(epoch: KeyEpoch | undefined, end: Partial<KeyEpoch>): void {
  if (epoch && epoch.end === undefined) Object.assign(epoch, end)
}
