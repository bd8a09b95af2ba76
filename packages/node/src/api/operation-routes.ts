import type { FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'
import { readLogHead } from '../store/log.ts'
import { ALERT_RULES } from './alert-rules.ts'
import { startAlertWatch } from './alert-watch.ts'
import type { ApiContext } from './context.ts'
import { createOperationView } from './operation-view.ts'
import type { PacedFigures } from './paced-figures.ts'
import { route } from './route.ts'
import * as schemas from './schemas.ts'
import { measureThroughput } from './throughput.ts'

/** What an operator watches, open to whoever reaches the node, as /metrics is. */
export function addOperationRoutes(
  app: FastifyInstance,
  context: ApiContext,
  figures: PacedFigures,
  metrics: Registry,
): void {
  const nowMs = () => context.clock.nowMs()
  const { pool } = context.database
  const throughput = measureThroughput(async () => (await readLogHead(pool)).size, nowMs)
  const isAlone = context.role === 'all'
  const watch = startAlertWatch(
    metrics,
    nowMs,
    ALERT_RULES.filter(({ ofWorkers }) => isAlone || !ofWorkers),
    context.logger,
  )
  app.addHook('onClose', async () => {
    throughput.close()
    watch.close()
  })
  const view = createOperationView(context, { figures, watch, throughput: throughput.view })
  app.get(
    '/v1/operation',
    route('What an operator watches, and what he is warned of', schemas.operation),
    view,
  )
}
