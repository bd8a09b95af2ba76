import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { ProblemError } from './problem.ts'

const NOT_BUILT = `<!doctype html><meta charset="utf-8"><title>Liquefy</title>
<p>The node runs. Its page is not built: run <code>npm run build -w @liquefy/web</code> and start the node again.</p>
<p>The API is described in <a href="/docs/json">/docs/json</a>.</p>
`

/** Serves the built page: files as they are, and its first page for every path of its own routes. */
export async function serveWeb(app: FastifyInstance, webRoot: string | undefined): Promise<void> {
  const root = webRoot === undefined ? undefined : resolve(webRoot)
  const index = root === undefined ? undefined : join(root, 'index.html')
  const built = index !== undefined && existsSync(index)
  if (built && root) {
    await app.register(fastifyStatic, { root, index: false, wildcard: false })
  }
  const page = async (reply: FastifyReply) =>
    reply
      .type('text/html; charset=utf-8')
      .header('cache-control', 'no-cache')
      .send(built && index ? await readFile(index) : NOT_BUILT)
  app.get('/', { schema: { hide: true } }, (_request, reply) => page(reply))
  app.setNotFoundHandler(async (request, reply) => {
    const wantsPage =
      request.method === 'GET' && (request.headers.accept ?? '').includes('text/html')
    if (wantsPage && !request.url.startsWith('/v1/')) return page(reply)
    throw new ProblemError(
      404,
      'NOT_FOUND',
      `There is no ${request.method} ${request.url.slice(0, 200)}.`,
    )
  })
}
