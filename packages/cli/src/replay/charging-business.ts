import { testEuroAbi } from '@liquefy/abi'
import {
  authorizeAgreement,
  authorizedFundingCall,
  openCall,
  sendAll,
  signAuthorization,
  termsOf,
} from '@liquefy/client'
import {
  agreementId,
  type CounterRule,
  type Hex,
  owed,
  type Tariff,
  type Terms,
} from '@liquefy/protocol'
import { keccak256, stringToHex } from 'viem'
import { CONNECTORS, MOST_SESSION } from '../charging/session.ts'
import type { KnownContracts } from '../data-folder.ts'
import { type Ledger, type Signer, senderOf } from '../transactions.ts'

/** Time of use: 300 smallest units (0.30 a kWh) at peak, 200 off peak, and 10,000 (0.01) for each minute connected. */
const CHARGING_TARIFF: Tariff = { kind: 'linear', prices: [300n, 200n, 10_000n], scale: 0 }

const counter = (unit: string, burst: bigint, perHour: bigint): CounterRule => ({
  rule: 'counter',
  version: 1,
  unit,
  scale: 0,
  registerUnit: unit,
  factor: { numerator: 1, denominator: 1 },
  maxRate: { burst: burst.toString(), perHour: perHour.toString() },
})

/** Each connector may bring a whole session at one moment. */
const AT_ONCE = BigInt(CONNECTORS.length)
const ENERGY = counter('Wh', AT_ONCE * MOST_SESSION.energyWh, 200_000n)
const MINUTES = counter('min', AT_ONCE, 60n * AT_ONCE)

/** Streams of a charge point, in the order of the registers, with their rules: like the tariff registers of a meter. */
export const CHARGING_METERS = [
  { stream: 'peak', rule: ENERGY },
  { stream: 'offpeak', rule: ENERGY },
  { stream: 'minutes', rule: MINUTES },
] as const

const DAY_SECONDS = 86_400
export const PERIOD_SECONDS = 28 * DAY_SECONDS
/** Far above what a charge point can deliver in a period; the rules bound each single step. */
const LIMIT = { burst: 10n ** 9n, perHour: 0n }

/** What a charge point's registers cost, smallest units. */
export function priceOf(registers: readonly bigint[]): bigint {
  return owed(CHARGING_TARIFF, registers, 0n)
}

/** One charge point's agreement: its site pays the operator for energy by time of use, and for the minutes connected. */
export function chargingTerms(options: {
  contracts: KnownContracts
  payer: Hex
  payee: Hex
  machineId: bigint
  chargePoint: string
  startMs: number
  endMs: number
}): Terms {
  const { contracts, chargePoint, startMs, endMs, ...context } = options
  const start = Math.floor(startMs / 1000)
  return termsOf(
    {
      meters: CHARGING_METERS.map((meter) => ({ ...meter, limit: LIMIT })),
      tariff: CHARGING_TARIFF,
      priceUnits: ['Wh', 'Wh', 'min'],
      capMinor: 10n ** 12n,
      periodSeconds: PERIOD_SECONDS,
      periods: Math.ceil((endMs / 1000 - start) / PERIOD_SECONDS) + 1,
      backfillSeconds: 2 * DAY_SECONDS,
      lateSeconds: 2 * DAY_SECONDS,
      gapTimeoutSeconds: DAY_SECONDS,
      settleSeconds: 2 * 365 * DAY_SECONDS,
    },
    {
      ...context,
      deployment: contracts,
      startSeconds: BigInt(start),
      salt: keccak256(stringToHex(chargePoint)),
    },
  )
}

/** What a site agrees to and puts into escrow; its account needs no coin. */
export interface SiteOffer {
  payer: Signer
  terms: Terms
  fundMinor: bigint
}

/**
 * Opens and funds agreements whose payers only sign: the terms, and an ERC-3009 authorization of the money. `relayer`, the payee, sends
 * it all. Answers the ids in the order of the offers.
 */
export async function openRelayed(
  ledger: Ledger,
  contracts: KnownContracts,
  relayer: Signer,
  offers: readonly SiteOffer[],
  onDone: (done: number) => void,
): Promise<Hex[]> {
  const deployment = { chainId: ledger.chainId, clearingHouse: contracts.clearingHouse }
  const asset = contracts.asset.address
  const sender = senderOf(ledger, relayer)
  const opens = offers.map(async ({ payer, terms }) => {
    const { wallet } = senderOf(ledger, payer)
    const payerSignature = await authorizeAgreement({ deployment, wallet, terms })
    return openCall({ deployment, terms, payerSignature })
  })
  await sendAll(sender, await Promise.all(opens), onDone)
  const mints = offers.map(({ payer, fundMinor }) => ({
    address: asset,
    abi: testEuroAbi,
    functionName: 'mint',
    args: [payer.address, fundMinor],
  }))
  await sendAll(sender, mints)
  const ids = offers.map(({ terms }) => agreementId({ ...deployment, terms }))
  const fundings = offers.map(async ({ payer, fundMinor: amountMinor }, index) => {
    const action = { ...senderOf(ledger, payer), deployment, asset, amountMinor }
    const authorization = await signAuthorization({ ...action, agreementId: ids[index] as Hex })
    return authorizedFundingCall(deployment, authorization)
  })
  await sendAll(sender, await Promise.all(fundings), (done) => onDone(offers.length + done))
  return ids
}
