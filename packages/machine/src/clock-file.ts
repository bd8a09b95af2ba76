import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeDurably } from './durable-file.ts'
import type { Anchor } from './steady-clock.ts'

const clockPath = (folder: string) => join(folder, 'clock.json')

/** Keeps when the wall clock was trusted last, for the next process in the same run of the computer. */
export function saveAnchor(folder: string, bootId: string | undefined, anchor: Anchor): void {
  if (bootId === undefined) return
  writeDurably(clockPath(folder), `${JSON.stringify({ bootId, ...anchor })}\n`)
}

/** What `saveAnchor` kept in this run of the computer. */
export function loadAnchor(
  folder: string,
  { bootId, elapsedMs }: { bootId: string | undefined; elapsedMs: number },
): Anchor | undefined {
  if (bootId === undefined) return undefined
  const kept = readKept(folder)
  if (kept?.bootId !== bootId) return undefined
  const { wallMs, elapsedMs: keptMs } = kept
  if (!Number.isFinite(wallMs) || !Number.isFinite(keptMs) || keptMs > elapsedMs) return undefined
  return { wallMs, elapsedMs: keptMs }
}

function readKept(folder: string): (Anchor & { bootId: string }) | undefined {
  try {
    return JSON.parse(readFileSync(clockPath(folder), 'utf8')) as Anchor & { bootId: string }
  } catch {
    // None yet, or damaged: then the wall clock is all there is.
    return undefined
  }
}
