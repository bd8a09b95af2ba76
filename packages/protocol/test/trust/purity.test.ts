import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const src = join(import.meta.dirname, '..', '..', 'src')
const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .sort()

describe('this package runs in browser, device and node', () => {
  it('inspected something', () => {
    expect(files.length).toBeGreaterThan(20)
  })

  it.each(files)('%s', (file) => {
    const text = readFileSync(join(src, file), 'utf8')
    const isNodeOnly = file.endsWith('crypto.node.ts')
    if (!isNodeOnly)
      expect(text).not.toMatch(/from 'node:|\bBuffer\.(?:from|alloc|concat)|\bprocess\./)
    expect(text).not.toMatch(
      /Date\.now|new Date\(\)|Math\.random|getRandomValues|randomBytes|\bfetch\(/,
    )
  })
})
