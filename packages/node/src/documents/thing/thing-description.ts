import { createHash } from 'node:crypto'
import type {
  ActionAffordance,
  DataSchema,
  EventAffordance,
  PropertyAffordance,
  ThingDescription,
  ThingForm,
  ThingLink,
} from '@liquefy/client'
import { identityOf } from './identity.ts'
import { valueSchema } from './newest-value.ts'
import type { ThingInput, ThingStream } from './thing-input.ts'

const TD = 'https://www.w3.org/2022/wot/td/v1.1'
const JSON_TYPE = 'application/json'
/** So many agreements are linked, the newest: a description must not grow without end. */
const MOST_AGREEMENTS = 100
/** Link relations of our own (RFC 8288: a URI). */
const REL_EVIDENCE = 'urn:liquefy:rel:evidence'
const REL_AGREEMENT = 'urn:liquefy:rel:agreement'

/**
 * The W3C WoT Thing Description 1.1 of a machine: a property for each stream, named as the stream is. What is not a stream has a capital in its
 * name, which no stream has.
 */
export function thingDescription(input: ThingInput): ThingDescription {
  const { machine, origin, deployment, streams } = input
  const properties = {
    machineView: machineProperty(machine.machineId),
    ...Object.fromEntries(
      streams.map((stream) => [stream.stream, streamProperty(machine.machineId, stream)]),
    ),
    ...(streams.length === 0
      ? {}
      : { readingSeries: readingsProperty(machine.machineId, streams) }),
  }
  const signs = ownSigner(input)
  const described: Omit<ThingDescription, 'version'> = {
    '@context': [
      TD,
      {
        '@language': 'en',
        mqv: 'https://www.w3.org/2019/wot/mqtt#',
        qudt: 'http://qudt.org/schema/qudt/',
      },
    ],
    '@type': 'Thing',
    id: identityOf(machine, deployment).id,
    title: machine.name,
    description: descriptionOf(input),
    base: `${origin}/`,
    security: 'nosec_sc',
    securityDefinitions: securityDefinitions(signs?.alg),
    links: linksOf(input),
    properties,
    actions: {
      ...ownerActions(machine.machineId),
      ...(signs === undefined ? {} : { submitEnvelope: submitAction(input) }),
    },
    events: signs === undefined ? {} : machineEvents(input),
  }
  const instance = createHash('sha256').update(JSON.stringify(described)).digest('hex').slice(0, 16)
  return { ...described, version: { instance } }
}

function descriptionOf({ machine, deployment }: ThingInput): string {
  const { caip19 } = identityOf(machine, deployment)
  const signer = machine.controller === null ? '' : ` Machine ${machine.controller} signs for it.`
  return `Machine ${machine.machineId}, ${machine.state}, of ${machine.owner}; on the ledger ${caip19}.${signer} Its readings are signed, chained and logged: the link ${REL_EVIDENCE} leads to the proofs.`
}

/** A machine that signs for itself and may still do so; undefined for any other. */
function ownSigner({ machine }: ThingInput): { alg: string } | undefined {
  if (machine.key === null || machine.controller !== null) return undefined
  if (machine.state === 'decommissioned') return undefined
  return { alg: machine.key.curve === 'P-256' ? 'ES256' : 'ES256K' }
}

function securityDefinitions(alg: string | undefined): ThingDescription['securityDefinitions'] {
  const ofPublic = {
    nosec_sc: { scheme: 'nosec', description: 'What is logged, owed and paid anybody may read.' },
    session_sc: {
      scheme: 'bearer',
      format: 'opaque',
      in: 'header',
      description: 'Token of a session, by Sign-In with Ethereum (EIP-4361).',
    },
  }
  if (alg === undefined) return ofPublic
  return {
    ...ofPublic,
    machine_sc: {
      scheme: 'bearer',
      format: 'jwt',
      alg,
      in: 'header',
      description: "A JWT signed by the machine's current key.",
    },
    mqtt_sc: {
      scheme: 'basic',
      in: 'auto',
      description: 'User name and client id: the id of the machine. Password: the same JWT.',
    },
  }
}

