import type { AgreementSummary, Hex, MachineSummary } from '@liquefy/client'

/** Agreements that somebody, or the own account of his machine, pays, is paid by, or owns the income of; all where nobody asks. */
export const agreementsOf = (me: Hex | undefined, list: AgreementSummary[]): AgreementSummary[] =>
  me === undefined ? list : list.filter((one) => isOf(me, one))

const isOf = (
  me: Hex,
  { payer, payee, payerMachine, payeeMachine, position }: AgreementSummary,
): boolean =>
  [payer, payee, payerMachine?.owner, payeeMachine?.owner, position.owner].some(
    (address) => address?.toLowerCase() === me,
  )

/** Machines that somebody owns, or has an agreement about; all where nobody asks. */
export const machinesOf = (
  me: Hex | undefined,
  list: MachineSummary[],
  mine: AgreementSummary[],
): MachineSummary[] => {
  if (me === undefined) return list
  const agreed = new Set(mine.map(({ machineId }) => machineId))
  return list.filter(({ machineId, owner }) => owner.toLowerCase() === me || agreed.has(machineId))
}
