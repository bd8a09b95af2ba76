import type { AgreementSummary, Deployment } from '@liquefy/client'
import { nameOf } from '../../ui/format.ts'

/** What a list calls an agreement: its machine, or its parties where it has none. */
export const agreementTitle = (
  agreement: Pick<AgreementSummary, 'machineId' | 'machineName' | 'payer' | 'payee'>,
  deployment: Deployment | undefined,
): string =>
  agreement.machineId === '0'
    ? `${nameOf(deployment, agreement.payer)} to ${nameOf(deployment, agreement.payee)}`
    : agreement.machineName
