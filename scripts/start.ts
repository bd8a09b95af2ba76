/**
 * `npm start`: builds the page if it is older than its source, then runs a node with the silo demo. Arguments are handed
 * on: `npm start -- --data-dir /tmp/demo`.
 */
import { spawn, spawnSync } from 'node:child_process'
import { globSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

const root = dirname(import.meta.dirname)
const newest = (pattern: string) =>
  Math.max(0, ...globSync(pattern, { cwd: root }).map((file) => statSync(join(root, file)).mtimeMs))

const sources = newest('{apps/web,packages/{protocol,audit,client}}/{src,public}/**/*.*')
if (sources > newest('apps/web/dist/index.html')) {
  process.stdout.write('Building the page…\n')
  const built = spawnSync('npm', ['run', 'build', '--silent', '-w', '@liquefy/web'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (built.status !== 0) process.exit(built.status ?? 1)
}

const command = join(root, 'packages/cli/bin/liquefy.js')
const node = spawn(process.execPath, [command, 'up', '--demo', 'silo', ...process.argv.slice(2)], {
  stdio: 'inherit',
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => node.kill(signal))

// The shell that npm puts in between dies of a signal without handing it on: then our parent is another.
const parent = process.ppid
const watch = setInterval(() => {
  if (process.ppid !== parent) node.kill('SIGTERM')
}, 500)

node.on('close', (code) => {
  clearInterval(watch)
  process.exitCode = code ?? 1
})
