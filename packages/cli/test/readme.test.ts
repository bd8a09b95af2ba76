import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

const packages = join(import.meta.dirname, '../..')
const textOf = (pattern: string) =>
  globSync(pattern, { cwd: packages })
    .map((path) => readFileSync(join(packages, path), 'utf8'))
    .join('\n')
const readme = textOf('cli/README.md')
const namedIn = (text: string, pattern: RegExp) => [
  ...new Set([...text.matchAll(pattern)].map(([, name = '']) => name)),
]

describe('the README says all that there is', () => {
  test.each(namedIn(textOf('*/src/**/*.ts'), /\b(LIQUEFY_[A-Z_]+)\b/g))('setting %s', (name) => {
    expect(readme).toContain(`\`${name}\``)
  })

  test.each(namedIn(textOf('cli/src/**/*.ts'), /new CliError\(\s*'([A-Z_]+)'/g))(
    'error %s',
    (code) => {
      expect(readme).toContain(`\`${code}\``)
    },
  )

  test.each(namedIn(textOf('cli/src/commands/*.ts'), /new Command\('([a-z-]+)'\)/g))(
    'command %s',
    (name) => {
      expect(readme).toMatch(new RegExp(`\`[^\`]*\\b${name}\\b`))
    },
  )
})
