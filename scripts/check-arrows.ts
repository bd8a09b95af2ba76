/**
 * Proves that the linter guards the import arrows of ARCHITECTURE.md: it plants one forbidden import for each
 * folder in a scratch tree under the same configuration, and fails if Biome lets it pass. A rule whose pattern no longer matches its folder
 * would otherwise inspect nothing and stay green.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const forbidden: [folder: string, imported: string][] = [
  ['packages/protocol/src/trust', '@liquefy/machine'],
  ['packages/protocol/src/transact', 'node:fs'],
  ['packages/machine/src', '@liquefy/client'],
  ['packages/credential/src', '@liquefy/client'],
  ['packages/credential/src', 'node:fs'],
  ['packages/client/src', '@liquefy/node'],
  ['packages/audit/src', '@liquefy/client'],
  ['packages/audit/src', 'node:fs'],
  ['packages/audit/src/workers', '@liquefy/client'],
  ['packages/simulator/src', '@liquefy/node'],
  ['examples/silo', '@liquefy/node'],
  ['apps/web/src', '@liquefy/node'],
  ['apps/web/src/pages', '@liquefy/machine'],
  ['packages/node/src/connect', '../trust/evidence.ts'],
  ['packages/node/src/trust', '../transact/metering.ts'],
  ['packages/node/src/transact', '../connect/topics.ts'],
  ['packages/node/src/cooperate', '../transact/metering.ts'],
  ['packages/node/src/store', '../transact/metering.ts'],
  ['packages/node/src/chain', '../trust/identity.ts'],
  ['packages/node/src/chain', '@liquefy/machine'],
]

const root = dirname(import.meta.dirname)
const scratch = mkdtempSync(join(tmpdir(), 'liquefy-arrows-'))
const config = JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8'))
writeFileSync(join(scratch, 'biome.json'), JSON.stringify({ ...config, vcs: { enabled: false } }))

forbidden.forEach(([folder, imported], index) => {
  mkdirSync(join(scratch, folder), { recursive: true })
  const source = `import { planted } from '${imported}'\n\nexport const kept = planted\n`
  writeFileSync(join(scratch, folder, `planted-${index}.ts`), source)
})
const biome = spawnSync(
  join(root, 'node_modules/.bin/biome'),
  ['lint', '--reporter=json', '--max-diagnostics=1000', '.'],
  { cwd: scratch, encoding: 'utf8' },
)
rmSync(scratch, { recursive: true, force: true })

const caught: { category: string; location: { path: string } }[] = JSON.parse(
  biome.stdout,
).diagnostics
const unguarded = forbidden.filter(
  (_, index) =>
    !caught.some(
      ({ category, location }) =>
        category === 'lint/style/noRestrictedImports' &&
        JSON.stringify(location.path).includes(`planted-${index}.ts`),
    ),
)

for (const [folder, imported] of unguarded) {
  process.stderr.write(`${folder} may import ${imported}: biome.json does not forbid it\n`)
}
process.stdout.write(
  `${forbidden.length - unguarded.length} of ${forbidden.length} arrows guarded\n`,
)
process.exitCode = unguarded.length === 0 ? 0 : 1
