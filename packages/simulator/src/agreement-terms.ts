import type { Deployment } from '@liquefy/client'
import { encodeTariffData, type Hex, ruleHash, type Terms, ZERO_DIGEST } from '@liquefy/protocol'
import type { AgreementDefinition } from './product.ts'

/** A definition's time to be opened in, seconds. */
const OPEN_WITHIN_SECONDS = 86_400n

/** The terms of one machine's agreement as the ledger takes them, metered from each stream's first envelope. */
export function termsOf(
  definition: AgreementDefinition,
  context: {
    deployment: Pick<Deployment, 'asset' | 'linearTariff' | 'tieredTariff'>
    machineId: bigint
    payer: Hex
    payee: Hex
    startSeconds: bigint
    salt: Hex
  },
): Terms {
  const { deployment, machineId, payer, payee, startSeconds, salt } = context
  const { tariff, meters } = definition
  return {
    payer,
    payee,
    asset: deployment.asset.address,
    machineId,
    meters: meters.map(({ stream, rule }) => ({
      stream,
      ruleHash: ruleHash(rule),
      startHead: ZERO_DIGEST,
    })),
    signerKind: 1,
    signer: `0x${machineId.toString(16).padStart(64, '0')}`,
    tariff: tariff.kind === 'linear' ? deployment.linearTariff : deployment.tieredTariff,
    tariffData: encodeTariffData(tariff),
    limits: meters.map(({ limit }) => limit),
    capMinor: definition.capMinor,
    start: startSeconds,
    periodSeconds: definition.periodSeconds,
    periods: definition.periods,
    backfillSeconds: definition.backfillSeconds,
    lateSeconds: definition.lateSeconds,
    gapTimeoutSeconds: definition.gapTimeoutSeconds,
    settleSeconds: definition.settleSeconds,
    shared: false,
    openBy: startSeconds + OPEN_WITHIN_SECONDS,
    salt,
  }
}
