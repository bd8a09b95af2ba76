import {
  clearingHouseAbi,
  evidenceAnchorAbi,
  MACHINE_STATES,
  machineRegistryAbi,
  SKIP_REASONS,
} from '@liquefy/abi'
import { type Terms, type TermsJson, termsToJson } from '@liquefy/protocol'
import { decodeEventLog, type Hex, type Log, numberToHex } from 'viem'
import type { ContractDeployment } from './deployment.ts'
import { lower, plain } from './ledger-text.ts'
import { type MarketEvent, marketEvent, marketOf } from './market-events.ts'
import { type RightsHappening, readRightsEvent } from './rights-events.ts'
import { allowListEvent, factoryEvent, type VaultEvent, vaultEvent } from './vault-events.ts'
import type { WatchedVaults } from './vault-watch.ts'

/** Where on the ledger an event stands. */
interface Place {
  block: number
  logIndex: number
  txHash: Hex
  /** Time of the block. */
  atMs: number
}

/** Kinds of an agreement's events after its opening, as the table `agreement_events` names them. */
type AgreementEventKind =
  | 'funded'
  | 'settled'
  | 'skipped'
  | 'escrow-short'
  | 'collected'
  | 'adjusted'
  | 'refunded'
  | 'credited'
  | 'position-transferred'
  | 'closed'

/** What happened to an agreement. `asOf` in seconds, amounts in smallest units; `detail` as JSON keeps it. */
export interface AgreementHappening {
  agreementId: Hex
  event: AgreementEventKind
  period?: number
  asOf?: bigint
  amount?: bigint
  detail?: Record<string, unknown>
}

/** An event of our contracts, in the node's words. */
export type LedgerEvent = Place &
  (
    | { kind: 'machine'; machineId: bigint; controller: bigint }
    | { kind: 'machine-owner'; machineId: bigint; owner: Hex }
    | { kind: 'machine-state'; machineId: bigint; state: string }
    | { kind: 'machine-suspension'; machineId: bigint; reason: string }
    | {
        kind: 'machine-key'
        machineId: bigint
        epoch: bigint
        /** Undefined: the epoch's key was revoked. */
        key: { keyId: Hex; curve: number; verifier: Hex; x: Hex; y: Hex } | undefined
        heads: { stream: string; seq: string; digest: Hex }[]
      }
    | {
        kind: 'agreement'
        agreementId: Hex
        machineId: bigint
        payer: Hex
        payee: Hex
        asset: Hex
        terms: TermsJson
      }
    | ({ kind: 'agreement-event' } & AgreementHappening)
    | { kind: 'withdrawal'; account: Hex; asset: Hex; amount: bigint }
    | { kind: 'anchor'; log: Hex; size: bigint; root: Hex }
    | MarketEvent
    | { kind: 'rights'; happening: RightsHappening }
    | VaultEvent
  )

type Told = LedgerEvent extends infer One
  ? One extends Place
    ? Omit<One, keyof Place>
    : never
  : never

function registryEvent(log: Log): Told | undefined {
  const { eventName, args } = decodeEventLog({ abi: machineRegistryAbi, ...log })
  switch (eventName) {
    case 'MachineRegistered':
      return { kind: 'machine', machineId: args.machineId, controller: args.controller }
    case 'Transfer':
      return { kind: 'machine-owner', machineId: args.tokenId, owner: lower(args.to) }
    case 'StateChanged': {
      const state = (MACHINE_STATES[args.to] ?? '').toLowerCase()
      return { kind: 'machine-state', machineId: args.machineId, state }
    }
    case 'SuspensionReason':
      return {
        kind: 'machine-suspension',
        machineId: args.machineId,
        reason: plain(args.reason),
      }
    case 'KeyChanged': {
      const { machineId, epoch, keyId, curve, verifier, x, y } = args
      const heads = args.heads.map(({ stream, seq, digest }) => {
        return { stream: plain(stream), seq: seq.toString(), digest }
      })
      const key = { keyId, curve, verifier: lower(verifier), x, y }
      return { kind: 'machine-key', machineId, epoch, key, heads }
    }
    case 'KeyRevoked': {
      const { machineId, epoch } = args
      return { kind: 'machine-key', machineId, epoch, key: undefined, heads: [] }
    }
    default:
      return undefined
  }
}

function opened(agreementId: Hex, onLedger: Terms): Told {
  const meters = onLedger.meters.map((meter) => ({ ...meter, stream: plain(meter.stream) }))
  const terms: Terms = {
    ...onLedger,
    meters,
    payer: lower(onLedger.payer),
    payee: lower(onLedger.payee),
    asset: lower(onLedger.asset),
    tariff: lower(onLedger.tariff),
  }
  const { machineId, payer, payee, asset } = terms
  return {
    kind: 'agreement',
    agreementId,
    machineId,
    payer,
    payee,
    asset,
    terms: termsToJson(terms),
  }
}

