/** What a machine needs of the wire. MQTT is the one it has; tests bring a simulated one. */
export interface Transport {
  /** Hands a message to the broker. Lost ones are sent again by the spool, so this tells nobody. */
  publish(topic: string, payload: Uint8Array): void
  close(): Promise<void>
}

export interface TransportHandlers {
  /** Topics to subscribe to before `onOnline`. */
  subscriptions: readonly string[]
  onOnline(): void
  onOffline(reason: string): void
  onMessage(topic: string, payload: Uint8Array): void
}

export type OpenTransport = (handlers: TransportHandlers) => Transport
