import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { addEnvelopeIntake } from '../../src/api/envelope-intake.ts'
import { answerProblems } from '../../src/api/problem.ts'
import { createHttpIngest } from '../../src/connect/http-ingest.ts'
import { type Ingest, silent, tokenOf } from '../ingest-fixture.ts'

/** Entries of an answer: of what is logged, and of what was refused. */
interface Entry {
  seq?: string
  stream?: string
  digest?: string
  loggedAt?: number
  logIndex?: string
  code: string
  message?: string
}

/** What a post was answered. */
export interface Answer {
  status: number
  retryAfter: string | null
  entries: Entry[]
  code?: string
  message?: string
}

type Machine = Parameters<typeof tokenOf>[0]

/** The way in by HTTP of an ingest, on a port of its own. */
export async function openHttpDoor(ingest: Ingest, nowMs = () => Date.now(), freePort = 0) {
  const app = Fastify({ forceCloseConnections: true })
  const door = createHttpIngest({ inbox: ingest.pipeline, identity: ingest.identity, nowMs })
  answerProblems(app, silent)
  await app.register(async (scope) => addEnvelopeIntake(scope, door))
  await app.listen({ host: '127.0.0.1', port: freePort })
  const { port } = app.server.address() as AddressInfo
  const urlOf = (machineId: bigint) => `http://127.0.0.1:${port}/v1/machines/${machineId}/envelopes`

  async function post(
    machine: Machine,
    body: Uint8Array,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(urlOf(machine.machineId), {
      method: 'POST',
      body: Buffer.from(body),
      headers: {
        authorization: `Bearer ${tokenOf(machine)}`,
        'content-type': 'application/cbor-seq',
        ...headers,
      },
    })
    const json = (await response.json()) as Partial<Answer>
    const retryAfter = response.headers.get('retry-after')
    return { ...json, entries: json.entries ?? [], status: response.status, retryAfter }
  }
  return { port, urlOf, post, ingest: door, close: () => app.close() }
}
