import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { lockFolder } from '../src/folder-lock.ts'
import { scratchFolder } from './folder.ts'

test.runIf(process.platform === 'linux')(
  'a killed process whose parent never asks for it (a zombie) holds no folder',
  async () => {
    const folder = scratchFolder()
    // The shell becomes `sleep` and so never asks after the child that it started.
    const parent = spawn('sh', ['-c', 'sleep 30 & echo $!; exec sleep 30'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const [printed] = await once(parent.stdout, 'data')
    const pid = Number(String(printed))
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
      writeFileSync(join(folder, 'lock'), `${pid} ${started}`)
      expect(() => lockFolder(folder)).toThrow(/Another process signs/)
      process.kill(pid, 'SIGKILL')
      await expect
        .poll(
          () => spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).stdout,
        )
        .toMatch(/^Z/)
      lockFolder(folder)()
    } finally {
      parent.kill('SIGKILL')
    }
  },
)
