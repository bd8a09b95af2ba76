import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { callbackify } from 'node:util'
import { LiquefyError } from '@liquefy/protocol'
import { Aedes, type AuthenticateError, type Client, type PublishPacket } from 'aedes'
import type { BaseLogger } from 'pino'
import type { Certificate } from '../certificate.ts'
import type { Clock } from '../clock.ts'
import { gateOf } from './gate.ts'
import { GuardedConnection, type OversizedFrame } from './guarded-connection.ts'
import type { Authenticator, Broker, ConnectionQuota, Denial, Inbox } from './inbox.ts'
import { isFromMachine, parseMachineId, parseTopic, topicOf } from './topics.ts'

export interface EmbeddedBrokerOptions {
  host: string
  /** 0: any free port. */
  port: number
  /** Without it the broker speaks plain TCP, for the loopback interface only. */
  certificate?: Certificate | undefined
  identity: Authenticator
  inbox: Inbox
  quotas?: ConnectionQuota | undefined
  clock: Clock
  /** Messages for the `agreement` topic of a machine that has just subscribed to it. */
  agreementsOf?: (machineId: bigint) => Promise<readonly object[]>
  maxConnections?: number
  logger: BaseLogger
}

/** A machine that was turned away; the broker ends its connection. */
class DeniedError extends LiquefyError {
  constructor(denial: Denial) {
    super(denial.code, denial.message)
  }
}

interface Session {
  machineId: bigint
  keyId: string
}

const DEFAULT_MAX_CONNECTIONS = 10_000
const TCP_KEEPALIVE_MS = 60_000
const LAST_WORDS_MS = 100
const SHOWN_LENGTH = 80
const NOT_AUTHORIZED = 5
const BAD_CREDENTIALS = 4

/**
 * The broker inside the node: MQTT 3.1.1 over TCP or TLS, clean sessions only. A PUBACK is withheld until the inbox says that
 * the outcome is committed. A machine logs in with a token of its current key and reaches its own topics only.
 */
