import type { Server } from 'node:https'
import fastifySwagger from '@fastify/swagger'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { Certificate } from '../certificate.ts'
import { isLoopback, namesLoopback } from '../loopback.ts'
import type { ApiContext } from './context.ts'
import { addEnvelopeIntake } from './envelope-intake.ts'
import { createEventStream } from './event-stream.ts'
import { answerProblems, ProblemError } from './problem.ts'
import { addReceiptRoutes } from './receipt-routes.ts'
import { addRoutes } from './routes.ts'
import { statusView } from './status-view.ts'
import { serveWeb } from './web.ts'

/** The HTTP side of the node. */
export interface Api {
  /** Origin at which it answers. */
  url: string
  /** Without a socket, for tests. */
  app: FastifyInstance
  close(): Promise<void>
}

export interface ApiOptions {
  host: string
  /** 0: any free port. */
  port: number
  /** Without it the API speaks plain HTTP, for the loopback interface only. */
  certificate?: Certificate | undefined
  /** Folder of the built page. */
  webRoot?: string | undefined
}

const BODY_BYTES = 65_536

/** Starts the API and the page. */
export async function startApi(context: ApiContext, options: ApiOptions): Promise<Api> {
  const { host, port, certificate, webRoot } = options
  const server = {
    bodyLimit: BODY_BYTES,
    forceCloseConnections: true as const,
    requestTimeout: 60_000,
    // Bodies are read strictly, field by field: a forbidden name is refused there, with its own answer.
    onProtoPoisoning: 'ignore' as const,
    onConstructorPoisoning: 'ignore' as const,
    ajv: { customOptions: { removeAdditional: false as const, coerceTypes: true } },
  }
  const https = certificate?.options() ?? null
  const app = Fastify({ ...server, https } as FastifyServerOptions)
  certificate?.follow(app.server as Server)
  const stream = createEventStream({
    events: context.events,
    nowMs: () => context.clock.nowMs(),
    status: () => statusView(context),
  })
  app.addHook('preClose', async () => stream.close())
  addSecurityHeaders(app, context.deployment.rpcUrl)
  answerProblems(app, context.logger)
  if (isLoopback(host)) refuseOtherNames(app)
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Liquefy node',
        description:
          'Signed readings, what they cost, and the proofs. Amounts are decimal strings in smallest units.',
        version: '1.0.0',
      },
      components: {
        securitySchemes: {
          machineToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
          session: { type: 'http', scheme: 'bearer' },
        },
      },
    },
  })
  await app.register(async (scope) => addRoutes(scope, context, stream))
  await app.register(async (scope) => addReceiptRoutes(scope, context))
  await app.register(async (scope) => addEnvelopeIntake(scope, context.ingest))
  app.get('/docs/json', { schema: { hide: true } }, () => app.swagger())
  await serveWeb(app, webRoot)
  await app.listen({ host, port })
  const address = app.server.address()
  const bound = typeof address === 'object' && address ? address.port : port
  const name = host.includes(':') ? `[${host}]` : host
  return {
    url: `${certificate ? 'https' : 'http'}://${name}:${bound}`,
    app,
    close: () => app.close(),
  }
}

/** Who listens on loopback is asked by this computer's names only: any other one is a stranger's page that points its name here. */
function refuseOtherNames(app: FastifyInstance): void {
  app.addHook('onRequest', async ({ headers }) => {
    if (namesLoopback(headers.host)) return
    throw new ProblemError(
      403,
      'HOST_FORBIDDEN',
      'This node listens on loopback and answers to localhost, 127.0.0.1 and [::1] only; a proxy before it must send one of these as Host.',
    )
  })
}

/** The page may speak to itself and to the ledger, which it checks on its own. */
function addSecurityHeaders(app: FastifyInstance, rpcUrl: string): void {
  const policy = [
    "default-src 'self'",
    `connect-src 'self' ${new URL(rpcUrl).origin}`,
    "img-src 'self' data:",
    "style-src 'self' 'unsafe-inline'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers({
      'content-security-policy': policy,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
    })
  })
}
