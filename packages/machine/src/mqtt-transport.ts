import { LiquefyError } from '@liquefy/protocol'
import { connect, type MqttClient } from 'mqtt'
import { requireEncrypted } from './encrypted.ts'
import type { OpenTransport } from './transport.ts'

const FIRST_RETRY_MS = 500
const MOST_RETRY_MS = 30_000
const CONNECT_TIMEOUT_MS = 15_000
const KEEPALIVE_SECONDS = 30

/**
 * MQTT 3.1.1 over `url`, client id = user name = machine id, with a fresh password at each connect.
 *
 * @param options.ca PEM of the authority that the broker's certificate must come from; the system's if left out.
 * @throws LiquefyError `TRANSPORT_PLAIN` for an unencrypted broker beyond loopback: the password would be readable.
 */
export function mqttTransport(options: {
  url: string
  machineId: bigint
  password: () => string
  ca?: string
}): OpenTransport {
  requireEncrypted(options.url, 'mqtts:// for a broker on another computer')
  return (handlers) => {
    let client: MqttClient | undefined
    let timer: ReturnType<typeof setTimeout> | undefined
    let retryMs = FIRST_RETRY_MS
    let online = false
    let closed = false
    open()

    // A client for each connection: mqtt.js would otherwise keep the old password, and its own queue beside our spool.
    function open(): void {
      let reason = 'the broker does not answer'
      let isOver = false
      const password = passwordNow()
      if (password === undefined) return
      const opened = connect(options.url, {
        clientId: options.machineId.toString(),
        username: options.machineId.toString(),
        password,
        protocolVersion: 4,
        clean: true,
        reconnectPeriod: 0,
        connectTimeout: CONNECT_TIMEOUT_MS,
        keepalive: KEEPALIVE_SECONDS,
        queueQoSZero: false,
        ...(options.ca ? { ca: options.ca } : {}),
      })
      client = opened
      opened.on('error', (error) => {
        reason = error.message
      })
      opened.on('message', (topic, payload) => handlers.onMessage(topic, payload))
      opened.on('connect', () => {
        opened.subscribe([...handlers.subscriptions], { qos: 1 }, (error, granted) => {
          if (isOver) return
          const refused = granted?.find(({ qos }) => qos > 2)
          if (error || refused) {
            reason = error?.message ?? `the broker refused to subscribe ${refused?.topic}`
            opened.end(true)
            return
          }
          online = true
          retryMs = FIRST_RETRY_MS
          handlers.onOnline()
        })
      })
      opened.on('close', () => {
        if (isOver) return
        isOver = true
        online = false
        opened.end(true)
        if (closed) return
        handlers.onOffline(reason)
        openLater()
      })
    }

    function openLater(): void {
      // Spread, so that a fleet does not come back in one second.
      timer = setTimeout(open, retryMs * (0.5 + Math.random() / 2))
      retryMs = Math.min(retryMs * 2, MOST_RETRY_MS)
    }

    /** Undefined while the key does not sign, as one in a token that was unplugged; it is asked again. */
    function passwordNow(): string | undefined {
      try {
        return options.password()
      } catch (error) {
        if (!(error instanceof LiquefyError)) throw error
        const { message } = error
        // Not before whoever opens the transport has it.
        queueMicrotask(() => !closed && handlers.onOffline(message))
        openLater()
        return undefined
      }
    }

    return {
      publish(topic, payload) {
        if (!online || !client) return
        client.publish(topic, Buffer.from(payload), { qos: 1 }, () => {})
      },
      async close() {
        closed = true
        online = false
        clearTimeout(timer)
        await client?.endAsync(true)
      },
    }
  }
}
