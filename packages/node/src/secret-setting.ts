import { readFileSync } from 'node:fs'
import { LiquefyError } from '@liquefy/protocol'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * A secret setting: the variable `name`, or the content of the file that `<name>_FILE` names, without the line end at its end.
 * Empty counts as absent.
 *
 * @throws LiquefyError `CONFIG_INVALID` if both are given, or the file cannot be read. Never quotes a value.
 */
export function readSecret(env: Environment, name: string): string | undefined {
  const value = env[name] || undefined
  const path = env[`${name}_FILE`] || undefined
  if (path === undefined) return value
  if (value !== undefined) {
    throw new LiquefyError('CONFIG_INVALID', `${name} and ${name}_FILE are both given: keep one.`)
  }
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '') || undefined
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new LiquefyError(
      'CONFIG_INVALID',
      `${name}_FILE is ${path}, which cannot be read (${code}). Name a file that the node's user may read.`,
      { cause },
    )
  }
}
