import { callbackify } from 'node:util'
import { LiquefyError } from '@liquefy/protocol'
import mqtt, { type IPublishPacket, type MqttClient } from 'mqtt'
import type { BaseLogger } from 'pino'
import type { Broker, Inbox } from './inbox.ts'
import { parseTopic, topicOf } from './topics.ts'

export interface OutsideBrokerOptions {
  /** `mqtt://` or `mqtts://`, with user and password if the broker wants them. */
  url: string
  inbox: Inbox
  /** Names the node's sessions and its share at the broker: another node there needs another name, and gets every message too. */
  clientId: string
  /**
   * Names this process among several that share the messages: its sessions end with it, so that the broker keeps nothing for one that
   * is gone. Undefined: the only one, whose sessions wait for it.
   */
  process?: string | undefined
  /** The topics that this process takes: both unless told. */
  takes?: readonly ('envelope' | 'meter')[]
  /** Messages for the `agreement` topic of a machine that is heard for the first time. */
  agreementsOf?: (machineId: bigint) => Promise<readonly object[]>
  /** Each connection works on one message at a time, so this many can share one commit. */
  connections?: number
  logger: BaseLogger
}

const DEFAULT_CONNECTIONS = 16
const SESSION_SECONDS = 86_400
/** A broker gives up a session that is silent for one and a half times this long (mosquitto looks every 6 s), and its messages go to other processes. */
const SHARED_KEEPALIVE_SECONDS = 2
/** What waits here is out of reach of other processes, and the answer to our own keep-alive waits behind it. */
const SHARED_RECEIVE_MAXIMUM = 2
const RECONNECT_MS = 500
const CONNECT_TIMEOUT_MS = 10_000
const MAX_GREETED = 100_000

/**
 * Joins an outside MQTT 5 broker by shared subscriptions. A message is acknowledged when the inbox says that its outcome is committed;
 * what was not is delivered again, to this node or another. Who may publish on which topic is that broker's to enforce; whose
 * signature an envelope carries is checked here as ever.
 *
 * @throws LiquefyError `BROKER_UNREACHABLE` if the first connection does not come about in 10 s. Later losses are reconnected.
 */
export async function connectOutsideBroker(options: OutsideBrokerOptions): Promise<Broker> {
  const { inbox, logger } = options
  const greeted = new Set<bigint>()
  const topics = (options.takes ?? ['envelope', 'meter']).map(
    (name) => `$share/${options.clientId}/liquefy/v1/+/${name}`,
  )
  const name = options.process ? `${options.clientId}-${options.process}` : options.clientId
  const session = options.process
    ? {
        clean: true,
        keepalive: SHARED_KEEPALIVE_SECONDS,
        properties: { receiveMaximum: SHARED_RECEIVE_MAXIMUM },
      }
    : { clean: false, properties: { sessionExpiryInterval: SESSION_SECONDS } }
  const count = options.connections ?? DEFAULT_CONNECTIONS
  const clients = Array.from({ length: count }, (_, index) => openClient(index))

  function openClient(index: number): MqttClient {
    const client = mqtt.connect(options.url, {
      protocolVersion: 5,
      clientId: `${name}-${index}`,
      ...session,
      reconnectPeriod: RECONNECT_MS,
      connectTimeout: CONNECT_TIMEOUT_MS,
      resubscribe: false,
    })
    let connection = 0
    client.on('connect', () => {
      connection += 1
      if (topics.length === 0) return
      client.subscribe(topics, { qos: 1 }, (error) => {
        if (error) logger.error({ err: error }, 'could not subscribe at the MQTT broker')
      })
    })
    client.on('error', (error) => logger.warn({ err: error }, 'MQTT broker'))
    client.handleMessage = (packet, done) => {
      const arrivedOn = connection
      callbackify(take)(packet, (error) => {
        if (error) logger.error({ err: error }, 'a message stays unacknowledged')
        // Packet identifiers belong to a connection: on the next one this number may be another message's.
        else if (arrivedOn === connection && client.connected) done()
      })
    }
    return client
  }

  async function take(packet: IPublishPacket): Promise<void> {
    const topic = parseTopic(packet.topic)
    if (topic === undefined) return
    const payload = Buffer.isBuffer(packet.payload) ? packet.payload : Buffer.from(packet.payload)
    if (topic.name === 'envelope') {
      greet(topic.machineId)
      await inbox.envelope(topic.machineId, payload)
    } else if (topic.name === 'meter') {
      await inbox.meterValue(topic.machineId, payload)
    }
  }

  /** An outside broker does not tell who subscribes: a machine's first message has to do. */
  function greet(machineId: bigint): void {
    if (options.agreementsOf === undefined || greeted.has(machineId)) return
    if (greeted.size >= MAX_GREETED) greeted.clear()
    greeted.add(machineId)
    options
      .agreementsOf(machineId)
      .then((messages) =>
        Promise.all(
          messages.map((message) =>
            publish(topicOf(machineId, 'agreement'), JSON.stringify(message)),
          ),
        ),
      )
      .catch((error) => logger.error({ err: error }, 'could not send agreements'))
  }

  async function publish(topic: string, payload: string | Uint8Array): Promise<void> {
    const client = clients.find((one) => one.connected) ?? clients[0]
    const body = typeof payload === 'string' ? payload : Buffer.from(payload)
    await client?.publishAsync(topic, body, { qos: 1 })
  }

  async function close(): Promise<void> {
    await Promise.all(clients.map((client) => client.endAsync(true)))
  }

  try {
    await Promise.all(clients.map((client) => whenConnected(client, options.url)))
  } catch (error) {
    await close()
    throw error
  }
  return { port: 0, publish, connectedMachines: () => [], close }
}

function whenConnected(client: MqttClient, url: string): Promise<void> {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => {
      fail(
        new LiquefyError(
          'BROKER_UNREACHABLE',
          `No MQTT 5 broker answers at ${new URL(url).host}. Start it, or leave out the setting to use the embedded one.`,
        ),
      )
    }, CONNECT_TIMEOUT_MS)
    client.once('connect', () => {
      clearTimeout(timer)
      done()
    })
  })
}
