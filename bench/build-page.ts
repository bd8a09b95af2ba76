import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** The page as its source has it now: nodes serve what was built. */
export function buildPage(): void {
  execFileSync('npm', ['run', 'build', '--silent', '-w', '@liquefy/web'], {
    cwd: join(import.meta.dirname, '..'),
    stdio: 'ignore',
  })
}
