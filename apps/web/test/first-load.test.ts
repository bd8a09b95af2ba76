import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'

const dist = join(import.meta.dirname, '../dist')
const MOST_BYTES = 250_000

/** What index.html names is fetched before anything is seen. */
test('the first load is under 250 kB gzipped', () => {
  const html = readFileSync(join(dist, 'index.html'), 'utf8')
  const named = [...html.matchAll(/<(?:script|link) [^>]*(?:src|href)="(\/[^"]+)"/g)].flatMap(
    ([, path]) => path ?? [],
  )
  expect(named.filter((path) => path.endsWith('.js')).length).toBeGreaterThan(0)
  const bytes = [html, ...named.map((path) => readFileSync(join(dist, path)))]
    .map((content) => gzipSync(content).length)
    .reduce((sum, length) => sum + length, 0)
  expect(bytes).toBeLessThan(MOST_BYTES)
})