export async function startEmbeddedBroker(options: EmbeddedBrokerOptions): Promise<Broker> {
  const { inbox, identity, logger } = options
  const sessions = new WeakMap<Client, Session>()
  const withWill = new WeakSet<Client>()
  const connected = new Map<bigint, Client>()
  const gate = gateOf(inbox)

  function deny(client: Client | undefined, denial: Denial): void {
    logger.warn(
      { ...denial, sample: undefined, machineId: String(denial.machineId), client: client?.id },
      'denied',
    )
    inbox.deny(denial)
  }

  // Made once: it is called for every envelope.
  const authorizeThen = callbackify(authorize)
  const aedes = new Aedes({
    preConnect(client, packet, done) {
      // No session outlives its connection: a machine keeps what has no receipt, the broker keeps nothing.
      packet.clean = true
      if (packet.will !== undefined) withWill.add(client)
      done(null, true)
    },
    authenticate(client, username, password, done) {
      callbackify(logIn)(client, username, password, (error) => {
        done(error === null ? null : connectError(error), error === null)
      })
    },
    authorizePublish(client, packet, done) {
      authorizeThen(client, packet, (error) => done(error))
    },
    authorizeSubscribe(client, subscription, done) {
      const session = sessions.get(client)
      const topic = parseTopic(subscription.topic)
      if (
        session !== undefined &&
        topic?.machineId === session.machineId &&
        !isFromMachine(topic.name)
      ) {
        return done(null, subscription)
      }
      deny(client, {
        machineId: session?.machineId ?? 0n,
        code: 'TOPIC_FORBIDDEN',
        message: `subscribe to ${subscription.topic}`,
      })
      return done(null, null)
    },
  })

  async function logIn(
    client: Client,
    username: string | undefined,
    password: Buffer | undefined,
  ): Promise<void> {
    const answer = await checkLogIn(client, username, password)
    if ('keyId' in answer) {
      sessions.set(client, answer)
      return
    }
    deny(client, answer)
    throw new DeniedError(answer)
  }

  async function checkLogIn(
    client: Client,
    username: string | undefined,
    password: Buffer | undefined,
  ): Promise<Session | Denial> {
    const machineId = parseMachineId(client.id)
    if (machineId === undefined || username !== client.id) {
      return {
        machineId: 0n,
        code: 'TOKEN_INVALID',
        message: `client id ${shown(client.id)} and user name ${shown(username)} must both be the machine id`,
      }
    }
    const token = password?.toString('utf8') ?? ''
    const answer = await identity.authenticate(machineId, token, options.clock.nowMs())
    if (!answer.ok) {
      const known = answer.code === 'TOKEN_INVALID' ? machineId : 0n
      return { machineId: known, code: answer.code, message: answer.message }
    }
    if (withWill.has(client)) {
      return { machineId, code: 'TOPIC_FORBIDDEN', message: 'wills are not allowed' }
    }
    const usedUp = options.quotas?.mayConnect(machineId)
    if (usedUp !== undefined) return { machineId, code: 'QUOTA_EXCEEDED', message: usedUp }
    return { machineId, keyId: answer.keyId }
  }

  /** Resolves when a publish may be acknowledged; rejects, which ends the connection, if it is forbidden. */
  async function authorize(client: Client | null, packet: PublishPacket): Promise<unknown> {
    const session = client === null ? undefined : sessions.get(client)
    const message = forbiddenPublish(session, packet)
    if (message === undefined) return take(packet, () => client?.closed === true)
    const machineId = session?.machineId ?? 0n
    const denial: Denial = { machineId, code: 'TOPIC_FORBIDDEN', message }
    deny(client ?? undefined, denial)
    // MQTT 3.1.1 has no negative PUBACK: a word on the topic for it, then the end.
    await tell(machineId, denial)
    throw new DeniedError(denial)
  }

  /** What is published on an own topic for machines to write goes to the inbox. */
  function take(packet: PublishPacket, isGone: () => boolean): Promise<unknown> {
    const topic = parseTopic(packet.topic)
    const payload = Buffer.isBuffer(packet.payload) ? packet.payload : Buffer.from(packet.payload)
    if (topic === undefined) return Promise.resolve()
    return topic.name === 'envelope'
      ? gate.pass(topic.machineId, () => inbox.envelope(topic.machineId, payload), isGone)
      : inbox.meterValue(topic.machineId, payload)
  }

  function publish(topic: string, payload: string | Uint8Array): Promise<void> {
    const body = typeof payload === 'string' ? payload : Buffer.from(payload)
    return new Promise((done, fail) => {
      aedes.publish(
        { cmd: 'publish', topic, payload: body, qos: 1, retain: false, dup: false },
        (error) => (error ? fail(error) : done()),
      )
    })
  }

  async function tell(machineId: bigint, denial: Denial): Promise<void> {
    const words = JSON.stringify({ code: denial.code, message: denial.message })
    await publish(topicOf(machineId, 'refused'), words).catch(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS))
  }

  function onOversized(client: Client, frame: OversizedFrame): void {
    const machineId = sessions.get(client)?.machineId ?? 0n
    const denial: Denial = {
      machineId,
      code: 'TOO_LARGE',
      message: `a frame of ${frame.bytes} bytes`,
      sample: Buffer.from(frame.sample),
    }
    deny(client, denial)
    void tell(machineId, denial).then(() => client.close())
  }

  function accept(socket: Socket): void {
    socket.setNoDelay(true)
    socket.setKeepAlive(true, TCP_KEEPALIVE_MS)
    const connection = new GuardedConnection(
      socket,
      (frame) => onOversized(client, frame),
      () => inbox.whenRoom(),
    )
    const client: Client = aedes.handle(connection)
  }

  aedes.on('clientReady', (client) => {
    const session = sessions.get(client)
    if (session === undefined) return
    connected.set(session.machineId, client)
    options.quotas?.connected(session.machineId)
  })
  aedes.on('clientDisconnect', (client) => {
    const session = sessions.get(client)
    if (session !== undefined && connected.get(session.machineId) === client) {
      connected.delete(session.machineId)
      options.quotas?.disconnected(session.machineId)
    }
  })
  aedes.on('clientError', (client, error) => {
    // The broker itself ends a connection that publishes to a wildcard, before it asks us.
    if (error.message.includes('is not allowed in PUBLISH')) {
      const machineId = sessions.get(client)?.machineId ?? 0n
      deny(client, { machineId, code: 'TOPIC_FORBIDDEN', message: error.message })
    }
    logger.debug({ err: error, client: client.id }, 'client error')
  })
  aedes.on('connectionError', (_client, error) => logger.debug({ err: error }, 'connection error'))
  aedes.on('subscribe', (subscriptions, client) => {
    const session = sessions.get(client)
    if (session === undefined || options.agreementsOf === undefined) return
    const topic = topicOf(session.machineId, 'agreement')
    const granted = subscriptions.some((one) => one.topic === topic && Number(one.qos) < 128)
    if (!granted) return
    options
      .agreementsOf(session.machineId)
      .then((messages) =>
        Promise.all(messages.map((message) => publish(topic, JSON.stringify(message)))),
      )
      .catch((error) => logger.error({ err: error }, 'could not send agreements'))
  })

  const stopListening = identity.onChange((machineIds) => {
    for (const machineId of machineIds) {
      const client = connected.get(machineId)
      const session = client === undefined ? undefined : sessions.get(client)
      if (client === undefined || session === undefined) continue
      identity.currentKeyId(machineId).then(
        (keyId) => {
          if (keyId !== session.keyId) client.close()
        },
        (error) => logger.error({ err: error }, 'could not check a connected machine'),
      )
    }
  })

  await aedes.listen()
  const server = await createListener(options, accept)
  return {
    port: portOf(server),
    publish,
    connectedMachines: () => [...connected.keys()],
    async close() {
      stopListening()
      const closed = new Promise<void>((done) => server.close(() => done()))
      await new Promise<void>((done) => aedes.close(() => done()))
      await closed
    },
  }
}

