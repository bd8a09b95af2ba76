/**
 * Devices in a process of their own, which count what flows past them: each publishes a register that only rises. It tells of every reading that is
 * on disk and of every receipt, and takes `clockMs` as a node does, and `finish`: one more reading each, and no more after it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { openMachine } from '@liquefy/machine'
import { type DeviceOrder, type DevicePlan, jsonOf } from './device-plan.ts'

/** More than what was in work when a device was killed, and was never told of. */
const LEAP = 1_000n
const MOST_STEP = 9n

const now = Date.now
let wrongMs = 0
let isOver = false
Date.now = () => now() + wrongMs

const started = Promise.withResolvers<DevicePlan[]>()
process.on('message', (order: DeviceOrder) => {
  if ('devices' in order) started.resolve(order.devices)
  else if ('clockMs' in order) wrongMs = order.clockMs
  else isOver = true
})
process.on('disconnect', () => process.exit())
process.on('SIGTERM', () => process.exit())

async function count(plan: DevicePlan): Promise<void> {
  const { machineId, shown, everyMs, ...options } = plan
  const machine = await openMachine({
    ...options,
    machineId: BigInt(machineId),
    signEveryMs: 500,
    delivery: { resendMs: 2_000, window: 128 },
  })
  machine.on('receipt', ({ seq, digest, loggedAt, code }) => {
    process.send?.({ kind: 'receipt', machineId, seq: String(seq), digest, loggedAt, code })
  })
  machine.on('meter', (event) => process.send?.({ kind: 'meter', machineId, said: jsonOf(event) }))
  let value = shown === undefined ? 0n : BigInt(shown) + LEAP
  for (let isLast = false; ; ) {
    const { seq, digest } = await machine.publish('weight', [{ unit: 'g', value }])
    process.send?.({
      kind: 'published',
      machineId,
      seq: String(seq),
      digest,
      value: String(value),
      isLast,
    })
    if (isLast) return
    await sleep(everyMs)
    isLast = isOver
    value += 1n + (seq % MOST_STEP)
  }
}

const plans = await started.promise
process.send?.({ kind: 'started' })
await Promise.all(plans.map(count))
