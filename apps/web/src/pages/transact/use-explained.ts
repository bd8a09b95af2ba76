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
import { useCallback } from 'react'
import { useDeployment } from '../../queries.ts'

/** What makes terms ready to be explained: the ledger's tariffs, money and people. Undefined until the node has told of them. */
export const useExplaining = ():
  | ((terms: Terms, rules: readonly MeterRule[]) => Explained)
  | undefined => {
  const deployment = useDeployment().data
  const explaining = useCallback(
    (terms: Terms, rules: readonly MeterRule[]): Explained => {
      if (!deployment) throw new Error('The node has not answered yet.')
      const kind = tariffKindAt(deployment, terms.tariff)
      return {
        terms,
        rules,
        tariff: kind && decodeTariffData(kind, terms.tariffData),
        asset: deployment.asset,
        names: new Map(deployment.people.map(({ address, name }) => [address.toLowerCase(), name])),
      }
    },
    [deployment],
  )
  return deployment && explaining
}

/** Rules that the node has checked. */
export const rulesOf = ({ rules }: Pick<Proposal, 'rules'>): MeterRule[] =>
  rules.flatMap((json) => {
    const parsed = parseRule(json)
    return parsed.ok ? [parsed.rule] : []
  })

/** Of a proposal, what is agreed. */
export const termsOf = ({ terms }: Pick<Proposal, 'terms'>): Terms => termsFromJson(terms)
