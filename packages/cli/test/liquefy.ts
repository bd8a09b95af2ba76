import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'

/** What one run of the program said. */
export interface Run {
  code: number | null
  stdout: string
  stderr: string
  /** The last line of stdout. */
  json: () => never
}

const bin = join(import.meta.dirname, '../bin/liquefy.js')

/** Runs `liquefy` as a user does, to its end. */
export function liquefy(args: readonly string[], env: Record<string, string> = {}): Promise<Run> {
  return finished(start(args, env))
}

/** Starts `liquefy` and leaves it running. */
export function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [bin, ...args], {
    env: { ...process.env, LIQUEFY_DATA_DIR: '/nowhere/liquefy', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

export function finished(child: ChildProcess): Promise<Run> {
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      const stdout = Buffer.concat(out).toString()
      const stderr = Buffer.concat(err).toString()
      resolve({
        code,
        stdout,
        stderr,
        json: () => JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as never,
      })
    })
  })
}

/** The first line of a running program that `isIt` accepts. */
export function lineOf(child: ChildProcess, isIt: (line: string) => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const look = (chunk: Buffer) => {
      text += chunk.toString()
      const line = text.split('\n').find(isIt)
      if (line !== undefined) resolve(line)
    }
    child.stdout?.on('data', look)
    child.stderr?.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    child.on('close', (code) => reject(new Error(`liquefy ended with ${code}:\n${text}`)))
  })
}
