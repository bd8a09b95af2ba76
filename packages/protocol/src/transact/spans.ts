/** Times or numbers from the first to the second, as `[from, to]`. */
export type Span = readonly [from: number, to: number]

/**
 * Adds a span to some that are in order and apart, in place, merging what overlaps or touches; they are in order and apart again. A span
 * that ends before it begins is dropped.
 */
export function addSpan(spans: Span[], added: Span): void {
  const [from, to] = added
  if (to < from) return
  const first = firstIndex(spans, ([, end]) => end >= from)
  const behind = firstIndex(spans, ([begin]) => begin > to)
  const merged: Span = [
    Math.min(from, spans[first]?.[0] ?? from),
    Math.max(to, spans[behind - 1]?.[1] ?? to),
  ]
  spans.splice(first, behind - first, merged)
}

/** Drops, in place, the spans that do not end after a moment, of some that are in order and apart. */
export function dropSpansUntil(spans: Span[], timeMs: number): void {
  const first = firstIndex(spans, ([, to]) => to > timeMs)
  if (first > 0) spans.splice(0, first)
}

/** How much of `[fromMs, toMs]` no span covers, of some that are in order and apart. */
export function uncoveredMs(spans: readonly Span[], fromMs: number, toMs: number): number {
  let left = toMs - fromMs
  for (let at = firstIndex(spans, ([, to]) => to > fromMs); at < spans.length; at += 1) {
    const [from, to] = spans[at] ?? [toMs, toMs]
    if (from >= toMs) break
    left -= Math.max(0, Math.min(to, toMs) - Math.max(from, fromMs))
  }
  return left
}

/** Index of the first item for which `holds`, which holds for all behind it too; the length if for none. */
export function firstIndex<Item>(items: readonly Item[], holds: (item: Item) => boolean): number {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const item = items[middle]
    if (item !== undefined && holds(item)) high = middle
    else low = middle + 1
  }
  return low
}
