import { readSecret } from '@liquefy/node/keys'

/** Of the keys in machines' folders; without one they are made and read in the open. */
export function machinePassphrase(): string | undefined {
  return readSecret(process.env, 'LIQUEFY_MACHINE_PASSPHRASE')
}

/** Of the token that a machine's key is in. */
export function machinePin(): string | undefined {
  return readSecret(process.env, 'LIQUEFY_MACHINE_PIN')
}
