/** Where a command writes: results to stdout, everything else to stderr. */
export interface Output {
  /** With `--json`: one line of JSON, the last of stdout. Without: the text. */
  result(json: object, text: string | (() => string)): void
  /** A line for people, never with `--json`. */
  say(line: string): void
  progress: Progress
}

/** A bar on a terminal's stderr; silent elsewhere. */
interface Progress {
  show(what: string, done: number, total?: number): void
  clear(): void
}

const BAR_CHARACTERS = 24
const REDRAW_MS = 80

export function openOutput(json: boolean): Output {
  const progress = openProgress()
  return {
    result(value, text) {
      progress.clear()
      const line = json ? JSON.stringify(value) : typeof text === 'string' ? text : text()
      process.stdout.write(`${json ? line : printable(line)}\n`)
    },
    say(line) {
      if (json) return
      progress.clear()
      process.stdout.write(`${printable(line)}\n`)
    },
    progress,
  }
}

/**
 * Without what a terminal obeys, and what turns the direction of writing: names, proposals and reasons come from anybody, and must not hide or rewrite
 * what else is said.
 */
export const printable = (text: string): string =>
  text.replace(/\r(?!\n)|[^\P{Cc}\r\n\t]|\p{Bidi_Control}/gu, '?')

function openProgress(): Progress {
  const { stderr } = process
  if (!stderr.isTTY) return { show() {}, clear() {} }
  let shownMs = 0
  return {
    show(what, done, total) {
      const nowMs = performance.now()
      if (nowMs - shownMs < REDRAW_MS && done !== total) return
      shownMs = nowMs
      stderr.write(`\r\u001b[K${what} ${bar(done, total)}`)
    },
    clear() {
      if (shownMs > 0) stderr.write('\r\u001b[K')
      shownMs = 0
    },
  }
}

function bar(done: number, total: number | undefined): string {
  if (!total) return `${done}`
  const full = Math.round((Math.min(done, total) / total) * BAR_CHARACTERS)
  return `${'█'.repeat(full)}${'░'.repeat(BAR_CHARACTERS - full)} ${done}/${total}`
}

/** Columns side by side, the first row as their heading. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  )
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
