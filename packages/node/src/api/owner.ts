import type { FastifyRequest } from 'fastify'
import type { ApiContext } from './context.ts'
import { knownMachine } from './machine-view.ts'
import { ProblemError } from './problem.ts'
import { sessionOf } from './session-routes.ts'

/**
 * Lets only the owner of a machine, signed in, do what `act` says: "name a machine". @throws ProblemError 401 of the session, 404
 * `MACHINE_UNKNOWN`, 403 `NOT_OWNER`.
 */
export async function ownerOnly(
  context: ApiContext,
  request: Pick<FastifyRequest, 'headers'>,
  machineId: bigint,
  act: string,
): Promise<void> {
  const { address } = await sessionOf(context, request)
  const machine = await knownMachine(context, machineId)
  if (machine.owner.toLowerCase() !== address) {
    throw new ProblemError(403, 'NOT_OWNER', `Only its owner ${machine.owner} may ${act}.`)
  }
}
