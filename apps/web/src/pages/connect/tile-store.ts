import type { ReadingSeries } from '@liquefy/client'
import { type Held, keyOf, type Tile, timesOf } from '../../ui/series-tiles.ts'

interface Kept {
  tile: Tile
  series: ReadingSeries[]
  askedMs: number
  isOutdated: boolean
}

const mostKept = 400
const paceMs = 80
const restMs = 2_000
/** A machine sends what it measured within this time; a tile that ended longer before it was read may change only by what is late. */
const settledMs = 120_000
const lateMs = 30_000

/**
 * The tiles of one stream that were fetched, and those under way: at a pace, the wanted ones only, given up when they are not wanted any more.
 * Holds a bounded number, the last wanted. Who subscribes is told of each change.
 */
export class TileStore {
  /** Why the newest request failed; undefined since one succeeded. */
  problem: unknown
  readonly #read: (tile: Tile, signal: AbortSignal) => Promise<ReadingSeries[]>
  readonly #kept = new Map<string, Kept>()
  readonly #underWay = new Map<string, AbortController>()
  readonly #resting = new Set<string>()
  readonly #listeners = new Set<() => void>()
  #wanted: readonly Tile[] = []
  #pace: ReturnType<typeof setTimeout> | undefined
  #outdatedMs = 0
  #version = 0

  constructor(read: (tile: Tile, signal: AbortSignal) => Promise<ReadingSeries[]>) {
    this.#read = read
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Another number after each change. */
  readonly version = (): number => this.#version

  /** Names and units of the series that the tiles have. */
  parts(): { name: string; unit: string | null }[] {
    const parts = new Map<string, { name: string; unit: string | null }>()
    for (const { series } of this.#kept.values()) {
      for (const { name, unit } of series) parts.set(`${name} ${unit}`, { name, unit })
    }
    return [...parts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, part]) => part)
  }

  /** What is there of one of the series. */
  heldOf(part: { name: string; unit: string | null } | undefined): Held {
    return (tile) => {
      const kept = this.#kept.get(keyOf(tile))
      if (kept === undefined) return undefined
      const own = kept.series.find(({ name, unit }) => name === part?.name && unit === part.unit)
      return own ?? { bucketMs: tile.bucketMs, buckets: [] }
    }
  }

  has(tile: Tile): boolean {
    return this.#kept.has(keyOf(tile))
  }

  /** Fetches what is missing or outdated of these, the first of them first, and gives up all else. */
  want(tiles: readonly Tile[]): void {
    this.#wanted = tiles
    if (this.#pace !== undefined) return
    this.#start()
    this.#pace = setTimeout(() => {
      this.#pace = undefined
      this.#start()
    }, paceMs)
  }

  /** Something was logged: the newest tiles are read again when they are wanted, the others if they were read some time ago. */
  outdate(nowMs: number): void {
    this.#outdatedMs = nowMs
    for (const kept of this.#kept.values()) {
      kept.isOutdated ||= mayChange(kept.tile, kept.askedMs) || kept.askedMs < nowMs - lateMs
    }
  }

  /** Gives up what is under way. */
  close(): void {
    clearTimeout(this.#pace)
    this.#pace = undefined
    for (const request of this.#underWay.values()) request.abort()
    this.#underWay.clear()
  }

  #start(): void {
    const wanted = new Map(this.#wanted.map((tile) => [keyOf(tile), tile]))
    for (const [key, request] of this.#underWay) {
      if (wanted.has(key)) continue
      request.abort()
      this.#underWay.delete(key)
    }
    for (const [key, tile] of wanted) {
      const kept = this.#kept.get(key)
      if (kept !== undefined) {
        // The last used stand at the end.
        this.#kept.delete(key)
        this.#kept.set(key, kept)
      }
      const isThere = kept !== undefined && !kept.isOutdated
      if (!isThere && !this.#underWay.has(key) && !this.#resting.has(key)) void this.#fetch(tile)
    }
  }

  async #fetch(tile: Tile): Promise<void> {
    const key = keyOf(tile)
    const request = new AbortController()
    const askedMs = Date.now()
    this.#underWay.set(key, request)
    try {
      const series = await this.#read(tile, request.signal)
      if (request.signal.aborted) return
      const isOutdated = this.#outdatedMs > askedMs && mayChange(tile, askedMs)
      this.#kept.delete(key)
      this.#kept.set(key, { tile, series, askedMs, isOutdated })
      this.problem = undefined
      for (const oldest of this.#kept.keys()) {
        if (this.#kept.size <= mostKept) break
        this.#kept.delete(oldest)
      }
    } catch (error) {
      if (request.signal.aborted) return
      this.problem = error
      this.#resting.add(key)
      setTimeout(() => {
        this.#resting.delete(key)
        this.#tell()
      }, restMs)
    }
    this.#underWay.delete(key)
    this.#tell()
  }

  #tell(): void {
    this.#version += 1
    for (const listener of this.#listeners) listener()
  }
}

const mayChange = (tile: Tile, askedMs: number): boolean => timesOf(tile).toMs > askedMs - settledMs
