import {
  checkTariffUnits,
  encodeTariffData,
  type Hex,
  type Limit,
  LiquefyError,
  type MeterRule,
  machineSigner,
  ruleHash,
  SIGNER_KIND,
  type Tariff,
  type TariffContracts,
  type Terms,
  tariffContract,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import type { Deployment } from './types.ts'

/** One meter of an agreement: which stream, how it becomes a register, and the most that the register may show. */
export interface MeterDraft {
  stream: string
  rule: MeterRule
  limit: Limit
  /** Digest of the stream's last envelope before the agreement; from its first envelope if absent. */
  startHead?: Hex
}

/** What people agree on before it is made into terms. Amounts in smallest units of the asset; times in seconds. */
export interface AgreementDraft {
  meters: readonly MeterDraft[]
  tariff: Tariff
  /** The unit that each price is per, in the order of the meters: compared with what the rules count. */
  priceUnits?: readonly string[]
  /** Most that one period may cost. */
  capMinor: bigint
  periodSeconds: number
  periods: number
  backfillSeconds: number
  lateSeconds: number
  gapTimeoutSeconds: number
  settleSeconds: number
  /** Whether other agreements may meter the same streams; no unless told. */
  shared?: boolean
}

/** Who, on which machine, from when on. */
export interface TermsContext {
  deployment: { asset: Pick<Deployment['asset'], 'address'> } & TariffContracts
  machineId: bigint
  payer: Hex
  payee: Hex
  startSeconds: bigint
  /** Until when it may be opened, in s since 1970; a day after its start unless told. */
  openBySeconds?: bigint
  salt: Hex
  /** Who signs the meter values; the machine itself unless told. */
  signer?: { kind: number; id: Hex }
  /** Limits of registers that no meter measures, as a voucher has them. */
  limits?: readonly Limit[]
}

/** Time that an agreement has to be opened in, seconds. */
const OPEN_WITHIN_SECONDS = 86_400n

/** The terms as the ledger takes them. @throws LiquefyError `UNIT_MISMATCH` if the meters do not count what is priced. */
export function termsOf(draft: AgreementDraft, context: TermsContext): Terms {
  const { deployment, machineId, payer, payee, startSeconds, salt } = context
  const { tariff, meters } = draft
  const mismatch = checkTariffUnits(meters, draft.priceUnits)
  if (mismatch) throw new LiquefyError('UNIT_MISMATCH', `Nothing was agreed: ${mismatch}`)
  const signer = context.signer ?? { kind: SIGNER_KIND.machine, id: machineSigner(machineId) }
  return {
    payer,
    payee,
    asset: deployment.asset.address,
    machineId,
    meters: meters.map(({ stream, rule, startHead = ZERO_DIGEST }) => ({
      stream,
      ruleHash: ruleHash(rule),
      startHead,
    })),
    signerKind: signer.kind,
    signer: signer.id,
    tariff: tariffContract(deployment, tariff.kind),
    tariffData: encodeTariffData(tariff),
    limits: meters.length === 0 ? (context.limits ?? []) : meters.map(({ limit }) => limit),
    capMinor: draft.capMinor,
    start: startSeconds,
    periodSeconds: draft.periodSeconds,
    periods: draft.periods,
    backfillSeconds: draft.backfillSeconds,
    lateSeconds: draft.lateSeconds,
    gapTimeoutSeconds: draft.gapTimeoutSeconds,
    settleSeconds: draft.settleSeconds,
    shared: draft.shared ?? false,
    openBy: context.openBySeconds ?? startSeconds + OPEN_WITHIN_SECONDS,
    salt,
  }
}