function linksOf({ machine }: ThingInput): ThingLink[] {
  const path = `/v1/machines/${machine.machineId}`
  return [
    { rel: 'alternate', href: `${path}/aas`, type: JSON_TYPE },
    { rel: REL_EVIDENCE, href: `${path}/envelopes`, type: JSON_TYPE },
    ...machine.agreements.slice(-MOST_AGREEMENTS).map((agreementId) => ({
      rel: REL_AGREEMENT,
      href: `/v1/agreements/${agreementId}`,
      type: JSON_TYPE,
    })),
    ...(machine.controller === null
      ? []
      : [
          {
            rel: 'controlledBy',
            href: `/v1/machines/${machine.controller}/thing-description`,
            type: 'application/td+json',
          },
        ]),
    { rel: 'collection', href: '/v1/things', type: 'application/ld+json' },
    { rel: 'service-doc', href: '/docs/json', type: JSON_TYPE },
  ]
}

const http = (method: string, href: string, op: string): ThingForm => ({
  href,
  op,
  contentType: JSON_TYPE,
  'htv:methodName': method,
})

function machineProperty(machineId: string): PropertyAffordance {
  return {
    title: 'What the node knows of the machine',
    type: 'object',
    properties: {
      machineId: { type: 'string' },
      name: { type: 'string' },
      owner: { type: 'string' },
      state: { type: 'string', enum: ['registered', 'active', 'suspended', 'decommissioned'] },
      envelopes: { type: 'integer', minimum: 0 },
      refused: { type: 'integer', minimum: 0 },
      lastReadingMs: { oneOf: [{ type: 'integer' }, { type: 'null' }] },
      agreements: { type: 'array', items: { type: 'string' } },
    },
    required: ['machineId', 'name', 'owner', 'state', 'envelopes', 'refused', 'lastReadingMs'],
    readOnly: true,
    observable: false,
    forms: [http('GET', `/v1/machines/${machineId}`, 'readproperty')],
  }
}

function streamProperty(machineId: string, { stream, fields }: ThingStream): PropertyAffordance {
  const href = `/v1/machines/${machineId}/properties/${stream}`
  return {
    title: stream,
    description: `The newest reading of the stream ${stream}, as the machine signed it.`,
    ...valueSchema(fields),
    readOnly: true,
    observable: true,
    forms: [
      http('GET', href, 'readproperty'),
      {
        href: `${href}/changes`,
        op: ['observeproperty', 'unobserveproperty'],
        subprotocol: 'sse',
        contentType: 'text/event-stream',
      },
    ],
  }
}

function readingsProperty(machineId: string, streams: readonly ThingStream[]): PropertyAffordance {
  const timeMs: DataSchema = { type: 'integer', minimum: 0 }
  const figure: DataSchema = { type: 'number' }
  return {
    title: 'Readings of a stream between two times, in buckets',
    type: 'array',
    items: {
      type: 'object',
      properties: {
        stream: { type: 'string' },
        name: { type: 'string' },
        unit: { oneOf: [{ type: 'string' }, { type: 'null' }] },
        bucketMs: { type: 'integer', unit: 'ms' },
        buckets: {
          type: 'array',
          items: {
            type: 'object',
            properties: {
              timeMs,
              count: { type: 'integer', minimum: 1 },
              min: figure,
              max: figure,
              mean: figure,
              last: figure,
            },
            required: ['timeMs', 'count', 'min', 'max', 'mean', 'last'],
          },
        },
      },
      required: ['stream', 'name', 'unit', 'bucketMs', 'buckets'],
    },
    uriVariables: {
      stream: { type: 'string', enum: streams.map(({ stream }) => stream) },
      fromMs: timeMs,
      toMs: timeMs,
      points: { type: 'integer', minimum: 1, maximum: 1_500 },
    },
    readOnly: true,
    observable: false,
    forms: [
      http('GET', `/v1/machines/${machineId}/readings{?stream,fromMs,toMs,points}`, 'readproperty'),
    ],
  }
}

