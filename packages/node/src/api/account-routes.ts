import type { MachineAccount } from '@liquefy/client'
import type { FastifyInstance } from 'fastify'
import type { ApiContext } from './context.ts'
import { identityOf, knownMachine } from './machine-view.ts'
import { ProblemError } from './problem.ts'
import { route } from './route.ts'
import * as schemas from './schemas.ts'

/** A machine's own account, as the ledger has it now. */
export function addAccountRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get<{ Params: { id: string } }>(
    '/v1/machines/:id/account',
    route(
      "A machine's account on the ledger, and its owner's spending policy",
      schemas.machineAccount,
      {
        params: schemas.machineParams,
      },
    ),
    (request) => accountView(context, BigInt(request.params.id)),
  )
}

async function accountView(context: ApiContext, machineId: bigint): Promise<MachineAccount> {
  await knownMachine(context, machineId)
  const { account, did } = identityOf(context, machineId)
  if (account === null || did === null) {
    throw new ProblemError(
      404,
      'ACCOUNTS_MISSING',
      'Machines of this ledger have no accounts: an earlier version deployed its contracts.',
    )
  }
  const {
    created,
    balanceMinor,
    policy,
    spentTodayMinor,
    paused,
    sellsUntilSeconds,
    atHouseMinor,
  } = await context.readAccount(account)
  return {
    machineId: String(machineId),
    account,
    did,
    created,
    balanceMinor: String(balanceMinor),
    policy: policy
      ? {
          perPaymentMinor: String(policy.perPaymentMinor),
          perDayMinor: String(policy.perDayMinor),
          expiryMs: Number(policy.expirySeconds) * 1_000,
          counterparties: [...policy.counterparties],
        }
      : null,
    spentTodayMinor: String(spentTodayMinor),
    paused,
    sellsUntilMs: sellsUntilSeconds === 0n ? null : Number(sellsUntilSeconds) * 1_000,
    atHouseMinor: String(atHouseMinor),
  }
}
