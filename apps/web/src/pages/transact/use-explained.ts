import type { Proposal } from '@liquefy/client'
import {
  decodeTariffData,
  type Explained,
  type MeterRule,
  parseRule,
  type Terms,
  tariffKindAt,
  termsFromJson,
} from '@liquefy/protocol'
import { useDeployment } from '../../queries.ts'

type Explaining = (
  terms: Terms,
  rules: readonly MeterRule[],
  machine?: { machineId: string; name: string },
) => Explained

/** What makes terms ready to be explained: the ledger's tariffs, money and people. Undefined until the node has told of them. */
export const useExplaining = (): Explaining | undefined => {
  const deployment = useDeployment().data
  if (!deployment) return undefined
  return (terms, rules, machine) => {
    const kind = tariffKindAt(deployment, terms.tariff)
    return {
      terms,
      rules,
      tariff: kind && decodeTariffData(kind, terms.tariffData),
      asset: deployment.asset,
      names: new Map(deployment.people.map(({ address, name }) => [address.toLowerCase(), name])),
      // A machine without a name is called by its number.
      machineName: machine && machine.name !== machine.machineId ? machine.name : undefined,
    }
  }
}

/** A proposal as it is explained. */
export const explainedOf = (explaining: Explaining, offer: Proposal): Explained =>
  explaining(termsOf(offer), rulesOf(offer), {
    machineId: offer.machineId,
    name: offer.machineName,
  })

/** Rules that the node has checked. */
export const rulesOf = ({ rules }: Pick<Proposal, 'rules'>): MeterRule[] =>
  rules.flatMap((json) => {
    const parsed = parseRule(json)
    return parsed.ok ? [parsed.rule] : []
  })

/** Of a proposal, what is agreed. */
export const termsOf = ({ terms }: Pick<Proposal, 'terms'>): Terms => termsFromJson(terms)
