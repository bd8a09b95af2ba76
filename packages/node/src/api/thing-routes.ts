import type { FastifyInstance, FastifyRequest, FastifySchema } from 'fastify'
import { type ValueField, valueFields, valueJson } from '../documents/thing/newest-value.ts'
import { shellEnvironment } from '../documents/thing/shell.ts'
import { thingDescription } from '../documents/thing/thing-description.ts'
import { thingDirectory } from '../documents/thing/thing-directory.ts'
import type { ThingInput } from '../documents/thing/thing-input.ts'
import { type NewestReadings, readNewestReadings } from '../store/newest-readings.ts'
import { readMachineIds } from '../store/overview.ts'
import type { ApiContext } from './context.ts'
import { knownMachine, machineView } from './machine-view.ts'
import { BusyError, ProblemError } from './problem.ts'
import { createPropertyStream } from './property-stream.ts'
import { originOf } from './request-origin.ts'
import { route } from './route.ts'
import * as schemas from './schemas.ts'
import { inTurn, oneAtATime } from './turns.ts'

const THINGS_A_PAGE = 20
/** A page of things is read machine by machine. */
const MOST_WAITING = 32
const OBSERVE_AGAIN_SECONDS = 5

type MachineRoute = { Params: { id: string } }
type PropertyRoute = { Params: { id: string; stream: string } }

/** Machines as other systems read them: Thing Descriptions of W3C WoT with what their forms lead to, and Asset Administration Shells. */
export function addThingRoutes(app: FastifyInstance, context: ApiContext): void {
  const turns = oneAtATime(MOST_WAITING)
  const params = schemas.machineParams
  addPropertyRoutes(app, context)
  app.get<MachineRoute>(
    '/v1/machines/:id/thing-description',
    typed(
      'application/td+json',
      route('A machine as a W3C WoT Thing Description 1.1', schemas.thingDescription, { params }),
    ),
    async (request, reply) => {
      const input = await inputOf(context, request, BigInt(request.params.id))
      return reply.type('application/td+json').send(thingDescription(input))
    },
  )
  app.get<MachineRoute>(
    '/v1/machines/:id/aas',
    route('A machine as an Asset Administration Shell (metamodel 3.0)', schemas.shellEnvironment, {
      params,
    }),
    async (request) => shellEnvironment(await inputOf(context, request, BigInt(request.params.id))),
  )
  app.get<{ Querystring: { offset?: number; limit?: number } }>(
    '/v1/things',
    typed(
      'application/ld+json',
      route(
        'Thing Descriptions of all machines, by id; the header Link names the next page',
        schemas.thingDescriptions,
        { querystring: schemas.thingsQuery },
      ),
    ),
    async (request, reply) => {
      const { offset = 0, limit = THINGS_A_PAGE } = request.query
      const ids = await readMachineIds(context.database.pool, { offset, limit: limit + 1 })
      // One after the other: a page of machines is no reason to take every connection of the database.
      const things = await inTurn(turns, async () => {
        const described = []
        for (const machineId of ids.slice(0, limit)) {
          described.push(thingDescription(await inputOf(context, request, machineId)))
        }
        return described
      })
      if (ids.length > limit) {
        reply.header('link', `</v1/things?offset=${offset + limit}&limit=${limit}>; rel="next"`)
      }
      return reply.type('application/ld+json').send(things)
    },
  )
  app.get(
    '/.well-known/wot',
    typed(
      'application/td+json',
      route('This node as a directory of things (W3C WoT Discovery)', schemas.thingDescription),
    ),
    (request, reply) =>
      reply
        .type('application/td+json')
        .send(thingDirectory({ deployment: context.deployment, origin: originOf(request) })),
  )
}

/** What the forms of a stream lead to: its newest value, now or whenever it changes. */
function addPropertyRoutes(app: FastifyInstance, context: ApiContext): void {
  const params = schemas.propertyParams
  const observers = createPropertyStream(context.events)
  app.addHook('preClose', async () => observers.close())
  app.get<PropertyRoute>(
    '/v1/machines/:id/properties/:stream',
    route('The newest reading of a stream, as a bare JSON value', schemas.propertyValue, {
      params,
    }),
    async ({ params: { id, stream } }, reply) => {
      const { logIndex, lastMs, fields } = await newestOf(context, BigInt(id), stream)
      return (
        reply
          .type('application/json; charset=utf-8')
          .header('last-modified', new Date(lastMs).toUTCString())
          .header('link', `</v1/envelopes/${logIndex}>; rel="urn:liquefy:rel:evidence"`)
          // Written already, since a number of JavaScript does not hold every decimal.
          .serializer((json: string) => json)
          .send(valueJson(fields))
      )
    },
  )
  app.get<PropertyRoute>(
    '/v1/machines/:id/properties/:stream/changes',
    {
      schema: {
        summary: 'The newest reading of a stream whenever it changes, as server-sent events',
        params,
        produces: ['text/event-stream'],
        response: { 200: { type: 'string' }, default: schemas.problem },
      } as FastifySchema,
    },
    async ({ params: { id, stream }, headers }, reply) => {
      const read = async () => {
        const { logIndex, fields } = await newestOf(context, BigInt(id), stream)
        return { id: String(logIndex), json: valueJson(fields) }
      }
      await read()
      if (!observers.hasRoom()) {
        throw new BusyError(
          'OBSERVERS_TOO_MANY',
          'Too many observe values of this node. Come back in a few seconds, or read the value.',
          OBSERVE_AGAIN_SECONDS,
        )
      }
      const lastEventId = headers['last-event-id']
      reply.hijack()
      observers.serve(reply.raw, {
        machineId: id,
        stream,
        lastEventId: typeof lastEventId === 'string' ? lastEventId : undefined,
        read,
      })
    },
  )
}

/** @throws ProblemError 404 `MACHINE_UNKNOWN`, `VALUE_UNKNOWN`. */
async function newestOf(
  context: ApiContext,
  machineId: bigint,
  stream: string,
): Promise<NewestReadings & { fields: ValueField[] }> {
  const [newest] = await readNewestReadings(context.database.pool, machineId, [stream])
  const fields = newest === undefined ? [] : valueFields(newest.readings)
  if (newest !== undefined && fields.length > 0) return { ...newest, fields }
  await knownMachine(context, machineId)
  throw new ProblemError(
    404,
    'VALUE_UNKNOWN',
    `This node holds no value of the stream ${stream} of machine ${machineId}: it has not measured it, or its newest reading is archived.`,
  )
}

/** @throws ProblemError 404 `MACHINE_UNKNOWN`. */
async function inputOf(
  context: ApiContext,
  request: Pick<FastifyRequest, 'protocol' | 'headers'>,
  machineId: bigint,
): Promise<ThingInput> {
  const origin = originOf(request)
  const machine = await machineView(context, machineId, 0)
  const newest = await readNewestReadings(
    context.database.pool,
    machineId,
    machine.streams.map(({ stream }) => stream),
  )
  const fieldsOf = new Map(newest.map(({ stream, readings }) => [stream, valueFields(readings)]))
  return {
    machine,
    streams: machine.streams.flatMap((stream) => {
      const fields = fieldsOf.get(stream.stream) ?? []
      return fields.length === 0 ? [] : [{ ...stream, fields }]
    }),
    deployment: context.deployment,
    origin,
  }
}

/** Says in the OpenAPI document that an answer is of this type instead of plain JSON. */
function typed<Options extends { schema: FastifySchema }>(type: string, options: Options): Options {
  return { ...options, schema: { ...options.schema, produces: [type] } }
}