/** What somebody sent, short and as a JSON string: it may hold anything. */
function shown(text: string | undefined): string {
  return JSON.stringify(text?.slice(0, SHOWN_LENGTH) ?? '')
}

function forbiddenPublish(session: Session | undefined, packet: PublishPacket): string | undefined {
  const topic = parseTopic(packet.topic)
  if (session === undefined || topic?.machineId !== session.machineId) {
    return `publish to ${packet.topic}`
  }
  if (!isFromMachine(topic.name)) return `publish to ${packet.topic}, which the node writes`
  return packet.retain ? 'retained messages are not allowed' : undefined
}

function connectError(error: Error): AuthenticateError {
  const isToken = error instanceof DeniedError && error.code === 'TOKEN_INVALID'
  return Object.assign(error, { returnCode: isToken ? BAD_CREDENTIALS : NOT_AUTHORIZED })
}

async function createListener(
  options: EmbeddedBrokerOptions,
  accept: (socket: Socket) => void,
): Promise<Server> {
  const server = startListener(options.certificate, accept)
  server.maxConnections = options.maxConnections ?? DEFAULT_MAX_CONNECTIONS
  await new Promise<void>((done, fail) => {
    server.once('error', fail)
    server.listen(options.port, options.host, done)
  })
  server.on('error', (error) => options.logger.error({ err: error }, 'MQTT listener'))
  return server
}

function startListener(
  certificate: Certificate | undefined,
  accept: (socket: Socket) => void,
): Server {
  if (certificate === undefined) return createServer(accept)
  const server = createTlsServer(certificate.options(), accept)
  certificate.follow(server)
  return server
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') {
    throw new LiquefyError('MQTT_NOT_LISTENING', 'The MQTT listener has no port')
  }
  return address.port
}
