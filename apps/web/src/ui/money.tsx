import { useEffect, useRef, useState } from 'react'
import { useDeployment } from '../queries.ts'
import { formatExact } from './format.ts'

/** An amount in the ledger's asset. `large` is the figure of a page; its title holds every decimal. */
export const Money = ({ minor, large = false }: { minor: string; large?: boolean }) => {
  const deployment = useDeployment().data
  const shown = useCounting(minor, large)
  const decimals = deployment?.asset.decimals ?? 6
  const symbol = deployment?.asset.symbol ?? ''
  return (
    <span
      className={large ? 'money money-large' : 'money'}
      title={`${formatExact(minor, decimals, decimals)} ${symbol}`}
    >
      {formatExact(shown, decimals, large ? 4 : 2)} <span className="unit">{symbol}</span>
    </span>
  )
}

const countingMs = 600

/** Lets a large figure run to its new value, unless the reader asked for less motion. */
const useCounting = (target: string, moving: boolean): string => {
  const [shown, setShown] = useState(target)
  const from = useRef(target)
  useEffect(() => {
    const still = window.matchMedia('(prefers-reduced-motion: reduce)').matches
    if (!moving || still || from.current === target) {
      from.current = target
      setShown(target)
      return
    }
    const start = performance.now()
    const origin = BigInt(from.current)
    const distance = BigInt(target) - origin
    let frame = 0
    const step = (now: number) => {
      const part = Math.min(1, (now - start) / countingMs)
      const eased = BigInt(Math.round((1 - (1 - part) ** 3) * 10_000))
      const value = String(origin + (distance * eased) / 10_000n)
      from.current = value
      setShown(value)
      if (part < 1) frame = requestAnimationFrame(step)
    }
    frame = requestAnimationFrame(step)
    return () => cancelAnimationFrame(frame)
  }, [target, moving])
  return shown
}
