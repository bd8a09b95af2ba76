import { activateMachine, type RegistrationRequest, registerRequested } from '@liquefy/client'
import type { Wallets } from './wallets.ts'

/**
 * Registers what a device has signed, and makes the machine active. Answers its id. `registered` keeps it between two tries: what is registered is
 * not registered again. `say` is told of each step.
 */
export const registerDevice = async (
  wallets: Wallets,
  request: RegistrationRequest,
  registered: { current: bigint | undefined },
  say: (step: string) => void,
): Promise<string> => {
  const action = await wallets.sender()
  if (registered.current === undefined) {
    say('1 of 2: register its key')
    registered.current = await registerRequested({ ...action, request })
  }
  say('2 of 2: make it active')
  await activateMachine({ ...action, machineId: registered.current })
  return registered.current.toString()
}
