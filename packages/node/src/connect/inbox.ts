import type { Hex, RefusalCode } from '@liquefy/protocol'
import type { LogEntry } from '../store/envelopes.ts'

/** What was turned away before it became a frame: a log-in, a topic, a frame cut off at the socket. */
export interface Denial {
  /** 0: no known machine could be named. */
  machineId: bigint
  code: 'DEVICE_UNKNOWN' | 'TOKEN_INVALID' | 'TOPIC_FORBIDDEN' | 'TOO_LARGE' | 'QUOTA_EXCEEDED'
  message: string
  sample?: Uint8Array | undefined
}

/** What became of a frame: it stands in the log, now or before, or was refused. */
export type FrameOutcome =
  | { kind: 'logged' | 'duplicate'; entry: LogEntry }
  | { kind: 'refused'; code: RefusalCode; message: string; digest?: Hex | undefined }

/** Where transports hand in what arrives. `senderId` is the machine whose topic a message came on. */
export interface Inbox {
  /**
   * Takes a frame from the `envelope` topic. Resolves once its outcome is committed: only then may it be acknowledged.
   * Stays pending while the database is away, and for ever if the node stops before: such a frame is sent again.
   */
  envelope(senderId: bigint, payload: Uint8Array): Promise<FrameOutcome>
  /** Takes a frame from the `meter` topic. Resolves once it is answered. */
  meterValue(senderId: bigint, payload: Uint8Array): Promise<void>
  /** Counts what was turned away. Bounded and not waited for. */
  deny(denial: Denial): void
  /** Undefined while there is room; else resolves when there is: transports stop reading until then. */
  whenRoom(): Promise<void> | undefined
}

/** The machines' log-in, as transports need it. */
export interface Authenticator {
  authenticate(
    machineId: bigint,
    token: string,
    nowMs: number,
  ): Promise<
    | { ok: true; keyId: string }
    | { ok: false; code: 'DEVICE_UNKNOWN' | 'TOKEN_INVALID'; message: string }
  >
  currentKeyId(machineId: bigint): Promise<string | undefined>
  onChange(listener: (machineIds: readonly bigint[]) => void): () => void
}

/** Counts the machines that are connected. */
export interface ConnectionQuota {
  /** Undefined, or why this machine may not connect too. */
  mayConnect(machineId: bigint): string | undefined
  connected(machineId: bigint): void
  disconnected(machineId: bigint): void
}

/** The node's side of MQTT, embedded or outside. */
export interface Broker {
  /** TCP port of the embedded broker; 0 with an outside one, whose address the operator knows. */
  port: number
  /** Resolves when the message is handed to the transport. */
  publish(topic: string, payload: string | Uint8Array): Promise<void>
  /** Machines with a connection now; empty with an outside broker, which does not tell. */
  connectedMachines(): bigint[]
  close(): Promise<void>
}