function clearingHouseEvent(log: Log): Told | undefined {
  const { eventName, args } = decodeEventLog({ abi: clearingHouseAbi, ...log })
  const happened = (what: AgreementHappening): Told => ({ kind: 'agreement-event', ...what })
  switch (eventName) {
    case 'Opened':
      return opened(args.agreementId, args.terms)
    case 'Funded': {
      const { agreementId, amount, escrow } = args
      const detail = { from: lower(args.from), escrow: String(escrow) }
      return happened({ agreementId, event: 'funded', amount, detail })
    }
    case 'Settled': {
      const { agreementId, period, asOf, evidenceHead } = args
      const detail = {
        registers: args.registers.map(String),
        evidenceHead,
        owed: String(args.owed),
        paidTotal: String(args.paidTotal),
      }
      return happened({ agreementId, event: 'settled', period, asOf, amount: args.paid, detail })
    }
    case 'Skipped': {
      const { agreementId, period } = args
      const reason = SKIP_REASONS[args.reason] ?? String(args.reason)
      return happened({ agreementId, event: 'skipped', period, detail: { reason } })
    }
    case 'EscrowShort': {
      const { agreementId, period, missing } = args
      return happened({ agreementId, event: 'escrow-short', period, amount: missing })
    }
    case 'Collected': {
      const { agreementId, period, paid } = args
      return happened({ agreementId, event: 'collected', period, amount: paid })
    }
    case 'Adjusted': {
      const { agreementId, period, evidenceHead, paid } = args
      const detail = {
        evidenceHead,
        adjustment: String(args.amount),
        paidTotal: String(args.paidTotal),
      }
      return happened({ agreementId, event: 'adjusted', period, amount: paid, detail })
    }
    case 'Refunded': {
      const { agreementId, period, amount } = args
      const detail = { from: lower(args.from) }
      return happened({ agreementId, event: 'refunded', period, amount, detail })
    }
    case 'Credited': {
      const { agreementId, amount } = args
      const detail = { owner: lower(args.owner) }
      return happened({ agreementId, event: 'credited', amount, detail })
    }
    case 'Closed':
      return happened({ agreementId: args.agreementId, event: 'closed', amount: args.refund })
    case 'Transfer': {
      const agreementId = numberToHex(args.tokenId, { size: 32 })
      const detail = { from: lower(args.from), to: lower(args.to) }
      return happened({ agreementId, event: 'position-transferred', detail })
    }
    case 'Withdrawn': {
      const { account, asset, amount } = args
      return { kind: 'withdrawal', account: lower(account), asset: lower(asset), amount }
    }
    default:
      return undefined
  }
}

function anchorEvent(log: Log): Told | undefined {
  const { args } = decodeEventLog({ abi: evidenceAnchorAbi, ...log })
  // Anybody may anchor a log of his own that claims a size beyond what PostgreSQL counts.
  if (args.size >= 2n ** 63n) return undefined
  return { kind: 'anchor', log: lower(args.log), size: args.size, root: args.root }
}

function atMarket(deployment: ContractDeployment, log: Log): Told | undefined {
  const market = marketOf(deployment)
  return market?.market === lower(log.address) ? marketEvent(market, log) : undefined
}

function rightsEvent(log: Log): Told | undefined {
  const happening = readRightsEvent(log)
  return happening && { kind: 'rights', happening }
}

/** Contracts whose events the node follows, beside those of vaults. */
export function followedAddresses(deployment: ContractDeployment): Hex[] {
  const { registry, clearingHouse, evidenceAnchor, cooperation } = deployment
  const shared = cooperation
    ? [
        cooperation.vaultFactory,
        cooperation.allowLists,
        cooperation.usageRights,
        cooperation.market,
      ]
    : []
  return [registry, clearingHouse, evidenceAnchor, ...shared]
}

/** An event of a vault, of what makes vaults, or of what says who may hold shares. */
function aboutVaults(
  { cooperation }: ContractDeployment,
  log: Log,
  vaults: Pick<WatchedVaults, 'partsAt' | 'titleOf'> | undefined,
): Told | undefined {
  const address = lower(log.address)
  if (address === cooperation?.allowLists) return allowListEvent(log)
  if (!vaults) return undefined
  if (address === cooperation?.vaultFactory) return factoryEvent(log, vaults.titleOf)
  const parts = vaults.partsAt(address)
  return parts && vaultEvent(parts, log)
}

/**
 * Reads a log of one of our contracts, or of one of `vaults`; undefined for events that tell the node nothing. `atMs`: time of its block.
 */
export function readLedgerEvent(
  deployment: ContractDeployment,
  log: Log<bigint, number, false>,
  atMs: number,
  vaults?: Pick<WatchedVaults, 'partsAt' | 'titleOf'>,
): LedgerEvent | undefined {
  const address = lower(log.address)
  let told: Told | undefined
  if (address === deployment.registry) told = registryEvent(log)
  else if (address === deployment.clearingHouse) told = clearingHouseEvent(log)
  else if (address === deployment.evidenceAnchor) told = anchorEvent(log)
  else if (address === deployment.cooperation?.usageRights) told = rightsEvent(log)
  else if (address === deployment.cooperation?.market) told = atMarket(deployment, log)
  else told = aboutVaults(deployment, log, vaults)
  if (!told) return undefined
  const place = {
    block: Number(log.blockNumber),
    logIndex: log.logIndex,
    txHash: log.transactionHash,
    atMs,
  }
  return { ...told, ...place }
}
