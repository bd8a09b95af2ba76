import { activateMachine, type RegistrationRequest, registerRequested } from '@liquefy/client'
import type { Wallets } from './wallets.ts'

/** Registers what a device has signed, and makes the machine active. Answers its id. `say` is told of each step. */
export const registerDevice = async (
  wallets: Wallets,
  request: RegistrationRequest,
  say: (step: string) => void,
): Promise<string> => {
  const action = await wallets.sender()
  say('1 of 2: register its key')
  const machineId = await registerRequested({ ...action, request })
  say('2 of 2: make it active')
  await activateMachine({ ...action, machineId })
  return machineId.toString()
}
