export type { Clock, Monotonic } from './clock.ts'
export type { TokenPlace } from './cryptoki.ts'
export type { DeliveryLimits } from './delivery.ts'
export { writeEnvelopeFile } from './envelope-file.ts'
export {
  type Identity,
  loadIdentity,
  passwordToken,
  proofOfPossession,
  saveIdentity,
} from './identity.ts'
export {
  adoptNextKey,
  createKey,
  createTokenKey,
  hasKey,
  loadKey,
  nextKey,
  nextTokenKey,
} from './key.ts'
export {
  type Machine,
  type MachineEvents,
  type MachineOptions,
  type Measured,
  openMachine,
  type Published,
  type Receipt,
  type Refusal,
  type Sample,
} from './machine.ts'
export type { MeterEvent } from './metering.ts'
export { nodeRights } from './node-rights.ts'
export type { PackEvery } from './pack.ts'
export { startBehind, streamHeads } from './rotation.ts'
export type { SpoolLimits } from './spool.ts'
export type { ClockChange } from './steady-clock.ts'
export type { OpenTransport, Transport, TransportHandlers } from './transport.ts'
export {
  openUsageGuard,
  type StartAnswer,
  type StartRequest,
  type UsageGuard,
  type UsageGuardOptions,
} from './usage-guard.ts'
