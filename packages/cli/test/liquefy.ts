import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { run } from '../src/program.ts'

/** What one run of the program said. */
export interface Run {
  code: number | null
  stdout: string
  stderr: string
  /** The last line of stdout. */
  json: () => never
}

const bin = join(import.meta.dirname, '../bin/liquefy.js')

const NOWHERE = { LIQUEFY_DATA_DIR: '/nowhere/liquefy' }
let last: Promise<unknown> = Promise.resolve()

/** Runs a command line to its end within this process, one at a time: a process of its own takes a second to start. */
export function liquefy(args: readonly string[], env: Record<string, string> = {}): Promise<Run> {
  const mine = last.then(() => runHere(args, { ...NOWHERE, ...env }))
  last = mine.catch(() => undefined)
  return mine
}

async function runHere(args: readonly string[], env: Record<string, string>): Promise<Run> {
  const before = Object.keys(env).map((name) => [name, process.env[name]] as const)
  const { stdout, stderr } = process
  const writes = [stdout.write, stderr.write] as const
  const out: string[] = []
  const err: string[] = []
  Object.assign(process.env, env)
  stdout.write = (chunk: unknown) => out.push(String(chunk)) > 0
  stderr.write = (chunk: unknown) => err.push(String(chunk)) > 0
  try {
    return runOf(await run(args), out.join(''), err.join(''))
  } finally {
    ;[stdout.write, stderr.write] = writes
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}

/** Runs `liquefy` as a user does, in a process of its own, to its end. */
export function liquefyAlone(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Run> {
  return finished(start(args, env))
}

/** Starts `liquefy` and leaves it running. */
export function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [bin, ...args], {
    env: { ...process.env, ...NOWHERE, ...env },
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
      resolve(runOf(code, Buffer.concat(out).toString(), Buffer.concat(err).toString()))
    })
  })
}

function runOf(code: number | null, stdout: string, stderr: string): Run {
  const json = () => JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as never
  return { code, stdout, stderr, json }
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
