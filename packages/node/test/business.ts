import { randomBytes } from 'node:crypto'
import type { Deployment, Hex, Wallet } from '@liquefy/client'
import {
  type CounterRule,
  encodeTariffData,
  machineSigner,
  ruleHash,
  type Terms,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import { toHex } from 'viem'

/** Counts grams; at most 5 kg at once and a kilogram an hour. */
export const RULE: CounterRule = {
  rule: 'counter',
  version: 1,
  unit: 'g',
  scale: 0,
  registerUnit: 'g',
  factor: { numerator: 1, denominator: 1 },
  maxRate: { burst: '5000', perHour: '1000' },
}

/** 0.42 of a six-decimal asset a kilogram. */
const PRICE_PER_GRAM = 420n
const DAY = 86_400

/** Pay per gram of the stream `weight`, from a minute ago on. */
export function termsOf(
  machineId: bigint,
  { deployment, payer, payee }: { deployment: Deployment; payer: Wallet; payee: Wallet },
): Terms {
  const now = Math.floor(Date.now() / 1000)
  return {
    payer: payer.account.address.toLowerCase() as Hex,
    payee: payee.account.address.toLowerCase() as Hex,
    asset: deployment.asset.address,
    machineId,
    meters: [{ stream: 'weight', ruleHash: ruleHash(RULE), startHead: ZERO_DIGEST }],
    signerKind: 1,
    signer: machineSigner(machineId),
    tariff: deployment.linearTariff,
    tariffData: encodeTariffData({ kind: 'linear', prices: [PRICE_PER_GRAM], scale: 0 }),
    limits: [{ burst: 1_000_000n, perHour: 0n }],
    capMinor: 1_000_000_000n,
    start: BigInt(now - 60),
    periodSeconds: DAY,
    periods: 30,
    backfillSeconds: DAY,
    lateSeconds: 3_600,
    gapTimeoutSeconds: 3_600,
    settleSeconds: DAY,
    shared: false,
    openBy: BigInt(now + 3_600),
    salt: toHex(randomBytes(32)),
  }
}
