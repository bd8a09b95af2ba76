import type { Status } from '@liquefy/client'
import { Gauge, Registry } from 'prom-client'
import type { ApiContext } from './context.ts'
import { statusView } from './status-view.ts'

/** All gauges of one scrape read the same figures. */
const FRESH_MS = 500

/** The node's figures for Prometheus, read when they are asked for. */
export function createMetrics(context: ApiContext): Registry {
  const registry = new Registry()
  let newest: { status: Promise<Status>; readMs: number } | undefined
  const statusNow = () => {
    if (!newest || performance.now() - newest.readMs > FRESH_MS) {
      newest = { status: statusView(context), readMs: performance.now() }
    }
    return newest.status
  }
  const gauge = (
    name: string,
    help: string,
    labelNames: string[],
    read: (gauge: Gauge) => void | Promise<void>,
  ) => {
    registry.registerMetric(
      new Gauge({
        name: `liquefy_${name}`,
        help,
        labelNames,
        registers: [],
        async collect() {
          this.reset()
          await read(this)
        },
      }),
    )
  }

  gauge(
    'frames',
    'Frames since the start, by what became of them. What is cut off at the door (a log-in, a topic, a size) is no frame; liquefy_envelopes{verdict="refused"} counts it.',
    ['outcome'],
    (metric) => {
      for (const [outcome, count] of Object.entries(context.frames())) {
        metric.set({ outcome }, count)
      }
    },
  )
  gauge('envelopes', 'Envelopes by verdict, of all time.', ['verdict', 'code'], async (metric) => {
    const { envelopes } = await statusNow()
    metric.set({ verdict: 'priced', code: 'OK' }, envelopes.priced)
    metric.set({ verdict: 'waiting', code: 'WAITING' }, envelopes.waiting)
    metric.set({ verdict: 'duplicate', code: 'DUPLICATE' }, envelopes.duplicate)
    for (const verdict of ['unpriced', 'refused'] as const) {
      for (const [code, count] of Object.entries(envelopes[verdict])) {
        metric.set({ verdict, code }, count)
      }
    }
  })
  gauge('outbox', 'Transactions by state.', ['status'], async (metric) => {
    const { chain } = await statusNow()
    for (const [status, count] of Object.entries(chain.outbox)) metric.set({ status }, count)
  })
  gauge(
    'log_size',
    'Leaves in the evidence log: present, and anchored on the ledger.',
    ['part'],
    async (metric) => {
      const { chain } = await statusNow()
      metric.set({ part: 'present' }, Number(chain.logSize))
      metric.set({ part: 'anchored' }, Number(chain.anchoredSize))
    },
  )
  gauge(
    'money_minor',
    'Owed and settled, smallest units; rounded by the format.',
    ['part'],
    async (metric) => {
      const { owedMinor, settledMinor } = await statusNow()
      metric.set({ part: 'owed' }, Number(owedMinor))
      metric.set({ part: 'settled' }, Number(settledMinor))
    },
  )
  gauge('block', 'Blocks of the ledger: applied, and final.', ['part'], (metric) => {
    const { included, final } = context.block()
    metric.set({ part: 'included' }, included)
    metric.set({ part: 'final' }, final)
  })
  gauge('connected_machines', 'Machines with an open connection.', [], (metric) => {
    metric.set(context.connectedMachines())
  })
  gauge(
    'notices',
    'Agreements that are low on escrow (`escrow-low`), or owe more than it holds (`escrow-short`).',
    ['kind'],
    (metric) => {
      for (const kind of ['escrow-low', 'escrow-short'] as const) {
        const told = context.notices().filter((notice) => notice.kind === kind)
        metric.set({ kind }, new Set(told.map(({ agreementId }) => agreementId)).size)
      }
    },
  )
  gauge('memory_bytes', 'Resident memory of the node.', [], (metric) => {
    metric.set(process.memoryUsage.rss())
  })
  return registry
}