function ownerActions(machineId: string): Record<string, ActionAffordance> {
  const path = `/v1/machines/${machineId}`
  const form = (method: string, href: string) => ({
    ...http(method, href, 'invokeaction'),
    security: 'session_sc',
  })
  const name: DataSchema = {
    type: 'object',
    properties: { name: { type: 'string', minLength: 1, maxLength: 60 } },
    required: ['name'],
  }
  const place: DataSchema = {
    type: 'object',
    properties: {
      latitudeE7: { type: 'integer', minimum: -900_000_000, maximum: 900_000_000 },
      longitudeE7: { type: 'integer', minimum: -1_800_000_000, maximum: 1_800_000_000 },
    },
    required: ['latitudeE7', 'longitudeE7'],
  }
  const forgotten: DataSchema = {
    type: 'object',
    properties: { machineId: { type: 'string' } },
    required: ['machineId'],
  }
  const repeatable = { safe: false, idempotent: true }
  return {
    rename: {
      title: 'Names it for pages; for its owner',
      input: name,
      output: name,
      ...repeatable,
      forms: [form('PUT', `${path}/name`)],
    },
    place: {
      title: 'Says where it stands, in degrees of WGS 84 times 10^7; for its owner',
      input: place,
      output: place,
      ...repeatable,
      forms: [form('PUT', `${path}/place`)],
    },
    forgetPlace: {
      title: 'Takes that back; for its owner',
      output: forgotten,
      ...repeatable,
      forms: [form('DELETE', `${path}/place`)],
    },
  }
}

/** Nobody but the machine may do it, and only readings that its key has signed are taken. */
function submitAction({ machine, deployment }: ThingInput): ActionAffordance {
  const cose = 'application/cose; cose-type="cose-sign1"'
  return {
    title: 'Takes a signed envelope; for the machine itself',
    input: { type: 'string', contentMediaType: cose },
    output: {
      type: 'object',
      properties: { entries: { type: 'array', items: receiptEntry(['code']) } },
      required: ['entries'],
    },
    safe: false,
    idempotent: true,
    forms: [
      {
        href: `/v1/machines/${machine.machineId}/envelopes`,
        op: 'invokeaction',
        contentType: cose,
        response: { contentType: JSON_TYPE },
        security: 'machine_sc',
        'htv:methodName': 'POST',
      },
      {
        href: deployment.mqttUrl,
        op: 'invokeaction',
        contentType: cose,
        security: 'mqtt_sc',
        'mqv:controlPacket': 'publish',
        'mqv:topic': `liquefy/v1/${machine.machineId}/envelope`,
        'mqv:qos': '1',
      },
    ],
  }
}

function machineEvents({ machine, deployment }: ThingInput): Record<string, EventAffordance> {
  const forms = (name: string): ThingForm[] => [
    {
      href: deployment.mqttUrl,
      op: ['subscribeevent', 'unsubscribeevent'],
      contentType: JSON_TYPE,
      security: 'mqtt_sc',
      'mqv:controlPacket': 'subscribe',
      'mqv:filter': `liquefy/v1/${machine.machineId}/${name}`,
      'mqv:qos': '1',
    },
  ]
  return {
    receipt: {
      title: 'What of its envelopes is logged for good; for the machine itself',
      data: {
        type: 'object',
        properties: {
          machineId: { type: 'string' },
          stream: { type: 'string' },
          entries: {
            type: 'array',
            items: receiptEntry(['seq', 'digest', 'loggedAt', 'code', 'logIndex']),
          },
        },
        required: ['machineId', 'stream', 'entries'],
      },
      forms: forms('receipt'),
    },
    refused: {
      title: 'What of its frames was not logged, and why; for the machine itself',
      data: {
        type: 'object',
        properties: {
          code: { type: 'string' },
          message: { type: 'string' },
          digest: { type: 'string' },
        },
        required: ['code', 'message'],
      },
      forms: forms('refused'),
    },
  }
}

function receiptEntry(required: string[]): DataSchema {
  return {
    type: 'object',
    properties: {
      seq: { type: 'string' },
      digest: { type: 'string' },
      loggedAt: { type: 'integer' },
      code: { type: 'string' },
      logIndex: { type: 'string' },
    },
    required,
  }
}
