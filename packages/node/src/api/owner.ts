import type { Hex } from '@liquefy/client'
import type { FastifyRequest } from 'fastify'
import { readFact } from '../store/vault-facts.ts'
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

/**
 * The same, and lets whoever runs the vault that owns it: for words about a machine, which a vote would be too much for. @throws as `ownerOnly`.
 */
export async function ownerOrOperatorOnly(
  context: ApiContext,
  request: Pick<FastifyRequest, 'headers'>,
  machineId: bigint,
  act: string,
): Promise<void> {
  const { address } = await sessionOf(context, request)
  const machine = await knownMachine(context, machineId)
  const owner = machine.owner.toLowerCase() as Hex
  if (owner === address) return
  const operator = await readFact<Hex>(context.database.pool, owner, 'operator')
  if (operator?.toLowerCase() === address) return
  throw new ProblemError(
    403,
    'NOT_OWNER',
    `Only its owner ${machine.owner}${operator === undefined ? '' : `, or who runs that vault, ${operator},`} may ${act}.`,
  )
}
