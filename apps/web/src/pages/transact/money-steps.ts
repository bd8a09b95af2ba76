import type { MoneyPoint } from '@liquefy/client'

/** Amounts from nothing on at which a scale is marked, three or four, round ones; the last is the first that is not below `largest`. */
export const ticksTo = (largest: bigint): bigint[] => {
  const most = largest > 0n ? largest : 1n
  const rough = (most + 2n) / 3n
  const power = 10n ** BigInt(String(rough).length - 1)
  const step = [1n, 2n, 5n, 10n].map((factor) => factor * power).find((one) => one >= rough)
  const ticks = [0n]
  for (let tick = 0n; step !== undefined && tick < most; ) {
    tick += step
    ticks.push(tick)
  }
  return ticks
}

/** The area under a line of steps, as the path of a drawing of 1000 by 1000: `top` is its upper edge. Only the drawing is rounded. */
export const stepPath = (
  line: MoneyPoint[],
  { fromMs, toMs, top }: { fromMs: number; toMs: number; top: bigint },
): string => {
  const span = Math.max(1, toMs - fromMs)
  const steps = line.map(({ timeMs, minor }) => {
    const x = (((timeMs - fromMs) / span) * 1000).toFixed(1)
    return `H${x}V${1000 - Number((BigInt(minor) * 1000n) / top)}`
  })
  return `M0 1000${steps.join('')}H1000V1000Z`
}
