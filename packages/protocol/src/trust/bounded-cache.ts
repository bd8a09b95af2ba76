/** Remembers up to `limit` values; what was unused longest goes first. */
export function boundedCache<V>(limit: number): (key: string, make: () => V) => V {
  const entries = new Map<string, V>()
  return (key, make) => {
    const known = entries.get(key)
    if (known !== undefined) {
      // A Map keeps order of insertion: moved to the end, the head is the one unused longest.
      entries.delete(key)
      entries.set(key, known)
      return known
    }
    const value = make()
    entries.set(key, value)
    if (entries.size > limit) {
      const oldest = entries.keys().next()
      if (!oldest.done) entries.delete(oldest.value)
    }
    return value
  }
}
